//! Which deployments have all their blobs, without asking the disk for ten thousand files at each deploy that changes nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ship_core::{DeploymentId, Digest};
use ship_edge::LiveDeployment;
use ship_store::{StageError, Store};

/// Up to how many blobs are looked up each time. It takes a millisecond or two, and so heals also what nobody has missed yet.
const ALWAYS_CHECKED_BLOBS: usize = 1_000;

/// For how long a large deployment that was found complete is not looked through again, unless something was found lost meanwhile: often
/// enough to heal what somebody has damaged before anybody else sees it, and seldom enough for who deploys all the time.
const BELIEVED: Duration = Duration::from_mins(1);

/// Remembers when, and at which count of damages, a large deployment was found complete (see `Blobs::damages_seen`).
#[derive(Clone, Default)]
pub(crate) struct CompleteDeployments {
    seen: Arc<Mutex<HashMap<DeploymentId, Found>>>,
}

/// What was found.
#[derive(Clone, Copy, Debug)]
struct Found {
    at: Instant,
    damages: u64,
}

impl Found {
    /// Whether it can be taken to be so at `now`, when there are so many damages.
    fn holds(self, now: Instant, damages: u64) -> bool {
        self.damages == damages && now.duration_since(self.at) < BELIEVED
    }
}

impl CompleteDeployments {
    /// Says which blobs of a deployment are missing, as an error. Blocks.
    pub(crate) fn check(&self, store: &Store, live: &LiveDeployment) -> Result<(), StageError> {
        let manifest = live.manifest();
        let is_small = manifest.assets().len() + manifest.functions().len() <= ALWAYS_CHECKED_BLOBS;
        let (at, damages) = (Instant::now(), store.blobs().damages_seen());
        if !is_small && self.lock().get(live.id()).is_some_and(|found| found.holds(at, damages)) {
            return Ok(());
        }
        let digests: Vec<Digest> = manifest.blobs().into_iter().map(|(digest, _)| digest).collect();
        let missing = store.blobs().missing(&digests);
        if !missing.is_empty() {
            return Err(StageError::MissingBlobs(missing));
        }
        if !is_small {
            self.lock().insert(*live.id(), Found { at, damages });
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<DeploymentId, Found>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was found complete is looked at again after a while, and at once when something was found lost.
    #[test]
    fn believed_for_a_while() {
        let at = Instant::now();
        let found = Found { at, damages: 3 };
        assert!(found.holds(at, 3) && found.holds(at + BELIEVED / 2, 3));
        assert!(!found.holds(at + BELIEVED, 3) && !found.holds(at, 4));
    }
}
