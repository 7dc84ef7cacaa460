//! Where an axis has its numbers.

use crate::samples::{Unit, readable};

/// About how many numbers stand at an axis.
const WANTED: f64 = 4.;

/// Round numbers from zero to `most`, each with the text that stands at it.
pub(super) fn linear(most: f64, unit: Unit) -> Vec<(f64, String)> {
    let (scale, _) = scale_of(most, unit);
    let step = step_of(most / scale) * scale;
    let count = (most / step + 1e-9).floor();
    std::iter::successors(Some(0.), |place| (*place < count).then_some(place + 1.))
        .map(|place| (place * step, label(place * step, most, unit)))
        .collect()
}

/// A step of one, two or five times a power of ten.
fn step_of(most: f64) -> f64 {
    let raw = most / WANTED;
    let power = 10_f64.powf(raw.log10().floor());
    let times = [1., 2., 5., 10.].into_iter().find(|times| times * power >= raw * (1. - 1e-9)).unwrap_or(10.);
    times * power
}

/// The powers of ten from `least` to `most`, both rounded outwards.
pub(super) fn decades(least: f64, most: f64) -> Vec<f64> {
    let (lowest, highest) = (least.log10().floor(), most.log10().ceil());
    std::iter::successors(Some(lowest), |power| (*power < highest).then_some(power + 1.))
        .map(|power| 10_f64.powf(power))
        .collect()
}

/// A value in the unit that suits the largest of its axis.
pub(super) fn label(value: f64, most: f64, unit: Unit) -> String {
    if value == 0. {
        return "0".to_owned();
    }
    let (scale, name) = scale_of(most, unit);
    let shown = value / scale;
    let digits = format!("{shown:.3}");
    let digits = digits.trim_end_matches('0').trim_end_matches('.');
    match unit {
        Unit::PerSecond | Unit::Count => readable(value, unit),
        _ => format!("{digits} {name}"),
    }
}

fn scale_of(most: f64, unit: Unit) -> (f64, &'static str) {
    let scales: &[(f64, &str)] = match unit {
        Unit::Seconds => &[(1., "s"), (1e-3, "ms"), (1e-6, "µs")],
        Unit::Bytes => &[(1_073_741_824., "GiB"), (1_048_576., "MiB"), (1024., "KiB"), (1., "B")],
        Unit::PerSecond | Unit::Count => &[(1., "")],
    };
    scales.iter().find(|(scale, _)| most >= *scale).or(scales.last()).copied().unwrap_or((1., ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(most: f64, unit: Unit) -> Vec<String> {
        linear(most, unit).into_iter().map(|(_, text)| text).collect()
    }

    /// Numbers are round, few, and say their unit.
    #[test]
    fn round_numbers() {
        assert_eq!(texts(0.093, Unit::Seconds), ["0", "50 ms"]);
        assert_eq!(texts(0.41, Unit::Seconds), ["0", "200 ms", "400 ms"]);
        assert_eq!(texts(161., Unit::Seconds), ["0", "50 s", "100 s", "150 s"]);
        assert_eq!(texts(83_000., Unit::PerSecond), ["0", "50,000/s"]);
        assert_eq!(texts(4. * 1_048_576., Unit::Bytes), ["0", "1 MiB", "2 MiB", "3 MiB", "4 MiB"]);
        assert_eq!(decades(0.003, 2.), [1e-3, 1e-2, 1e-1, 1., 10.]);
    }
}
