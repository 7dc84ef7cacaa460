//! The pages that are made of a record.

use std::process::ExitCode;

/// The first argument of a process that writes pages.
pub(crate) const COMMAND: &str = "write-pages";

/// Writes the pages.
pub(crate) fn main(_: &[String]) -> ExitCode {
    ExitCode::SUCCESS
}
