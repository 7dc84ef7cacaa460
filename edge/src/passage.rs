//! What holds for every request that is passed on, to a function or to another host.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue};
use ship_core::PlatformError;

use crate::protocol::headers;

/// This platform's name in `cdn-loop`.
pub(crate) const PLATFORM: &str = "ship";

/// How often a request may come through this platform: functions may call functions, but not in circles.
const MAX_TIMES_THROUGH: usize = 10;

/// Refuses a body that says itself that it is too large, before a byte of it is read.
pub(crate) fn check_size(headers: &HeaderMap, max_body_bytes: u64) -> Result<(), PlatformError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match declared {
        Some(length) if length > max_body_bytes => Err(PlatformError::PayloadTooLarge),
        _ => Ok(()),
    }
}

/// Refuses a request that goes in circles.
pub(crate) fn check_circles(headers: &HeaderMap) -> Result<(), PlatformError> {
    match headers::times_through(headers, PLATFORM) {
        times if times >= MAX_TIMES_THROUGH => Err(PlatformError::InfiniteLoopDetected),
        _ => Ok(()),
    }
}

/// Whether a request came through this platform before it came here: a function has sent it.
pub(crate) fn came_through(headers: &HeaderMap) -> bool {
    headers::times_through(headers, PLATFORM) > 0
}

/// Notes in a request's head that it came through here.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.append(headers::CDN_LOOP, HeaderValue::from_static(PLATFORM));
}
