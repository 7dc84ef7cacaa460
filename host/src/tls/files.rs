//! Certificates in the operator's files, read anew when they change.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::certificate::{Certificate, CertificateError};
use super::certificates::Certificates;
use crate::blocking::blocking;

/// The largest file that is read. A chain of certificates has some ten thousand bytes.
const MAX_BYTES: u64 = 1024 * 1024;

/// How often files are looked at. What renews certificates puts new files or links in place of the old, so names are looked at and not
/// folders watched: it works with every such tool, and on network drives.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A certificate and its key, in PEM.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CertificateFiles {
    /// The certificate, and behind it those that vouch for it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Keeps [`Certificates`] as the files are.
pub(crate) struct FileWatch {
    pairs: Vec<Pair>,
    certificates: Arc<Certificates>,
}

/// A pair of files, as it was when it was last looked at, and the last certificate that it held.
#[derive(Clone)]
struct Pair {
    files: CertificateFiles,
    seen: [Option<Stamp>; 2],
    certificate: Certificate,
}

/// What changes when a file does.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    file: (u64, u64),
    bytes: u64,
    changed: (i64, i64),
}

impl FileWatch {
    /// Reads the files for the first time.
    pub(crate) async fn start(
        files: Vec<CertificateFiles>,
        certificates: Arc<Certificates>,
    ) -> Result<Self, CertificateError> {
        let read = move || files.into_iter().map(Pair::read).collect::<Result<Vec<_>, _>>();
        let watch = Self { pairs: blocking(read).await?, certificates };
        watch.publish();
        Ok(watch)
    }

    fn publish(&self) {
        self.certificates.replace_files(self.pairs.iter().map(|pair| pair.certificate.clone()).collect());
    }

    /// Looks at the files until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(looks.tick()).await.is_some() {
            let pairs = self.pairs;
            let (pairs, has_changed) = blocking(move || look(pairs)).await;
            self.pairs = pairs;
            if has_changed {
                self.publish();
            }
        }
    }
}

/// Reads again what changed. A pair that cannot be used, as in the middle of being replaced, stays what it was.
fn look(mut pairs: Vec<Pair>) -> (Vec<Pair>, bool) {
    let mut has_changed = false;
    for pair in &mut pairs {
        let seen = pair.files.stamps();
        if seen == pair.seen {
            continue;
        }
        pair.seen = seen;
        match Pair::read(pair.files.clone()) {
            Ok(read) => {
                *pair = read;
                has_changed = true;
                tracing::info!(certificate = %pair.files.certificate.display(), "a certificate was read anew");
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a certificate stays as it was");
            }
        }
    }
    (pairs, has_changed)
}

impl Pair {
    fn read(files: CertificateFiles) -> Result<Self, CertificateError> {
        let seen = files.stamps();
        let (chain, key) = (read(&files.certificate)?, read(&files.key)?);
        warn_of_readers(&files.key);
        let certificate = Certificate::from_pem((&files.certificate, &chain), (&files.key, &key))?;
        Ok(Self { files, seen, certificate })
    }
}

impl CertificateFiles {
    fn stamps(&self) -> [Option<Stamp>; 2] {
        [&self.certificate, &self.key].map(|path| {
            let file = std::fs::metadata(path).ok()?;
            let changed = (file.mtime(), file.mtime_nsec());
            Some(Stamp { file: (file.dev(), file.ino()), bytes: file.len(), changed })
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    let unreadable = |source| CertificateError::Unreadable { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > MAX_BYTES {
        return Err(CertificateError::TooLarge { path: path.to_owned(), bytes });
    }
    std::fs::read(path).map_err(unreadable)
}

/// A key that every account of the machine may read is nobody's secret.
fn warn_of_readers(key: &Path) {
    const OTHERS: u32 = 0o007;
    let is_open = std::fs::metadata(key).is_ok_and(|file| file.permissions().mode() & OTHERS != 0);
    if is_open {
        tracing::warn!(key = %key.display(), "every account of this machine may read this private key: `chmod o= FILE`");
    }
}
