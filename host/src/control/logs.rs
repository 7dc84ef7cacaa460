//! Logs: the newest records of a project, and those that are yet to come.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::header::CONTENT_TYPE;
use jiff::Timestamp;
use ship_api::{ErrorBody, LOG_CURSOR, LogLine};
use ship_core::{
    DeploymentId, FunctionName, LogCursor, LogFilter, LogLevel, LogLevels, LogMoment, LogRecord, LogSource,
    ProjectName, RequestId, StatusRanges,
};
use ship_store::{Continuity, LogPage, StateError, Store};
use tokio::sync::watch;

use super::extract::{Path, Query};
use super::{ApiError, State};
use crate::access::Actor;
use crate::blocking::blocking;

/// How many records one answer begins with at the most.
const RECORDS: usize = 10_000;

/// How many records an answer begins with unless it is asked for more, or for all since some time.
const RECORDS_BY_DEFAULT: usize = 100;

/// How long a follower hears nothing before it gets an empty line: what stands between must not take the connection for dead, nor the
/// follower the host.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Which records are wanted: those that fit all that is said.
#[derive(serde::Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct LogsQuery {
    /// Only those of one deployment.
    #[param(value_type = Option<String>)]
    deployment: Option<DeploymentId>,
    /// Only those of one request.
    #[param(value_type = Option<String>)]
    request: Option<RequestId>,
    /// Only those about one function.
    #[param(value_type = Option<String>)]
    function: Option<FunctionName>,
    /// Only those of some levels: `error,fatal`.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    level: LogLevels,
    /// Only requests with some statuses: `404,5xx,400-403`.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    status: StatusRanges,
    /// Only those from a time on: `1h` (ago), or RFC 3339.
    #[param(value_type = Option<String>)]
    since: Option<LogMoment>,
    /// Only those before a time.
    #[param(value_type = Option<String>)]
    until: Option<LogMoment>,
    /// Only those with this text in the message, the path or the error's code, whatever its case.
    text: Option<String>,
    /// How many of the newest to begin with: 100, or with `since` 10,000, which is the most.
    limit: Option<usize>,
    /// Whether to go on with new ones. An empty line now and then says that there are none.
    #[serde(default)]
    follow: bool,
    /// With `follow`: begin behind the line that had this `cursor`, or at the place in the header `x-ship-log-cursor` of an answer.
    #[param(value_type = Option<String>)]
    after: Option<LogCursor>,
}

impl LogsQuery {
    fn limit(&self) -> usize {
        let otherwise = if self.since.is_some() { RECORDS } else { RECORDS_BY_DEFAULT };
        self.limit.unwrap_or(otherwise).min(RECORDS)
    }

    fn into_filter(self) -> LogFilter {
        let now = Timestamp::now();
        let resolve = |moment: LogMoment| moment.resolve(now);
        LogFilter {
            deployment: self.deployment,
            request: self.request,
            function: self.function,
            levels: self.level,
            statuses: self.status,
            since: self.since.map(resolve),
            until: self.until.map(resolve),
            text: self.text,
        }
    }
}

/// The newest log records of a project, one JSON document a line, oldest first; with `follow` the stream stays open.
#[utoipa::path(get, path = "/v1/projects/{project}/logs", params(("project" = String, Path), LogsQuery),
    responses((status = 200, content_type = "application/x-ndjson"), (status = 400, body = ErrorBody),
        (status = 401, body = ErrorBody)))]
pub(super) async fn logs(
    axum::extract::State(control): State,
    actor: Actor,
    Path(project): Path<ProjectName>,
    Query(query): Query<LogsQuery>,
) -> Result<Response, ApiError> {
    let (limit, follows, after) = (query.limit(), query.follow, query.after);
    let filter = query.into_filter();
    control.journal.catch_up().await;
    let (past, cursor) = if let Some(cursor) = after.filter(|_| follows) {
        (Vec::new(), cursor)
    } else {
        let (store, name, filter) = (control.store.clone(), project.clone(), filter.clone());
        let tail = blocking(move || store.logs().tail(&name, &filter, limit)).await.map_err(ApiError::from)?;
        (tail.records, tail.end)
    };
    let reader = Reader { store: control.store.clone(), project, filter, cursor, has_missed: false };
    let shutdown = control.closing.door().clone();
    let until = async move {
        tokio::select! {
            () = shutdown.cancelled() => {}
            () = actor.ended() => {}
        }
    };
    let future = follows.then(|| follow(reader, control.journal.written(), until));
    let body =
        Body::from_stream(stream::iter(lines(past)).chain(stream::iter(future).flatten()).map(Ok::<_, Infallible>));
    let headers = [(CONTENT_TYPE.as_str(), "application/x-ndjson".to_owned()), (LOG_CURSOR, cursor.to_string())];
    Ok((headers, body).into_response())
}

/// The lines of records that were there already. A request is written when it has ended and dated when it began; what it printed
/// meanwhile was written before it.
fn lines(mut past: Vec<LogRecord>) -> impl Iterator<Item = Bytes> {
    past.sort_by_key(|record| record.at);
    past.into_iter().map(|record| line(&LogLine { cursor: None, record }))
}

/// Who reads on in a log, from where, and what of it.
struct Reader {
    store: Store,
    project: ProjectName,
    filter: LogFilter,
    cursor: LogCursor,
    /// Whether there was something before the next record that nobody can read any more.
    has_missed: bool,
}

impl Reader {
    /// What comes next, and moves behind it.
    async fn next_page(&mut self) -> Result<LogPage, StateError> {
        let (store, project) = (self.store.clone(), self.project.clone());
        let (filter, cursor) = (self.filter.clone(), self.cursor);
        let page = blocking(move || store.logs().after(&project, &filter, cursor)).await?;
        self.cursor = page.next;
        self.has_missed |= page.continuity == Continuity::Broken;
        Ok(page)
    }

    /// The lines of a page, and before them that something is missing.
    fn lines(&mut self, records: Vec<(LogRecord, LogCursor)>) -> Bytes {
        let gap = records.first().filter(|_| std::mem::take(&mut self.has_missed)).map(|(next, _)| gap_before(next));
        let gap = gap.map(|record| LogLine { cursor: None, record });
        let records = records.into_iter().map(|(record, cursor)| LogLine { cursor: Some(cursor), record });
        gap.into_iter().chain(records).map(|news| line(&news)).collect::<Vec<_>>().concat().into()
    }
}

/// The new records of a project as they are written, until the host stops or the reader's token is good for nothing any more. One who reads slowly is read for slowly: nothing waits for
/// them in memory.
fn follow(
    reader: Reader,
    written: watch::Receiver<u64>,
    until: impl Future<Output = ()> + Send,
) -> impl Stream<Item = Bytes> + Send {
    stream::unfold((reader, written), |(mut reader, mut written)| async move {
        let news = next_lines(&mut reader, &mut written).await?;
        Some((news, (reader, written)))
    })
    .take_until(until)
}

/// The next lines, or an empty one if there are none for a while. `None` if the log cannot be read.
async fn next_lines(reader: &mut Reader, written: &mut watch::Receiver<u64>) -> Option<Bytes> {
    loop {
        // Before reading: what is written from now on wakes.
        written.mark_unchanged();
        let before = reader.cursor;
        let page = match reader.next_page().await {
            Ok(page) => page,
            Err(error) => {
                tracing::error!(%error, "a log that is followed cannot be read");
                return None;
            }
        };
        if !page.records.is_empty() {
            return Some(reader.lines(page.records));
        }
        if page.next != before {
            continue;
        }
        match tokio::time::timeout(HEARTBEAT, written.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return None,
            Err(_) => return Some(Bytes::from_static(b"\n")),
        }
    }
}

/// What a follower is told who was too slow for the log, or asked for a place that is gone.
fn gap_before(next: &LogRecord) -> LogRecord {
    let message = "records before this one are gone: newer ones needed the room".to_owned();
    let source = LogSource::Platform { function: None, message };
    LogRecord { at: next.at, level: LogLevel::Warning, deployment: next.deployment, requests: Vec::new(), source }
}

fn line(line: &LogLine) -> Bytes {
    let mut line = serde_json::to_vec(line).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
