//! The codes with which a host says what went wrong: to a site's visitors, and to those who talk to its control API.

use serde_json::json;
use ship_api::ErrorCode;
use ship_core::PlatformError;

/// What the longest code takes, in characters.
const CODE: usize = 39;

/// A heading and a line for each code, for both.
pub(super) fn lines() -> Vec<String> {
    let visitors = PlatformError::ALL.map(|error| line(error.code(), error.status(), error.message()));
    let api = ErrorCode::ALL.map(|code| line(json!(code).as_str().unwrap_or_default(), code.status(), code.meaning()));
    let for_visitors = heading("Answers to visitors, in `x-ship-error`");
    let for_clients = format!("\n{}", heading("Answers of the control API, in `error.code`"));
    [for_visitors].into_iter().chain(visitors).chain([for_clients]).chain(api).collect()
}

fn heading(text: &str) -> String {
    format!("{text}:\n")
}

fn line(code: &str, status: u16, meaning: &str) -> String {
    format!("  {code:<CODE$}  {status}  {meaning}\n")
}
