//! The straight line through a curve whose axes are logarithms: its slope is the power with which the cost grows.

use serde::{Deserialize, Serialize};

use super::Point;
use crate::samples::rounded;

/// How many points, from the largest size down, the line goes through: two decades. At small sizes what has to be done anyway
/// covers what grows, and would make a slope look flatter than it is where it counts.
const POINTS: usize = 3;

/// The line `cost = factor × size ^ exponent` that fits best by least squares of the logarithms.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Fit {
    /// The power of the size.
    pub(crate) exponent: f64,
    /// The cost at size one, in the unit of the curve.
    pub(crate) factor: f64,
    /// The smallest size that it goes through.
    pub(crate) from: f64,
    /// The largest.
    pub(crate) to: f64,
}

impl Fit {
    /// The line through the medians of the largest sizes.
    pub(crate) fn of(points: &[Point]) -> Self {
        let points = &points[points.len().saturating_sub(POINTS)..];
        let (Some(first), Some(last)) = (points.first(), points.last()) else { return Self::default() };
        let logs: Vec<(f64, f64)> = points.iter().map(|point| (point.size.ln(), point.median().ln())).collect();
        let count = logs.len() as f64;
        let mean = |part: fn(&(f64, f64)) -> f64| logs.iter().map(part).sum::<f64>() / count;
        let (x, y) = (mean(|log| log.0), mean(|log| log.1));
        let spread: f64 = logs.iter().map(|log| (log.0 - x).powi(2)).sum();
        let together: f64 = logs.iter().map(|log| (log.0 - x) * (log.1 - y)).sum();
        let exponent = if spread > 0. { together / spread } else { 0. };
        let factor = rounded((y - exponent * x).exp());
        Self { exponent: (exponent * 1e3).round() / 1e3, factor, from: first.size, to: last.size }
    }

    /// The cost at a size.
    pub(crate) fn at(&self, size: f64) -> f64 {
        self.factor * size.powf(self.exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(cost: impl Fn(f64) -> f64) -> Vec<Point> {
        [10., 100., 1e3, 1e4, 1e5].map(|size| Point { size, samples: vec![cost(size)] }).into()
    }

    /// A power is found, and what has to be done anyway does not hide it.
    #[test]
    fn powers() {
        let linear = Fit::of(&points(|size| 3. * size));
        assert_eq!((linear.exponent, linear.from, linear.to), (1., 1e3, 1e5));
        assert!((linear.at(10.) - 30.).abs() < 1e-6);
        let covered = Fit::of(&points(|size| 40. + 0.5 * size.powf(1.5)));
        assert!((covered.exponent - 1.5).abs() < 0.01, "{covered:?}");
        assert!(Fit::of(&points(|_| 7.)).exponent.abs() < 1e-9);
    }
}
