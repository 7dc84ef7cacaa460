//! Logs: the newest records of a project, and those that are yet to come.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use ship_api::ErrorBody;
use ship_core::{DeploymentId, LogFilter, LogRecord, ProjectName, RequestId};
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;
use tokio_util::sync::CancellationToken;

use super::extract::{Path, Query};
use super::{ApiError, State};
use crate::blocking::blocking;
use crate::journal::Entry;

/// How many records one answer begins with at the most.
const RECORDS: usize = 10_000;

/// How many records an answer begins with unless it is asked for more.
const RECORDS_BY_DEFAULT: usize = 100;

/// Which records are wanted.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogsQuery {
    /// Only those of one deployment.
    #[param(value_type = Option<String>)]
    deployment: Option<DeploymentId>,
    /// Only those of one request.
    #[param(value_type = Option<String>)]
    request: Option<RequestId>,
    /// How many of the newest to begin with.
    limit: Option<usize>,
    /// Whether to go on with new ones.
    #[serde(default)]
    follow: bool,
}

/// The newest log records of a project, one JSON document a line, oldest first; with `follow` the stream stays open.
#[utoipa::path(get, path = "/v1/projects/{project}/logs", params(("project" = String, Path), LogsQuery),
    responses((status = 200, content_type = "application/x-ndjson"), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody)))]
pub(super) async fn logs(
    axum::extract::State(control): State,
    Path(project): Path<ProjectName>,
    Query(query): Query<LogsQuery>,
) -> Result<Response, ApiError> {
    // Following begins before the past is read, so that nothing falls between the two.
    let following = query.follow.then(|| control.journal.follow());
    let surely_past = control.journal.catch_up().await;
    let filter = LogFilter { deployment: query.deployment, request: query.request, ..LogFilter::default() };
    let limit = query.limit.unwrap_or(RECORDS_BY_DEFAULT).min(RECORDS);
    let (store, name, past_filter) = (control.store.clone(), project.clone(), filter.clone());
    let mut past = blocking(move || store.logs().tail(&name, &past_filter, limit)).await.map_err(ApiError::from)?;
    // What was written while the past was read is in it or not.
    let perhaps_past = control.journal.written();
    let known: Vec<LogRecord> = if perhaps_past > surely_past { past.clone() } else { Vec::new() };
    let is_new = move |entry: &Entry| {
        entry.written > perhaps_past || entry.written > surely_past && !known.contains(&entry.record)
    };
    let future = following.map(|receiver| follow(receiver, project, filter, is_new, control.shutdown.clone()));
    // A request is written when it has ended and dated when it began; what it printed meanwhile was written before it.
    past.sort_by_key(|record| record.at);
    let lines = stream::iter(past.into_iter().map(Arc::new))
        .chain(stream::iter(future).flatten())
        .map(|record| Ok::<_, Infallible>(line(&record)));
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// The new records of a project as they are written, until the host stops. A follower that is too slow misses some.
fn follow(
    receiver: broadcast::Receiver<Entry>,
    project: ProjectName,
    filter: LogFilter,
    is_new: impl Fn(&Entry) -> bool,
    shutdown: CancellationToken,
) -> impl Stream<Item = Arc<LogRecord>> {
    BroadcastStream::new(receiver)
        .filter_map(move |entry| {
            let is_wanted = |entry: &Entry| entry.project == project && filter.matches(&entry.record) && is_new(entry);
            let wanted = entry.ok().filter(is_wanted);
            async move { wanted.map(|entry| entry.record) }
        })
        .take_until(shutdown.cancelled_owned())
}

fn line(record: &LogRecord) -> Bytes {
    let mut line = serde_json::to_vec(record).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
