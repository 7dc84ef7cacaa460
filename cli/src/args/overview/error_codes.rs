//! The codes with which a host says what went wrong: to a site's visitors, and to those who talk to its control API.

use serde_json::json;
use ship_api::ErrorCode;
use ship_core::PlatformError;

use crate::args::Room;
use crate::args::narrow::hanging;

/// What the longest code takes, in characters.
const CODE: usize = 39;

/// How far a meaning stands in where it has lines of its own, in characters.
const INDENT: usize = 6;

/// How wide a terminal is on which a meaning stands beside its code, in characters.
const WIDE: usize = 80;

/// A heading and a line for each code, for both.
pub(super) fn lines(room: Room) -> Vec<String> {
    let visitors = PlatformError::ALL.map(|error| line(error.code(), error.status(), error.message(), room));
    let api =
        ErrorCode::ALL.map(|code| line(json!(code).as_str().unwrap_or_default(), code.status(), code.meaning(), room));
    let for_visitors = heading("Answers to visitors, in `x-ship-error`", room);
    let for_clients = format!("\n{}", heading("Answers of the control API, in `error.code`", room));
    [for_visitors].into_iter().chain(visitors).chain([for_clients]).chain(api).collect()
}

fn heading(text: &str, room: Room) -> String {
    format!("{}:\n", hanging(text, 0, room))
}

fn line(code: &str, status: u16, meaning: &str, room: Room) -> String {
    if room.is_some_and(|room| room < WIDE) {
        let meaning = hanging(&format!("{status}: {meaning}"), INDENT, room);
        return format!("  {code}\n{:INDENT$}{meaning}\n", "");
    }
    format!("  {code:<CODE$}  {status}  {meaning}\n")
}
