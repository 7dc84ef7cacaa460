//! The files of a release, by their names.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use super::error::DistError;
use super::materials::{Materials, SHELLS, of_workspace};
use super::packages::Packages;
use super::release::Release;
use super::tree::{Tree, gzip};
use super::{bill, debian_package, image};

/// What lists the others. Its signature is made by whoever has the key.
const LIST: &str = "SHA256SUMS";

/// Makes all of them.
pub(super) fn make(
    release: &Release,
    materials: &Materials,
    packages: &Packages,
) -> Result<Vec<(String, Vec<u8>)>, DistError> {
    let Release { version, machine, .. } = release;
    let bill = format!("{:#}\n", bill::of(packages, release)).into_bytes();
    let mut files = vec![
        (format!("{}.tar.gz", release.name()), archive(release, materials)?),
        (format!("{}.cdx.json", release.name()), bill),
        (format!("ship_{version}_{}.deb", machine.architecture), debian_package::make(release, materials)?),
        (format!("{}.oci.tar", release.name()), image::make(release, materials)?),
    ];
    files.push((LIST.to_owned(), list(&files).into_bytes()));
    Ok(files)
}

/// Digests and names, as `sha256sum` writes them and `sha256sum --check` reads them.
fn list(files: &[(String, Vec<u8>)]) -> String {
    let mut lines = String::new();
    for (name, content) in files {
        let _ = writeln!(lines, "{}  {name}", data_encoding::HEXLOWER.encode(&Sha256::digest(content)));
    }
    lines
}

/// The program with what belongs beside it, in one folder.
fn archive(release: &Release, materials: &Materials) -> Result<Vec<u8>, DistError> {
    let mut tree = Tree::default().program("ship", materials.program.as_slice());
    for name in ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"] {
        tree = tree.file(name, of_workspace(name)?);
    }
    for (path, source) in [
        ("systemd/ship.service", "contrib/ship.service"),
        ("systemd/ship.socket", "contrib/ship.socket"),
        ("ship.schema.json", "docs/ship.schema.json"),
    ] {
        tree = tree.file(path, of_workspace(source)?);
    }
    tree = tree.file("NOTICES", materials.notices.as_str());
    for (name, page) in &materials.pages {
        tree = tree.file(format!("man/{name}"), page.as_slice());
    }
    for ((shell, script), (_, file)) in materials.completions.iter().zip(SHELLS) {
        tree = tree.file(format!("completions/{shell}/{file}"), script.as_str());
    }
    gzip(&tree.tar(&format!("{}/", release.name()), release.at)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list is what `sha256sum` would have written.
    #[test]
    fn lists() {
        let files = [("a".to_owned(), b"abc".to_vec()), ("b".to_owned(), Vec::new())];
        insta::assert_snapshot!(list(&files), @"
        ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a
        e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b
        ");
    }
}
