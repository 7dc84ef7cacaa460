//! The Debian package: a program for everybody, and a service that is off until somebody turns it on.

use std::fmt::Write as _;

use md5::{Digest as _, Md5};

use super::error::DistError;
use super::materials::{Materials, SHELLS, of_workspace};
use super::release::Release;
use super::tree::{Tree, gzip};

/// Who answers for the package.
const MAINTAINER: &str = "The ship authors <ship-dev@users.noreply.github.com>";

/// Where each shell of Debian's looks for completions of packages.
const COMPLETIONS: [&str; 3] = [
    "usr/share/bash-completion/completions",
    "usr/share/zsh/vendor-completions",
    "usr/share/fish/vendor_completions.d",
];

const POSTINST: &str = include_str!("debian_package/postinst.sh");
const PRERM: &str = include_str!("debian_package/prerm.sh");
const POSTRM: &str = include_str!("debian_package/postrm.sh");
const COPYRIGHT: &str = include_str!("debian_package/copyright");

/// The package's file.
pub(super) fn make(release: &Release, materials: &Materials) -> Result<Vec<u8>, DistError> {
    let data = data(release, materials)?;
    let control = control(release, &data);
    let packed = |tree: &Tree| gzip(&tree.tar("./", release.at)?);
    Ok(ar(
        &[("debian-binary", b"2.0\n".to_vec()), ("control.tar.gz", packed(&control)?), ("data.tar.gz", packed(&data)?)],
        release.at,
    ))
}

/// What is installed.
fn data(release: &Release, materials: &Materials) -> Result<Tree, DistError> {
    let mut tree = Tree::default()
        .program("usr/bin/ship", materials.program.as_slice())
        .tree("usr/share/man/man1", materials.packed_pages()?)
        .file("usr/share/ship/ship.schema.json", of_workspace("docs/ship.schema.json")?)
        .file("usr/share/doc/ship/copyright", COPYRIGHT)
        .file("usr/share/doc/ship/NOTICES.gz", gzip(materials.notices.as_bytes())?)
        .file("usr/share/doc/ship/changelog.gz", gzip(&of_workspace("CHANGELOG.md")?)?)
        .file("usr/share/doc/ship/changelog.Debian.gz", gzip(changelog(release).as_bytes())?)
        .file("usr/share/lintian/overrides/ship", include_str!("debian_package/lintian-overrides"));
    for unit in ["ship.service", "ship.socket"] {
        let text = String::from_utf8_lossy(&of_workspace(&format!("contrib/{unit}"))?).into_owned();
        tree = tree.file(format!("usr/lib/systemd/system/{unit}"), of_package(&text));
    }
    for ((folder, (_, name)), (_, script)) in COMPLETIONS.iter().zip(SHELLS).zip(&materials.completions) {
        tree = tree.file(format!("{folder}/{name}"), script.as_str());
    }
    Ok(tree)
}

/// A unit whose program is where packages have programs. How it is installed by hand, which stands above it, is left out.
fn of_package(unit: &str) -> String {
    let begin = unit.find("[Unit]").unwrap_or_default();
    unit[begin..].replace("/usr/local/bin/", "/usr/bin/")
}

/// What Debian is told of the package.
fn control(release: &Release, data: &Tree) -> Tree {
    let Release { version, machine, .. } = release;
    let installed: usize = data.files().map(|(_, content)| content.len().div_ceil(1024)).sum();
    let control = format!(
        "Package: ship\nVersion: {version}-1\nArchitecture: {}\nMaintainer: {MAINTAINER}\nInstalled-Size: {installed}\n\
         Depends: adduser\nRecommends: ca-certificates\nSuggests: git\nSection: web\nPriority: optional\n\
         Homepage: {}\nDescription: sites and functions on a machine of your own\n \
         ship takes a folder with a frontend and functions (Go, TypeScript, Python,\n Rust), builds it, and serves it at a URL of \
         its own. It is the builder, the\n client, the server for development and the host that serves what was deployed.\n .\n \
         The host is off until it is turned on: systemctl enable --now ship.socket ship\n",
        machine.architecture,
        env!("CARGO_PKG_REPOSITORY"),
    );
    let scripts = [("postinst", POSTINST), ("prerm", PRERM), ("postrm", POSTRM)];
    let tree = Tree::default().file("control", control).file("md5sums", sums(data));
    scripts.into_iter().fold(tree, |tree, (name, script)| tree.program(name, script))
}

/// Digests by which `dpkg --verify` sees what was changed. Nothing else relies on them.
fn sums(data: &Tree) -> String {
    let line = |(path, content)| format!("{}  {path}\n", data_encoding::HEXLOWER.encode(&Md5::digest(content)));
    data.files().map(line).collect()
}

/// Debian's own changelog, which says where the other one is.
fn changelog(release: &Release) -> String {
    let at = i64::try_from(release.at).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let at = at.map(|at| at.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()).unwrap_or_default();
    format!(
        "ship ({}-1) unstable; urgency=medium\n\n  * What changed is in changelog.gz.\n\n -- {MAINTAINER}  {at}\n",
        release.version
    )
}

/// The archive that a package is: three files behind headers of text (deb(5), ar(5)).
fn ar(members: &[(&str, Vec<u8>)], at: u64) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in members {
        let mut header = String::new();
        let _ = writeln!(header, "{name:<16}{at:<12}{:<6}{:<6}{:<8}{:<10}`", 0, 0, "100644", content.len());
        archive.extend(header.bytes());
        archive.extend(content);
        // Each begins at an even byte.
        archive.extend((content.len() % 2 == 1).then_some(b'\n'));
    }
    archive
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The members of a package stand behind headers of sixty bytes, each at an even one.
    #[test]
    fn members() {
        let archive = ar(&[("debian-binary", b"2.0\n".to_vec()), ("odd", b"abc".to_vec()), ("end", Vec::new())], 7);
        insta::assert_snapshot!(String::from_utf8_lossy(&archive), @"
        !<arch>
        debian-binary   7           0     0     100644  4         `
        2.0
        odd             7           0     0     100644  3         `
        abc
        end             7           0     0     100644  0         `
        ");
    }

    /// A unit of the package runs the package's program.
    #[test]
    fn units() {
        let unit = of_package("# useradd\n\n[Unit]\nExecStart=/usr/local/bin/ship host\n");
        assert_eq!(unit, "[Unit]\nExecStart=/usr/bin/ship host\n");
    }
}
