//! Laws of the filter that hold for whatever a visitor sends. Property tests and fuzzing ask for them.

use bytes::{Bytes, BytesMut};

use super::{FrameError, FrameFilter};

/// How large a head may be here, in bytes.
const MAX_HEADER_BYTES: u64 = 100;

/// What h3 is shown does not depend on the pieces that bytes arrive in, is no more than came, and has nothing in it that would be left out.
///
/// # Panics
///
/// If the law is broken.
pub fn http3_frames(bytes: &[u8]) {
    let seen = [bytes.len().max(1), 1, 2, 8, 9, 63].map(|size| shown(bytes, size));
    assert!(seen.iter().all(|other| *other == seen[0]), "{seen:?}");
    let (of_all, outcome, _) = &seen[0];
    assert!(of_all.len() <= bytes.len(), "{seen:?}");
    if outcome.is_ok() {
        assert_eq!(shown(of_all, 7).0, *of_all, "{seen:?}");
    }
}

/// What h3 is shown of a stream that arrives in pieces of a size, how that goes, and whether the stream may end there.
fn shown(stream: &[u8], piece_bytes: usize) -> (Bytes, Result<(), FrameError>, Result<(), FrameError>) {
    let (mut filter, mut shown) = (FrameFilter::new(MAX_HEADER_BYTES), BytesMut::new());
    let outcome = stream.chunks(piece_bytes).try_for_each(|piece| filter.follow(piece, &mut shown));
    (shown.freeze(), outcome, filter.end())
}
