//! What was counted over time, drawn.

#![expect(clippy::cast_precision_loss, reason = "a picture has fewer places than a float")]

mod chart;
mod line;
mod sizes;

use axum::response::Response;
use minijinja::context;
use ship_api::{HistoryPoint, HistoryRange, HistoryView, HostStatus};
use ship_core::ProjectName;

use self::chart::{Chart, Told, Unit};
use self::line::Line;
pub(super) use self::sizes::{SHOWN, Sizes};
use super::address::{Path, Query};
use super::failure::Failure;
use super::projects;
use super::seat::Seat;
use super::templates::data;
use super::text;

/// How far back.
#[derive(serde::Deserialize)]
pub(super) struct RangeQuery {
    #[serde(default)]
    range: HistoryRange,
}

/// The charts of a project.
pub(super) async fn of_project(
    seat: Seat,
    Path(name): Path<ProjectName>,
    Query(RangeQuery { range }): Query<RangeQuery>,
) -> Result<Response, Failure> {
    let project = projects::one(&seat, &name).await?;
    let history: HistoryView = seat.get(&format!("/v1/projects/{name}/history?range={}", range.as_str())).await?;
    let charts = charts(&history);
    let values = context! { project => data(&project), charts => data(&charts), totals => totals(&history) };
    Ok(seat.page(
        "charts.html",
        context! { range => range.as_str(), path => format!("/projects/{name}/metrics"), ..values },
    ))
}

/// The host, and its charts.
pub(super) async fn of_host(seat: Seat, Query(RangeQuery { range }): Query<RangeQuery>) -> Result<Response, Failure> {
    let status: HostStatus = seat.get("/v1/status").await?;
    let history: HistoryView = seat.get(&format!("/v1/history?range={}", range.as_str())).await?;
    let mut charts = charts(&history);
    let storage = Line::new("stored", &history, |point| Some(point.storage_bytes as f64));
    charts.push(Chart::new("Storage", Unit::Bytes, of_gauges(history.range), &history, &[storage]));
    let values = context! { status => data(&status), charts => data(&charts), totals => totals(&history) };
    Ok(seat.page("host.html", context! { range => range.as_str(), path => "/host", ..values }))
}

fn totals(history: &HistoryView) -> minijinja::Value {
    let sum = |count: fn(&HistoryPoint) -> u64| history.points.iter().map(count).sum::<u64>();
    context! {
        requests => sum(|point| point.requests),
        refused => sum(|point| point.refused),
        failed => sum(|point| point.failed),
        cold_starts => sum(|point| point.cold_starts),
    }
}

/// What stands beside what goes up and down. The newest step of a day or a month has the most of minutes or hours, which is not what there is
/// now.
const fn of_gauges(range: HistoryRange) -> Told {
    match range {
        HistoryRange::Hour => Told::Newest,
        HistoryRange::Day | HistoryRange::Month => Told::Most,
    }
}

fn charts(history: &HistoryView) -> Vec<Chart> {
    // What is counted is shown as it was counted: a rate for each minute would be more than all that there was of a short rush.
    let each = text::span(history.step_secs);
    let count = |name, of: fn(&HistoryPoint) -> u64| Line::new(name, history, move |point| Some(of(point) as f64));
    let duration = |name, of: fn(&HistoryPoint) -> Option<u64>| {
        Line::new(name, history, move |point| of(point).map(|micros| micros as f64))
    };
    let requests = [count("requests", |point| point.requests)];
    let errors = [count("5xx", |point| point.failed), count("4xx", |point| point.refused)];
    let durations = [
        duration("p50", |point| point.p50_micros),
        duration("p95", |point| point.p95_micros),
        duration("p99", |point| point.p99_micros),
    ];
    let starts = [count("cold starts", |point| point.cold_starts)];
    vec![
        Chart::new(format!("Requests per {each}"), Unit::Count, Told::Most, history, &requests),
        Chart::new(format!("Errors per {each}"), Unit::Count, Told::Most, history, &errors),
        Chart::new("Response time", Unit::Micros, Told::Most, history, &durations),
        Chart::new(format!("Cold starts per {each}"), Unit::Count, Told::Most, history, &starts),
        Chart::new(
            "Instances",
            Unit::Count,
            of_gauges(history.range),
            history,
            &[count("instances", |point| point.instances)],
        ),
        Chart::new(
            "Memory",
            Unit::Bytes,
            of_gauges(history.range),
            history,
            &[count("memory", |point| point.memory_bytes)],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only steps of seconds end with what there is now.
    #[test]
    fn now() {
        let told = [HistoryRange::Hour, HistoryRange::Day, HistoryRange::Month].map(of_gauges);
        assert_eq!(told, [Told::Newest, Told::Most, Told::Most]);
    }
}
