//! Backups: the state and all blobs that it needs, in one archive, as it is made.

use std::io::{self, Write};

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use http::header::CONTENT_TYPE;
use ship_api::{BACKUP_BLOBS, BACKUP_DEPLOYMENTS, BACKUP_MEDIA_TYPE, ErrorBody};
use ship_store::{Backup, BackupError};
use tokio::sync::mpsc;

use super::{ApiError, State};
use crate::blocking::blocking;

/// How much goes into one piece of the answer.
const PIECE_BYTES: usize = 256 * 1024;

/// How many pieces wait between the disk and the connection.
const PIECES_AHEAD: usize = 4;

/// A consistent copy of the state with every blob that it needs, as an archive. An answer that breaks off is no backup.
#[utoipa::path(get, path = "/v1/backup",
    responses((status = 200, content_type = "application/x-tar"), (status = 401, body = ErrorBody),
        (status = 500, body = ErrorBody)))]
pub(super) async fn backup(axum::extract::State(control): State) -> Result<Response, ApiError> {
    let store = control.store.clone();
    let (backup, report) = blocking(move || Backup::prepare(&store)).await?;
    let (pieces, receiver) = mpsc::channel(PIECES_AHEAD);
    control.publisher.tasks.spawn_blocking(move || {
        let mut pipe = Pipe { pieces, buffer: Vec::with_capacity(PIECE_BYTES) };
        if let Err(error) = backup.write(&mut pipe) {
            tracing::error!(error = &error as &dyn std::error::Error, "a backup broke off");
            // Without its end the answer is one that broke off.
            let _ = pipe.pieces.blocking_send(Err(io::Error::other("the backup broke off")));
        }
    });
    let body = stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|piece| (piece, receiver)) });
    let headers = [
        (CONTENT_TYPE.as_str(), BACKUP_MEDIA_TYPE.to_owned()),
        (BACKUP_DEPLOYMENTS, report.deployments.to_string()),
        (BACKUP_BLOBS, report.blobs.to_string()),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// What is written here goes into the answer.
struct Pipe {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(PIECE_BYTES - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == PIECE_BYTES {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.buffer, Vec::with_capacity(PIECE_BYTES));
        self.pieces.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

impl From<BackupError> for ApiError {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::State(error) => error.into(),
            BackupError::Blob(error) => error.into(),
            error @ BackupError::Write(_) => Self::internal(&error),
        }
    }
}
