//! Uploads that are under way, by their names: who connects again goes on with what the host has got, not with what it had before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ship_api::UploadId;
use ship_core::TokenId;
use tokio_util::sync::CancellationToken;

/// Whose upload, and which.
pub(super) type Key = (TokenId, UploadId);

/// The uploads of this process that are under way. Each is a request, so there are never more than those.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uploads(Arc<Mutex<HashMap<Key, Signals>>>);

#[derive(Clone, Debug, Default)]
struct Signals {
    superseded: CancellationToken,
    ended: CancellationToken,
}

/// An upload under way. It has ended when this is dropped, and what came of it is stored or kept by then.
#[derive(Debug)]
pub(super) struct UnderWay {
    uploads: Uploads,
    key: Key,
    signals: Signals,
}

impl Uploads {
    /// Begins an upload. One of the same name that is under way ends before.
    pub(super) async fn begin(&self, key: Key) -> UnderWay {
        loop {
            self.end(&key).await;
            let signals = Signals::default();
            let mut under_way = self.lock();
            if !under_way.contains_key(&key) {
                under_way.insert(key.clone(), signals.clone());
                return UnderWay { uploads: self.clone(), key, signals };
            }
        }
    }

    /// Ends the upload of this name, if one is under way: whoever sent it is here again, by another connection. Returns when all that came of it
    /// can be seen.
    pub(super) async fn end(&self, key: &Key) {
        let under_way = self.lock().get(key).cloned();
        if let Some(signals) = under_way {
            signals.superseded.cancel();
            signals.ended.cancelled().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Signals>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl UnderWay {
    /// Says that nobody sends any more.
    pub(super) fn superseded(&self) -> CancellationToken {
        self.signals.superseded.clone()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.uploads.lock().remove(&self.key);
        self.signals.ended.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who asks to go on with an upload waits until the one under way has ended, and nobody waits for others'.
    #[tokio::test]
    async fn one_of_a_name() {
        let uploads = Uploads::default();
        let key = |last: u8| {
            let token: TokenId = "0123456789".parse().unwrap();
            (token, UploadId::from_random([last; 16]))
        };
        let first = uploads.begin(key(1)).await;
        let other = uploads.begin(key(2)).await;
        let superseded = first.superseded();
        let again = tokio::spawn({
            let uploads = uploads.clone();
            async move { uploads.begin(key(1)).await }
        });
        superseded.cancelled().await;
        assert!(!again.is_finished() && !other.superseded().is_cancelled());
        drop(first);
        let second = again.await.unwrap();
        assert!(!second.superseded().is_cancelled());
        drop((second, other));
        uploads.end(&key(1)).await;
        assert!(uploads.lock().is_empty());
    }
}
