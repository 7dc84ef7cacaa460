//! What is known of a connection: what it waits for, since when, and what it was told.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;

use super::ConnectionLimits;
use super::frame_guard::Earnings;

/// How long a closing connection is read from, so that a visitor who still sends sees the answer and not a reset; and how long one who
/// was told that it ends may take to agree.
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

/// How much is read of a visitor before the others of the same thread have their turn, in bytes: two records of TLS. It is also two
/// thousand of the smallest frames of HTTP/2, each of which has to be looked at.
const TURN_BYTES: usize = 32 * 1024;

/// The time at which a connection begins.
const FROM_THE_START: u32 = 1;

/// The state of a connection, shared between its task, its stream and the listener. Times are milliseconds since the
/// connection began, plus one, so that 0 means "no".
pub(super) struct ConnectionState {
    began: Instant,
    limits: ConnectionLimits,
    waiting_since: AtomicU32,
    head_since: AtomicU32,
    stalled_since: AtomicU32,
    lingering_since: AtomicU32,
    leaving_since: AtomicU32,
    streams: AtomicU32,
    is_calling: AtomicBool,
    asks_others: AtomicBool,
    read_in_turn: AtomicUsize,
    earnings: Earnings,
    order: AtomicU8,
    waker: AtomicWaker,
}

/// What the listener tells a connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub(super) enum Order {
    /// Go on.
    Serve,
    /// End, unless a request is being answered; then end after it.
    MakeRoom,
    /// End after the next response that is not begun yet: the request in flight, or the one that is waited for.
    Leave,
    /// End after the request in flight.
    Drain,
    /// End now.
    Close,
}

impl ConnectionState {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        let never = || AtomicU32::new(0);
        let from_the_start = || AtomicU32::new(FROM_THE_START);
        Self {
            began: Instant::now(),
            limits,
            waiting_since: from_the_start(),
            // A visitor who connects is expected to speak: the first head's time runs from here.
            head_since: from_the_start(),
            stalled_since: never(),
            lingering_since: never(),
            leaving_since: never(),
            streams: AtomicU32::new(0),
            is_calling: AtomicBool::new(false),
            asks_others: AtomicBool::new(false),
            read_in_turn: AtomicUsize::new(0),
            earnings: Earnings::default(),
            order: AtomicU8::new(Order::Serve as u8),
            waker: AtomicWaker::new(),
        }
    }

    /// Whether the connection waits for a request, so that closing it harms nothing that has begun.
    pub(super) fn waits_for_request(&self) -> bool {
        self.waiting_since.load(Relaxed) != 0
    }

    /// Whether it waits for the first request, or for the handshake before it.
    pub(super) fn has_asked_nothing(&self) -> bool {
        self.waits_for_request() && self.head_since.load(Relaxed) == FROM_THE_START
    }

    /// Whether it waits for a request, and for nothing else of the visitor.
    pub(super) fn only_waits(&self) -> bool {
        let others = [&self.lingering_since, &self.stalled_since];
        self.waits_for_request() && others.iter().all(|since| since.load(Relaxed) == 0)
    }

    /// How many of several requests at once are being answered.
    pub(super) fn streams(&self) -> u32 {
        self.streams.load(Relaxed)
    }

    /// Notes that one of several requests at once begins.
    pub(super) fn stream_begins(&self) {
        self.streams.fetch_add(1, Relaxed);
        self.request_begins();
    }

    /// Notes that it has ended; with the last one the wait for the next begins.
    pub(super) fn stream_ends(&self) {
        if self.streams.fetch_sub(1, Relaxed) == 1 {
            self.note(&self.waiting_since);
            self.waker.wake();
        }
    }

    /// Notes that a request is being answered that hyper knows nothing of.
    pub(super) fn call_begins(&self) {
        self.is_calling.store(true, Relaxed);
    }

    /// Notes that it was answered, or given to hyper. If the connection was told something meanwhile, it is asked again.
    pub(super) fn call_ends(&self) {
        self.is_calling.store(false, Relaxed);
        if self.order.load(Relaxed) != Order::Serve as u8 {
            self.waker.wake();
        }
    }

    /// Whether a request is being answered that hyper knows nothing of: to hyper the connection is idle, and could end.
    pub(super) fn is_calling(&self) -> bool {
        self.is_calling.load(Relaxed)
    }

    /// Notes that the connection's task has its turn.
    pub(super) fn turn_begins(&self) {
        self.read_in_turn.store(0, Relaxed);
    }

    /// Notes that so many bytes were read.
    pub(super) fn reads(&self, bytes: usize) {
        self.read_in_turn.fetch_add(bytes, Relaxed);
    }

    /// Whether enough was read in this turn.
    pub(super) fn turn_is_over(&self) -> bool {
        self.read_in_turn.load(Relaxed) >= TURN_BYTES
    }

    /// What the connection may take.
    pub(super) fn limits(&self) -> &ConnectionLimits {
        &self.limits
    }

    /// What the connection's answers have earned.
    pub(super) fn earnings(&self) -> &Earnings {
        &self.earnings
    }

    /// Notes that a whole head has come.
    pub(super) fn request_begins(&self) {
        self.waiting_since.store(0, Relaxed);
        self.head_since.store(0, Relaxed);
        self.asks_others.store(false, Relaxed);
    }

    /// Notes that somebody else is asked for the visitor. If that one has stopped sending, the connection looks again what that means.
    pub(super) fn asks_others(&self) {
        self.asks_others.store(true, Relaxed);
        self.waker.wake();
    }

    /// Whether a request is being answered for which nobody else was asked.
    pub(super) fn answers_alone(&self) -> bool {
        !self.waits_for_request() && !self.asks_others.load(Relaxed)
    }

    /// Notes that a request was answered while hyper waited for one: the wait begins anew.
    pub(super) fn request_answered(&self) {
        self.waiting_since.store(self.now(), Relaxed);
        self.head_since.store(0, Relaxed);
    }

    /// Notes that the visitor was told that no further request is answered.
    pub(super) fn leaves(&self) {
        self.note(&self.leaving_since);
    }

    /// Notes that bytes of a head arrived.
    pub(super) fn head_arrives(&self) {
        self.note(&self.head_since);
    }

    /// Notes that the visitor does not take what is sent.
    pub(super) fn write_stalls(&self) {
        self.note(&self.stalled_since);
    }

    /// Notes that the visitor took something.
    pub(super) fn write_proceeds(&self) {
        if self.stalled_since.load(Relaxed) != 0 {
            self.stalled_since.store(0, Relaxed);
        }
    }

    /// Notes that the connection is closed for writing, and only read from until the visitor closes it too.
    pub(super) fn lingers(&self) {
        self.note(&self.lingering_since);
    }

    fn note(&self, since: &AtomicU32) {
        if since.load(Relaxed) == 0 {
            since.store(self.now(), Relaxed);
        }
    }

    fn now(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_millis()).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// When the connection has waited long enough for what it waits for. `None` while it waits for nothing of the visitor.
    pub(super) fn due(&self) -> Option<Instant> {
        let limits = &self.limits;
        let (leaving, waiting) = (self.leaving_since.load(Relaxed), self.waiting_since.load(Relaxed));
        if leaving != 0 && waiting != 0 {
            return Some(self.at(leaving.max(waiting)) + LINGER_TIMEOUT);
        }
        let waits = [
            (&self.lingering_since, LINGER_TIMEOUT),
            (&self.stalled_since, limits.write_timeout),
            (&self.head_since, limits.header_read_timeout),
            (&self.waiting_since, limits.idle_timeout),
        ];
        let (since, timeout) =
            waits.into_iter().map(|(since, timeout)| (since.load(Relaxed), timeout)).find(|(since, _)| *since != 0)?;
        Some(self.at(since) + timeout)
    }

    fn at(&self, since: u32) -> Instant {
        self.began + Duration::from_millis(u64::from(since - 1))
    }

    /// Tells the connection something. A stricter order is never taken back.
    pub(super) fn tell(&self, order: Order) {
        self.order.fetch_max(order as u8, Relaxed);
        self.waker.wake();
    }

    /// Whether the next response is the connection's last.
    pub(super) fn is_leaving(&self) -> bool {
        self.order.load(Relaxed) >= Order::Leave as u8
    }

    /// What the connection was told; its task is woken when that changes.
    pub(super) fn order(&self, context: &Context<'_>) -> Order {
        self.waker.register(context.waker());
        match self.order.load(Relaxed) {
            0 => Order::Serve,
            1 => Order::MakeRoom,
            2 => Order::Leave,
            3 => Order::Drain,
            _ => Order::Close,
        }
    }
}

/// The timer that hyper is given: it begins a wait when it expects a head, and drops it when the head is complete.
///
/// A timer of the runtime per request would cost more than all else that the edge does for a static file; this one only notes
/// the time, and the connection's own timer does the waking.
pub(super) struct HeadTimer(pub(super) Arc<ConnectionState>);

impl hyper::rt::Timer for HeadTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.0.note(&self.0.waiting_since);
        Box::pin(HeadWait(Arc::clone(&self.0)))
    }
}

/// A wait for a head. It never ends by itself: hyper does not know of the requests that were answered without it in the meantime.
struct HeadWait(Arc<ConnectionState>);

impl Future for HeadWait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl hyper::rt::Sleep for HeadWait {}

impl Drop for HeadWait {
    fn drop(&mut self) {
        self.0.request_begins();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever was answered may keep the connection from then on, whether or not hyper knows of the answer.
    #[test]
    fn answered() {
        let limits = ConnectionLimits::default();
        let state = ConnectionState::new(limits);
        assert_eq!(state.due(), Some(state.began + limits.header_read_timeout), "who connects is expected to speak");
        let began = state.now();
        while state.now() == began {
            std::thread::yield_now();
        }
        state.request_answered();
        assert!(state.due() > Some(state.began + limits.idle_timeout));
        assert!(state.only_waits());
    }
}
