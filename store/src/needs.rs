//! What deployments need: the blobs that their manifests name, the compressed forms of these, and the folders that their
//! functions are unpacked in. Whatever else is in a data directory is left over.

use std::collections::{HashMap, HashSet};

use rusqlite::Transaction;
use ship_core::{DeploymentId, Digest, Function, Layer, Manifest};

use crate::database::StateError;
use crate::database::column::Text;
use crate::deployments::{DeploymentRecord, Deployments};

/// What deployments need, as it was when it was read.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// How many deployments were asked.
    pub(crate) deployments: u64,
    /// The blobs that deployments name, their manifests included.
    pub(crate) blobs: HashSet<Digest>,
    /// The compressed forms of these blobs.
    pub(crate) variants: HashSet<Digest>,
    /// The folders that functions and layers are unpacked in, and of what each is made.
    pub(crate) folders: HashMap<Digest, Recipe>,
    /// The deployments of which nobody can say what they need, because their manifest cannot be read.
    pub(crate) unreadable: Vec<(DeploymentRecord, StateError)>,
}

/// Of what an unpacked folder is made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Recipe {
    /// The zip.
    pub(crate) artifact: Digest,
    /// The layers that are linked into it.
    pub(crate) layers: Vec<Layer>,
}

impl Recipe {
    /// The folder of a function and the recipe for it.
    pub(crate) fn of_function(function: &Function) -> (Digest, Self) {
        (function.folder(), Self { artifact: function.digest, layers: function.layers.clone() })
    }

    /// The folder of a layer and the recipe for it.
    pub(crate) fn of_layer(layer: &Layer) -> (Digest, Self) {
        (layer.digest, Self { artifact: layer.digest, layers: Vec::new() })
    }
}

impl Needs {
    /// What all deployments need but those in `without`.
    pub(crate) fn read(deployments: &Deployments, without: &HashSet<DeploymentId>) -> Result<Self, StateError> {
        let mut needs = Self::default();
        deployments.visit_manifests(|record, manifest| {
            if without.contains(&record.id) {
                return;
            }
            needs.deployments += 1;
            needs.blobs.insert(record.manifest);
            match manifest {
                Ok(manifest) => needs.add(&manifest),
                Err(error) => needs.unreadable.push((record, error)),
            }
        })?;
        let pairs = deployments.database().read(variants)?;
        needs.variants.extend(pairs.into_iter().filter(|(of, _)| needs.blobs.contains(of)).map(|(_, variant)| variant));
        Ok(needs)
    }

    fn add(&mut self, manifest: &Manifest) {
        self.blobs.extend(manifest.blobs().into_iter().map(|(digest, _)| digest));
        for function in manifest.functions() {
            self.folders.extend(function.layers.iter().map(Recipe::of_layer));
            self.folders.extend([Recipe::of_function(function)]);
        }
    }

    /// Whether somebody needs a blob.
    pub(crate) fn has_blob(&self, digest: &Digest) -> bool {
        self.blobs.contains(digest) || self.variants.contains(digest)
    }
}

/// Every compressed form that is known: the blob that it is made of, and its own digest.
pub(crate) fn variants(transaction: &Transaction) -> Result<Vec<(Digest, Digest)>, StateError> {
    let sql = "SELECT digest, variant FROM variants WHERE variant IS NOT NULL";
    let mut statement = transaction.prepare_cached(sql)?;
    let pairs = statement.query_map([], |row| {
        let (Text(of), Text(variant)) = (row.get(0)?, row.get(1)?);
        Ok((of, variant))
    })?;
    Ok(pairs.collect::<Result<_, _>>()?)
}

/// Every blob that somebody has tried to compress.
pub(crate) fn compressed(transaction: &Transaction) -> Result<Vec<Digest>, StateError> {
    let mut statement = transaction.prepare_cached("SELECT DISTINCT digest FROM variants")?;
    let digests = statement.query_map([], |row| row.get(0).map(|Text(digest)| digest))?;
    Ok(digests.collect::<Result<_, _>>()?)
}

/// Every blob that was sent for a project.
pub(crate) fn owned(transaction: &Transaction) -> Result<Vec<Digest>, StateError> {
    let mut statement = transaction.prepare_cached("SELECT DISTINCT digest FROM project_blobs")?;
    let digests = statement.query_map([], |row| row.get(0).map(Digest::from_bytes))?;
    Ok(digests.collect::<Result<_, _>>()?)
}

/// Forgets for which projects these blobs were sent.
pub(crate) fn forget_owners(transaction: &Transaction, digests: &[Digest]) -> Result<(), StateError> {
    let mut delete = transaction.prepare_cached("DELETE FROM project_blobs WHERE digest = ?1")?;
    for digest in digests {
        delete.execute([digest.as_bytes()])?;
    }
    Ok(())
}

/// Forgets the compressed forms of these blobs.
pub(crate) fn forget_compressed(transaction: &Transaction, digests: &[Digest]) -> Result<(), StateError> {
    let mut delete = transaction.prepare_cached("DELETE FROM variants WHERE digest = ?1")?;
    for digest in digests {
        delete.execute([Text(digest)])?;
    }
    Ok(())
}
