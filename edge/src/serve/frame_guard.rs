//! Counts what a visitor sends in HTTP/2 that asks for nothing: `PING`, `SETTINGS`, `WINDOW_UPDATE`, `RST_STREAM`, `PRIORITY` and frames of
//! kinds that nobody knows. Each is work for the host, and the visitor can send without end what costs it nothing.
//!
//! The rest is bounded behind this: of `DATA` h2 takes 100 empty frames on a connection and a budget of small ones, of `CONTINUATION`
//! as many as a head can need, and of requests there are [places](super::http2).

use std::time::Instant;

mod allowance;
#[cfg(any(test, fuzzing))]
pub(crate) mod laws;

use allowance::Allowance;
pub(super) use allowance::Earnings;

/// How long the head of a frame is (RFC 9113, section 4.1), and what a visitor says before the first one (section 3.4), in bytes.
const HEAD_BYTES: usize = 9;
const PREFACE_BYTES: u32 = 24;

/// The kinds that carry a request (section 6): they are the reason why there is a connection.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// A frame that may change the windows of all streams of a connection, and what it counts for. A client sends one, and seldom a second.
const SETTINGS: u8 = 4;
const SETTINGS_COUNT_FOR: u32 = 20;

/// Reads along with everything that a visitor sends, in pieces of any size.
pub(super) struct FrameGuard {
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    /// How much of the preface or of a frame's payload is still to come, in bytes.
    left: u32,
    /// What the frame counts for that the next byte belongs to.
    count: u32,
    allowance: Allowance,
}

impl FrameGuard {
    /// A guard of a connection that begins.
    pub(super) fn new() -> Self {
        let allowance = Allowance::new(Instant::now());
        Self { head: [0; HEAD_BYTES], head_bytes: 0, left: PREFACE_BYTES, count: 0, allowance }
    }

    /// Looks at the next bytes, which arrived at `now`, in a connection whose answers have earned `earnings`. Where the visitor has sent too much that asks for nothing: how many of the bytes
    /// belong to frames up to the one that was too much.
    pub(super) fn follow(&mut self, arrived: &[u8], earnings: &Earnings, now: Instant) -> Option<usize> {
        let mut from = 0;
        while from < arrived.len() {
            let rest = &arrived[from..];
            if self.left > 0 {
                let here = usize::try_from(self.left).unwrap_or(usize::MAX).min(rest.len());
                // It is no more than what is left, which was 32 bits.
                self.left -= u32::try_from(here).unwrap_or(self.left);
                from += here;
            } else {
                let here = rest.len().min(HEAD_BYTES - self.head_bytes);
                self.head[self.head_bytes..self.head_bytes + here].copy_from_slice(&rest[..here]);
                self.head_bytes += here;
                from += here;
                if self.head_bytes < HEAD_BYTES {
                    return None;
                }
                self.begin_frame();
            }
            // A frame is counted when it is complete: what is behind it can then be left out.
            if self.left == 0 && !self.allowance.take(std::mem::take(&mut self.count), earnings, now) {
                return Some(from);
            }
        }
        None
    }

    fn begin_frame(&mut self) {
        self.head_bytes = 0;
        let [a, b, c, kind, ..] = self.head;
        self.left = u32::from_be_bytes([0, a, b, c]);
        self.count = match kind {
            DATA => {
                self.allowance.earn_bytes(self.left);
                0
            }
            HEADERS | CONTINUATION => 0,
            SETTINGS => SETTINGS_COUNT_FOR,
            _ => 1,
        };
    }
}

/// A head in more pieces than h2 takes, where a head may have so many bytes: to this it answers by ending the connection with
/// `ENHANCE_YOUR_CALM`, which is what there is to say. It has no other way of being told to.
pub(super) fn too_many_pieces(max_header_bytes: usize) -> Vec<u8> {
    /// The least size of the largest frame (RFC 9113, section 4.2), by which h2 knows how many pieces a head can need. It allows a quarter
    /// more, and five in any case.
    const FRAME_BYTES: usize = 16 * 1024;
    let pieces = (max_header_bytes / FRAME_BYTES).max(4) * 2;
    // No client has come as far as this stream.
    let frame = |kind| [0, 0, 0, kind, 0, 0x7f, 0xff, 0xff, 0xff];
    let mut frames = frame(HEADERS).to_vec();
    (0..pieces).for_each(|_| frames.extend(frame(CONTINUATION)));
    frames
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::allowance::{AT_ONCE, BYTES_FOR_A_FRAME, PER_SECOND};
    use super::*;

    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, payload_bytes: u32) -> Vec<u8> {
        let [_, a, b, c] = payload_bytes.to_be_bytes();
        let mut frame = vec![a, b, c, kind, 0, 0, 0, 0, 1];
        frame.resize(frame.len() + payload_bytes as usize, b'x');
        frame
    }

    /// Somebody who has begun to speak.
    struct Visitor {
        guard: FrameGuard,
        earnings: Earnings,
        now: Instant,
    }

    impl Visitor {
        fn new() -> Self {
            let mut visitor = Self { guard: FrameGuard::new(), earnings: Earnings::default(), now: Instant::now() };
            assert_eq!(visitor.sends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), None);
            visitor
        }

        fn sends(&mut self, bytes: &[u8]) -> Option<usize> {
            self.guard.follow(bytes, &self.earnings, self.now)
        }

        /// How many frames pass, one after the other.
        fn passing(&mut self, frame: &[u8]) -> u32 {
            (0..1_000_000).find(|_| self.sends(frame).is_some()).expect("there is an end")
        }
    }

    /// Some pings pass at once, and some in each second; settings count for more.
    #[test]
    fn counts() {
        let mut visitor = Visitor::new();
        assert_eq!(visitor.passing(&frame(PING, 8)), AT_ONCE);
        visitor.now += Duration::from_secs(3);
        assert_eq!(visitor.passing(&frame(200, 5)), 3 * PER_SECOND);
        visitor.now += Duration::from_hours(3);
        assert_eq!(visitor.passing(&frame(SETTINGS, 6)), AT_ONCE / SETTINGS_COUNT_FOR);
    }

    /// What carries requests is not counted.
    #[test]
    fn requests() {
        let mut visitor = Visitor::new();
        for _ in 0..10_000 {
            for kind in [HEADERS, CONTINUATION, DATA] {
                assert_eq!(visitor.sends(&frame(kind, 20)), None);
            }
        }
        assert_eq!(visitor.passing(&frame(PING, 8)), AT_ONCE);
    }

    /// Bodies in either direction earn frames, also long after the first ones are used up.
    #[test]
    fn earns() {
        let mut visitor = Visitor::new();
        assert_eq!(visitor.passing(&frame(PING, 8)), AT_ONCE);
        visitor.earnings.earn(5);
        assert_eq!(visitor.passing(&frame(PING, 8)), 5);
        assert_eq!(visitor.sends(&frame(DATA, 16 * 1024)), None);
        assert_eq!(visitor.passing(&frame(WINDOW_UPDATE, 4)), 16 * 1024 / BYTES_FOR_A_FRAME);
    }

    /// A visitor who takes a gigabyte and opens the window for every 512 bytes of it, for the stream and for the connection, is no flood:
    /// also if what they say arrives in lumps of megabytes.
    #[test]
    fn takes_in_small_steps() {
        const LUMP: u32 = 4 * 1024 * 1024;
        let mut visitor = Visitor::new();
        for _ in 0..256 {
            visitor.earnings.earn(LUMP / BYTES_FOR_A_FRAME);
            for _ in 0..2 * (LUMP / 512) {
                assert_eq!(visitor.sends(&frame(WINDOW_UPDATE, 4)), None);
            }
        }
    }

    /// What is left of the bytes ends with the frame that was too much.
    #[test]
    fn cuts_behind_the_frame() {
        let mut visitor = Visitor::new();
        let frames = frame(PING, 8).repeat(AT_ONCE as usize + 10);
        assert_eq!(visitor.sends(&frames), Some((AT_ONCE as usize + 1) * 17));
    }

    proptest! {
        /// The verdict does not depend on the pieces.
        #[test]
        fn laws(kinds in prop::collection::vec((0_u8..12, 0_u32..40), 0..80), rest in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
            for (kind, length) in &kinds {
                bytes.extend(frame(*kind, *length));
            }
            bytes.extend(rest);
            laws::frames(&bytes);
        }
    }
}
