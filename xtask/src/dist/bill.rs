//! The bill of materials: what the program is made of, for programs that read it (`CycloneDX` 1.5).

use cargo_metadata::Package;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::packages::{PROGRAM, Packages};
use super::release::Release;

/// The bill of a release. It is the same for the same lock file: its number is a digest of what is listed.
pub(super) fn of(packages: &Packages, release: &Release) -> Value {
    let program = format!("pkg:cargo/{PROGRAM}@{}", release.version);
    let libraries = packages.all().filter(|package| package.name.as_str() != PROGRAM);
    let mut components: Vec<Value> = libraries.map(|package| component(packages, package)).collect();
    components.push(c_library(packages.c_library()));
    let needed = |package| json!({ "ref": purl(package), "dependsOn": packages.needed_by(package) });
    let dependencies: Vec<Value> = packages.all().map(needed).collect();
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

fn component(packages: &Packages, package: &Package) -> Value {
    let mut component = json!({
        "type": "library", "bom-ref": purl(package), "name": package.name, "version": package.version.to_string(), "purl": purl(package),
    });
    if let Some(license) = &package.license {
        component["licenses"] = json!([{ "expression": expression(license) }]);
    }
    if let Some(checksum) = packages.checksum(package) {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    if let Some(repository) = &package.repository {
        component["externalReferences"] = json!([{ "type": "vcs", "url": repository }]);
    }
    component
}

/// A licence as an expression: older packages write a slash where one has `OR`.
fn expression(license: &str) -> String {
    license.split('/').map(str::trim).collect::<Vec<_>>().join(" OR ")
}

/// The address of a package (github.com/package-url).
pub(super) fn purl(package: &Package) -> String {
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
    use std::collections::BTreeSet;

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
        let bill = of(&packages, &release);
        assert_eq!(bill, of(&packages, &release));
        let components = bill["components"].as_array().unwrap();
        let references: Vec<&str> = components.iter().map(|component| component["bom-ref"].as_str().unwrap()).collect();
        assert_eq!(references.iter().collect::<BTreeSet<_>>().len(), references.len(), "each once");
        assert!(references.iter().any(|name| name.starts_with("pkg:cargo/ship-core@")));
        assert!(references.iter().any(|name| name.starts_with("pkg:generic/")));
        assert!(
            !references.iter().any(|name| name.starts_with("pkg:cargo/ship-tests@")),
            "tests are not in the program"
        );
        let of_others = components.iter().filter(|component| component["hashes"].is_array()).count();
        assert_eq!(of_others, packages.of_others().count());
        let known: BTreeSet<&str> =
            references.into_iter().chain(["pkg:cargo/ship@1.2.3", "pkg:cargo/ship@0.1.0"]).collect();
        let dependencies = bill["dependencies"].as_array().unwrap().iter();
        let named =
            dependencies.flat_map(|one| one["dependsOn"].as_array().unwrap()).map(|name| name.as_str().unwrap());
        assert!(named.into_iter().all(|name| known.contains(name)));
    }
}
