//! Logs: one shape from a function's standard error to `ship logs`, and the questions that are asked of it.

mod cursor;
mod filter;
mod level;
mod moment;
mod record;
mod status;

pub use cursor::{LogCursor, ParseLogCursorError};
pub use filter::LogFilter;
pub use level::{LogLevel, LogLevels, ParseLogLevelError};
pub use moment::{LogMoment, ParseLogMomentError};
pub use record::{LogRecord, LogSource, LogStream};
pub use status::{ParseStatusRangesError, StatusRanges};
