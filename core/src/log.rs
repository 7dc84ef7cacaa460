//! Log records: one shape from a function's standard error to `ship logs`.

use jiff::Timestamp;

use crate::deployment::DeploymentId;
use crate::path::FunctionName;
use crate::request_id::RequestId;

/// One line of a project's log.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct LogRecord {
    /// When it was written, in UTC.
    pub at: Timestamp,
    /// The deployment it belongs to.
    pub deployment: DeploymentId,
    /// The requests it belongs to: one, none (at an instance's start), or all that were in flight in the instance that
    /// printed a line, since a process does not say for which of them it prints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requests: Vec<RequestId>,
    /// What wrote it.
    #[serde(flatten)]
    pub source: LogSource,
}

/// What wrote a log record.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(tag = "source", rename_all = "lowercase")]
pub enum LogSource {
    /// The edge, once per request.
    Request {
        /// The method of the request.
        method: String,
        /// The host name that was asked.
        host: String,
        /// The path and query that were asked for.
        path: String,
        /// The status of the response.
        status: u16,
        /// From the request's head to the end of the response, in microseconds.
        duration_micros: u64,
        /// The function that answered, if one did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        function: Option<FunctionName>,
        /// The platform's error code, if the platform answered with one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// A line that a function printed.
    Function {
        /// The function.
        function: FunctionName,
        /// Where it printed.
        stream: LogStream,
        /// The line without its end, cut at 256 KiB; bytes that are not UTF-8 are replaced.
        message: String,
        /// Whether the line was longer than what is kept.
        #[serde(default, skip_serializing_if = "is_false")]
        truncated: bool,
    },
    /// Something the platform says: of a function that it crashed, of a log that it is not complete.
    Platform {
        /// The function, if it is about one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        function: Option<FunctionName>,
        /// One sentence.
        message: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Where a function printed a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}
