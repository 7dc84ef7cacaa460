//! The pack: how many blobs travel in one request.
//!
//! A *plain* pack is a sequence of entries: the 32 bytes of a digest, the size as a 64-bit little-endian integer, and that many
//! bytes. It ends with 32 zero bytes and the count of entries, so that a pack that was cut off is never taken for a whole one.
//!
//! A *framed* pack is one stream in frames (`frame.rs`), each as it is or compressed, of entries that may go on where an earlier upload was
//! cut, and may name what the host can copy from a blob that it has (`entry.rs`).

mod entry;
mod frame;
mod plain;

use bytes::{Bytes, BytesMut};
use ship_core::Digest;

use self::entry::{FramedEntries, Wanted};
pub use self::entry::{copy_part, framed_end, framed_entry, literal_part};
use self::frame::Frames;
pub use self::frame::{FRAME_BYTES, FrameWriter, HEAD_BYTES};
use self::plain::PlainEntries;
pub use self::plain::{pack_end, pack_entry};

/// The media type of a plain pack.
pub const PACK_MEDIA_TYPE: &str = "application/vnd.ship.pack";

/// The media type of a framed pack.
pub const FRAMED_PACK_MEDIA_TYPE: &str = "application/vnd.ship.pack-frames";

/// The newest form of pack that this code reads: 1 is the plain one, 2 the framed one.
pub const PACK_VERSION: u32 = 2;

/// The beginning of a blob that an earlier upload has left with the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Beginning {
    /// How many bytes it has, at least one.
    pub bytes: u64,
    /// The digest of these bytes, by which the host sees whether it has the same.
    pub digest: Digest,
}

/// What comes next in a pack.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PackEvent {
    /// A blob begins.
    Begin {
        /// The digest its bytes shall have.
        digest: Digest,
        /// Its size in bytes.
        size_bytes: u64,
        /// What of it does not travel, because the host has it from an upload that was cut.
        beginning: Option<Beginning>,
    },
    /// Some of its bytes.
    Bytes(Bytes),
    /// The next of its bytes are those of another blob.
    Copy {
        /// The other blob.
        from: Digest,
        /// Where they begin in it.
        offset: u64,
        /// How many they are.
        length: u64,
    },
    /// The blob is complete.
    Complete,
}

/// Reads a pack from pieces of any size, without holding more than the piece at hand and one frame.
#[derive(Debug)]
pub struct PackDecoder {
    form: Form,
    /// What was received and not read: of a framed pack the beginning of a head alone.
    buffered: BytesMut,
}

#[derive(Debug)]
enum Form {
    Plain(PlainEntries),
    Framed(Box<Frames>, FramedEntries),
}

impl PackDecoder {
    /// A decoder at the beginning of a plain pack.
    pub fn plain() -> Self {
        Self { form: Form::Plain(PlainEntries::default()), buffered: BytesMut::new() }
    }

    /// A decoder at the beginning of a framed pack.
    pub fn framed() -> Self {
        Self { form: Form::Framed(Box::default(), FramedEntries::default()), buffered: BytesMut::new() }
    }

    /// Whether the pack is a framed one.
    pub fn is_framed(&self) -> bool {
        matches!(self.form, Form::Framed(..))
    }

    /// Whether it holds more than the beginning of an entry, so that it can be read on without another piece. Asked between entries.
    pub fn has_more(&self) -> bool {
        match &self.form {
            Form::Plain(_) => self.buffered.len() >= plain::HEADER_BYTES,
            Form::Framed(frames, _) => frames.has_more(),
        }
    }

    /// Takes the next piece. Call [`PackDecoder::next_event`] until it has nothing more before giving another.
    pub fn push(&mut self, piece: &Bytes) {
        match &mut self.form {
            Form::Plain(_) => self.buffered.extend_from_slice(piece),
            Form::Framed(frames, _) => frames.push(piece),
        }
    }

    /// The next event, or `None` until there are more bytes.
    pub fn next_event(&mut self) -> Result<Option<PackEvent>, PackError> {
        match &mut self.form {
            Form::Plain(entries) => entries.next_event(&mut self.buffered),
            Form::Framed(frames, entries) => loop {
                if let Some(event) = entries.next_event(&mut self.buffered)? {
                    return Ok(Some(event));
                }
                // Bytes of blobs are most of a pack, and are handed on as they came.
                let wanted = entries.wanted(&self.buffered);
                let Some(unpacked) = frames.next_piece(wanted.most())? else { return Ok(None) };
                match wanted {
                    Wanted::Head { .. } => self.buffered.extend_from_slice(&unpacked),
                    Wanted::Literal { .. } => return Ok(Some(entries.literal(unpacked))),
                }
            },
        }
    }

    /// Says whether the pack is whole, once there are no more pieces.
    pub fn finish(self) -> Result<u64, PackError> {
        let ended = match &self.form {
            Form::Plain(entries) => entries.ended(),
            Form::Framed(frames, entries) => entries.ended().filter(|_| frames.is_between()),
        };
        ended.ok_or(PackError::CutOff)
    }
}

/// The bytes are not a pack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// It ends before its end mark.
    #[error("the pack ends before its end mark")]
    CutOff,
    /// Something follows the end mark.
    #[error("bytes follow the end mark of the pack")]
    TrailingBytes,
    /// The end mark counts differently.
    #[error("the pack says it has {said} entries and has {found}")]
    WrongCount {
        /// What the end mark says.
        said: u64,
        /// What came.
        found: u64,
    },
    /// A frame is of no known kind, too long, or holds something else than it says.
    #[error("a frame of the pack {0}")]
    BadFrame(&'static str),
    /// The parts of an entry are not those of a blob of its size.
    #[error("an entry of the pack {0}")]
    BadEntry(&'static str),
}

#[cfg(test)]
mod tests;
