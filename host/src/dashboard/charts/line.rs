//! A line of a chart: values over time, as the path of an SVG.

use std::fmt::Write as _;

use ship_api::{HistoryPoint, HistoryView};

use super::chart::{HEIGHT, WIDTH};

/// The values of one line, a place for each step of the time that is shown. Where there is no point, or nothing was measured, nobody knows.
pub(super) struct Line {
    pub(super) name: &'static str,
    pub(super) values: Vec<Option<f64>>,
}

impl Line {
    pub(super) fn new(name: &'static str, history: &HistoryView, value: impl Fn(&HistoryPoint) -> Option<f64>) -> Self {
        let step = history.step_secs.max(1);
        let from = history.from.as_second();
        let places = usize::try_from((history.to.as_second() - from) / step + 1).unwrap_or(1);
        let mut values = vec![None; places];
        for point in &history.points {
            let place = usize::try_from((point.at.as_second() - from) / step).unwrap_or(usize::MAX);
            if let Some(slot) = values.get_mut(place) {
                *slot = value(point);
            }
        }
        Self { name, values }
    }

    pub(super) fn most(&self) -> f64 {
        self.values.iter().flatten().copied().fold(0.0, f64::max)
    }

    /// The line as the data of an SVG path, which is broken where nobody knows, and the points that stand alone as that of another.
    pub(super) fn drawn(&self, scale: f64) -> (String, String) {
        let across = WIDTH / (self.values.len().max(2) - 1) as f64;
        let (mut path, mut dots) = (String::new(), String::new());
        let mut is_begun = false;
        for (place, value) in self.values.iter().enumerate() {
            let Some(value) = value else {
                is_begun = false;
                continue;
            };
            let (x, y) = (place as f64 * across, HEIGHT - value * scale);
            let is_alone = !is_begun && self.values.get(place + 1).is_none_or(Option::is_none);
            let _ = match (is_begun, is_alone) {
                (true, _) => write!(path, "L{x:.0} {y:.1}"),
                (false, false) => write!(path, "M{x:.0} {y:.1}"),
                // A line of hardly any length, whose round ends are a dot.
                (false, true) => write!(dots, "M{x:.0} {y:.1}h.01"),
            };
            is_begun = true;
        }
        (path, dots)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use ship_api::HistoryRange;

    use super::*;

    fn history(points: &[(i64, u64)]) -> HistoryView {
        let at = |second| Timestamp::from_second(second).unwrap();
        let point = |(second, requests): &(i64, u64)| HistoryPoint {
            at: at(*second),
            requests: *requests,
            refused: 0,
            failed: 0,
            p50_micros: None,
            p95_micros: None,
            p99_micros: None,
            cold_starts: 0,
            instances: 0,
            memory_bytes: 0,
            storage_bytes: 0,
        };
        let points = points.iter().map(point).collect();
        HistoryView { range: HistoryRange::Hour, step_secs: 10, from: at(0), to: at(40), points }
    }

    /// A line goes through its values, and is broken where there are none: also before the host was ever started.
    #[test]
    fn lines() {
        let drawn = |points: &[(i64, u64)]| {
            Line::new("a", &history(points), |point| Some(point.requests as f64)).drawn(HEIGHT / 4.0)
        };
        assert_eq!(drawn(&[(0, 1), (10, 2), (40, 4)]), ("M0 90.0L160 60.0".into(), "M640 0.0h.01".into()));
        assert_eq!(drawn(&[(20, 0), (30, 0), (40, 4)]), ("M320 120.0L480 120.0L640 0.0".into(), String::new()));
    }
}
