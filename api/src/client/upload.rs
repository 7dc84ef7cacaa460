//! Sending blobs: one request, one stream, memory bounded whatever their number and size.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use futures_util::stream;
use reqwest::Method;
use ship_core::Digest;
use tokio::sync::mpsc;

use super::transport::{ClientError, Transport};
use crate::pack::{PACK_MEDIA_TYPE, pack_end, pack_entry};
use crate::views::UploadReport;

/// How much goes into one piece of the stream: large enough that ten thousand small files cost few wake-ups.
const PIECE_BYTES: usize = 256 * 1024;

/// How many pieces wait between the reader and the connection.
const PIECES_AHEAD: usize = 4;

/// A blob to send.
#[derive(Clone, Debug)]
pub struct UploadBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Where its bytes are.
    pub source: BlobSource,
}

/// Where the bytes of a blob are.
#[derive(Clone, Debug)]
pub enum BlobSource {
    /// In a file.
    File(PathBuf),
    /// In memory.
    Bytes(Arc<[u8]>),
}

pub(super) async fn upload<F>(
    transport: &Transport,
    blobs: Vec<UploadBlob>,
    sent: F,
) -> Result<UploadReport, ClientError>
where
    F: Fn(u64) + Send + Sync + 'static,
{
    let (pieces, receiver) = mpsc::channel(PIECES_AHEAD);
    let failure = Arc::new(Mutex::new(None));
    let reader = tokio::task::spawn_blocking({
        let failure = Arc::clone(&failure);
        move || {
            let mut packer = Packer { pieces, buffer: BytesMut::with_capacity(PIECE_BYTES), sent };
            if let Err(Stop::Failed(error)) = packer.pack(&blobs) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                packer.break_off();
            }
        }
    });
    let body = stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) });
    let request = transport
        .request(Method::POST, "/v1/blobs")
        .header("content-type", PACK_MEDIA_TYPE)
        .body(reqwest::Body::wrap_stream(body));
    let response = transport.send(request).await;
    // The reader ends by itself once its receiver is gone, which the request owns.
    let _ = reader.await;
    let failed = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    match failed {
        Some(error) => Err(error),
        None => transport.read(response?).await,
    }
}

/// Reads blobs and writes a pack.
struct Packer<F> {
    pieces: mpsc::Sender<Result<Bytes, std::io::Error>>,
    buffer: BytesMut,
    sent: F,
}

enum Stop {
    /// Nobody listens any more: the request ended, and its own error says why.
    Unheard,
    Failed(ClientError),
}

impl<F: Fn(u64)> Packer<F> {
    fn pack(&mut self, blobs: &[UploadBlob]) -> Result<(), Stop> {
        for blob in blobs {
            self.write(&pack_entry(&blob.digest, blob.size_bytes))?;
            match &blob.source {
                BlobSource::Bytes(bytes) => {
                    self.write(bytes)?;
                    (self.sent)(blob.size_bytes);
                }
                BlobSource::File(path) => self.write_file(path, blob.size_bytes)?,
            }
        }
        self.write(&pack_end(blobs.len() as u64))?;
        self.flush()
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Stop> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(PIECE_BYTES - self.buffer.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.buffer.len() == PIECE_BYTES {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn write_file(&mut self, path: &Path, size_bytes: u64) -> Result<(), Stop> {
        let unreadable = |source| Stop::Failed(ClientError::UnreadableFile { path: path.to_owned(), source });
        let changed = || Stop::Failed(ClientError::FileChanged { path: path.to_owned() });
        let mut file = File::open(path).map_err(unreadable)?;
        let mut rest = size_bytes;
        while rest > 0 {
            let start = self.buffer.len();
            let room = usize::try_from(rest).unwrap_or(usize::MAX).min(PIECE_BYTES - start);
            self.buffer.resize(start + room, 0);
            let count = file.read(&mut self.buffer[start..]).map_err(unreadable)?;
            self.buffer.truncate(start + count);
            if count == 0 {
                return Err(changed());
            }
            rest -= count as u64;
            (self.sent)(count as u64);
            if self.buffer.len() == PIECE_BYTES {
                self.flush()?;
            }
        }
        let more = file.read(&mut [0]).map_err(unreadable)?;
        if more > 0 { Err(changed()) } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), Stop> {
        let piece = std::mem::replace(&mut self.buffer, BytesMut::with_capacity(PIECE_BYTES)).freeze();
        self.pieces.blocking_send(Ok(piece)).map_err(|_| Stop::Unheard)
    }

    /// Ends the request without its end, so that the host never takes half a pack for a whole one.
    fn break_off(&self) {
        let _ = self.pieces.blocking_send(Err(std::io::Error::other("a file could not be sent")));
    }
}
