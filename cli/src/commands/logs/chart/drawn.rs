//! A chart as characters of a terminal, however narrow it is.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::buckets::{Chart, Counts};
use crate::output::{Styles, columns, count, duration};

/// How many lines high the requests are.
const LINES: usize = 4;

/// From how long a stretch on seconds are not written, and from how long on the time of the day is not, in seconds.
const MINUTES_FROM: i64 = 600;
const DAYS_FROM: i64 = 4 * 86_400;

/// Draws what was counted.
pub(super) fn draw(chart: &Chart, styles: Styles) -> String {
    if chart.is_empty() {
        return String::new();
    }
    let values = |of: fn(&Counts) -> u64| chart.points.iter().map(|point| of(&point.counts)).collect::<Vec<_>>();
    let most = |values: &[u64]| values.iter().copied().max().unwrap_or_default();
    let mut text = heading(chart, styles);
    let requests = values(|counts| counts.requests);
    text += &title(styles, "requests", &format!("{}, at most {} a column", chart.all.requests, most(&requests)));
    for line in columns(&requests, most(&requests), LINES) {
        text += &lined(&styles.place(line.trim_end()));
    }
    for Errors { name, of, paint } in ERRORS {
        let errors = values(of);
        if most(&errors) > 0 {
            text += &title(styles, name, &format!("{}, at most {}", of(&chart.all), most(&errors)));
            text += &lined(&paint(styles, columns(&errors, most(&errors), 1).concat().trim_end()));
        }
    }
    let slowest = most(&values(p95));
    for (name, of) in [("p50", p50 as fn(&Counts) -> u64), ("p95", p95)] {
        text += &title(styles, name, &duration(Duration::from_micros(of(&chart.all))));
        text += &lined(columns(&values(of), slowest, 1).concat().trim_end());
    }
    text + &axis(chart, styles)
}

/// A kind of errors, and its colour.
struct Errors {
    name: &'static str,
    of: fn(&Counts) -> u64,
    paint: fn(Styles, &str) -> String,
}

const ERRORS: [Errors; 2] = [
    Errors { name: "5xx", of: |counts| counts.failed, paint: |styles, line| styles.error(line) },
    Errors { name: "4xx", of: |counts| counts.refused, paint: |styles, line| styles.warning(line) },
];

fn p50(counts: &Counts) -> u64 {
    counts.p50_micros.unwrap_or_default()
}

fn p95(counts: &Counts) -> u64 {
    counts.p95_micros.unwrap_or_default()
}

fn lined(line: &str) -> String {
    format!("{line}\n")
}

fn title(styles: Styles, name: &str, numbers: &str) -> String {
    format!("{} {}\n", styles.strong(name), styles.dim(numbers))
}

fn heading(chart: &Chart, styles: Styles) -> String {
    let (from, to) = (chart.from.to_zoned(TimeZone::UTC), chart.to.to_zoned(TimeZone::UTC));
    let end = if from.date() == to.date() { "%H:%M" } else { "%Y-%m-%d %H:%M" };
    let span = format!("{} to {} UTC", from.strftime("%Y-%m-%d %H:%M"), to.strftime(end));
    format!("{span}\n{}\n", styles.dim(format_args!("a column is {}", step(chart.step_secs))))
}

/// A step in the largest unit that it is whole in.
fn step(seconds: i64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let unit = units.into_iter().find(|(length, _)| seconds % length == 0);
    unit.map_or_else(String::new, |(length, name)| count(seconds.unsigned_abs() / length.unsigned_abs(), name))
}

/// The times at which the columns begin and end.
fn axis(chart: &Chart, styles: Styles) -> String {
    let length = chart.to.as_second() - chart.from.as_second();
    let format = if length < MINUTES_FROM {
        "%H:%M:%S"
    } else if length < DAYS_FROM {
        "%H:%M"
    } else {
        "%m-%d"
    };
    let write = |at: Timestamp| at.to_zoned(TimeZone::UTC).strftime(format).to_string();
    let (from, to) = (write(chart.from), write(chart.to));
    let room = chart.points.len().saturating_sub(from.len() + to.len());
    let line = if room == 0 { from } else { format!("{from}{:room$}{to}", "") };
    lined(&styles.dim(line))
}

#[cfg(test)]
mod tests {
    use ship_core::LogRecord;

    use super::super::buckets::Span;
    use super::*;
    use crate::output::Output;

    fn record(second: i64, status: u16, millis: u64) -> LogRecord {
        let at = Timestamp::from_second(1_776_168_000 + second).unwrap();
        let line = format!(
            r#"{{"at":"{at}","deployment":"0123456789abcdefghijklmnopqrstuv","source":"request","method":"GET",
                "host":"a.localhost","path":"/","status":{status},"duration_micros":{}}}"#,
            millis * 1_000
        );
        serde_json::from_str(&line).unwrap()
    }

    fn drawn(records: &[LogRecord], length: i64, width: usize) -> String {
        let begin = Timestamp::from_second(1_776_168_000).unwrap();
        let end = Timestamp::from_second(1_776_168_000 + length).unwrap();
        let points = Span::of(records, Some(begin), Some(end), end).in_points(width);
        let chart = Chart::new(&"garden".parse().unwrap(), records, &points, true);
        draw(&chart, Output::for_tests().data_styles())
    }

    /// An hour on a terminal of forty columns: a rush with errors in the middle of it.
    #[test]
    fn rush() {
        let calm = (0..60).map(|minute| record(minute * 60, 200, 3));
        let rush = (0..200).map(|number| record(1_800 + number, if number % 50 == 0 { 500 } else { 200 }, 40));
        let lost = (0..6).map(|number| record(3_000 + number * 60, 404, 1));
        let records: Vec<LogRecord> = calm.chain(rush).chain(lost).collect();
        let text = drawn(&records, 3_599, 40);
        assert!(text.lines().all(|line| line.chars().count() <= 40), "{text}");
        insta::assert_snapshot!(text);
    }

    /// One request, and none.
    #[test]
    fn little() {
        insta::assert_snapshot!(drawn(&[record(3, 200, 12)], 9, 40), @r"
        2026-04-14 12:00 to 12:00 UTC
        a column is 1 second
        requests 1, at most 1 a column
           █
           █
           █
           █
        p50 12.0 ms
           █
        p95 12.0 ms
           █
        12:00:00
        ");
        assert_eq!(drawn(&[], 9, 40), "");
    }
}
