//! The frames of a trunk: the length of what follows (4 bytes, little-endian), the number of the call (4 bytes), a kind
//! (1 byte), and the rest.
//!
//! | kind | to the function | from the function |
//! |---|---|---|
//! | 0 | the head of a request, as in HTTP/1.1 | a response, as in HTTP/1.1, whole |
//! | 1 | nobody waits for the answer any more | the number under which it is to be claimed, 8 bytes |
//! | 2 | | there is no answer: the handler gave up |

use std::fmt;

use bytes::Bytes;

use crate::limits::MAX_TRUNK_FRAME_BYTES;
use crate::wire::Inbox;

/// The length, the number and the kind.
const HEAD_BYTES: usize = 9;

/// What the length does not count: itself.
const LENGTH_BYTES: usize = 4;

/// Which call on a trunk a frame is of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct CallNumber(u32);

impl CallNumber {
    /// The number of the next call. So many that none is under way twice.
    pub(super) const fn following(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

/// Under which number a function keeps a response that is to be claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ClaimNumber(u64);

impl fmt::Display for ClaimNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a function says about a call.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum FromFunction {
    Response(Bytes),
    Claim(ClaimNumber),
    Failure,
}

/// What arrived is no frame.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct NoFrame;

/// Writes the head of a request, as `write_head` does.
pub(super) fn write_request(into: &mut Vec<u8>, number: CallNumber, write_head: impl FnOnce(&mut Vec<u8>)) {
    write(into, number, 0, write_head);
}

/// Writes that nobody waits for the answer.
pub(super) fn write_cancel(into: &mut Vec<u8>, number: CallNumber) {
    write(into, number, 1, |_| {});
}

fn write(into: &mut Vec<u8>, CallNumber(number): CallNumber, kind: u8, write_rest: impl FnOnce(&mut Vec<u8>)) {
    let begins = into.len();
    into.extend_from_slice(&[0; LENGTH_BYTES]);
    into.extend_from_slice(&number.to_le_bytes());
    into.push(kind);
    write_rest(into);
    let length = into.len() - begins - LENGTH_BYTES;
    let length = u32::try_from(length).expect("heads of requests are bounded");
    into[begins..begins + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
}

/// Takes the next frame out of `inbox`, if all of it is there.
pub(super) fn take(inbox: &mut Inbox) -> Result<Option<(CallNumber, FromFunction)>, NoFrame> {
    let bytes = inbox.bytes();
    let Some((length, rest)) = bytes.split_first_chunk() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    if !(HEAD_BYTES - LENGTH_BYTES..=MAX_TRUNK_FRAME_BYTES).contains(&length) {
        return Err(NoFrame);
    }
    let Some(frame) = rest.get(..length) else { return Ok(None) };
    let (number, frame) = frame.split_first_chunk().ok_or(NoFrame)?;
    let number = CallNumber(u32::from_le_bytes(*number));
    let said = match frame.split_first().ok_or(NoFrame)? {
        (0, response) => FromFunction::Response(Bytes::copy_from_slice(response)),
        (1, claim) => FromFunction::Claim(ClaimNumber(u64::from_le_bytes(claim.try_into().map_err(|_| NoFrame)?))),
        (2, []) => FromFunction::Failure,
        _ => return Err(NoFrame),
    };
    inbox.consume(LENGTH_BYTES + length);
    Ok(Some((number, said)))
}
