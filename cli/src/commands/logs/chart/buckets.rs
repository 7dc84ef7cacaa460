//! Requests, counted by when they came.

use jiff::Timestamp;
use serde::Serialize;
use ship_core::{LogRecord, LogSource, ProjectName};

/// How long the time of a point may be, in seconds: what people count time in.
const STEPS: [i64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800,
];

/// How many weeks the time of a point may have: with a single point, all that a time can be.
const MOST_WEEKS: i64 = 1_100_000;

/// How much time is drawn at the least, unless it is said how much, in seconds.
const LEAST: i64 = 60;

/// A stretch of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    from: i64,
    to: i64,
}

/// A stretch of time in points of the same length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Points {
    from: i64,
    step_secs: i64,
    count: usize,
}

/// What was counted, as programs have it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Chart {
    project: ProjectName,
    /// When the first point begins.
    pub(super) from: Timestamp,
    /// When the last one ends.
    pub(super) to: Timestamp,
    pub(super) step_secs: i64,
    /// Whether all requests are counted, or only the newest of them.
    is_complete: bool,
    pub(super) all: Counts,
    pub(super) points: Vec<Point>,
}

/// What was counted in a piece of time.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Point {
    at: Timestamp,
    #[serde(flatten)]
    pub(super) counts: Counts,
}

/// Requests and how they were answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub(super) struct Counts {
    pub(super) requests: u64,
    /// Those with a status from 400 to 499.
    pub(super) refused: u64,
    /// Those with a status from 500 on.
    pub(super) failed: u64,
    /// How long half of the answers took at the most, in microseconds.
    pub(super) p50_micros: Option<u64>,
    /// The same of 95 of 100.
    pub(super) p95_micros: Option<u64>,
}

impl Span {
    /// From what was asked for, else the first request, until what was asked for, else now.
    pub(super) fn of(
        records: &[LogRecord],
        since: Option<Timestamp>,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Self {
        let times = || records.iter().map(|record| record.at);
        // Of a host whose clock is ahead, requests come later than now.
        let to = until.unwrap_or_else(|| times().max().map_or(now, |last| last.max(now)));
        let to = to.as_second();
        let first = times().min().map_or(to, Timestamp::as_second);
        let from = since.map_or(first.min(to - LEAST + 1), Timestamp::as_second);
        Self { from: from.min(to), to }
    }

    /// The same in at most so many points.
    pub(super) fn in_points(self, most: usize) -> Points {
        let count = |step: i64| usize::try_from((self.to - self.from.div_euclid(step) * step) / step + 1);
        let fits = |step: &i64| count(*step).is_ok_and(|count| count <= most);
        let weeks = |number: i64| number * STEPS[STEPS.len() - 1];
        let step = STEPS.into_iter().find(fits).or_else(|| (2..MOST_WEEKS).map(weeks).find(fits)).unwrap_or(1);
        Points { from: self.from.div_euclid(step) * step, step_secs: step, count: count(step).unwrap_or(1) }
    }
}

impl Chart {
    pub(super) fn new(project: &ProjectName, records: &[LogRecord], points: &Points, is_complete: bool) -> Self {
        let mut requests: Vec<Vec<(u16, u64)>> = vec![Vec::new(); points.count];
        for record in records {
            let LogSource::Request { status, duration_micros, .. } = &record.source else { continue };
            let place = (record.at.as_second() - points.from).div_euclid(points.step_secs);
            if let Some(point) = usize::try_from(place).ok().and_then(|place| requests.get_mut(place)) {
                point.push((*status, *duration_micros));
            }
        }
        let at = |place: usize| {
            let second = points.from + points.step_secs * i64::try_from(place).unwrap_or(i64::MAX);
            Timestamp::from_second(second).unwrap_or(Timestamp::MAX)
        };
        let all: Vec<(u16, u64)> = requests.iter().flatten().copied().collect();
        let counted =
            requests.iter().enumerate().map(|(place, requests)| Point { at: at(place), counts: Counts::of(requests) });
        Self {
            project: project.clone(),
            from: at(0),
            to: at(points.count),
            step_secs: points.step_secs,
            is_complete,
            all: Counts::of(&all),
            points: counted.collect(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.requests == 0
    }
}

impl Counts {
    fn of(requests: &[(u16, u64)]) -> Self {
        let answered =
            |from: u16, to: u16| requests.iter().filter(|(status, _)| (from..to).contains(status)).count() as u64;
        let mut durations: Vec<u64> = requests.iter().map(|(_, duration)| *duration).collect();
        durations.sort_unstable();
        let nearest =
            |percent: usize| durations.get((durations.len() * percent).div_ceil(100).saturating_sub(1)).copied();
        Self {
            requests: requests.len() as u64,
            refused: answered(400, 500),
            failed: answered(500, u16::MAX),
            p50_micros: nearest(50),
            p95_micros: nearest(95),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps are those that people count in, and there is room for all of them.
    #[test]
    fn steps() {
        let in_points = |seconds: i64, most| {
            let points = Span { from: 1_000_007, to: 1_000_007 + seconds }.in_points(most);
            assert!(points.count <= most && points.from <= 1_000_007, "{points:?}");
            points.step_secs
        };
        assert_eq!([0, 39, 40, 3_600, 86_400].map(|seconds| in_points(seconds, 40)), [1, 1, 2, 120, 3_600]);
        assert_eq!(in_points(100_000_000, 1), 167 * 604_800);
    }
}
