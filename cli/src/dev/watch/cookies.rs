//! Cookies: files whose only purpose is that the watch hears of them.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// How long a cookie may take. It takes a tenth of a millisecond; a system that never reports it must not hold up requests.
const PATIENCE: Duration = Duration::from_secs(1);

/// Cookies that were written and those who wait for them, by number.
#[derive(Debug)]
pub(super) struct Cookies {
    folder: PathBuf,
    next: AtomicU64,
    waiting: Mutex<BTreeMap<u64, oneshot::Sender<()>>>,
}

/// A cookie was not heard of.
#[derive(Debug, thiserror::Error)]
pub(super) enum CookieError {
    /// It cannot be written.
    #[error("the cookie {} cannot be written", path.display())]
    Unwritable {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing was heard of it in time.
    #[error("the system did not report a new file in {PATIENCE:?}")]
    Unheard,
}

impl Cookies {
    pub(super) const fn new(folder: PathBuf) -> Self {
        Self { folder, next: AtomicU64::new(0), waiting: Mutex::new(BTreeMap::new()) }
    }

    /// Writes a cookie and waits until the watch has heard of it.
    pub(super) async fn wait_for_one(&self) -> Result<(), CookieError> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, heard) = oneshot::channel();
        self.waiting().insert(number, sender);
        let path = self.folder.join(number.to_string());
        // A symbolic link is one system call and one report, where a file is three of each.
        let written = std::os::unix::fs::symlink("cookie", &path);
        written.map_err(|source| CookieError::Unwritable { path: path.clone(), source })?;
        let heard = tokio::time::timeout(PATIENCE, heard).await;
        // One that stays is removed with its folder.
        let _ = std::fs::remove_file(&path);
        heard.map_err(|_| CookieError::Unheard)?.map_err(|_| CookieError::Unheard)
    }

    /// Takes note of a report, and says whether it was that of a cookie. Whoever waits for it, or for one written before it,
    /// waits no longer.
    pub(super) fn arrived(&self, path: &Path) -> bool {
        let Ok(name) = path.strip_prefix(&self.folder) else { return false };
        let Some(number) = name.to_str().and_then(|name| name.parse::<u64>().ok()) else { return true };
        let later = self.waiting().split_off(&(number + 1));
        let arrived = std::mem::replace(&mut *self.waiting(), later);
        for waiting in arrived.into_values() {
            // Whoever asked may have gone.
            let _ = waiting.send(());
        }
        true
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, oneshot::Sender<()>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
