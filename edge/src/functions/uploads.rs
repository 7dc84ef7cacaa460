//! Requests whose bodies are still on their way, and how many of a function's places they may hold.
//!
//! A function is busy with a request from its head to its answer, so visitors who send one byte a second could keep all of its places.
//! Bodies stream, so waiting for all of each (as other proxies do) is no answer. Instead, half of the places are for requests that have
//! arrived; the others are let in as they come. Where that half is taken, a body is waited for here, up to [`GATHERED_BYTES`], and whoever is
//! slower than [`LEAST_RATE`] has to go when somebody else wants the place. What nobody competes for may be as slow as it likes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use ship_core::FunctionLimits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::inbound_body::{InboundBody, InboundError};

/// How much of a body is kept while it waits for a place: as much as nginx keeps of one in memory (`client_body_buffer_size`).
const GATHERED_BYTES: usize = 16 * 1024;

/// How long a body may wait for a place without being there.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many bytes a second, on average, keep a place that somebody else wants: as much as Apache's `mod_reqtimeout` asks for.
const LEAST_RATE: u64 = 500;

/// How long a body has before its rate counts, and between two looks at it (Kestrel's grace for slow bodies).
const GRACE: Duration = Duration::from_secs(5);

/// The places of one function that requests may hold before all of them has arrived.
pub(crate) struct UploadPlaces {
    places: Arc<Semaphore>,
    /// How many requests wait for one.
    waiting: Arc<AtomicUsize>,
}

impl UploadPlaces {
    /// Half of the requests that the function takes at once, and at least one.
    pub(crate) fn within(limits: &FunctionLimits) -> Self {
        let capacity = u64::from(limits.concurrency) * u64::from(limits.max_instances);
        let half = usize::try_from(capacity / 2).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS);
        Self { places: Arc::new(Semaphore::new(half)), waiting: Arc::default() }
    }

    /// Lets a body in: at once if there is a place or nothing to wait for, else when there is a place or all of it is here.
    pub(crate) async fn admit(&self, inbound: InboundBody) -> Result<Upload, InboundError> {
        if inbound.is_end_stream() {
            return Ok(Upload { inbound, open: None });
        }
        let mut open = Box::new(Open::new(Arc::clone(&self.waiting)));
        let mut inbound = inbound;
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => open.place = Some(UploadPlace::holding(place)),
            Err(_) => self.wait(&mut inbound, &mut open).await?,
        }
        Ok(Upload { inbound, open: Some(open) })
    }

    async fn wait(&self, inbound: &mut InboundBody, open: &mut Open) -> Result<(), InboundError> {
        let _waiting = Waiting::begin(&self.waiting);
        tokio::select! {
            biased;
            gathered = open.gather(inbound) => return gathered,
            Ok(place) = Arc::clone(&self.places).acquire_owned() => open.place = Some(UploadPlace::holding(place)),
            () = tokio::time::sleep(PATIENCE) => return Err(inbound.give_up()),
        }
        open.begins_at = Instant::now();
        Ok(())
    }
}

/// Counted while it is there.
struct Waiting(Arc<AtomicUsize>);

impl Waiting {
    fn begin(count: &Arc<AtomicUsize>) -> Self {
        count.fetch_add(1, Relaxed);
        Self(Arc::clone(count))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// One of the places. It is left when the body has arrived, or when the function has answered without it.
#[derive(Clone)]
pub(crate) struct UploadPlace(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl UploadPlace {
    fn holding(permit: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(Mutex::new(Some(permit))))
    }

    /// Leaves the place to others.
    pub(crate) fn leave(&self) {
        drop(self.0.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn is_held(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }
}

/// The body of a request that was let in.
pub(crate) struct Upload {
    inbound: InboundBody,
    /// `None` for a request without a body.
    open: Option<Box<Open>>,
}

/// What there is about a body that has not arrived yet.
struct Open {
    /// What came while it waited.
    gathered: VecDeque<Frame<Bytes>>,
    gathered_bytes: usize,
    place: Option<UploadPlace>,
    waiting: Arc<AtomicUsize>,
    begins_at: Instant,
    taken_bytes: u64,
    look: Option<Pin<Box<Sleep>>>,
}

impl Open {
    fn new(waiting: Arc<AtomicUsize>) -> Self {
        let gathered = VecDeque::new();
        Self {
            gathered,
            gathered_bytes: 0,
            place: None,
            waiting,
            begins_at: Instant::now(),
            taken_bytes: 0,
            look: None,
        }
    }

    /// Takes what comes, as far as it is kept. Ready when all is here.
    async fn gather(&mut self, inbound: &mut InboundBody) -> Result<(), InboundError> {
        poll_fn(|context| {
            while self.gathered_bytes < GATHERED_BYTES {
                let Some(frame) = ready!(Pin::new(&mut *inbound).poll_frame(context)) else {
                    return Poll::Ready(Ok(()));
                };
                let frame = frame?;
                self.gathered_bytes += frame.data_ref().map_or(0, Bytes::len);
                self.gathered.push_back(frame);
                if inbound.is_end_stream() {
                    return Poll::Ready(Ok(()));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Ready when the place has to go to somebody else.
    fn poll_eviction(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.place.as_ref().is_some_and(UploadPlace::is_held) {
            return Poll::Pending;
        }
        let begins_at = self.begins_at;
        let look = self.look.get_or_insert_with(|| Box::pin(sleep_until(begins_at + GRACE)));
        while look.as_mut().poll(context).is_ready() {
            let now = Instant::now();
            let due = (now - begins_at).as_secs().saturating_mul(LEAST_RATE);
            if self.taken_bytes < due && self.waiting.load(Relaxed) > 0 {
                return Poll::Ready(());
            }
            look.as_mut().reset(now + GRACE);
        }
        Poll::Pending
    }

    fn leave(&self) {
        if let Some(place) = &self.place {
            place.leave();
        }
    }
}

impl Upload {
    /// The place that it holds, to be left when the function has answered.
    pub(crate) fn place(&self) -> Option<UploadPlace> {
        self.open.as_ref()?.place.clone()
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        let Self { inbound, open } = &mut *self;
        let Some(open) = open else { return Pin::new(inbound).poll_frame(context) };
        if let Some(frame) = open.gathered.pop_front() {
            open.gathered_bytes -= frame.data_ref().map_or(0, Bytes::len);
            return Poll::Ready(Some(Ok(frame)));
        }
        match Pin::new(&mut *inbound).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                open.taken_bytes += frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
                if inbound.is_end_stream() {
                    open.leave();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(end) => {
                open.leave();
                Poll::Ready(end)
            }
            Poll::Pending => open.poll_eviction(context).map(|()| Some(Err(inbound.give_up()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inbound.is_end_stream() && self.open.as_ref().is_none_or(|open| open.gathered.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        let hint = self.inbound.size_hint();
        let gathered = self.open.as_ref().map_or(0, |open| open.gathered_bytes as u64);
        match hint.exact() {
            // Behind an end that was not announced there may be fields, which only chunks can carry.
            Some(rest) if self.inbound.has_known_length() => SizeHint::with_exact(rest + gathered),
            _ => SizeHint::default(),
        }
    }
}
