//! The two streams: the table on standard output, everything else on standard error.

use std::io::Write as _;

/// Prints what was asked for.
pub(crate) fn print(text: &str) {
    // A reader that has gone away wants no more of it.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Says how it goes.
pub(crate) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
