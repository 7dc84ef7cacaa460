//! Reading a project's log.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt as _};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use ship_core::{DeploymentId, FunctionName, LogCursor, LogLevels, LogMoment, ProjectName, RequestId, StatusRanges};

use super::{Client, ClientError};
use crate::log_line::{LOG_CURSOR, LogLine};

/// How long a host that is followed may say nothing at all: it says each 15 seconds that there is nothing to say.
const SILENCE: Duration = Duration::from_mins(1);

/// Which log records are asked for: those that fit all that is said.
#[derive(Clone, Debug, Default)]
pub struct LogQuery {
    /// Only those of one deployment.
    pub deployment: Option<DeploymentId>,
    /// Only those of one request.
    pub request: Option<RequestId>,
    /// Only those about one function.
    pub function: Option<FunctionName>,
    /// Only those of these levels.
    pub levels: LogLevels,
    /// Only requests that were answered with one of these statuses.
    pub statuses: StatusRanges,
    /// Only those from this time on.
    pub since: Option<LogMoment>,
    /// Only those before this time.
    pub until: Option<LogMoment>,
    /// Only those with this text in the message, the path or the error's code.
    pub text: Option<String>,
    /// How many of the newest to begin with; the host decides if nothing is said.
    pub limit: Option<usize>,
    /// Whether to go on with new ones as they are written.
    pub follow: bool,
    /// With `follow`: nothing of the past but what comes after this place.
    pub after: Option<LogCursor>,
}

/// Log records as they arrive.
pub struct LogStream {
    /// Where what is yet to come begins, if the log is followed.
    pub start: Option<LogCursor>,
    /// The records. While a log is followed, their end means that the host stops.
    pub lines: Pin<Box<dyn Stream<Item = Result<LogLine, ClientError>> + Send>>,
}

impl Client {
    /// The newest log records of a project, and with `follow` those that are yet to come.
    pub async fn logs(&self, project: &ProjectName, query: &LogQuery) -> Result<LogStream, ClientError> {
        let answer = self.transport.stream(&format!("/v1/projects/{project}/logs?{}", parameters(query))).await?;
        let start = answer.headers().get(LOG_CURSOR).and_then(|value| value.to_str().ok()?.parse().ok());
        let lines = answer.into_lines();
        let (follows, url) = (query.follow, self.transport.address_of(""));
        let lines = futures_util::stream::unfold((lines, url), move |(mut lines, url)| async move {
            loop {
                let line = if follows {
                    let silent = ClientError::Silent { url: url.clone() };
                    tokio::time::timeout(SILENCE, lines.next()).await.unwrap_or(Some(Err(silent)))
                } else {
                    lines.next().await
                };
                return match line? {
                    Ok(line) if line.is_empty() => continue,
                    line => Some((line.and_then(|line| read(&line)), (lines, url))),
                };
            }
        });
        Ok(LogStream { start: start.filter(|_| follows), lines: Box::pin(lines) })
    }
}

fn read(line: &str) -> Result<LogLine, ClientError> {
    serde_json::from_str(line).map_err(|source| ClientError::UnreadableAnswer { source })
}

fn parameters(query: &LogQuery) -> String {
    fn text(value: Option<&impl ToString>) -> Option<String> {
        value.map(ToString::to_string)
    }
    let parameters = [
        ("deployment", text(query.deployment.as_ref())),
        ("request", text(query.request.as_ref())),
        ("function", text(query.function.as_ref())),
        ("level", text(Some(&query.levels).filter(|levels| !levels.are_all()))),
        ("status", text(Some(&query.statuses).filter(|statuses| !statuses.are_all()))),
        ("since", text(query.since.as_ref())),
        ("until", text(query.until.as_ref())),
        ("text", query.text.clone()),
        ("limit", text(query.limit.as_ref())),
        ("follow", query.follow.then(|| "true".to_owned())),
        ("after", text(query.after.as_ref())),
    ];
    let given = parameters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?)));
    given
        .map(|(name, value)| format!("{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)))
        .collect::<Vec<_>>()
        .join("&")
}
