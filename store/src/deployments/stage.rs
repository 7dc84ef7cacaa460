//! Staging: everything a deployment needs is in place and durable, and nothing of it is visible yet.

use std::sync::Arc;

use jiff::Timestamp;
use ship_core::{DeploymentId, Digest, Manifest, ProjectName, Target};

use super::error::StageError;
use super::record::DeploymentSource;
use super::{Deployments, rows};
use crate::blobs::{BlobError, Blobs, Held, Seen};
use crate::database::column::kept;
use crate::needs::Recipe;

/// What is to become a deployment.
#[derive(Debug)]
pub struct StageRequest<'a> {
    /// The project.
    pub project: &'a ProjectName,
    /// The content.
    pub manifest: &'a Manifest,
    /// The canonical encoding of `manifest`, which the id is made of.
    pub canonical_json: &'a [u8],
    /// Where it comes from.
    pub source: DeploymentSource,
    /// What it will be published for.
    pub target: Target,
    /// Now.
    pub at: Timestamp,
}

/// A deployment whose content is in place, to be made visible by [`Deployments::publish`]. Dropped, it leaves nothing but
/// blobs that nothing needs.
#[derive(Debug, Clone)]
#[must_use = "a staged deployment is not visible until it is published"]
pub struct StagedDeployment {
    pub(super) id: DeploymentId,
    pub(super) project: ProjectName,
    pub(super) source: DeploymentSource,
    pub(super) target: Target,
    pub(super) created_at: Timestamp,
    pub(super) manifest: Digest,
    pub(super) size_bytes: u64,
    pub(super) is_new: bool,
    /// What it needs, and where its functions are unpacked, stays until it is published or given up.
    pub(super) held: Arc<Held>,
}

impl StagedDeployment {
    /// Whether no deployment with this content was published before.
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// The id that the deployment has, or will have.
    pub fn id(&self) -> &DeploymentId {
        &self.id
    }
}

impl Deployments {
    /// Stores a manifest, after seeing that every blob it names is here with the size it says. The same content gives the
    /// same id, however often it is staged.
    pub fn stage(&self, request: StageRequest) -> Result<StagedDeployment, StageError> {
        let blobs = request.manifest.blobs();
        let manifest = Digest::of(request.canonical_json);
        let folders = request.manifest.functions().iter().map(|function| Recipe::of_function(function).0);
        // Held before it is looked for, so that what is seen here stays.
        let needed = blobs.iter().map(|(digest, _)| *digest).chain(folders).chain([manifest]);
        let held = self.blobs.pins().hold(needed);
        check_blobs(&self.blobs, &blobs)?;
        let id = Manifest::deployment_id_of(request.project, request.canonical_json);
        let is_known = self.database.read(|transaction| rows::deployment(transaction, &id))?.is_some();
        if !is_known || self.blobs.missing(&[manifest]) == [manifest] {
            store_manifest(&self.blobs, &held, manifest, request.canonical_json)?;
        }
        Ok(StagedDeployment {
            id,
            project: request.project.clone(),
            source: request.source,
            target: request.target,
            created_at: kept(request.at),
            manifest,
            size_bytes: blobs.iter().map(|(_, size_bytes)| size_bytes).sum(),
            is_new: !is_known,
            held: Arc::new(held),
        })
    }
}

fn store_manifest(blobs: &Blobs, held: &Held, digest: Digest, json: &[u8]) -> Result<(), BlobError> {
    let mut batch = blobs.batch_of_held(held)?;
    let mut writer = batch.begin(digest, json.len() as u64)?;
    writer.write(json)?;
    writer.finish()?;
    batch.commit()?;
    Ok(())
}

/// Looks at each blob while no upload is between naming its files and making the names durable: what is seen here stays.
fn check_blobs(blobs: &Blobs, needed: &[(Digest, u64)]) -> Result<(), StageError> {
    let digests: Vec<Digest> = needed.iter().map(|(digest, _)| *digest).collect();
    let stored = blobs.settle().look_at_all(&digests);
    let (mut missing, mut suspicious) = (Vec::new(), Vec::new());
    for ((digest, size_bytes), seen) in needed.iter().zip(stored) {
        match seen {
            None => missing.push(*digest),
            Some(Seen { size_bytes: stored_bytes, is_marked: true }) if stored_bytes == *size_bytes => {}
            Some(_) => suspicious.push((*digest, *size_bytes)),
        }
    }
    for (digest, announced_bytes) in suspicious {
        match blobs.open(&digest) {
            Ok(blob) if blob.size_bytes() == announced_bytes => {}
            Ok(blob) => return Err(StageError::WrongSize { digest, announced_bytes, stored_bytes: blob.size_bytes() }),
            Err(BlobError::Corrupt { .. } | BlobError::Missing { .. }) => missing.push(digest),
            Err(error) => return Err(error.into()),
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(StageError::MissingBlobs(missing)) }
}
