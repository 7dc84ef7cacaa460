//! Which deployments have all their blobs, without asking the disk for ten thousand files at each deploy that changes nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ship_core::{DeploymentId, Digest};
use ship_edge::LiveDeployment;
use ship_store::{StageError, Store};

/// Up to how many blobs are looked up each time. It takes a millisecond or two, and so heals also what nobody has missed yet.
const ALWAYS_CHECKED_BLOBS: usize = 1_000;

/// Remembers at which count of damages a large deployment was found complete (see `Blobs::damages_seen`).
#[derive(Clone, Default)]
pub(crate) struct CompleteDeployments {
    seen: Arc<Mutex<HashMap<DeploymentId, u64>>>,
}

impl CompleteDeployments {
    /// Says which blobs of a deployment are missing, as an error. Blocks.
    pub(crate) fn check(&self, store: &Store, live: &LiveDeployment) -> Result<(), StageError> {
        let manifest = live.manifest();
        let is_small = manifest.assets().len() + manifest.functions().len() <= ALWAYS_CHECKED_BLOBS;
        let damages = store.blobs().damages_seen();
        if !is_small && self.lock().get(live.id()) == Some(&damages) {
            return Ok(());
        }
        let digests: Vec<Digest> = manifest.blobs().into_iter().map(|(digest, _)| digest).collect();
        let missing = store.blobs().missing(&digests);
        if !missing.is_empty() {
            return Err(StageError::MissingBlobs(missing));
        }
        if !is_small {
            self.lock().insert(*live.id(), damages);
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DeploymentId, u64>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
