//! Blobs as somebody sees them who has to do with one project alone: those of the others are not there.

use std::collections::HashSet;

use ship_core::{Digest, Manifest, ProjectName};
use ship_store::{StageError, StateError, Store};

/// How many of a project's newest deployments are looked through for what the project has already. What only older ones hold is sent
/// again, which costs time and nothing else.
pub(super) const DEPLOYMENTS_SEEN: usize = 10;

/// Which of `digests` are to be sent for a project: those that the host lacks, and those that it has for others alone.
pub(super) fn missing(store: &Store, project: &ProjectName, digests: &[Digest]) -> Result<Vec<Digest>, StateError> {
    // First, since it pins what is here: whose a pinned blob is does not go with garbage that is collected meanwhile.
    let absent = store.blobs().missing_for_upload(digests);
    adopt_deployed(store, project, digests)?;
    let foreign = store.project_blobs().lacking(project, digests)?;
    let missing: HashSet<Digest> = foreign.into_iter().chain(absent).collect();
    Ok(digests.iter().copied().filter(|digest| missing.contains(digest)).collect())
}

/// Notes that what the project's newest deployments are made of is the project's, whoever published them.
fn adopt_deployed(store: &Store, project: &ProjectName, digests: &[Digest]) -> Result<(), StateError> {
    let lacking: HashSet<Digest> = store.project_blobs().lacking(project, digests)?.into_iter().collect();
    if lacking.is_empty() {
        return Ok(());
    }
    let deployments = store.deployments().list(Some(project), DEPLOYMENTS_SEEN)?;
    // One that cannot be read any more has nothing to give; it is healed by being deployed again.
    let manifests = deployments.iter().filter_map(|summary| store.deployments().manifest(&summary.record.id).ok());
    let deployed = manifests.flat_map(|manifest| digests_of(&manifest)).filter(|digest| lacking.contains(digest));
    let deployed: HashSet<Digest> = deployed.collect();
    store.project_blobs().add(project, &deployed.into_iter().collect::<Vec<_>>())
}

/// Says of a manifest which blobs are to be sent first, as an error. To know the digest of another project's file is not to have the file.
pub(in crate::control) fn check(store: &Store, project: &ProjectName, manifest: &Manifest) -> Result<(), StageError> {
    let lacking = store.project_blobs().lacking(project, &digests_of(manifest))?;
    if lacking.is_empty() { Ok(()) } else { Err(StageError::MissingBlobs(lacking)) }
}

fn digests_of(manifest: &Manifest) -> Vec<Digest> {
    manifest.blobs().into_iter().map(|(digest, _)| digest).collect()
}
