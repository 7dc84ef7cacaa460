//! What a visitor is told when the answer is an error that the site did not make itself.

use http::header::{ALLOW, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, StatusCode};
use ship_core::PlatformError;

use crate::protocol::headers::SHIP_ERROR;

/// The status in the record of a request whose visitor left before there was an answer, as nginx has it.
pub(crate) const VISITOR_LEFT: u16 = 499;

/// An error answer: one of the platform's, or only a status where a route of the site asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) error: Option<PlatformError>,
    /// When it is worth asking again, in seconds.
    pub(crate) retry_after_secs: Option<u32>,
}

impl From<PlatformError> for Failure {
    fn from(error: PlatformError) -> Self {
        let status = StatusCode::from_u16(error.status()).expect("every platform error has a status of HTTP");
        Self { status, error: Some(error), retry_after_secs: None }
    }
}

impl Failure {
    /// The visitor left before there was an answer. Nobody is told; the log is.
    pub(crate) fn visitor_left() -> Self {
        let status = StatusCode::from_u16(VISITOR_LEFT).expect("a status has three digits");
        Self { status, error: None, retry_after_secs: None }
    }

    /// What a route's status stands for: a missing page is the platform's to tell, any other status is told as it is.
    pub(crate) fn from_route(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => PlatformError::NotFound.into(),
            status => Self { status, error: None, retry_after_secs: None },
        }
    }

    /// The stable code.
    pub(crate) fn code(&self) -> Option<&'static str> {
        self.error.map(PlatformError::code)
    }

    /// One sentence.
    pub(crate) fn message(&self) -> &'static str {
        let reason = || self.status.canonical_reason().unwrap_or("The request could not be answered");
        self.error.map_or_else(reason, PlatformError::message)
    }

    /// The headers that go with it.
    pub(crate) fn add_headers(&self, headers: &mut HeaderMap) {
        if let Some(code) = self.code() {
            headers.insert(SHIP_ERROR, HeaderValue::from_static(code));
        }
        if let Some(seconds) = self.retry_after_secs {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.error == Some(PlatformError::MethodNotAllowed) {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
    }
}
