//! A chart: numbers become lines in a picture of fixed size, which the template writes as SVG.

use jiff::Timestamp;
use ship_api::{HistoryRange, HistoryView};

use super::line::Line;
use crate::dashboard::text;

/// The size of the part with the lines, in the picture's own units.
pub(super) const WIDTH: f64 = 640.0;
pub(super) const HEIGHT: f64 = 120.0;

/// How many times are written below it.
const TIMES: i64 = 4;

/// What a chart counts in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Unit {
    Count,
    Micros,
    Bytes,
}

impl Unit {
    fn write(self, value: f64) -> String {
        match self {
            Self::Count if value >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
            Self::Count if value >= 1.0 => format!("{value:.1}"),
            Self::Count => format!("{value:.3}"),
            Self::Micros => text::micros(value),
            Self::Bytes => text::bytes(value),
        }
    }
}

/// Which of its values stands beside the name of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Told {
    /// The largest one: the newest of what is counted is nothing as soon as nobody asks.
    Most,
    /// The newest one.
    Newest,
}

impl Told {
    fn of(self, line: &Line) -> Option<f64> {
        match self {
            Self::Most => line.values.iter().flatten().copied().reduce(f64::max),
            Self::Newest => line.values.last().copied().flatten(),
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Most => "at most",
            Self::Newest => "now",
        }
    }
}

/// A chart as the template has it.
#[derive(Debug, serde::Serialize)]
pub(super) struct Chart {
    title: String,
    /// What the number beside a line's name is.
    told: &'static str,
    lines: Vec<Drawn>,
    /// What stands at the lines across, from below.
    levels: Vec<Label>,
    times: Vec<Label>,
    /// What it shows, in a sentence.
    summary: String,
}

#[derive(Debug, serde::Serialize)]
struct Drawn {
    name: &'static str,
    path: String,
    dots: String,
    value: String,
}

#[derive(Debug, serde::Serialize)]
struct Label {
    /// Where it stands, in the picture's units.
    at: f64,
    text: String,
}

impl Chart {
    pub(super) fn new(title: impl Into<String>, unit: Unit, told: Told, history: &HistoryView, lines: &[Line]) -> Self {
        let most = lines.iter().map(Line::most).fold(0.0, f64::max);
        let top = round_up(most, unit);
        // What stands at the ground is nothing, and says itself.
        let text = |part| if part > 0.0 { unit.write(top * part) } else { String::new() };
        let levels = [0.0, 0.5, 1.0].map(|part| Label { at: HEIGHT * (1.0 - part), text: text(part) });
        let value = |line: &Line| told.of(line).map_or("–".to_owned(), |value| unit.write(value));
        let title = title.into();
        let summary = format!("{title} over the last {}: at most {}", history.range.as_str(), unit.write(most));
        let drawn = |line: &Line| {
            let (path, dots) = line.drawn(HEIGHT / top);
            Drawn { name: line.name, path, dots, value: value(line) }
        };
        let (lines, levels) = (lines.iter().map(drawn).collect(), levels.into());
        Self { title, told: told.words(), lines, levels, times: times(history), summary }
    }
}

/// A number of which the half is easy to read, and that is not smaller.
fn round_up(most: f64, unit: Unit) -> f64 {
    let least = if unit == Unit::Count { 2.0 } else { 1_000.0 };
    let most = most.max(least);
    let power = 10_f64.powf(most.log10().floor());
    [1.0, 2.0, 4.0, 5.0, 6.0, 8.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= most).unwrap_or(most)
}

fn times(history: &HistoryView) -> Vec<Label> {
    let (from, to) = (history.from.as_second(), history.to.as_second());
    let format = if history.range == HistoryRange::Month { "%b %-d" } else { "%H:%M" };
    let label = |number: i64| {
        let second = from + (to - from) * number / TIMES;
        let text = Timestamp::from_second(second).map(|at| at.strftime(format).to_string()).unwrap_or_default();
        Label { at: WIDTH * number as f64 / TIMES as f64, text }
    };
    (0..=TIMES).map(label).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands at the top is not less than what is shown, and easy to read.
    #[test]
    fn tops() {
        let tops = [0.0, 3.0, 41.0, 100.0, 730.0].map(|most| Unit::Count.write(round_up(most, Unit::Count)));
        assert_eq!(tops, ["2", "4", "50", "100", "800"]);
        assert_eq!(Unit::Bytes.write(round_up(0.0, Unit::Bytes)), "1.0 kB");
    }
}
