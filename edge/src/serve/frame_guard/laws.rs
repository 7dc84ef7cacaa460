//! Laws of the guard that hold for whatever a visitor sends. Property tests and fuzzing ask for them.

use std::time::Instant;

use super::{Earnings, FrameGuard, HEAD_BYTES, PREFACE_BYTES};

/// The guard sees the same frames whatever pieces bytes arrive in, namely those that are there: what it has counted is what a reader of
/// whole frames counts.
///
/// # Panics
///
/// If the law is broken.
pub fn frames(bytes: &[u8]) {
    let now = Instant::now();
    let states = [bytes.len().max(1), 1, 2, 8, 9, 10, 63].map(|size| {
        let (mut guard, earnings) = (FrameGuard::new(), Earnings::default());
        let cut: Vec<Option<usize>> = bytes.chunks(size).map(|piece| guard.follow(piece, &earnings, now)).collect();
        let cut = cut.iter().position(Option::is_some).and_then(|piece| Some(piece * size + cut[piece]?));
        (cut, guard.left, guard.head_bytes)
    });
    // Behind the frame that was too much nothing is looked at any more.
    assert!(states.iter().all(|(cut, ..)| *cut == states[0].0), "{states:?}");
    if states[0].0.is_none() {
        assert!(states.iter().all(|state| *state == states[0]), "{states:?}");
        assert_eq!((states[0].1, states[0].2), place_of(bytes));
    }
}

/// How much is left of the last frame's payload, and how much of the next head is there.
fn place_of(bytes: &[u8]) -> (u32, usize) {
    let mut rest = bytes;
    let mut wanted = PREFACE_BYTES;
    loop {
        match rest.get(wanted as usize..) {
            None => return (wanted - u32::try_from(rest.len()).expect("it is less than what is wanted"), 0),
            Some(behind) => rest = behind,
        }
        let Some((head, payload)) = rest.split_at_checked(HEAD_BYTES) else { return (0, rest.len()) };
        wanted = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        rest = payload;
    }
}
