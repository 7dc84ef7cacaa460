//! The task that sends telemetry: spans when there are enough of them or some time has passed, metrics at intervals.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::queue::SpanQueue;
use super::sender::{SendError, Sender};
use super::spans::attribute;
use super::{TelemetryOptions, metrics, spans};
use crate::metrics::Metrics;

/// How long the last telemetry of a host that stops may take.
const FAREWELL: Duration = Duration::from_secs(3);

/// Sends what there is to one collector.
pub(crate) struct Exporter {
    options: TelemetryOptions,
    sender: Sender,
    resource: Value,
    queue: Arc<SpanQueue>,
    metrics: Arc<Metrics>,
}

impl Exporter {
    /// `None` if nothing can be sent with these options.
    pub(crate) fn new(options: TelemetryOptions, queue: Arc<SpanQueue>, metrics: Arc<Metrics>) -> Option<Self> {
        let sender = Sender::new(&options)?;
        let attributes: Vec<Value> =
            options.resource.iter().map(|(name, value)| attribute(name, value.as_str())).collect();
        let resource = json!({ "attributes": attributes });
        Some(Self { options, sender, resource, queue, metrics })
    }

    /// Sends until `stop`, and then what is left.
    pub(crate) async fn run(self, stop: CancellationToken) {
        tokio::select! {
            () = self.send_spans() => {}
            () = self.send_metrics() => {}
            () = stop.cancelled() => {}
        }
        let farewell = async {
            while let Some(document) = self.next_spans() {
                if self.sender.send_once("/v1/traces", &document).await.is_err() {
                    return;
                }
            }
            let document = self.document_of_metrics().await;
            // Nobody is there any more to whom it could be said.
            let _ = self.sender.send_once("/v1/metrics", &document).await;
        };
        let _ = timeout(FAREWELL, farewell).await;
    }

    async fn send_spans(&self) {
        loop {
            tokio::select! {
                () = sleep(self.options.span_delay) => {}
                () = self.queue.full() => {}
            }
            loop {
                let batch = self.queue.take();
                if batch.is_empty() {
                    break;
                }
                let document = spans::document(&self.resource, &batch);
                if let Err(error) = self.sender.send("/v1/traces", &document).await {
                    self.queue.lose(batch.len());
                    say(&error, "spans");
                }
            }
        }
    }

    async fn send_metrics(&self) {
        let every = self.options.metric_interval;
        let mut ticks = interval_at(Instant::now() + every, every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let document = self.document_of_metrics().await;
            // The next ones say all that these did.
            if let Err(error) = self.sender.send_once("/v1/metrics", &document).await {
                say(&error, "metrics");
            }
        }
    }

    fn next_spans(&self) -> Option<Value> {
        let batch = self.queue.take();
        (!batch.is_empty()).then(|| spans::document(&self.resource, &batch))
    }

    async fn document_of_metrics(&self) -> Value {
        metrics::document(&self.resource, &self.metrics.counts().await, Timestamp::now())
    }
}

fn say(error: &SendError, what: &str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what} could not be sent");
}
