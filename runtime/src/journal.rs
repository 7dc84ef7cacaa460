//! Log records about one function.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use ship_core::{LogLevel, LogRecord, LogSource, LogStream, RequestId};

use crate::instance::EndReason;
use crate::linux::cell::Ending;
use crate::meters::Meters;
use crate::output::Mask;
use crate::spec::{FunctionSpec, LogSink};

/// Writes the records of one function.
#[derive(Clone)]
pub(crate) struct Journal {
    sink: Arc<dyn LogSink>,
    spec: Arc<FunctionSpec>,
    meters: Arc<Meters>,
}

impl Journal {
    pub(crate) const fn new(sink: Arc<dyn LogSink>, spec: Arc<FunctionSpec>, meters: Arc<Meters>) -> Self {
        Self { sink, spec, meters }
    }

    /// Counts an instance that was first seen to answer, `init` after its start.
    pub(crate) fn became_ready(&self, init: Duration) {
        self.meters.became_ready(self.spec.function.runtime, init);
    }

    /// Counts a process that has ended.
    pub(crate) fn ended(&self, end: Option<EndReason>, ending: &Ending) {
        self.meters.ended(end, ending);
    }

    /// What hides the function's secrets.
    pub(crate) fn mask(&self) -> &Mask {
        self.spec.env.mask()
    }

    /// Counts output that is not logged.
    pub(crate) fn dropped(&self, bytes: u64) {
        self.meters.dropped_log_bytes.add(bytes);
    }

    /// A line that the function printed.
    pub(crate) fn line(
        &self,
        level: LogLevel,
        requests: Vec<RequestId>,
        stream: LogStream,
        message: String,
        truncated: bool,
    ) {
        let function = self.spec.function.name.clone();
        self.record(level, requests, LogSource::Function { function, stream, message, truncated });
    }

    /// Something that the platform says about the function.
    pub(crate) fn remark(&self, level: LogLevel, requests: Vec<RequestId>, message: String) {
        let function = self.spec.function.name.clone();
        self.record(level, requests, LogSource::Platform { function: Some(function), message });
    }

    fn record(&self, level: LogLevel, requests: Vec<RequestId>, source: LogSource) {
        let record = LogRecord { at: Timestamp::now(), level, deployment: self.spec.deployment, requests, source };
        self.sink.record(&self.spec.project, record);
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Journal").field("function", &self.spec.function.name).finish_non_exhaustive()
    }
}
