//! The frames of a framed pack: the stream in pieces of bounded size, each as it is or compressed.
//!
//! A frame is one byte that says which, the number of bytes that follow as a 32-bit little-endian integer, for a compressed one as many more
//! that say how many those unpack to, and the bytes. What a frame announces is all the memory that it is given: a frame that unpacks to
//! anything else is refused, so there is nothing to gain with one that is mostly zeros.

use bytes::{Buf, Bytes, BytesMut};
use zstd::bulk::{Compressor, Decompressor};

use super::PackError;

/// How many bytes a frame holds at the most, unpacked. Larger frames compress a per cent better, and keep a link waiting for longer.
pub const FRAME_BYTES: usize = 256 * 1024;

/// The head of a frame that is as it is: which it is, and how long.
pub const HEAD_BYTES: usize = 1 + 4;

const AS_IT_IS: u8 = 0;
const COMPRESSED: u8 = 1;

/// How hard is tried: zstd's own default, which takes 300 MB a second of one processor. More is slower than the links it is for.
const LEVEL: i32 = 3;

/// A compressed frame has at most this share of the bytes, in percent: less is not worth the host's time.
const LARGEST_SHARE: usize = 90;

/// After a frame that did not become smaller, how many frames go as they are before the next is tried, at first and at the most: what is
/// compressed already, pictures and archives, is seen by that, and so is that something else follows.
const LEFT_ALONE: u32 = 2;
const LEFT_ALONE_AT_MOST: u32 = 32;

/// Writes frames.
pub struct FrameWriter {
    /// Made when first needed: what never compresses needs none.
    compressor: Option<Compressor<'static>>,
    /// How many frames go as they are before the next is tried.
    left_alone: u32,
    /// How many will, if that one does not become smaller either.
    next_left_alone: u32,
}

impl std::fmt::Debug for FrameWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FrameWriter").field("left_alone", &self.left_alone).finish_non_exhaustive()
    }
}

impl Default for FrameWriter {
    fn default() -> Self {
        Self { compressor: None, left_alone: 0, next_left_alone: LEFT_ALONE }
    }
}

impl FrameWriter {
    /// Makes a frame of a buffer whose content, at most [`FRAME_BYTES`], stands behind [`HEAD_BYTES`] of any value. The content stays as it is, and
    /// where it is.
    pub fn stored(mut buffer: BytesMut) -> Bytes {
        let length = length_of(&buffer[HEAD_BYTES..]);
        buffer[0] = AS_IT_IS;
        buffer[1..HEAD_BYTES].copy_from_slice(&length);
        buffer.freeze()
    }

    /// The same, compressed if that makes it smaller and is not known to be in vain.
    pub fn compressed(&mut self, buffer: BytesMut) -> Bytes {
        if self.left_alone > 0 {
            self.left_alone -= 1;
            return Self::stored(buffer);
        }
        let content = &buffer[HEAD_BYTES..];
        let packed = self.compress(content).filter(|packed| packed.len() * 100 <= content.len() * LARGEST_SHARE);
        let Some(packed) = packed else {
            self.left_alone = self.next_left_alone;
            self.next_left_alone = (self.next_left_alone * 2).min(LEFT_ALONE_AT_MOST);
            return Self::stored(buffer);
        };
        self.next_left_alone = LEFT_ALONE;
        let mut frame = BytesMut::with_capacity(HEAD_BYTES + 4 + packed.len());
        frame.extend_from_slice(&[COMPRESSED]);
        frame.extend_from_slice(&length_of(&packed));
        frame.extend_from_slice(&length_of(content));
        frame.extend_from_slice(&packed);
        frame.freeze()
    }

    fn compress(&mut self, content: &[u8]) -> Option<Vec<u8>> {
        if self.compressor.is_none() {
            self.compressor = Compressor::new(LEVEL).ok();
        }
        self.compressor.as_mut()?.compress(content).ok()
    }
}

fn length_of(bytes: &[u8]) -> [u8; 4] {
    u32::try_from(bytes.len()).expect("a frame has at most 256 KiB").to_le_bytes()
}

/// Reads frames.
#[derive(Default)]
pub(super) struct Frames {
    /// What is left of the last piece.
    piece: Bytes,
    /// What is left of the last compressed frame.
    unpacked: Bytes,
    /// A head, or a compressed frame, of which the rest has yet to come.
    gathered: BytesMut,
    state: State,
    decompressor: Option<Decompressor<'static>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum State {
    #[default]
    Head,
    AsItIs {
        rest: usize,
    },
    Compressed {
        packed: usize,
        unpacked: usize,
    },
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Frames {
    pub(super) fn push(&mut self, piece: &Bytes) {
        debug_assert!(self.piece.is_empty(), "the piece before was read to its end");
        self.piece = piece.clone();
    }

    /// Whether some of what came is left.
    pub(super) fn has_more(&self) -> bool {
        !self.piece.is_empty() || !self.unpacked.is_empty()
    }

    /// Up to `most` bytes of what the frames hold, at least one, or `None` until there are more.
    pub(super) fn next_piece(&mut self, most: usize) -> Result<Option<Bytes>, PackError> {
        loop {
            if !self.unpacked.is_empty() {
                return Ok(Some(self.unpacked.split_to(most.min(self.unpacked.len()))));
            }
            match self.state {
                State::Head => {
                    if !self.read_head()? {
                        return Ok(None);
                    }
                }
                State::AsItIs { rest: 0 } => self.state = State::Head,
                State::AsItIs { .. } if self.piece.is_empty() => return Ok(None),
                State::AsItIs { rest } => {
                    let taken = self.piece.split_to(rest.min(self.piece.len()).min(most));
                    self.state = State::AsItIs { rest: rest - taken.len() };
                    return Ok(Some(taken));
                }
                State::Compressed { packed, unpacked } => {
                    if !self.gather(packed) {
                        return Ok(None);
                    }
                    self.state = State::Head;
                    self.unpacked = self.unpack(unpacked)?;
                }
            }
        }
    }

    /// Whether no frame has begun that has not ended.
    pub(super) fn is_between(&self) -> bool {
        let is_between = matches!(self.state, State::Head | State::AsItIs { rest: 0 });
        is_between && self.gathered.is_empty() && !self.has_more()
    }

    /// Reads a head, and says whether it is here.
    fn read_head(&mut self) -> Result<bool, PackError> {
        if !self.gather(1) {
            return Ok(false);
        }
        let kind = self.gathered[0];
        let head_bytes = match kind {
            AS_IT_IS => HEAD_BYTES,
            COMPRESSED => HEAD_BYTES + 4,
            _ => return Err(PackError::BadFrame("is of no known kind")),
        };
        if !self.gather(head_bytes) {
            return Ok(false);
        }
        self.gathered.advance(1);
        let mut length = || usize::try_from(self.gathered.get_u32_le()).unwrap_or(usize::MAX);
        let (packed, unpacked) = if kind == COMPRESSED { (length(), length()) } else { (0, length()) };
        if unpacked == 0 || unpacked > FRAME_BYTES || packed > unpacked {
            return Err(PackError::BadFrame("is empty, too long, or longer than what it unpacks to"));
        }
        self.state = match kind {
            AS_IT_IS => State::AsItIs { rest: unpacked },
            _ => State::Compressed { packed, unpacked },
        };
        Ok(true)
    }

    /// Gathers up to so many bytes, and says whether they are here.
    fn gather(&mut self, bytes: usize) -> bool {
        let lacking = bytes.saturating_sub(self.gathered.len()).min(self.piece.len());
        self.gathered.extend_from_slice(&self.piece.split_to(lacking));
        self.gathered.len() >= bytes
    }

    fn unpack(&mut self, unpacked: usize) -> Result<Bytes, PackError> {
        let packed = self.gathered.split();
        if self.decompressor.is_none() {
            self.decompressor = Decompressor::new().ok();
        }
        let decompressor =
            self.decompressor.as_mut().ok_or(PackError::BadFrame("cannot be unpacked for want of memory"))?;
        // No more room is given than was announced: the library stops where it ends.
        match decompressor.decompress(&packed, unpacked) {
            Ok(content) if content.len() == unpacked => Ok(content.into()),
            _ => Err(PackError::BadFrame("does not unpack to what it announces")),
        }
    }
}
