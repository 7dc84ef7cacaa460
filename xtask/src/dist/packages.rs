//! The packages that the program is made of, and the bill of materials that says so (CycloneDX 1.5).

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Node, Package, PackageId};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::error::DistError;
use super::program;
use super::release::Release;
use crate::step::workspace_root;

/// The package of the program.
const PROGRAM: &str = "ship";

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

    fn all(&self) -> impl Iterator<Item = &Package> {
        let mut all: Vec<&Package> = self.linked.keys().filter_map(|id| self.package(id)).collect();
        all.sort_by_key(|package| (package.name.to_string(), package.version.clone()));
        all.into_iter()
    }

    fn package(&self, id: &PackageId) -> Option<&Package> {
        self.metadata.packages.iter().find(|package| package.id == *id)
    }

    /// The bill of materials. It is the same for the same lock file: its number is a digest of what is listed.
    pub(crate) fn bill(&self, release: &Release) -> Value {
        let program = format!("pkg:cargo/{PROGRAM}@{}", release.version);
        let libraries = self.all().filter(|package| package.name.as_str() != PROGRAM);
        let mut components: Vec<Value> = libraries.map(|package| self.component(package)).collect();
        components.push(c_library(&self.c_library));
        let dependencies: Vec<Value> = self.all().map(|package| self.dependencies(package)).collect();
        let digest = Sha256::digest(json!([program, components, dependencies]).to_string());
        json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "serialNumber": serial_number(&digest),
            "version": 1,
            "metadata": { "component": {
                "type": "application", "bom-ref": program, "name": PROGRAM, "version": release.version.to_string(), "purl": program,
                "licenses": [{ "expression": env!("CARGO_PKG_LICENSE") }],
            }},
            "components": components,
            "dependencies": dependencies,
        })
    }

    fn component(&self, package: &Package) -> Value {
        let mut component = json!({
            "type": "library", "bom-ref": purl(package), "name": package.name, "version": package.version.to_string(), "purl": purl(package),
        });
        if let Some(license) = &package.license {
            // Older packages write a slash where an expression has `OR`.
            component["licenses"] = json!([{ "expression": license.replace('/', " OR ").replace("  ", " ") }]);
        }
        if let Some(checksum) = self.checksums.get(&(package.name.to_string(), package.version.to_string())) {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
        }
        if let Some(repository) = &package.repository {
            component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
        }
        component
    }

    fn dependencies(&self, package: &Package) -> Value {
        let others = self.linked.get(&package.id).into_iter().flatten();
        let others: BTreeSet<String> = others.filter_map(|id| self.package(id)).map(purl).collect();
        json!({ "ref": purl(package), "dependsOn": others })
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

/// The address of a package (github.com/package-url).
fn purl(package: &Package) -> String {
    format!("pkg:cargo/{}@{}", package.name, package.version)
}

/// The C library, which no lock file knows: `glibc 2.36`.
fn c_library(name_and_version: &str) -> Value {
    let (name, version) = name_and_version.split_once(' ').unwrap_or((name_and_version, ""));
    let purl = format!("pkg:generic/{name}@{version}");
    let licenses = json!([{ "expression": "LGPL-2.1-or-later" }]);
    json!({ "type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl, "licenses": licenses })
}

/// A UUID of version 8, which is made of whatever one likes.
fn serial_number(digest: &[u8]) -> String {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = (bytes[6] & 0x0f) | 0x80;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = data_encoding::HEXLOWER.encode(&bytes);
    format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of a bill is one by the rules, and made of the digest alone.
    #[test]
    fn serial_numbers() {
        assert_eq!(serial_number(&[0xff; 32]), "urn:uuid:ffffffff-ffff-8fff-bfff-ffffffffffff");
    }

    /// The bill of this workspace lists the program's own crates and others', each once and with the digest of its source.
    #[test]
    fn bill_of_this_workspace() {
        let release = Release::for_tests();
        let packages = Packages::of_workspace(&release).unwrap();
        let bill = packages.bill(&release);
        assert_eq!(bill, packages.bill(&release));
        let components = bill["components"].as_array().unwrap();
        let names: Vec<&str> = components.iter().map(|component| component["bom-ref"].as_str().unwrap()).collect();
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "each once");
        assert!(names.iter().any(|name| name.starts_with("pkg:cargo/ship-core@")));
        assert!(names.iter().any(|name| name.starts_with("pkg:generic/")));
        assert!(!names.iter().any(|name| name.starts_with("pkg:cargo/ship-tests@")), "tests are not in the program");
        let of_others = components.iter().filter(|component| component["hashes"].is_array()).count();
        assert_eq!(of_others, packages.of_others().count());
        let known: BTreeSet<&str> = names.into_iter().chain(["pkg:cargo/ship@1.2.3", "pkg:cargo/ship@0.1.0"]).collect();
        let dependencies = bill["dependencies"].as_array().unwrap().iter();
        let named =
            dependencies.flat_map(|one| one["dependsOn"].as_array().unwrap()).map(|name| name.as_str().unwrap());
        assert!(named.into_iter().all(|name| known.contains(name)));
    }
}
