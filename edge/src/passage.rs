//! What holds for every request that is passed on, to a function or to another host.

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderValue};
use ship_core::PlatformError;

use crate::protocol::headers;

/// This platform's name in `cdn-loop`.
const PLATFORM: &str = "ship";

/// How often a request may come through this platform: functions may call functions, but not in circles.
const MAX_TIMES_THROUGH: usize = 10;

/// Refuses what need not be tried: a body that says itself that it is too large, and a request that goes in circles.
pub(crate) fn check(headers: &HeaderMap, max_body_bytes: u64) -> Result<(), PlatformError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > max_body_bytes) {
        return Err(PlatformError::PayloadTooLarge);
    }
    if headers::times_through(headers, PLATFORM) >= MAX_TIMES_THROUGH {
        return Err(PlatformError::InfiniteLoopDetected);
    }
    Ok(())
}

/// Notes in a request's head that it came through here.
pub(crate) fn mark(headers: &mut HeaderMap) {
    headers.append(headers::CDN_LOOP, HeaderValue::from_static(PLATFORM));
}
