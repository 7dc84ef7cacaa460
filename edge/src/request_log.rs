//! The one log record of a request.

use std::sync::Arc;
use std::time::Instant;

use http::{HeaderValue, Method, StatusCode, Uri};
use jiff::Timestamp;
use ship_core::{FunctionIndex, LogRecord, LogSource, PlatformError, RequestId};
use ship_runtime::LogSink;

use crate::live_deployment::LiveDeployment;
use crate::log_allowance::{Allowed, PER_SECOND};

/// How much of a path is logged: what a person still reads. A visitor can send 64 KiB of it.
const MAX_PATH_BYTES: usize = 2048;

/// What is known of a request from its first line on, cheap to keep until the response has ended.
#[derive(Clone)]
pub(crate) struct Visit {
    pub(crate) id: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) started: Instant,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) host: Option<HeaderValue>,
}

impl Visit {
    /// A request that begins now.
    pub(crate) fn begin<B>(request: &http::Request<B>) -> Self {
        let at = Timestamp::now();
        Self {
            id: crate::request_id::new_request_id(at),
            at,
            started: Instant::now(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            host: request.headers().get(http::header::HOST).cloned(),
        }
    }

    /// The id as a header's value.
    pub(crate) fn id_header(&self) -> HeaderValue {
        HeaderValue::from_str(self.id.as_str()).expect("a request id is letters and digits")
    }
}

/// Writes a request's record when it is dropped: when the response has ended, or could not.
pub(crate) struct RequestLog {
    pub(crate) visit: Visit,
    pub(crate) deployment: Arc<LiveDeployment>,
    pub(crate) sink: Arc<dyn LogSink>,
    pub(crate) status: StatusCode,
    pub(crate) function: Option<FunctionIndex>,
    pub(crate) error: Option<PlatformError>,
}

impl RequestLog {
    /// Whether the request is logged. Says how many before it were not.
    fn is_allowed(&self) -> bool {
        if self.function.is_some() {
            return true;
        }
        let skipped = match self.deployment.log_allowance().take(self.visit.started) {
            Allowed::No => return false,
            Allowed::Yes { skipped } => skipped,
        };
        if skipped > 0 {
            let message = format!("{skipped} requests for pages and files were not logged: over {PER_SECOND} a second");
            let source = LogSource::Platform { function: None, message };
            let (at, deployment) = (self.visit.at, *self.deployment.id());
            self.sink.record(self.deployment.project(), LogRecord { at, deployment, requests: Vec::new(), source });
        }
        true
    }

    fn record(&self) -> LogRecord {
        let visit = &self.visit;
        let path = visit.uri.path_and_query().map_or("", |path| path.as_str());
        let source = LogSource::Request {
            method: visit.method.as_str().to_owned(),
            host: visit.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned(),
            path: path[..path.floor_char_boundary(MAX_PATH_BYTES)].to_owned(),
            status: self.status.as_u16(),
            duration_micros: u64::try_from(visit.started.elapsed().as_micros()).unwrap_or(u64::MAX),
            function: self.function.map(|function| self.deployment.function_name(function).clone()),
            error: self.error.map(|error| error.code().to_owned()),
        };
        LogRecord { at: visit.at, deployment: *self.deployment.id(), requests: vec![visit.id], source }
    }
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        if self.is_allowed() {
            self.sink.record(self.deployment.project(), self.record());
        }
    }
}
