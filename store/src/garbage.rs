//! Collecting garbage: what no deployment needs and nobody is about to publish goes.
//!
//! What is needed is read from the manifests of all deployments. While one of them cannot be read, nobody knows what it
//! needs, and nothing is removed. What uploads are about is pinned (`blobs/pins.rs`), so deploys go on meanwhile.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use ship_core::{DeploymentId, Digest};

use crate::blobs::Sweep;
use crate::database::StateError;
use crate::needs::{self, Needs};
use crate::store::Store;

/// Whether garbage is removed, or only looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Collection {
    /// It is removed.
    Remove,
    /// It is counted, as if these deployments had been removed before.
    DryRun,
}

/// What was removed, or would be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Garbage {
    /// Blobs, compressed forms included.
    pub blobs: Heap,
    /// Compressed forms among them.
    pub variants: Heap,
    /// Unpacked functions.
    pub functions: Heap,
    /// Damaged blobs that were set aside and that nobody misses any more.
    pub set_aside: Heap,
    /// Blobs that no deployment needs yet, but an upload that is under way.
    pub spared: Heap,
}

/// How many of something, and their bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Heap {
    /// How many.
    pub number: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Heap {
    fn add(&mut self, bytes: u64) {
        self.number += 1;
        self.bytes += bytes;
    }
}

/// Garbage cannot be collected. What was removed before nobody needed.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A manifest cannot be read, so nobody knows what its deployment needs. Nothing was removed.
    #[error("nothing is removed while nobody knows what deployment {id} needs")]
    UnknownNeeds {
        /// The deployment.
        id: DeploymentId,
        /// Why not.
        #[source]
        source: Box<StateError>,
    },
    /// A backup is being made, or the host before this one still has visitors. Nothing was removed.
    #[error("everything is kept while a backup is made, and while a host that was upgraded still has visitors")]
    Kept,
    /// The state cannot be read or written.
    #[error("garbage cannot be collected")]
    State(#[from] StateError),
}

impl Store {
    /// Removes what no deployment needs, or counts what would be removed if the deployments `without` were gone.
    pub fn collect_garbage(
        &self,
        collection: Collection,
        without: &HashSet<DeploymentId>,
    ) -> Result<Garbage, CollectError> {
        let _turn = self.take_collecting_turn();
        let _clearing = self.clear_blobs().ok_or(CollectError::Kept)?;
        let sweep = self.blobs().pins().sweep();
        let mut needs = Needs::read(self.deployments(), without)?;
        if let Some((record, source)) = needs.unreadable.pop() {
            return Err(CollectError::UnknownNeeds { id: record.id, source: Box::new(source) });
        }
        let mut collector = Collector { store: self, sweep, needs, collection, garbage: Garbage::default() };
        collector.blobs()?;
        collector.functions();
        collector.set_aside();
        collector.begun();
        if collection == Collection::Remove {
            self.deployments().database().keep_room();
        }
        Ok(collector.garbage)
    }
}

struct Collector<'s> {
    store: &'s Store,
    sweep: Sweep<'s>,
    needs: Needs,
    collection: Collection,
    garbage: Garbage,
}

impl Collector<'_> {
    fn blobs(&mut self) -> Result<(), CollectError> {
        let mut unneeded = Vec::new();
        self.store.blobs().visit_files(|digest, size_bytes| {
            if !self.needs.has_blob(&digest) {
                unneeded.push((digest, size_bytes));
            }
        });
        // In the order of the names, so that each folder is visited once, and a collection does the same each time.
        unneeded.sort_unstable();
        let sources = self.forget_variants()?;
        self.forget_owners()?;
        for (digest, size_bytes) in unneeded {
            // A form whose blob is about to be published again is about to be needed again.
            let of = sources.get(&digest).map(Vec::as_slice).unwrap_or_default();
            let subject = [&digest].into_iter().chain(of);
            let removed = match self.collection {
                Collection::Remove => self.sweep.if_free(subject, || self.store.blobs().remove(&digest)),
                Collection::DryRun => self.sweep.is_free(subject).then_some(true),
            };
            match removed {
                Some(true) => {
                    self.garbage.blobs.add(size_bytes);
                    if !of.is_empty() {
                        self.garbage.variants.add(size_bytes);
                    }
                }
                Some(false) => {}
                None => self.garbage.spared.add(size_bytes),
            }
        }
        Ok(())
    }

    /// Forgets the compressed forms of blobs that nobody needs, before the forms themselves go: what is known to exist does.
    /// Gives the blobs that each form was made of.
    fn forget_variants(&self) -> Result<HashMap<Digest, Vec<Digest>>, CollectError> {
        let database = self.store.deployments().database();
        let mut sources: HashMap<Digest, Vec<Digest>> = HashMap::new();
        for (of, variant) in database.read(needs::variants)? {
            sources.entry(variant).or_default().push(of);
        }
        if self.collection == Collection::Remove {
            let known = database.read(needs::compressed)?;
            let forgotten: Vec<Digest> =
                known.into_iter().filter(|of| !self.needs.blobs.contains(of) && self.sweep.is_free([of])).collect();
            if !forgotten.is_empty() {
                database.write_making_room(|transaction| needs::forget_compressed(transaction, &forgotten))?;
            }
        }
        Ok(sources)
    }

    /// Forgets whose the blobs were that nobody needs. Whether one is about to be published is asked within the transaction: who
    /// sends it from then on notes it afterwards.
    fn forget_owners(&self) -> Result<(), CollectError> {
        if self.collection == Collection::DryRun {
            return Ok(());
        }
        let database = self.store.deployments().database();
        let known = database.read(needs::owned)?;
        let unneeded: Vec<Digest> = known.into_iter().filter(|digest| !self.needs.has_blob(digest)).collect();
        if unneeded.is_empty() {
            return Ok(());
        }
        Ok(database.write_making_room(|transaction| {
            let free = unneeded.iter().filter(|digest| self.sweep.is_free([*digest])).copied().collect::<Vec<_>>();
            needs::forget_owners(transaction, &free)
        })?)
    }

    fn functions(&mut self) {
        for id in self.store.functions().stored() {
            if self.needs.folders.contains_key(&id) {
                continue;
            }
            let bytes = match self.collection {
                Collection::Remove => self.store.functions().remove(&id, &self.sweep),
                Collection::DryRun => {
                    self.sweep.is_free([&id]).then(|| folder_bytes(&self.store.functions().folder().join(id.to_hex())))
                }
            };
            if let Some(bytes) = bytes {
                self.garbage.functions.add(bytes);
            }
        }
    }

    /// The beginnings of blobs have a time of their own.
    fn begun(&mut self) {
        for bytes in self.store.blobs().expire_begun(std::time::SystemTime::UNIX_EPOCH) {
            self.garbage.spared.add(bytes);
        }
    }

    /// Damaged bytes are kept as long as somebody misses the right ones.
    fn set_aside(&mut self) {
        let folder = self.store.data_dir().join("quarantine");
        for file in fs::read_dir(folder).into_iter().flatten().flatten() {
            let digest = file.file_name().to_str().and_then(|name| Digest::from_hex(name).ok());
            let is_missed = digest.is_some_and(|digest| {
                self.needs.has_blob(&digest) && !self.store.blobs().missing(&[digest]).is_empty()
            });
            let bytes = file.metadata().map_or(0, |metadata| metadata.len());
            if !is_missed && (self.collection == Collection::DryRun || fs::remove_file(file.path()).is_ok()) {
                self.garbage.set_aside.add(bytes);
            }
        }
    }
}

/// The bytes of all files below a folder, as far as they can be looked at.
pub(crate) fn folder_bytes(folder: &Path) -> u64 {
    let mut bytes = 0;
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        bytes += match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
            Ok(metadata) if metadata.is_file() => metadata.len(),
            _ => 0,
        };
    }
    bytes
}

#[cfg(test)]
mod tests;
