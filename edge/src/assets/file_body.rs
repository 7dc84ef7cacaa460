//! A large file on its way to a visitor, in pieces: read at once where the kernel has them in memory, else in a thread that
//! may wait for the disk.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rustix::io::{ReadWriteFlags, preadv2};
use tokio::task::JoinHandle;

use crate::body::BodyError;

/// How much is read at once: enough that a read costs little beside its bytes, little enough that the piece which each slow
/// visitor holds is no burden (1 GiB for as many as there may be connections).
const PIECE_BYTES: u64 = 128 * 1024;

/// The same where a visitor may ask for many files at once.
const SMALL_PIECE_BYTES: u64 = 32 * 1024;

/// A part of a file, or all of it, as a body. It fails if the file turns out shorter than it was.
pub(crate) struct FileBody {
    file: Arc<File>,
    next: u64,
    end: u64,
    piece_bytes: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    /// The bytes of `file` from `first` on, `length` of them.
    pub(crate) fn new(file: File, first: u64, length: u64) -> Self {
        Self { file: Arc::new(file), next: first, end: first + length, piece_bytes: PIECE_BYTES, reading: None }
    }

    /// Reads it in smaller pieces from now on.
    pub(crate) const fn read_small_pieces(&mut self) {
        self.piece_bytes = SMALL_PIECE_BYTES;
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.reading.is_none() {
            let length = self.piece_bytes.min(self.end - self.next);
            let mut piece = vec![0; usize::try_from(length).unwrap_or(usize::MAX)];
            let at = self.next;
            if let Some(read) = read_cached(&self.file, &mut piece, at) {
                piece.truncate(read);
                return Poll::Ready(Ok(piece.into()));
            }
            let file = Arc::clone(&self.file);
            self.reading = Some(tokio::task::spawn_blocking(move || {
                file.read_exact_at(&mut piece, at)?;
                Ok(piece.into())
            }));
        }
        let Some(reading) = &mut self.reading else { return Poll::Pending };
        let piece = ready!(Pin::new(reading).poll(context));
        self.reading = None;
        Poll::Ready(piece.unwrap_or_else(|stopped| Err(io::Error::other(stopped))))
    }
}

/// Reads what the kernel can give without waiting for the disk, at least one byte. `None` where the thread must do it, which
/// also finds out why.
fn read_cached(file: &File, piece: &mut [u8], at: u64) -> Option<usize> {
    match preadv2(file, &mut [IoSliceMut::new(piece)], at, ReadWriteFlags::NOWAIT) {
        Ok(0) | Err(_) => None,
        Ok(read) => Some(read),
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let piece = ready!(self.poll_piece(context))?;
        self.next += piece.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.next == self.end
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.next)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    fn file(bytes: &[u8]) -> File {
        use std::io::Write as _;
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        file
    }

    /// A part of a file, over several pieces, is that part.
    #[tokio::test]
    async fn part() {
        let bytes: Vec<u8> = (0..600_000_u32).map(|number| (number % 251) as u8).collect();
        let body = FileBody::new(file(&bytes), 1000, 500_000);
        assert_eq!(body.size_hint().exact(), Some(500_000));
        assert!(body.collect().await.unwrap().to_bytes() == bytes[1000..501_000]);
    }

    /// A file that is shorter than it was is an error, not a short answer.
    #[tokio::test]
    async fn shortened() {
        let body = FileBody::new(file(&vec![1; 200_000]), 0, 300_000);
        assert!(body.collect().await.is_err());
    }
}
