//! Values of one kind that were measured several times.

use serde::{Deserialize, Serialize};

/// What the values count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Seconds of the wall clock.
    Seconds,
    /// Requests answered in one second.
    PerSecond,
    /// Bytes.
    Bytes,
    /// Things, counted.
    Count,
}

/// Values that were measured several times, in ascending order.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Samples {
    unit: Unit,
    values: Vec<f64>,
}

impl Samples {
    /// The samples of `values`.
    pub(crate) fn new(unit: Unit, mut values: Vec<f64>) -> Self {
        if unit != Unit::Count {
            values = values.into_iter().map(rounded).collect();
        }
        values.sort_by(f64::total_cmp);
        Self { unit, values }
    }

    /// What the values count.
    pub(crate) const fn unit(&self) -> Unit {
        self.unit
    }

    /// The values themselves, in ascending order.
    pub(crate) fn into_values(self) -> Vec<f64> {
        self.values
    }

    /// All values, in ascending order.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The least and the greatest value.
    pub(crate) fn range(&self) -> (f64, f64) {
        (self.quantile(0), self.quantile(100))
    }

    /// Times.
    pub(crate) fn seconds(values: Vec<f64>) -> Self {
        Self::new(Unit::Seconds, values)
    }

    /// One count.
    pub(crate) fn count(counted: u64) -> Self {
        Self::new(Unit::Count, vec![counted as f64])
    }

    /// The value in the middle.
    pub(crate) fn median(&self) -> f64 {
        self.quantile(50)
    }

    /// The smallest value that `percent` of all values do not exceed.
    pub(crate) fn quantile(&self, percent: usize) -> f64 {
        let place = (self.values.len() * percent).div_ceil(100).saturating_sub(1);
        self.values.get(place).copied().unwrap_or(f64::NAN)
    }

    /// A value in the unit of these samples.
    pub(crate) fn readable(&self, value: f64) -> String {
        readable(value, self.unit)
    }

    /// These samples reduced to one quantile.
    pub(crate) fn at(&self, percent: usize) -> Self {
        Self::new(self.unit, vec![self.quantile(percent)])
    }
}

impl std::fmt::Display for Samples {
    /// The median, and behind it the least and the greatest value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Some(least), Some(greatest)) = (self.values.first(), self.values.last()) else { return f.write_str("-") };
        write!(f, "{}", readable(self.median(), self.unit))?;
        if self.values.len() > 1 {
            write!(f, " [{} – {}]", readable(*least, self.unit), readable(*greatest, self.unit))?;
        }
        Ok(())
    }
}

/// A value with the six digits that mean anything: no clock here is better than that.
pub(crate) fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// A value with three significant digits and the unit that suits it.
pub(crate) fn readable(value: f64, unit: Unit) -> String {
    let scaled = |scales: &[(f64, &str)]| {
        let (scale, name) =
            scales.iter().find(|(scale, _)| value.abs() >= *scale).or(scales.last()).copied().unwrap_or((1., ""));
        let shown = (value / scale).abs();
        let digits = if shown >= 100. { 0 } else { 1 + usize::from(shown < 10.) };
        format!("{:.*} {name}", digits, value / scale)
    };
    match unit {
        Unit::Seconds => scaled(&[(1., "s"), (1e-3, "ms"), (1e-6, "µs")]),
        Unit::PerSecond => format!("{}/s", grouped(value)),
        Unit::Count => grouped(value),
        Unit::Bytes => scaled(&[(1_048_576., "MiB"), (1024., "KiB"), (1., "B")]),
    }
}

/// A whole number with commas between its thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    let sign = if value < 0. { "-" } else { "" };
    format!("{sign}{}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The median is a value that was measured, and quantiles never point past the end.
    #[test]
    fn quantiles() {
        let samples = Samples::seconds(vec![0.005, 0.001, 0.002, 0.004, 0.003]);
        assert_eq!((samples.median(), samples.quantile(99), samples.quantile(1)), (0.003, 0.005, 0.001));
        assert_eq!(samples.to_string(), "3.00 ms [1.00 ms – 5.00 ms]");
        assert!(Samples::seconds(Vec::new()).median().is_nan());
    }

    /// Counts are read in thousands.
    #[test]
    fn thousands() {
        assert_eq!(Samples::count(1_234_567).to_string(), "1,234,567");
        assert_eq!(readable(987.4, Unit::PerSecond), "987/s");
        assert_eq!(readable(-0.0021, Unit::Seconds), "-2.10 ms");
    }
}
