//! What pages are dressed in: one style sheet and plain modules, in the program itself. Their address has a digest of all of them, so
//! browsers keep them for ever, and a newer host's pages ask for newer ones.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use ship_core::Digest;

/// Names, media types and contents.
const ASSETS: [(&str, &str, &str); 4] = [
    ("dashboard.css", "text/css; charset=utf-8", include_str!("assets/dashboard.css")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("assets/live.js")),
    ("logs.js", "text/javascript; charset=utf-8", include_str!("assets/logs.js")),
    ("icon.svg", "image/svg+xml", include_str!("assets/icon.svg")),
];

/// How many hexadecimal digits of the digest stand in addresses.
const VERSION_DIGITS: usize = 16;

static VERSION: LazyLock<String> = LazyLock::new(|| {
    let all: String = ASSETS.iter().flat_map(|(name, _, content)| [*name, "\0", *content, "\0"]).collect();
    Digest::of(all.as_bytes()).to_hex()[..VERSION_DIGITS].to_owned()
});

/// What the addresses of this host's assets begin with.
pub(super) fn base() -> String {
    format!("/assets/{}", *VERSION)
}

/// An asset. That of another version is not here: its page was another host's.
pub(super) async fn serve(Path((version, name)): Path<(String, String)>) -> Response {
    let found = ASSETS.iter().find(|(known, _, _)| *known == name).filter(|_| version == *VERSION);
    let Some((_, media_type, content)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let headers = [(CONTENT_TYPE, *media_type), (CACHE_CONTROL, "public, max-age=31536000, immutable")];
    (headers, *content).into_response()
}
