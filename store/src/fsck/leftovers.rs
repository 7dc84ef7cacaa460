//! Counting what nobody needs.

use std::fs;

use super::report::Leftovers;
use crate::needs::Needs;
use crate::store::Store;

/// What is in the data directory and nobody needs.
pub(super) fn count(store: &Store, needs: &Needs) -> Leftovers {
    let mut leftovers = Leftovers::default();
    let strays = store.blobs().visit_files(|digest, size_bytes| {
        if !needs.has_blob(&digest) {
            leftovers.blobs += 1;
            leftovers.blob_bytes += size_bytes;
        }
    });
    leftovers.strays = strays.iter().map(|path| path.display().to_string()).collect();
    leftovers.functions =
        store.functions().stored().iter().filter(|folder| !needs.folders.contains_key(folder)).count() as u64;
    for file in fs::read_dir(store.data_dir().join("quarantine")).into_iter().flatten().flatten() {
        leftovers.set_aside += 1;
        leftovers.set_aside_bytes += file.metadata().map_or(0, |metadata| metadata.len());
    }
    leftovers
}
