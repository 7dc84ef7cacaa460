//! The packages that the program is made of.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId};

use super::error::DistError;
use super::release::Release;
use super::{bill, program};
use crate::step::workspace_root;

/// The package of the program.
pub(super) const PROGRAM: &str = "ship";

/// The packages that the program is linked from, and those whose macros wrote parts of it.
#[derive(Debug)]
pub(crate) struct Packages {
    metadata: Metadata,
    /// Each with what it depends on.
    linked: BTreeMap<PackageId, BTreeSet<PackageId>>,
    /// The digests of their sources, by name and version.
    checksums: BTreeMap<(String, String), String>,
    c_library: String,
}

impl Packages {
    /// Those of the workspace's program, as the lock file has them.
    pub(crate) fn of_workspace(release: &Release) -> Result<Self, DistError> {
        let mut command = MetadataCommand::new();
        command.current_dir(workspace_root());
        let options = ["--locked", "--filter-platform", release.machine.target].map(str::to_owned);
        let metadata = command.other_options(options).exec()?;
        let path = workspace_root().join("Cargo.lock");
        let lock = std::fs::read_to_string(&path).map_err(|source| DistError::File { path, source })?;
        Ok(Self { linked: linked(&metadata), checksums: checksums(&lock)?, metadata, c_library: program::c_library()? })
    }

    /// The packages of others, by name and version.
    pub(crate) fn of_others(&self) -> impl Iterator<Item = &Package> {
        self.all().filter(|package| package.source.is_some())
    }

    /// The C library, as it calls itself.
    pub(crate) fn c_library(&self) -> &str {
        &self.c_library
    }

    /// All of them, by name and version.
    pub(super) fn all(&self) -> impl Iterator<Item = &Package> {
        let mut all: Vec<&Package> = self.linked.keys().filter_map(|id| self.package(id)).collect();
        all.sort_by_key(|package| (package.name.to_string(), package.version.clone()));
        all.into_iter()
    }

    /// What a package is linked from, each as a bill names it.
    pub(super) fn needed_by(&self, package: &Package) -> BTreeSet<String> {
        let needed = self.linked.get(&package.id).into_iter().flatten();
        needed.filter_map(|id| self.package(id)).map(bill::purl).collect()
    }

    /// The digest of a package's source, which others have.
    pub(super) fn checksum(&self, package: &Package) -> Option<&str> {
        let key = (package.name.to_string(), package.version.to_string());
        self.checksums.get(&key).map(String::as_str)
    }

    fn package(&self, id: &PackageId) -> Option<&Package> {
        self.metadata.packages.iter().find(|package| package.id == *id)
    }
}

/// What the program reaches by dependencies that are linked, each with its own.
fn linked(metadata: &Metadata) -> BTreeMap<PackageId, BTreeSet<PackageId>> {
    let nodes: BTreeMap<&PackageId, &Node> =
        metadata.resolve.iter().flat_map(|resolve| &resolve.nodes).map(|node| (&node.id, node)).collect();
    let program = metadata.packages.iter().find(|package| package.name.as_str() == PROGRAM && package.source.is_none());
    let mut waiting: Vec<PackageId> = program.map(|package| package.id.clone()).into_iter().collect();
    let mut linked = BTreeMap::new();
    while let Some(id) = waiting.pop() {
        if linked.contains_key(&id) {
            continue;
        }
        let dependencies = nodes.get(&id).map(|node| node.deps.as_slice()).unwrap_or_default();
        let is_linked = |kind: &cargo_metadata::DepKindInfo| kind.kind == DependencyKind::Normal;
        let needed = dependencies.iter().filter(|needed| needed.dep_kinds.iter().any(is_linked));
        let needed: BTreeSet<PackageId> = needed.map(|needed| needed.pkg.clone()).collect();
        waiting.extend(needed.iter().cloned());
        linked.insert(id, needed);
    }
    linked
}

/// The digests that a lock file has, by name and version.
fn checksums(lock: &str) -> Result<BTreeMap<(String, String), String>, DistError> {
    let lock: toml::Table = toml::from_str(lock)?;
    let packages = lock.get("package").and_then(toml::Value::as_array).into_iter().flatten();
    let text = |package: &toml::Value, key: &str| package.get(key)?.as_str().map(str::to_owned);
    let checksum = |package| Some(((text(package, "name")?, text(package, "version")?), text(package, "checksum")?));
    Ok(packages.filter_map(checksum).collect())
}
