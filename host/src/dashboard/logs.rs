//! The log of a project: the newest records, and those to come as they are written.

mod follow;
mod row;

use axum::response::{IntoResponse as _, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use minijinja::{Value, context};
use ship_api::{LOG_CURSOR, LogLine, ProjectView};
use ship_core::{LogCursor, ProjectName};

use self::follow::follow;
use self::row::{Row, View, Width};
use super::address::{Path, Query};
use super::failure::Failure;
use super::projects;
use super::seat::Seat;
use super::templates::data;

/// How many records a page begins with: they fit its size, however long they are.
const SHOWN: usize = 60;

/// The header in which a browser says where it lost the stream (HTML, server-sent events).
const LAST_EVENT_ID: &str = "last-event-id";

/// Which records are wanted, in the words of `ship logs`.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct LogFilters {
    level: String,
    since: String,
    status: String,
    request_id: String,
    function: String,
    search: String,
    #[serde(skip_serializing)]
    after: Option<LogCursor>,
}

impl LogFilters {
    /// The same, in the words of the API; what is not filled in is not asked for.
    fn for_api(&self) -> String {
        let fields = [
            ("level", &self.level),
            ("since", &self.since),
            ("status", &self.status),
            ("request", &self.request_id),
            ("function", &self.function),
            ("text", &self.search),
        ];
        let wanted =
            fields.into_iter().map(|(name, value)| (name, value.trim())).filter(|(_, value)| !value.is_empty());
        serde_urlencoded::to_string(wanted.collect::<Vec<_>>()).unwrap_or_default()
    }

    /// What is shown of a record on the page of a project: of one request's lines more, since there are few.
    fn view(&self, project: &ProjectView) -> View {
        let width = if self.request_id.trim().is_empty() { Width::Line } else { Width::Text };
        View::new(width, &project.url)
    }
}

/// The newest records of a project.
pub(super) async fn show(
    seat: Seat,
    Path(name): Path<ProjectName>,
    Query(filters): Query<LogFilters>,
) -> Result<Response, Failure> {
    let project = projects::one(&seat, &name).await?;
    let values = context! { project => data(&project), filters => data(&filters) };
    let path = format!("/v1/projects/{name}/logs?{}&limit={SHOWN}", filters.for_api());
    let answer = match seat.open(&path).await {
        Ok(answer) => answer,
        // A filter that cannot be read is shown beside what it may be.
        Err(error) if error.code.status() == 400 => {
            let page = seat.page("logs.html", context! { error => data(&error), ..values });
            return Ok((StatusCode::BAD_REQUEST, page).into_response());
        }
        Err(error) => return Err(seat.failure(&error)),
    };
    let cursor = answer.headers().get(LOG_CURSOR).and_then(|cursor| cursor.to_str().ok()).map(str::to_owned);
    let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap_or_default();
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<LogLine>(line).ok());
    let view = filters.view(&project);
    let rows: Vec<Row> = lines.map(|line| Row::new(&line.record, &view)).collect();
    let query = serde_urlencoded::to_string(&filters).unwrap_or_default();
    Ok(seat.page("logs.html", context! { rows => data(&rows), cursor, query, ..values }))
}

/// The records to come, each as the row that the page shows, as server-sent events.
pub(super) async fn live(
    seat: Seat,
    Path(name): Path<ProjectName>,
    Query(filters): Query<LogFilters>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let view = filters.view(&projects::one(&seat, &name).await?);
    let seen = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok()?.parse().ok());
    let after = seen.or(filters.after).map(|cursor: LogCursor| format!("&after={cursor}")).unwrap_or_default();
    let path = format!("/v1/projects/{name}/logs?{}&limit=0&follow=true{after}", filters.for_api());
    let answer = seat.open(&path).await.map_err(|error| seat.failure(&error))?;
    let events = follow(answer.into_body(), view);
    Ok(([(CONTENT_TYPE, "text/event-stream")], axum::body::Body::from_stream(events)).into_response())
}

/// The rows of records, as HTML.
fn html_of(rows: &[Row]) -> String {
    let rendered = super::templates::render("log_rows.html", context! { rows => data(rows) } as Value);
    rendered.inspect_err(|error| tracing::error!(%error, "a row of a log cannot be made")).unwrap_or_default()
}
