//! What a deployment changed: its manifest beside that of the deployment before it. Neither ever changes, so what was found is kept.

use std::collections::BTreeMap;

use quick_cache::sync::Cache;
use ship_api::{ChangeCounts, ChangesView, Differences};
use ship_core::{DeploymentId, Digest, Manifest};
use ship_store::{DeploymentRecord, StateError, Store};

/// Of how many deployments it is kept how much they changed: half a megabyte, and many pages of a list.
const KEPT: usize = 4_096;

/// How many names of each kind are told.
const NAMED: usize = 200;

/// How much deployments changed, as far as somebody asked.
pub(crate) struct Comparisons {
    known: Cache<DeploymentId, ChangeCounts>,
}

impl Default for Comparisons {
    fn default() -> Self {
        Self { known: Cache::new(KEPT) }
    }
}

impl Comparisons {
    /// How much a deployment changed, nothing where that cannot be read. Reads two manifests the first time.
    pub(crate) fn counts(&self, store: &Store, record: &DeploymentRecord) -> Option<ChangeCounts> {
        if let Some(counts) = self.known.get(&record.id) {
            return Some(counts);
        }
        let counts = compare(store, record).ok()?.counts;
        self.known.insert(record.id, counts);
        Some(counts)
    }
}

/// What a deployment changed.
pub(crate) fn compare(store: &Store, record: &DeploymentRecord) -> Result<ChangesView, StateError> {
    let deployments = store.deployments();
    let after = deployments.manifest(&record.id)?;
    let Some(previous) = deployments.before(record)? else { return Ok(view(None, None, &after)) };
    let before = deployments.manifest(&previous.id)?;
    Ok(view(Some(previous.id), Some(&before), &after))
}

fn view(against: Option<DeploymentId>, before: Option<&Manifest>, after: &Manifest) -> ChangesView {
    let files = Difference::between(before.map(files).unwrap_or_default(), files(after));
    let functions = Difference::between(before.map(functions).unwrap_or_default(), functions(after));
    let count = |names: &[&str]| names.len() as u64;
    let counts = ChangeCounts {
        against,
        files_added: count(&files.added),
        files_changed: count(&files.changed),
        files_removed: count(&files.removed),
        functions_rebuilt: count(&functions.added) + count(&functions.changed),
        functions_removed: count(&functions.removed),
    };
    ChangesView { counts, files: files.named(), functions: functions.named() }
}

/// Things of a deployment by their names, each with a digest of what it is made of.
type Things<'m> = BTreeMap<&'m str, Digest>;

fn files(manifest: &Manifest) -> Things<'_> {
    manifest.assets().iter().map(|asset| (asset.path.as_str(), asset.digest)).collect()
}

fn functions(manifest: &Manifest) -> Things<'_> {
    manifest.functions().iter().map(|function| (function.name.as_str(), function.folder())).collect()
}

struct Difference<'m> {
    added: Vec<&'m str>,
    changed: Vec<&'m str>,
    removed: Vec<&'m str>,
}

impl<'m> Difference<'m> {
    fn between(mut before: Things<'m>, after: Things<'m>) -> Self {
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for (name, digest) in after {
            match before.remove(name) {
                None => added.push(name),
                Some(earlier) if earlier != digest => changed.push(name),
                Some(_) => {}
            }
        }
        Self { added, changed, removed: before.into_keys().collect() }
    }

    fn named(self) -> Differences {
        let first = |names: Vec<&str>| names.into_iter().take(NAMED).map(str::to_owned).collect();
        Differences { added: first(self.added), changed: first(self.changed), removed: first(self.removed) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is new, what is different and what is gone, each in order; what is the same is nowhere.
    #[test]
    fn differences() {
        let things = |pairs: &[(&'static str, &str)]| -> Things<'static> {
            pairs.iter().map(|(name, text)| (*name, Digest::of(text.as_bytes()))).collect()
        };
        let before = things(&[("a", "1"), ("b", "1"), ("c", "1"), ("d", "1")]);
        let after = things(&[("b", "2"), ("d", "1"), ("f", "1"), ("e", "1")]);
        let found = Difference::between(before, after).named();
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (added, changed, removed) = (names(&["e", "f"]), names(&["b"]), names(&["a", "c"]));
        assert_eq!(found, Differences { added, changed, removed });
    }
}
