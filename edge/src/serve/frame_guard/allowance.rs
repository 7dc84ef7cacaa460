//! How much a visitor may send that asks for nothing.

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Instant;

/// How many frames pass at once: as many as Envoy lets wait for their answer (`max_outbound_control_frames`). Who is let go
/// after them and comes back keeps visitors waiting no longer than handshakes alone do.
pub(super) const AT_ONCE: u32 = 1000;

/// How many pass in a second when nothing is earned: more than somebody needs who asks whether the host is still there. Clients of gRPC ask
/// every ten seconds at the most.
pub(super) const PER_SECOND: u32 = 10;

/// How many bytes of bodies, in either direction, earn a frame. Clients that open their windows after each small read say so for every few
/// hundred bytes, for the stream and for the connection. Envoy allows ten such frames for each `DATA` frame that it sends
/// (`max_inbound_window_update_frames_per_data_frame_sent`), nginx seven bytes around each byte of a body, and a megabyte.
pub(super) const BYTES_FOR_A_FRAME: u32 = 128;

/// How many are earned with each answer, and with each piece of one, however small: some clients measure the line with a `PING` for each
/// (gRPC), others say how urgent it is (RFC 9218) or that they have seen enough.
const FOR_AN_ANSWER: u32 = 20;

/// How many can be saved: what is on its way of a large answer is also answered at once.
const MOST_SAVED: u32 = 128 * 1024;

/// What a connection's answers have earned since it was last asked for.
#[derive(Default)]
pub(in crate::serve) struct Earnings(AtomicU32);

impl Earnings {
    /// Notes that something goes to the visitor: the head of an answer, or a piece of so many bytes.
    pub(in crate::serve) fn earn_answer(&self, bytes: usize) {
        let frames = u32::try_from(bytes / BYTES_FOR_A_FRAME as usize).unwrap_or(MOST_SAVED);
        self.earn(frames.saturating_add(FOR_AN_ANSWER));
    }

    pub(super) fn earn(&self, frames: u32) {
        let saved = self.0.load(Relaxed);
        // The streams of a connection share a thread; elsewhere something earned would be lost once in a while.
        self.0.store(saved.saturating_add(frames).min(MOST_SAVED), Relaxed);
    }

    fn take(&self) -> u32 {
        self.0.swap(0, Relaxed)
    }
}

/// What is left of what a connection may send.
pub(super) struct Allowance {
    left: u32,
    filled_at: Instant,
}

impl Allowance {
    pub(super) fn new(now: Instant) -> Self {
        Self { left: AT_ONCE, filled_at: now }
    }

    /// Notes that a body of so many bytes comes from the visitor.
    pub(super) fn earn_bytes(&mut self, bytes: u32) {
        self.left = self.left.saturating_add(bytes / BYTES_FOR_A_FRAME).min(MOST_SAVED);
    }

    /// Takes so many frames. `false` if there are no more.
    pub(super) fn take(&mut self, frames: u32, earnings: &Earnings, now: Instant) -> bool {
        if self.left < frames {
            self.fill(earnings, now);
        }
        self.left.checked_sub(frames).map(|left| self.left = left).is_some()
    }

    fn fill(&mut self, earnings: &Earnings, now: Instant) {
        let seconds = now.saturating_duration_since(self.filled_at).as_secs();
        if seconds > 0 {
            self.filled_at = now;
            let in_time = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(PER_SECOND);
            self.left = self.left.saturating_add(in_time).min(AT_ONCE);
        }
        self.left = self.left.saturating_add(earnings.take()).min(MOST_SAVED);
    }
}
