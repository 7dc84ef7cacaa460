//! Reading blobs and writing a pack of them.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use ship_core::DigestHasher;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::link::Link;
use super::{BlobSource, PackForm, UploadBlob};
use crate::client::ClientError;
use crate::pack::{
    Beginning, FRAME_BYTES, FrameWriter, HEAD_BYTES, copy_part, framed_end, framed_entry, literal_part, pack_end,
    pack_entry,
};

/// How much goes into one piece of the stream, which is one frame of it: large enough that ten thousand small files cost few wake-ups.
const PIECE_BYTES: usize = FRAME_BYTES;

/// How much is read at once for a digest.
const READ_BYTES: usize = 256 * 1024;

/// A piece of the stream.
pub(super) struct Piece {
    pub(super) bytes: Bytes,
    /// How many bytes of blobs are in it.
    pub(super) content_bytes: u64,
}

/// Why packing ended before its end.
pub(super) enum Stop {
    /// Nobody listens any more: the request ended, and its own error says why.
    Unheard,
    Failed(ClientError),
}

/// Where pieces go, until nobody wants them any more.
pub(super) struct Outlet {
    pieces: mpsc::Sender<Result<Piece, std::io::Error>>,
    stop: CancellationToken,
    runtime: Handle,
}

impl Outlet {
    /// An outlet that is used on a thread of its own, beside the runtime that this is called on.
    pub(super) fn new(pieces: mpsc::Sender<Result<Piece, std::io::Error>>, stop: CancellationToken) -> Self {
        Self { pieces, stop, runtime: Handle::current() }
    }

    fn send(&self, piece: Result<Piece, std::io::Error>) -> Result<(), Stop> {
        let sent = self.runtime.block_on(self.stop.run_until_cancelled(self.pieces.send(piece)));
        sent.and_then(Result::ok).ok_or(Stop::Unheard)
    }
}

/// Reads blobs and writes a pack.
pub(super) struct Packer {
    outlet: Outlet,
    form: PackForm,
    link: Link,
    frames: FrameWriter,
    buffer: BytesMut,
    content_bytes: u64,
}

impl Packer {
    pub(super) fn new(outlet: Outlet, form: PackForm, link: Link) -> Self {
        let buffer = empty_piece(form);
        Self { outlet, form, link, frames: FrameWriter::default(), buffer, content_bytes: 0 }
    }

    pub(super) fn pack(&mut self, blobs: &[UploadBlob]) -> Result<(), Stop> {
        for blob in blobs {
            let mut content = Content::open(&blob.source, blob.size_bytes)?;
            match self.form {
                PackForm::Plain => {
                    self.write(&pack_entry(&blob.digest, blob.size_bytes))?;
                    self.write_content(&mut content, blob.size_bytes)?;
                }
                PackForm::Framed => self.write_framed(blob, &mut content)?,
            }
            content.expect_end()?;
        }
        let entries = blobs.len() as u64;
        match self.form {
            PackForm::Plain => self.write(&pack_end(entries))?,
            PackForm::Framed => self.write(&framed_end(entries))?,
        }
        self.flush()
    }

    fn write_framed(&mut self, blob: &UploadBlob, content: &mut Content<'_>) -> Result<(), Stop> {
        let beginning = content.beginning(blob.begun_bytes)?;
        self.write(&framed_entry(&blob.digest, blob.size_bytes, beginning.as_ref()))?;
        let mut position = blob.begun_bytes;
        if let Some(copies) = &blob.copies {
            for span in copies.spans.iter().filter(|span| span.end() > blob.begun_bytes) {
                let start = span.offset.max(position);
                self.write_literal(content, start - position)?;
                let skipped = start - span.offset;
                self.write(&copy_part(&copies.from, span.from + skipped, span.length - skipped))?;
                position = span.end();
                content.skip_to(position)?;
            }
        }
        self.write_literal(content, blob.size_bytes - position)
    }

    fn write_literal(&mut self, content: &mut Content<'_>, bytes: u64) -> Result<(), Stop> {
        if bytes == 0 {
            return Ok(());
        }
        self.write(&literal_part(bytes))?;
        self.write_content(content, bytes)
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(self.room()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            self.flush_if_full()?;
        }
        Ok(())
    }

    fn write_content(&mut self, content: &mut Content<'_>, bytes: u64) -> Result<(), Stop> {
        let mut rest = bytes;
        while rest > 0 {
            let room = usize::try_from(rest).unwrap_or(usize::MAX).min(self.room());
            let count = content.read_into(&mut self.buffer, room)? as u64;
            rest -= count;
            self.content_bytes += count;
            self.flush_if_full()?;
        }
        Ok(())
    }

    fn flush_if_full(&mut self) -> Result<(), Stop> {
        if self.room() == 0 { self.flush() } else { Ok(()) }
    }

    /// How much more goes into the piece at hand.
    fn room(&self) -> usize {
        PIECE_BYTES + head_bytes(self.form) - self.buffer.len()
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let piece = std::mem::replace(&mut self.buffer, empty_piece(self.form));
        let bytes = match self.form {
            PackForm::Plain => piece.freeze(),
            PackForm::Framed if self.link.is_slow() => self.frames.compressed(piece),
            PackForm::Framed => FrameWriter::stored(piece),
        };
        let (length, waiting) = (bytes.len(), Instant::now());
        let piece = Piece { bytes, content_bytes: std::mem::take(&mut self.content_bytes) };
        self.outlet.send(Ok(piece))?;
        self.link.took(length, waiting.elapsed());
        Ok(())
    }

    /// Ends the request without its end, so that the host never takes half a pack for a whole one.
    pub(super) fn break_off(&self) {
        let _ = self.outlet.send(Err(std::io::Error::other("a file could not be sent")));
    }
}

/// What stands before what a piece holds, to be filled in when it is full.
fn head_bytes(form: PackForm) -> usize {
    match form {
        PackForm::Plain => 0,
        PackForm::Framed => HEAD_BYTES,
    }
}

fn empty_piece(form: PackForm) -> BytesMut {
    let mut piece = BytesMut::with_capacity(HEAD_BYTES + PIECE_BYTES);
    piece.resize(head_bytes(form), 0);
    piece
}

/// The bytes of a blob, as they are read.
enum Content<'b> {
    File { file: File, path: PathBuf },
    Bytes { bytes: &'b [u8], read: usize },
}

impl<'b> Content<'b> {
    fn open(source: &'b BlobSource, size_bytes: u64) -> Result<Self, Stop> {
        match source {
            BlobSource::Bytes(bytes) => {
                debug_assert_eq!(bytes.len() as u64, size_bytes, "what is in memory does not change");
                Ok(Self::Bytes { bytes, read: 0 })
            }
            BlobSource::File(path) => {
                let file = File::open(path).map_err(|source| unreadable(path, source))?;
                Ok(Self::File { file, path: path.clone() })
            }
        }
    }

    /// Reads up to `room` bytes behind what is in `buffer`, at least one.
    fn read_into(&mut self, buffer: &mut BytesMut, room: usize) -> Result<usize, Stop> {
        match self {
            Self::Bytes { bytes, read } => {
                let taken = &bytes[*read..(*read + room).min(bytes.len())];
                buffer.extend_from_slice(taken);
                *read += taken.len();
                Ok(taken.len())
            }
            Self::File { file, path } => {
                let start = buffer.len();
                buffer.resize(start + room, 0);
                let count = file.read(&mut buffer[start..]);
                buffer.truncate(start + count.as_ref().map_or(0, |count| *count));
                match count {
                    Ok(0) => Err(changed(path)),
                    Ok(count) => Ok(count),
                    Err(source) => Err(unreadable(path, source)),
                }
            }
        }
    }

    /// Reads the first bytes for their digest.
    fn beginning(&mut self, bytes: u64) -> Result<Option<Beginning>, Stop> {
        if bytes == 0 {
            return Ok(None);
        }
        let mut hasher = DigestHasher::new();
        let mut buffer = BytesMut::with_capacity(READ_BYTES);
        while hasher.length() < bytes {
            let rest = usize::try_from(bytes - hasher.length()).unwrap_or(usize::MAX);
            self.read_into(&mut buffer, rest.min(READ_BYTES))?;
            hasher.update(&buffer);
            buffer.clear();
        }
        Ok(Some(Beginning { bytes, digest: hasher.finish() }))
    }

    fn skip_to(&mut self, position: u64) -> Result<(), Stop> {
        match self {
            Self::Bytes { read, .. } => *read = usize::try_from(position).unwrap_or(usize::MAX),
            Self::File { file, path } => {
                file.seek(SeekFrom::Start(position)).map_err(|source| unreadable(path, source))?;
            }
        }
        Ok(())
    }

    /// A file that has grown is not what it was when it was hashed.
    fn expect_end(&mut self) -> Result<(), Stop> {
        match self {
            Self::Bytes { .. } => Ok(()),
            Self::File { file, path } => match file.read(&mut [0]) {
                Ok(0) => Ok(()),
                Ok(_) => Err(changed(path)),
                Err(source) => Err(unreadable(path, source)),
            },
        }
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> Stop {
    Stop::Failed(ClientError::UnreadableFile { path: path.to_owned(), source })
}

fn changed(path: &Path) -> Stop {
    Stop::Failed(ClientError::FileChanged { path: path.to_owned() })
}
