//! A large file on its way to a visitor, in pieces: read at once where the kernel has them in memory, else in a thread that
//! may wait for the disk. A file that changes under way is damaged, and ends the answer before its end.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::os::unix::fs::FileExt as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use rustix::io::{ReadWriteFlags, preadv2};
use ship_store::VerifiedFile;
use tokio::task::JoinHandle;

use crate::body::BodyError;

/// How much is read at once: enough that a read costs little beside its bytes, little enough that the piece which each slow
/// visitor holds is no burden (1 GiB for as many as there may be connections).
const PIECE_BYTES: u64 = 128 * 1024;

/// The same where a visitor may ask for many files at once, each of which then waits with a piece: the largest that one frame of
/// HTTP/2 usually holds.
const SMALL_PIECE_BYTES: u64 = 16 * 1024;

/// A part of a file, or all of it, as a body. It fails if the file is not any more what was checked.
pub(crate) struct FileBody {
    file: Arc<VerifiedFile>,
    next: u64,
    end: u64,
    piece_bytes: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl FileBody {
    /// The bytes of `file` from `first` on, `length` of them.
    pub(crate) fn new(file: VerifiedFile, first: u64, length: u64) -> Self {
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
            if let Some(read) = read_cached(self.file.file(), &mut piece, at) {
                piece.truncate(read);
                return Poll::Ready(Ok(piece.into()));
            }
            let file = Arc::clone(&self.file);
            self.reading = Some(tokio::task::spawn_blocking(move || {
                file.file().read_exact_at(&mut piece, at)?;
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
        // After the piece was read, so that what is handed on was read while the file was what was checked.
        if !self.file.is_unchanged() {
            return Poll::Ready(Some(Err(io::Error::other("the file was changed while it was sent").into())));
        }
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
    use ship_core::Digest;
    use ship_store::{Durability, Store};

    use super::*;

    /// A stored blob of these bytes, in a store of its own.
    fn stored(bytes: &[u8]) -> (tempfile::TempDir, VerifiedFile) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
        let mut batch = store.blobs().batch().unwrap();
        let mut writer = batch.begin(Digest::of(bytes), bytes.len() as u64).unwrap();
        writer.write(bytes).unwrap();
        writer.finish().unwrap();
        batch.commit().unwrap();
        let file = store.blobs().open(&Digest::of(bytes)).unwrap().into_verified();
        (folder, file)
    }

    fn path_of(folder: &tempfile::TempDir, bytes: &[u8]) -> std::path::PathBuf {
        let name = Digest::of(bytes).to_hex();
        folder.path().join("blobs").join(&name[..2]).join(&name[2..])
    }

    /// A part of a file, over several pieces, is that part.
    #[tokio::test]
    async fn part() {
        let bytes: Vec<u8> = (0..600_000_u32).map(|number| (number % 251) as u8).collect();
        let (_folder, file) = stored(&bytes);
        let body = FileBody::new(file, 1000, 500_000);
        assert_eq!(body.size_hint().exact(), Some(500_000));
        assert!(body.collect().await.unwrap().to_bytes() == bytes[1000..501_000]);
    }

    /// A file that is shortened, written to or set aside under way is an error and no short or wrong answer.
    #[tokio::test]
    async fn damaged_under_way() {
        let bytes = vec![1; 400_000];
        let damages: [fn(&std::path::Path); 3] = [
            |path| File::options().write(true).open(path).unwrap().set_len(300_000).unwrap(),
            |path| File::options().write(true).open(path).unwrap().write_all_at(&[2], 399_999).unwrap(),
            |path| std::fs::rename(path, path.with_extension("aside")).unwrap(),
        ];
        for damage in damages {
            let (folder, file) = stored(&bytes);
            let mut body = FileBody::new(file, 0, 400_000);
            assert!(body.frame().await.unwrap().is_ok());
            damage(&path_of(&folder, &bytes));
            let rest = body.collect().await;
            assert!(rest.is_err());
        }
    }

    /// A file that is removed under way, as that of a deployment that was removed, is sent to its end.
    #[tokio::test]
    async fn removed_under_way() {
        let bytes = vec![1; 400_000];
        let (folder, file) = stored(&bytes);
        let mut body = FileBody::new(file, 0, 400_000);
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        std::fs::remove_file(path_of(&folder, &bytes)).unwrap();
        let rest = body.collect().await.unwrap().to_bytes();
        assert_eq!(first.len() + rest.len(), bytes.len());
    }
}
