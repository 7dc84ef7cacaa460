//! OpenTelemetry: spans of requests and what is counted, sent to a collector over OTLP/HTTP in its JSON encoding.
//!
//! Nothing here ever makes a request wait: spans go into a queue that has room for so many and counts the rest, and one task sends
//! what is in it.

mod exporter;
mod metrics;
mod queue;
mod sender;
mod spans;

use std::time::Duration;

pub(crate) use self::exporter::Exporter;
pub(crate) use self::queue::{SpanQueue, TracingLog};

/// Where telemetry is sent and as what. The names of the variables that operators set for it are those of OpenTelemetry.
#[derive(Clone, Debug)]
pub struct TelemetryOptions {
    /// The collector's base URL: `/v1/traces` and `/v1/metrics` are below it.
    pub endpoint: String,
    /// Headers of each request, such as a token.
    pub headers: Vec<(String, String)>,
    /// What the telemetry is about: names and values, `service.name` among them.
    pub resource: Vec<(String, String)>,
    /// How long spans are gathered.
    pub span_delay: Duration,
    /// How often metrics are sent.
    pub metric_interval: Duration,
}
