//! What is counted of the care for what is kept.

use std::sync::atomic::{AtomicU64, Ordering};

/// What is counted since the host began.
#[derive(Debug, Default)]
pub(crate) struct CareMeters {
    pub(super) collections: AtomicU64,
    pub(super) removed_deployments: AtomicU64,
    pub(super) removed_blobs: AtomicU64,
    pub(super) removed_functions: AtomicU64,
    pub(super) removed_code: AtomicU64,
    pub(super) removed_bytes: AtomicU64,
    pub(super) scrubs: AtomicU64,
    pub(super) scrubbed_bytes: AtomicU64,
}

/// The counts at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct CareCounts {
    /// How often garbage was collected.
    pub(crate) collections: u64,
    /// How many of what were removed, by its word in metrics.
    pub(crate) removed: [(&'static str, u64); 4],
    /// Their bytes.
    pub(crate) removed_bytes: u64,
    /// How often everything was read again in the background.
    pub(crate) scrubs: u64,
    /// How many bytes that were.
    pub(crate) scrubbed_bytes: u64,
}

impl CareMeters {
    pub(crate) fn counts(&self) -> CareCounts {
        let of = |meter: &AtomicU64| meter.load(Ordering::Relaxed);
        CareCounts {
            collections: of(&self.collections),
            removed: [
                ("deployment", of(&self.removed_deployments)),
                ("blob", of(&self.removed_blobs)),
                ("function", of(&self.removed_functions)),
                ("code", of(&self.removed_code)),
            ],
            removed_bytes: of(&self.removed_bytes),
            scrubs: of(&self.scrubs),
            scrubbed_bytes: of(&self.scrubbed_bytes),
        }
    }
}
