//! What an examination found, and whom it touches.

use std::collections::{BTreeMap, HashSet};

use ship_core::{DeploymentId, Digest, Manifest, ProjectName};

use super::{Examination, leftovers, with_causes};
use crate::database::StateError;
use crate::deployments::DeploymentRecord;
use crate::needs::{self, Needs};

/// What an examination of a data directory found.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FsckReport {
    /// What is wrong with the state database, and with manifests that were read but are not understood. One sentence each.
    pub state: Vec<String>,
    /// How many deployments there were.
    pub deployments: u64,
    /// How many blobs were read and found right.
    pub blobs: u64,
    /// How many bytes were read.
    pub bytes: u64,
    /// Blobs that are missing or not what they were, by digest.
    pub damaged: Vec<DamagedBlob>,
    /// Unpacked functions that were not what their artifacts say, and were unpacked anew.
    pub functions: Vec<DamagedFolder>,
    /// What nobody needs.
    pub leftovers: Leftovers,
}

impl FsckReport {
    /// Whether everything that deployments need is there, and is what it was. What is left over harms nobody.
    pub fn is_clean(&self) -> bool {
        self.state.is_empty() && self.damaged.is_empty() && self.functions.is_empty()
    }
}

/// A blob that is missing, or is not what it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamagedBlob {
    /// Its digest.
    pub digest: Digest,
    /// What is wrong with it.
    pub fault: BlobFault,
    /// The blob that it is a compressed form of, if it is one. Such a form is made anew by itself.
    pub variant_of: Option<Digest>,
    /// The deployments that need it, the oldest first.
    pub touches: Vec<Touched>,
}

/// What is wrong with a blob.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlobFault {
    /// It is not there.
    Missing,
    /// Its bytes were others, and were set aside.
    Corrupt,
    /// The disk does not give its bytes. Says why not.
    Unreadable(String),
}

/// A deployment that needs a damaged blob.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Touched {
    /// The deployment.
    pub id: DeploymentId,
    /// Its project.
    pub project: ProjectName,
    /// What the blob is in it: the path of a file, the name of a function, `manifest`.
    pub used_as: Vec<String>,
}

/// An unpacked function that was not what its artifact says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamagedFolder {
    /// The folder, by its name below `functions/`.
    pub folder: Digest,
    /// The artifact.
    pub artifact: Digest,
    /// The first difference that was found.
    pub difference: String,
}

/// What nobody needs.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Leftovers {
    /// Blobs that no deployment needs. An upload that is not published yet counts as such.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
    /// Unpacked functions that no deployment needs.
    pub functions: u64,
    /// Damaged blobs that were set aside.
    pub set_aside: u64,
    /// Their bytes.
    pub set_aside_bytes: u64,
    /// Files among the blobs that are none, by path.
    pub strays: Vec<String>,
}

/// Says whom what was found touches.
pub(super) fn write(examination: Examination) -> Result<FsckReport, StateError> {
    let Examination { store, mut state, deployments, read_blobs, read_bytes, mut faults, damaged_folders, .. } =
        examination;
    // Where the database is damaged nobody can say what is needed.
    let needs = if state.is_empty() { Some(Needs::read(store.deployments(), &HashSet::new())?) } else { None };
    if let Some(needs) = &needs {
        let is_wrong =
            |error: &_| matches!(error, StateError::ManifestFormat { .. } | StateError::ManifestOfAnother { .. });
        let unreadable = needs.unreadable.iter().filter(|(_, error)| is_wrong(error));
        state.extend(unreadable.map(|(_, error)| with_causes(error)));
        // What nobody needs any more may be gone; what is still missed counts as damage from here on.
        faults.retain(|digest, fault| {
            *fault != BlobFault::Missing || (needs.has_blob(digest) && store.blobs().note_missing(digest))
        });
    }
    let mut damaged: BTreeMap<Digest, DamagedBlob> = faults
        .into_iter()
        .map(|(digest, fault)| (digest, DamagedBlob { digest, fault, variant_of: None, touches: Vec::new() }))
        .collect();
    if needs.is_some() && !damaged.is_empty() {
        trace(&store, &mut damaged)?;
    }
    let leftovers = needs.map(|needs| leftovers::count(&store, &needs)).unwrap_or_default();
    Ok(FsckReport {
        state,
        deployments,
        blobs: read_blobs,
        bytes: read_bytes,
        damaged: damaged.into_values().collect(),
        functions: damaged_folders,
        leftovers,
    })
}

/// Finds who needs the damaged blobs.
fn trace(store: &crate::Store, damaged: &mut BTreeMap<Digest, DamagedBlob>) -> Result<(), StateError> {
    let mut sources: BTreeMap<Digest, Digest> = BTreeMap::new();
    for (of, variant) in store.deployments().database().read(needs::variants)? {
        if damaged.contains_key(&variant) {
            sources.insert(variant, of);
        }
    }
    for (variant, of) in &sources {
        if let Some(blob) = damaged.get_mut(variant) {
            blob.variant_of = Some(*of);
        }
    }
    store.deployments().visit_manifests(|record, manifest| {
        for blob in damaged.values_mut() {
            let used_as = uses(&record, manifest.as_ref().ok(), &blob.variant_of.unwrap_or(blob.digest));
            if !used_as.is_empty() {
                blob.touches.push(Touched { id: record.id, project: record.project.clone(), used_as });
            }
        }
    })
}

/// What a blob is in a deployment.
fn uses(record: &DeploymentRecord, manifest: Option<&Manifest>, digest: &Digest) -> Vec<String> {
    let mut uses = Vec::new();
    if record.manifest == *digest {
        uses.push("manifest".to_owned());
    }
    let Some(manifest) = manifest else { return uses };
    let files = manifest.assets().iter().filter(|asset| asset.digest == *digest);
    uses.extend(files.map(|asset| format!("/{}", asset.path)));
    for function in manifest.functions() {
        let layers = function.layers.iter().map(|layer| layer.digest);
        if layers.chain([function.digest]).any(|part| part == *digest) {
            uses.push(function.name.to_string());
        }
    }
    if uses.is_empty() && manifest.blobs().iter().any(|(named, _)| named == digest) {
        uses.push("a page that was made with the site".to_owned());
    }
    uses
}
