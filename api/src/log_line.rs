//! A line of a log on its way to whoever asked for it.

use ship_core::{LogCursor, LogRecord};

/// The header of an answer that says where what it follows begins, for whoever asks again after the connection broke.
pub const LOG_CURSOR: &str = "x-ship-log-cursor";

/// A log record, and of one that came while a log was followed, where to go on behind it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct LogLine {
    /// The place behind the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<LogCursor>,
    /// The record.
    #[serde(flatten)]
    pub record: LogRecord,
}
