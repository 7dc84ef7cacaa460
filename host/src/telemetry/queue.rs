//! The spans that wait to be sent.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ship_core::{LogRecord, LogSource, ProjectName, TraceContext};
use ship_runtime::LogSink;
use tokio::sync::Notify;

use super::spans::Span;

/// How many spans may wait: OpenTelemetry's usual number, four times over.
const WAITING_SPANS: usize = 8192;

/// How many spans are sent at once, and at how many nobody waits for more.
pub(super) const BATCH_SPANS: usize = 512;

/// The spans that wait to be sent.
#[derive(Default)]
pub(crate) struct SpanQueue {
    waiting: Mutex<Vec<Span>>,
    /// Told when a batch is full.
    full: Notify,
    dropped: AtomicU64,
}

impl SpanQueue {
    /// Takes a span, or counts it if there is no room.
    pub(super) fn push(&self, span: Span) {
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING_SPANS {
            drop(waiting);
            self.lose(1);
            return;
        }
        waiting.push(span);
        let is_full = waiting.len() == BATCH_SPANS;
        drop(waiting);
        if is_full {
            self.full.notify_one();
        }
    }

    /// The oldest spans, so many as are sent at once.
    pub(super) fn take(&self) -> Vec<Span> {
        let mut waiting = self.waiting();
        let count = waiting.len().min(BATCH_SPANS);
        waiting.drain(..count).collect()
    }

    /// Waits until a batch is full.
    pub(super) async fn full(&self) {
        self.full.notified().await;
    }

    /// Counts spans that will not be sent.
    pub(super) fn lose(&self, count: usize) {
        self.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// How many spans were not sent.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn waiting(&self) -> MutexGuard<'_, Vec<Span>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A log whose records of requests are spans as well. What is not logged because there is too much of it is none.
pub(crate) struct TracingLog {
    pub(crate) log: Arc<dyn LogSink>,
    pub(crate) spans: Arc<SpanQueue>,
}

impl LogSink for TracingLog {
    fn record(&self, project: &ProjectName, record: LogRecord) {
        if let LogSource::Request { trace: Some(TraceContext { sampled: true, .. }), .. } = &record.source {
            self.spans.push(Span { project: project.clone(), record: record.clone() });
        }
        self.log.record(project, record);
    }
}

#[cfg(test)]
mod tests {
    use super::super::spans::tests::span;
    use super::*;

    /// There is room for so many, the rest is counted, and what is taken makes room.
    #[test]
    fn bounds() {
        let queue = SpanQueue::default();
        for _ in 0..WAITING_SPANS + 3 {
            queue.push(span());
        }
        assert_eq!(queue.dropped(), 3);
        assert_eq!(queue.take().len(), BATCH_SPANS);
        queue.push(span());
        assert_eq!(queue.dropped(), 3);
    }
}
