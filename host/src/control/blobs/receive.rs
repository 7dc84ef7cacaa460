//! From a request's body to stored blobs: the network on one side, the disk on the other, a short queue between them.

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt as _;
use std::panic::resume_unwind;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use ship_api::{Beginning, ErrorCode, PackDecoder, PackError, PackEvent, UploadReport};
use ship_core::{Digest, ProjectName, SiteLimits};
use ship_store::{BatchReport, Begun, BlobBatch, BlobError, BlobWriter, Store};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use super::super::ApiError;
use super::uploads::UnderWay;
use crate::blocking::blocking;

/// How many pieces of a body wait for the disk.
const PIECES_WAITING: usize = 8;

/// After how many bytes, blobs or seconds what has arrived is made durable although more is at hand.
const COMMIT_BYTES: u64 = 32 * 1024 * 1024;
const COMMIT_BLOBS: u64 = 2_000;
const COMMIT_INTERVAL: Duration = Duration::from_secs(1);

/// After how many bytes or how long it is made durable while the network lets the disk wait. If the host dies during an
/// upload from afar, this is about what has to be sent again.
const IDLE_COMMIT_BYTES: u64 = 4 * 1024 * 1024;
const IDLE_COMMIT_INTERVAL: Duration = Duration::from_millis(100);

/// How much is copied from another blob at once.
const COPIED_BYTES: usize = 256 * 1024;

/// How much of a refused upload is still read, and for how long.
const DRAINED_BYTES: u64 = 1024 * 1024 * 1024;
const DRAIN_TIMEOUT: Duration = Duration::from_secs(30);

/// Where blobs go, and whose they are then.
#[derive(Clone)]
pub(super) struct Destination {
    pub(super) store: Store,
    /// The project that they were sent for, by somebody who may see nothing else.
    pub(super) project: Option<ProjectName>,
}

impl Destination {
    /// What makes a batch durable.
    fn committing(
        &self,
        batch: BlobBatch,
        blobs: Vec<(Digest, u64)>,
    ) -> impl FnOnce() -> Result<UploadReport, ApiError> + Send + use<'_> {
        move || {
            let report = batch.commit()?;
            self.stored(&blobs, report)
        }
    }

    /// Notes whose the blobs are that are durable now, and says what storing them came to. Whoever sees one project alone does not
    /// hear that others had sent a blob before.
    fn stored(&self, blobs: &[(Digest, u64)], report: BatchReport) -> Result<UploadReport, ApiError> {
        let report = report_of(report);
        let Some(project) = &self.project else { return Ok(report) };
        let sizes: HashMap<Digest, u64> = blobs.iter().copied().collect();
        let new = self.store.project_blobs().lacking(project, &sizes.keys().copied().collect::<Vec<_>>())?;
        self.store.project_blobs().add(project, &new)?;
        Ok(UploadReport {
            stored_blobs: new.len() as u64,
            stored_bytes: new.iter().map(|digest| sizes[digest]).sum(),
            reused_blobs: (blobs.len() - new.len()) as u64,
        })
    }
}

/// Receives a pack, until it ends or whoever sends it comes by another connection.
pub(super) async fn pack(
    destination: Destination,
    decoder: PackDecoder,
    body: Body,
    under_way: Option<UnderWay>,
) -> Result<UploadReport, ApiError> {
    let (pieces, receiver) = mpsc::channel(PIECES_WAITING);
    let superseded = under_way.as_ref().map(UnderWay::superseded);
    let writer = blocking(move || {
        let report = Receiver::new(destination, decoder, receiver).receive_pack();
        // Also where nobody waits for the report any more: only now can be seen what came of the upload.
        drop(under_way);
        report
    });
    let forwarding = async {
        match superseded {
            Some(superseded) => superseded.run_until_cancelled(forward(body, pieces)).await.unwrap_or_default(),
            None => forward(body, pieces).await,
        }
    };
    let ((), report) = tokio::join!(forwarding, writer);
    report
}

/// Receives one blob.
pub(super) async fn blob(
    destination: Destination,
    digest: Digest,
    size_bytes: u64,
    body: Body,
) -> Result<UploadReport, ApiError> {
    let (pieces, mut receiver) = mpsc::channel(PIECES_WAITING);
    let writer = blocking(move || {
        let mut batch = destination.store.blobs().batch()?;
        let mut blob = batch.begin(digest, size_bytes)?;
        while let Some(piece) = receiver.blocking_recv() {
            let piece: Bytes = piece?;
            blob.write(&piece)?;
        }
        blob.finish()?;
        destination.committing(batch, vec![(digest, size_bytes)])()
    });
    let ((), report) = tokio::join!(forward(body, pieces), writer);
    report
}

/// Passes a body on, piece by piece, until it ends, breaks off, or nobody wants more.
async fn forward(mut body: Body, pieces: mpsc::Sender<Result<Bytes, ApiError>>) {
    while let Some(frame) = body.frame().await {
        let piece = match frame {
            Ok(frame) => frame.into_data().map_err(drop).unwrap_or_default(),
            Err(error) => {
                let broken = ApiError::new(ErrorCode::BadRequest, format!("the upload broke off: {error}"));
                let _ = pieces.send(Err(broken)).await;
                return;
            }
        };
        if pieces.send(Ok(piece)).await.is_err() {
            return drain(body).await;
        }
    }
}

/// Reads on what nobody wants, up to a bound: a client that is still sending hears of a refusal only when it has finished.
async fn drain(mut body: Body) {
    let mut rest = DRAINED_BYTES;
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            rest = rest.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            if rest == 0 {
                return;
            }
        }
    };
    // Whatever is left after this time is cut off with the connection.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, read).await;
}

/// Reads a pack and stores its blobs, some at a time.
struct Receiver {
    destination: Destination,
    /// The blobs of the batch that is being filled, with their sizes in bytes.
    batched: Vec<(Digest, u64)>,
    pieces: mpsc::Receiver<Result<Bytes, ApiError>>,
    decoder: PackDecoder,
    /// The blob that was copied from last: a file that was changed here and there is copied from one.
    copied: Option<(Digest, File)>,
    report: UploadReport,
}

impl Receiver {
    fn new(destination: Destination, decoder: PackDecoder, pieces: mpsc::Receiver<Result<Bytes, ApiError>>) -> Self {
        Self { destination, batched: Vec::new(), pieces, decoder, copied: None, report: UploadReport::default() }
    }

    /// While the disk makes one batch durable, the next is received: each would wait for the other otherwise.
    fn receive_pack(mut self) -> Result<UploadReport, ApiError> {
        let destination = self.destination.clone();
        thread::scope(|scope| {
            let mut committing = None;
            loop {
                let mut batch = destination.store.blobs().batch()?;
                let more = self.fill(&mut batch);
                self.add(committing.take().map_or(Ok(UploadReport::default()), Committing::end)?);
                // What is complete is kept even if the stream broke off, so that the next try sends only the rest.
                let commit = destination.committing(batch, std::mem::take(&mut self.batched));
                if let Ok(Filled::Due) = more {
                    committing = Some(Committing(scope.spawn(commit)));
                    continue;
                }
                self.add(commit()?);
                more?;
                self.decoder.finish()?;
                return Ok(self.report);
            }
        })
    }

    fn add(&mut self, stored: UploadReport) {
        self.report.stored_blobs += stored.stored_blobs;
        self.report.stored_bytes += stored.stored_bytes;
        self.report.reused_blobs += stored.reused_blobs;
    }

    /// Takes blobs into a batch until it is time to commit, or the pack ends.
    fn fill(&mut self, batch: &mut BlobBatch) -> Result<Filled, ApiError> {
        let began = Instant::now();
        let (mut blobs, mut bytes) = (0, 0);
        while blobs < COMMIT_BLOBS && bytes < COMMIT_BYTES && began.elapsed() < COMMIT_INTERVAL {
            let is_worth_it = bytes >= IDLE_COMMIT_BYTES || (blobs > 0 && began.elapsed() >= IDLE_COMMIT_INTERVAL);
            if is_worth_it && self.is_waiting_for_the_network()? {
                return Ok(Filled::Due);
            }
            match self.next_event()? {
                None => return Ok(Filled::Ended),
                Some(PackEvent::Begin { digest, size_bytes, beginning }) => {
                    self.receive_blob(batch, digest, size_bytes, beginning)?;
                    blobs += 1;
                    bytes += size_bytes;
                }
                Some(PackEvent::Bytes(_) | PackEvent::Copy { .. } | PackEvent::Complete) => {}
            }
        }
        Ok(Filled::Due)
    }

    /// Whether nothing has arrived that was not read.
    fn is_waiting_for_the_network(&mut self) -> Result<bool, ApiError> {
        // What a small blob leaves of a piece is read before another is taken: they would pile up.
        if self.decoder.has_more() {
            return Ok(false);
        }
        match self.pieces.try_recv() {
            Ok(piece) => {
                self.decoder.push(&piece?);
                Ok(false)
            }
            Err(TryRecvError::Empty) => Ok(true),
            Err(TryRecvError::Disconnected) => Ok(false),
        }
    }

    fn receive_blob(
        &mut self,
        batch: &mut BlobBatch,
        digest: Digest,
        size_bytes: u64,
        beginning: Option<Beginning>,
    ) -> Result<(), ApiError> {
        if size_bytes > SiteLimits::DEFAULT.blob_bytes {
            let message = format!("{digest} has {size_bytes} bytes, more than a blob may have");
            return Err(ApiError::new(ErrorCode::PayloadTooLarge, message));
        }
        let project = self.destination.project.clone();
        let mut blob = match beginning {
            Some(Beginning { bytes, digest: begun }) => {
                batch.go_on(digest, size_bytes, project.as_ref(), Begun { bytes, digest: begun })?
            }
            None if self.decoder.is_framed() => batch.begin_kept(digest, size_bytes, project.as_ref())?,
            None => batch.begin(digest, size_bytes)?,
        };
        loop {
            match self.next_event()? {
                Some(PackEvent::Bytes(piece)) => blob.write(&piece)?,
                Some(PackEvent::Copy { from, offset, length }) => self.copy(&mut blob, from, offset, length)?,
                Some(PackEvent::Complete) => {
                    blob.finish()?;
                    self.batched.push((digest, size_bytes));
                    return Ok(());
                }
                Some(PackEvent::Begin { .. }) | None => return Err(PackError::CutOff.into()),
            }
        }
    }

    /// Writes bytes of another blob.
    fn copy(&mut self, blob: &mut BlobWriter<'_>, from: Digest, offset: u64, length: u64) -> Result<(), ApiError> {
        let beyond = || ApiError::new(ErrorCode::BadRequest, format!("{from} has no {length} bytes from {offset} on"));
        let end = offset.checked_add(length).ok_or_else(beyond)?;
        let file = match self.copied.take() {
            Some((copied, file)) if copied == from => file,
            _ => self.open_to_copy(&from)?,
        };
        let mut buffer = vec![0; COPIED_BYTES];
        let mut position = offset;
        while position < end {
            let piece = usize::try_from(end - position).unwrap_or(usize::MAX).min(COPIED_BYTES);
            file.read_exact_at(&mut buffer[..piece], position).map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => beyond(),
                _ => ApiError::internal(&error),
            })?;
            blob.write(&buffer[..piece])?;
            position += piece as u64;
        }
        self.copied = Some((from, file));
        Ok(())
    }

    /// Opens a blob to copy from it. For whoever has to do with one project alone there are only those of that project.
    fn open_to_copy(&self, digest: &Digest) -> Result<File, ApiError> {
        let lost = || ApiError::new(ErrorCode::UploadLost, format!("there is no {digest} to copy from"));
        let store = &self.destination.store;
        if let Some(project) = &self.destination.project
            && !store.project_blobs().lacking(project, &[*digest])?.is_empty()
        {
            return Err(lost());
        }
        match store.blobs().open(digest) {
            Ok(blob) => Ok(blob.into_file()),
            Err(BlobError::Missing { .. } | BlobError::Corrupt { .. }) => Err(lost()),
            Err(error) => Err(error.into()),
        }
    }

    /// The next event of the pack, waiting for the network; `None` at the end of the body.
    fn next_event(&mut self) -> Result<Option<PackEvent>, ApiError> {
        loop {
            if let Some(event) = self.decoder.next_event()? {
                return Ok(Some(event));
            }
            match self.pieces.blocking_recv() {
                Some(piece) => self.decoder.push(&piece?),
                None => return Ok(None),
            }
        }
    }
}

/// A batch that is being made durable.
struct Committing<'scope>(ScopedJoinHandle<'scope, Result<UploadReport, ApiError>>);

impl Committing<'_> {
    /// Waits until it is.
    fn end(self) -> Result<UploadReport, ApiError> {
        self.0.join().unwrap_or_else(|panic| resume_unwind(panic))
    }
}

/// Why a batch is full.
enum Filled {
    Due,
    Ended,
}

impl From<PackError> for ApiError {
    fn from(error: PackError) -> Self {
        Self::new(ErrorCode::BadRequest, error.to_string())
    }
}

fn report_of(report: BatchReport) -> UploadReport {
    UploadReport {
        stored_blobs: report.stored_blobs,
        stored_bytes: report.stored_bytes,
        reused_blobs: report.reused_blobs,
    }
}
