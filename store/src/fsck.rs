//! Looking whether everything that deployments need is there, and is what it was: every blob is read again, the state
//! database is asked to check itself, and unpacked functions are compared with their artifacts.
//!
//! The work is done in steps of a bounded number of bytes, so that one who waits for the result does them at once and one
//! who does it in the background takes pauses. What is found damaged is dealt with as when a visitor had asked for it: a
//! blob is set aside, so that the next deploy that has it sends it; a folder is unpacked anew.

use std::collections::BTreeMap;

use ship_core::Digest;

use crate::blobs::{BlobError, Recheck};
use crate::database::StateError;
use crate::functions::Mended;
use crate::needs::{Needs, Recipe};
use crate::store::Store;

mod columns;
mod leftovers;
mod report;
pub(crate) mod state;

pub use report::{BlobFault, DamagedBlob, DamagedFolder, FsckReport, Leftovers, Touched};

/// What is examined of a data directory, and what was found so far.
#[derive(Debug)]
pub struct Examination {
    store: Store,
    /// What the state database said of itself.
    state: Vec<String>,
    deployments: u64,
    /// The blobs that are still to be read, the last one first.
    blobs: Vec<Digest>,
    /// The folders that are still to be compared.
    folders: Vec<(Digest, Recipe)>,
    current: Option<Recheck>,
    read_blobs: u64,
    read_bytes: u64,
    faults: BTreeMap<Digest, BlobFault>,
    damaged_folders: Vec<DamagedFolder>,
}

/// Whether there is more to examine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// There is.
    More,
    /// Everything was looked at.
    Done,
}

impl Store {
    /// Looks at everything that deployments need, without pausing. Takes about as long as reading all blobs does.
    pub fn fsck(&self) -> Result<FsckReport, StateError> {
        let mut examination = self.examine()?;
        while examination.advance(u64::MAX) == Progress::More {}
        examination.finish()
    }

    /// Begins to look at everything that deployments need. Reads the state database and all manifests.
    pub fn examine(&self) -> Result<Examination, StateError> {
        let state = self.deployments().database().read(|transaction| state::problems(transaction))?;
        let needs = match Needs::read(self.deployments(), &std::collections::HashSet::new()) {
            // The database has said already why nothing can be read from it.
            Err(_) if !state.is_empty() => Needs::default(),
            needs => needs?,
        };
        let mut blobs = self.blobs().stored();
        blobs.extend(needs.blobs.iter().chain(&needs.variants));
        blobs.sort_unstable_by(|left, right| right.cmp(left));
        blobs.dedup();
        Ok(Examination {
            store: self.clone(),
            state,
            deployments: needs.deployments,
            blobs,
            folders: needs.folders.into_iter().collect(),
            current: None,
            read_blobs: 0,
            read_bytes: 0,
            faults: BTreeMap::new(),
            damaged_folders: Vec::new(),
        })
    }
}

impl Examination {
    /// Reads on, about `bytes` far. A folder is compared in one piece.
    pub fn advance(&mut self, bytes: u64) -> Progress {
        let until = self.read_bytes.saturating_add(bytes);
        while self.read_bytes < until {
            if let Some(blob) = self.current.take() {
                self.read_on(blob, until);
            } else if let Some(digest) = self.blobs.pop() {
                self.open(digest);
            } else if let Some((id, recipe)) = self.folders.pop() {
                self.compare(id, &recipe);
            } else {
                return Progress::Done;
            }
        }
        Progress::More
    }

    /// How many bytes were read so far.
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    fn open(&mut self, digest: Digest) {
        match self.store.blobs().recheck(&digest) {
            Ok(blob) => self.current = Some(blob),
            Err(error) => self.blame(digest, &error),
        }
    }

    fn read_on(&mut self, mut blob: Recheck, until: u64) {
        let before = blob.read_bytes();
        let read = blob.read_on(self.store.blobs(), until - self.read_bytes);
        self.read_bytes += blob.read_bytes() - before;
        match read {
            Ok(Progress::More) => self.current = Some(blob),
            Ok(Progress::Done) => self.read_blobs += 1,
            Err(error) => self.blame(blob.digest(), &error),
        }
    }

    fn blame(&mut self, digest: Digest, error: &BlobError) {
        let fault = match error {
            BlobError::Missing { .. } => BlobFault::Missing,
            BlobError::Corrupt { .. } => BlobFault::Corrupt,
            other => BlobFault::Unreadable(with_causes(other)),
        };
        self.faults.insert(digest, fault);
    }

    fn compare(&mut self, id: Digest, recipe: &Recipe) {
        match self.store.functions().mend_folder(&id, recipe) {
            Ok(Mended::NotUnpacked) => {}
            Ok(Mended::Intact { bytes }) => self.read_bytes += bytes,
            Ok(Mended::Renewed { bytes, difference }) => {
                self.read_bytes += bytes;
                self.damaged_folders.push(DamagedFolder { folder: id, artifact: recipe.artifact, difference });
            }
            // What is wrong with the artifact was found when it was read.
            Err(error) => tracing::warn!(folder = %id.to_hex(), %error, "an unpacked function cannot be compared"),
        }
    }

    /// What was found. What was removed meanwhile is no loss to anybody.
    pub fn finish(self) -> Result<FsckReport, StateError> {
        report::write(self)
    }
}

fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests;
