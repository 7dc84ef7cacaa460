//! A backup as it comes from a host.

use bytes::Bytes;
use futures_util::{Stream, TryStreamExt as _};

use super::Client;
use super::error::ClientError;

/// The media type of a backup.
pub const BACKUP_MEDIA_TYPE: &str = "application/x-tar";

/// The header that says how many deployments are in a backup.
pub const BACKUP_DEPLOYMENTS: &str = "x-ship-backup-deployments";

/// The header that says how many blobs are in a backup.
pub const BACKUP_BLOBS: &str = "x-ship-backup-blobs";

/// A backup that is on its way.
pub struct BackupStream<S> {
    /// How many deployments are in it.
    pub deployments: u64,
    /// How many blobs are in it.
    pub blobs: u64,
    /// The archive, in pieces. Only one that ends without an error is a backup.
    pub pieces: S,
}

impl Client {
    /// The state of the host and every blob that it needs.
    pub async fn backup(
        &self,
    ) -> Result<BackupStream<impl Stream<Item = Result<Bytes, ClientError>> + Send + Unpin + use<>>, ClientError> {
        let answer = self.transport.stream("/v1/backup").await?;
        let count = |name| answer.headers().get(name).and_then(|value| value.to_str().ok()?.parse().ok()).unwrap_or(0);
        let (deployments, blobs) = (count(BACKUP_DEPLOYMENTS), count(BACKUP_BLOBS));
        let pieces = answer.into_pieces().map_err(|source| ClientError::BrokenAnswer { source: Box::new(source) });
        Ok(BackupStream { deployments, blobs, pieces })
    }
}
