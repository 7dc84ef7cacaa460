//! `ship logs --chart`: requests, errors and how long answers took, over time.

mod buckets;
mod drawn;

use futures_util::TryStreamExt as _;
use jiff::Timestamp;
use ship_api::LogQuery;
use ship_core::{LogRecord, ProjectName};

use self::buckets::{Chart, Span};
use crate::connection::Connection;
use crate::error::CommandError;
use crate::output::Output;

/// How many requests are asked for: the most that a host gives at once.
const REQUESTS: usize = 10_000;

/// How many points there are where no terminal says how many it has room for.
const POINTS: usize = 60;

/// The most columns that are drawn. More would be smaller than what is to be seen in them.
const MOST_COLUMNS: usize = 160;

/// Draws the requests that fit a query.
pub(super) async fn show(
    host: &Connection,
    project: &ProjectName,
    query: LogQuery,
    output: &Output,
) -> Result<(), CommandError> {
    let limit = query.limit.unwrap_or(REQUESTS).min(REQUESTS);
    // What functions printed has no status, so it is not sent.
    let statuses =
        if query.statuses.are_all() { "100-599".parse().map_err(CommandError::project)? } else { query.statuses };
    let query = LogQuery { statuses, limit: Some(limit), ..query };
    let mut lines = host.client.logs(project, &query).await?.lines;
    let mut records: Vec<LogRecord> = Vec::new();
    while let Some(line) = lines.try_next().await? {
        records.push(line.record);
    }
    let is_complete = records.len() < limit;
    if !is_complete {
        output.warning(format_args!("only the newest {limit} requests are counted"));
    }
    let now = Timestamp::now();
    let since = query.since.filter(|_| is_complete).map(|since| since.resolve(now));
    let span = Span::of(&records, since, query.until.map(|until| until.resolve(now)), now);
    let width = if output.is_json() { POINTS } else { output.data_styles().width().unwrap_or(POINTS) };
    let chart = Chart::new(project, &records, &span.in_points(width.clamp(1, MOST_COLUMNS)), is_complete);
    if chart.is_empty() {
        output.status("No requests");
    }
    output.data(&chart, |styles| drawn::draw(&chart, styles))
}
