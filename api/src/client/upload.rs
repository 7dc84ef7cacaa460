//! Sending blobs: one request, one stream, memory bounded whatever their number and size.

mod copies;
mod link;
mod packer;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::stream;
use reqwest::Method;
use ship_core::Digest;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use self::copies::{Copies, Span};
use self::link::Link;
use self::packer::{Outlet, Packer, Piece, Stop};
use self::watch::Watch;
use super::error::ClientError;
use super::transport::Transport;
use crate::pack::{FRAMED_PACK_MEDIA_TYPE, PACK_MEDIA_TYPE};
use crate::upload_id::UploadId;
use crate::views::UploadReport;

/// How many pieces wait between the reader and the connection.
const PIECES_AHEAD: usize = 4;

/// How much the connection is given at once that took its time for what it had: a link of five kilobytes a second is still seen to move before it
/// is taken for dead.
const GIVEN_BYTES: usize = 64 * 1024;

/// After how long a connection has taken its time.
const TAKES_ITS_TIME: Duration = Duration::from_millis(20);

/// A blob to send.
#[derive(Clone, Debug)]
pub struct UploadBlob {
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Where its bytes are.
    pub source: BlobSource,
    /// How many bytes of its beginning the host has from an upload that was cut.
    pub begun_bytes: u64,
    /// What of it the host can copy from a blob that it has.
    pub copies: Option<Copies>,
}

impl UploadBlob {
    /// A blob of which the host has nothing.
    pub fn new(digest: Digest, size_bytes: u64, source: BlobSource) -> Self {
        Self { digest, size_bytes, source, begun_bytes: 0, copies: None }
    }

    /// How many bytes of it are to be sent.
    pub fn bytes_to_send(&self) -> u64 {
        let copied = self.copies.as_ref().map_or(0, |copies| copies.saved_from(self.begun_bytes));
        (self.size_bytes - self.begun_bytes).saturating_sub(copied)
    }
}

/// Where the bytes of a blob are.
#[derive(Clone, Debug)]
pub enum BlobSource {
    /// In a file.
    File(PathBuf),
    /// In memory.
    Bytes(Arc<[u8]>),
}

/// In which form blobs travel: what the host reads (`MissingBlobs::pack`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PackForm {
    /// Whole and as they are, to hosts before there were frames.
    Plain,
    /// In frames.
    Framed,
}

impl PackForm {
    /// The newest form that a host reads which says this of itself, and that this client writes.
    pub fn newest(pack: u32) -> Self {
        if pack >= 2 { Self::Framed } else { Self::Plain }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Plain => PACK_MEDIA_TYPE,
            Self::Framed => FRAMED_PACK_MEDIA_TYPE,
        }
    }
}

pub(super) async fn upload<F>(
    transport: &Transport,
    id: &UploadId,
    form: PackForm,
    blobs: Vec<UploadBlob>,
    sent: F,
) -> Result<UploadReport, ClientError>
where
    F: Fn(u64) + Send + Sync + 'static,
{
    let (pieces, receiver) = mpsc::channel(PIECES_AHEAD);
    let failure = Arc::new(Mutex::new(None));
    // A connection that stands still keeps what it was given: it is not asked to let go, the reader is.
    let stop = CancellationToken::new();
    let link = Link::new(transport.is_loopback());
    let bytes_read = blobs.iter().map(|blob| blob.size_bytes - blob.bytes_to_send()).sum();
    let reader = tokio::task::spawn_blocking({
        let (failure, outlet) = (Arc::clone(&failure), Outlet::new(pieces, stop.clone()));
        move || {
            let mut packer = Packer::new(outlet, form, link);
            if let Err(Stop::Failed(error)) = packer.pack(&blobs) {
                *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                packer.break_off();
            }
        }
    });
    let watch = Arc::new(Watch::new(bytes_read));
    let given =
        Given { stop: stop.clone(), receiver, piece: None, since: Instant::now(), watch: Arc::clone(&watch), sent };
    let body = stream::unfold(given, |mut given| async { given.next().await.map(|bytes| (bytes, given)) });
    let request = transport
        .request(Method::POST, &format!("/v1/blobs?upload={id}"))
        .header("content-type", form.media_type())
        .body(reqwest::Body::wrap_stream(body));
    let response = tokio::select! {
        response = transport.send(request) => response,
        () = watch.stalled() => Err(ClientError::Stalled),
    };
    stop.cancel();
    let _ = reader.await;
    let failed = failure.lock().unwrap_or_else(PoisonError::into_inner).take();
    match failed {
        Some(error) => Err(error),
        None => transport.read(response?).await,
    }
}

/// What the connection is given, little by little.
struct Given<F> {
    stop: CancellationToken,
    receiver: mpsc::Receiver<Result<Piece, std::io::Error>>,
    piece: Option<Piece>,
    since: Instant,
    watch: Arc<Watch>,
    sent: F,
}

impl<F: Fn(u64)> Given<F> {
    async fn next(&mut self) -> Option<Result<bytes::Bytes, std::io::Error>> {
        if self.stop.is_cancelled() {
            return Some(Err(std::io::Error::other("the upload goes on by another connection")));
        }
        let mut piece = match self.piece.take() {
            Some(piece) => piece,
            None => match self.receiver.recv().await {
                None => {
                    self.watch.all_taken();
                    return None;
                }
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(piece)) => piece,
            },
        };
        let most = if self.since.elapsed() < TAKES_ITS_TIME { usize::MAX } else { GIVEN_BYTES };
        self.since = Instant::now();
        let bytes = piece.bytes.split_to(piece.bytes.len().min(most));
        self.watch.took(bytes.len());
        let rest = piece.bytes.len() as u64;
        let of_content = piece.content_bytes - piece.content_bytes * rest / (rest + bytes.len() as u64).max(1);
        piece.content_bytes -= of_content;
        (self.sent)(of_content);
        if rest > 0 {
            self.piece = Some(piece);
        }
        Some(Ok(bytes))
    }
}

#[cfg(test)]
mod tests;
