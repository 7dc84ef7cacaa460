//! The one log record of a request.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use jiff::Timestamp;
use ship_core::{FunctionIndex, LogLevel, LogRecord, LogSource, PlatformError, RequestId, TraceContext};
use ship_runtime::LogSink;

use crate::failure::VISITOR_LEFT;
use crate::fast_path::PlainRequest;
use crate::findings::{Findings, Found};
use crate::live_deployment::LiveDeployment;
use crate::log_allowance::{Allowed, PER_SECOND};
use crate::meters::{Meters, RequestKind};
use crate::request_id::new_request_id;

/// How much of a path is logged: what a person still reads. A visitor can send 64 KiB of it.
const MAX_PATH_BYTES: usize = 2048;

/// What is known of a request from its first line on, cheap to keep until the response has ended.
pub(crate) struct Visit {
    pub(crate) id: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) started: Instant,
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) host: Option<HeaderValue>,
    /// Its place in a trace, where the host exports traces.
    pub(crate) trace: Option<TraceContext>,
    /// What was learnt of it since.
    pub(crate) findings: Findings,
}

/// When something began: for people, and to measure from.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    at: Timestamp,
    started: Instant,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self { at: Timestamp::now(), started: Instant::now() }
    }
}

impl Visit {
    /// A request that begins now.
    pub(crate) fn begin(method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let began = Moment::now();
        let host = headers.get(http::header::HOST).cloned();
        Self::of(new_request_id(began.at), began, method.clone(), uri.clone(), host)
    }

    /// A plain request, which began then.
    pub(crate) fn of_plain(began: Moment, request: &PlainRequest<'_>) -> Option<Self> {
        let (uri, host) = (request.target.parse().ok()?, HeaderValue::from_str(request.authority).ok()?);
        Some(Self::of(new_request_id(began.at), began, Method::GET, uri, Some(host)))
    }

    /// A request of the host's own, for what a visitor will get.
    pub(crate) fn of_host(id: RequestId, uri: Uri, host: Option<HeaderValue>) -> Self {
        Self::of(id, Moment::now(), Method::GET, uri, host)
    }

    fn of(id: RequestId, began: Moment, method: Method, uri: Uri, host: Option<HeaderValue>) -> Self {
        let Moment { at, started } = began;
        Self { id, at, started, method, uri, host, trace: None, findings: Findings::default() }
    }

    /// The id as a header's value.
    pub(crate) fn id_header(&self) -> HeaderValue {
        HeaderValue::from_str(self.id.as_str()).expect("a request id is letters and digits")
    }
}

/// Where records of requests go, and where requests are counted.
pub(crate) struct LogDesk {
    pub(crate) sink: Arc<dyn LogSink>,
    pub(crate) meters: Arc<Meters>,
}

/// Writes a request's record, and counts the request, when it is dropped: when the response has ended, or could not. It is made with the request, so that
/// one whose visitor leaves before the answer has a record as well.
pub(crate) struct RequestLog {
    pub(crate) visit: Visit,
    pub(crate) deployment: Arc<LiveDeployment>,
    desk: Arc<LogDesk>,
    pub(crate) status: StatusCode,
    pub(crate) kind: RequestKind,
    pub(crate) function: Option<FunctionIndex>,
    pub(crate) error: Option<PlatformError>,
}

impl RequestLog {
    /// A request that has no answer yet.
    pub(crate) fn begin(visit: Visit, deployment: Arc<LiveDeployment>, desk: Arc<LogDesk>) -> Self {
        deployment.meters(&desk.meters).begin();
        let status = StatusCode::from_u16(VISITOR_LEFT).expect("a status has three digits");
        Self { visit, deployment, desk, status, kind: RequestKind::Routing, function: None, error: None }
    }

    /// The function that answered, or was asked when the visitor left.
    fn function(&self, found: &Found) -> Option<FunctionIndex> {
        let is_unanswered = self.status.as_u16() == VISITOR_LEFT;
        self.function.or(found.function.filter(|_| is_unanswered))
    }

    /// Whether the request is logged. Says how many before it were not.
    fn is_allowed(&self) -> bool {
        if self.function(&self.visit.findings.so_far()).is_some() {
            return true;
        }
        let skipped = match self.deployment.log_allowance().take(self.visit.started) {
            Allowed::No => return false,
            Allowed::Yes { skipped } => skipped,
        };
        if skipped > 0 {
            let message = format!("{skipped} requests for pages and files were not logged: over {PER_SECOND} a second");
            let source = LogSource::Platform { function: None, message };
            let (at, deployment, level) = (self.visit.at, *self.deployment.id(), LogLevel::Warning);
            let record = LogRecord { at, level, deployment, requests: Vec::new(), source };
            self.desk.sink.record(self.deployment.project(), record);
        }
        true
    }

    fn record(&self, duration: Duration) -> LogRecord {
        let visit = &self.visit;
        let found = visit.findings.so_far();
        let function = self.function(&found);
        // Of a page that was kept, and of what routes and files answer, no function has anything to say.
        let course = found.course.filter(|_| function.is_some()).unwrap_or_default();
        let path = visit.uri.path_and_query().map_or("", |path| path.as_str());
        let source = LogSource::Request {
            method: visit.method.as_str().to_owned(),
            host: visit.host.as_ref().and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned(),
            path: path[..path.floor_char_boundary(MAX_PATH_BYTES)].to_owned(),
            status: self.status.as_u16(),
            duration_micros: micros(duration),
            function: function.map(|function| self.deployment.function_name(function).clone()),
            cold_start: course.cold.is_some(),
            init_micros: course.cold.map(|cold| micros(cold.init)),
            memory_mb: course.memory_bytes.map(mebibytes),
            trace: visit.trace,
            cache: found.cache,
            error: self.error.map(|error| error.code().to_owned()),
        };
        // An answer that broke off began well.
        let status = self.error.map_or(self.status.as_u16(), |error| self.status.as_u16().max(error.status()));
        let level = LogLevel::of_status(status);
        LogRecord { at: visit.at, level, deployment: *self.deployment.id(), requests: vec![visit.id], source }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn mebibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(1024 * 1024)).unwrap_or(u32::MAX)
}

impl Drop for RequestLog {
    fn drop(&mut self) {
        let duration = self.visit.started.elapsed();
        // Who left while a function was asked has left that function.
        let is_left = self.status.as_u16() == VISITOR_LEFT;
        let asked = is_left && self.function(&self.visit.findings.so_far()).is_some();
        let kind = if asked { RequestKind::Function } else { self.kind };
        let meters = self.deployment.meters(&self.desk.meters);
        meters.end(kind, self.status.as_u16(), duration);
        if let Some(state) = self.visit.findings.so_far().cache {
            meters.came_from(state);
        }
        if self.is_allowed() {
            self.desk.sink.record(self.deployment.project(), self.record(duration));
        }
    }
}
