//! What was counted over time, of the host and of each project.

use axum::Json;
use jiff::Timestamp;
use ship_api::{ErrorBody, HistoryPoint, HistoryRange, HistoryView};
use ship_core::ProjectName;
use ship_store::{HistoryOf, Resolution, Sample, StateError, TimedSample};

use super::extract::{Path, Query};
use super::{ApiError, State};
use crate::blocking::blocking;
use crate::history::percentile;

/// How many points an answer has unless it is asked for others: as many as are told apart in a chart.
const POINTS: u32 = 180;

/// Which part of what was counted is wanted.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct HistoryQuery {
    /// How far back: `hour`, `day` or `month` (thirty days).
    #[serde(default)]
    #[param(value_type = Option<String>)]
    range: HistoryRange,
    /// About how many points at the most: 180 unless something else is said. What is measured more finely is brought together.
    points: Option<u32>,
}

/// What was counted over time, of all projects together.
#[utoipa::path(get, path = "/v1/history", params(HistoryQuery),
    responses((status = 200, body = HistoryView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 403, body = ErrorBody)))]
pub(super) async fn of_host(
    axum::extract::State(control): State,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryView>, ApiError> {
    control.recorder.catch_up().await;
    let (store, resolution, now) = (control.store.clone(), resolution(query.range), Timestamp::now().as_second());
    let samples = blocking(move || store.history().read(HistoryOf::Host, resolution, now)).await?;
    Ok(Json(view(&query, &samples, now)))
}

/// What was counted over time, of one project: nothing where the host ran and nobody asked for it. What is stored is the host's alone, so of that nothing is said.
#[utoipa::path(get, path = "/v1/projects/{project}/history", params(("project" = String, Path), HistoryQuery),
    responses((status = 200, body = HistoryView), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
        (status = 404, body = ErrorBody)))]
pub(super) async fn of_project(
    axum::extract::State(control): State,
    Path(project): Path<ProjectName>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<HistoryView>, ApiError> {
    control.recorder.catch_up().await;
    let (store, resolution, now) = (control.store.clone(), resolution(query.range), Timestamp::now().as_second());
    let read = move || {
        let of_project = store.history().read(HistoryOf::Project(&project), resolution, now)?;
        Ok::<_, StateError>(beside_nothing(of_project, &store.history().read(HistoryOf::Host, resolution, now)?))
    };
    let samples = blocking(read).await?;
    Ok(Json(view(&query, &samples, now)))
}

/// The samples of a project, with one of nothing for each time of the host's own: it ran then, and nobody asked for the project, of which
/// it writes nothing down then.
fn beside_nothing(of_project: Vec<TimedSample>, of_host: &[TimedSample]) -> Vec<TimedSample> {
    let mut all = of_project;
    all.extend(of_host.iter().map(|(at, _)| (*at, Sample::default())));
    all.sort_by_key(|(at, _)| *at);
    all
}

const fn resolution(range: HistoryRange) -> Resolution {
    match range {
        HistoryRange::Hour => Resolution::Hour,
        HistoryRange::Day => Resolution::Day,
        HistoryRange::Month => Resolution::Month,
    }
}

/// Samples as so many points. Points begin at times that their step divides, so that the same times make the same points later.
fn view(query: &HistoryQuery, samples: &[TimedSample], now: i64) -> HistoryView {
    let resolution = resolution(query.range);
    let wanted = query.points.unwrap_or(POINTS).clamp(1, resolution.slots());
    let step = resolution.step_secs() * i64::from(resolution.slots().div_ceil(wanted));
    let begin_of = |second: i64| second - second.rem_euclid(step);
    let groups = samples.chunk_by(|one, next| begin_of(one.0) == begin_of(next.0));
    let merged = |group: &[TimedSample]| group.iter().fold(Sample::default(), |sum, (_, more)| sum.and(more));
    let points = groups.filter_map(|group| Some(point(begin_of(group.first()?.0), &merged(group))));
    HistoryView {
        range: query.range,
        step_secs: step,
        from: second(begin_of(resolution.oldest_at(now))),
        to: second(now),
        points: points.collect(),
    }
}

fn point(begins: i64, sample: &Sample) -> HistoryPoint {
    HistoryPoint {
        at: second(begins),
        requests: sample.requests(),
        refused: sample.refused.into(),
        failed: sample.failed.into(),
        p50_micros: percentile(&sample.durations, 500),
        p95_micros: percentile(&sample.durations, 950),
        p99_micros: percentile(&sample.durations, 990),
        cold_starts: sample.cold_starts.into(),
        instances: sample.instances.into(),
        memory_bytes: sample.memory_bytes,
        storage_bytes: sample.storage_bytes,
    }
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a project there is a point for each time at which the host ran, whether somebody asked for it or not, and none for others.
    #[test]
    fn of_a_project() {
        let asked = Sample { refused: 3, instances: 1, ..Sample::default() };
        let of_host = [1_000_000, 1_000_010, 1_000_030].map(|at| (at, Sample { refused: 5, ..Sample::default() }));
        let samples = beside_nothing(vec![(1_000_010, asked)], &of_host);
        let query = HistoryQuery { range: HistoryRange::Hour, points: Some(360) };
        let points = view(&query, &samples, 1_000_040).points;
        let told: Vec<_> = points.iter().map(|point| (point.at.as_second(), point.refused, point.instances)).collect();
        assert_eq!(told, [(1_000_000, 0, 0), (1_000_010, 3, 1), (1_000_030, 0, 0)]);
    }
}
