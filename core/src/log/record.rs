//! Log records.

use jiff::Timestamp;

use super::LogLevel;
use crate::cache_state::CacheState;
use crate::deployment::DeploymentId;
use crate::path::FunctionName;
use crate::request_id::RequestId;
use crate::trace::TraceContext;

/// One line of a project's log.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct LogRecord {
    /// When it was written, in UTC; a request's record has the time when the request came.
    pub at: Timestamp,
    /// How much it matters.
    #[serde(default)]
    pub level: LogLevel,
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
        /// Whether the request waited for its function to start.
        #[serde(default, skip_serializing_if = "is_false")]
        cold_start: bool,
        /// With `cold_start`: from the start of the function's process until it was first seen to answer, in microseconds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        init_micros: Option<u64>,
        /// How much memory the function's instance had in use, in MiB, rounded up, as it was read within the second before.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        memory_mb: Option<u32>,
        /// Its place in a trace, where the host exports traces.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trace: Option<TraceContext>,
        /// Where the answer came from, if it may be kept for more than one visitor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cache: Option<CacheState>,
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

impl LogSource {
    /// The function that it is about, if there is one.
    pub fn function(&self) -> Option<&FunctionName> {
        match self {
            Self::Request { function, .. } | Self::Platform { function, .. } => function.as_ref(),
            Self::Function { function, .. } => Some(function),
        }
    }

    /// The status that a request was answered with.
    pub const fn status(&self) -> Option<u16> {
        match self {
            Self::Request { status, .. } => Some(*status),
            Self::Function { .. } | Self::Platform { .. } => None,
        }
    }
}

impl LogRecord {
    /// When it was written: for a request, when its answer had ended.
    pub fn written_at(&self) -> Timestamp {
        let LogSource::Request { duration_micros, .. } = &self.source else { return self.at };
        let duration = jiff::SignedDuration::from_micros(i64::try_from(*duration_micros).unwrap_or(i64::MAX));
        self.at.checked_add(duration).unwrap_or(Timestamp::MAX)
    }
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
