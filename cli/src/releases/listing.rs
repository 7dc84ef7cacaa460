//! The list of a release's files, as `sha256sum` writes it.

use semver::Version;
use ship_core::Digest;

use super::error::ReleaseError;

/// A release, as its list says: the program for this machine.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Release {
    /// Which one it is.
    pub(crate) version: Version,
    /// The file with the program for this machine.
    pub(super) archive: String,
    /// The digest of that file.
    pub(super) digest: Digest,
}

impl Release {
    /// What a list says of machines called `target`. Where it names more than one version, the newest is meant.
    pub(super) fn of(list: &str, target: &str) -> Result<Self, ReleaseError> {
        let releases = list.lines().filter_map(|line| Self::of_line(line, target));
        let newest = releases.max_by(|one, other| one.version.cmp(&other.version));
        newest.ok_or_else(|| ReleaseError::NoProgram { target: target.to_owned() })
    }

    /// `<digest>  ship-<version>-<target>.tar.gz`, and `*` in place of the second space where the file was read as bytes.
    fn of_line(line: &str, target: &str) -> Option<Self> {
        let (digest, name) = line.trim_end().split_once(' ')?;
        let archive = name.strip_prefix([' ', '*'])?;
        let version =
            archive.strip_prefix("ship-")?.strip_suffix(".tar.gz")?.strip_suffix(target)?.strip_suffix('-')?;
        Some(Self {
            version: version.parse().ok()?,
            archive: archive.to_owned(),
            digest: Digest::from_hex(digest).ok()?,
        })
    }

    /// The program's path in the archive.
    pub(super) fn program(&self) -> String {
        format!("{}/ship", self.archive.trim_end_matches(".tar.gz"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

    fn of(names: &[&str]) -> Option<String> {
        let list = names.iter().map(|name| format!("{HEX} {name}")).collect::<Vec<_>>().join("\n");
        Release::of(&list, "x86_64-unknown-linux-gnu").ok().map(|release| release.version.to_string())
    }

    /// The archive for this machine is found among a release's files, in both forms of a line.
    #[test]
    fn lists() {
        let own = " ship-0.2.0-x86_64-unknown-linux-gnu.tar.gz";
        let others = [" ship_0.2.0_amd64.deb", " ship-0.2.0-aarch64-unknown-linux-gnu.tar.gz", " ship-0.2.0.cdx.json"];
        assert_eq!(of(&[others[0], own, others[1]]).as_deref(), Some("0.2.0"));
        assert_eq!(of(&["*ship-1.0.0-rc.1-x86_64-unknown-linux-gnu.tar.gz"]).as_deref(), Some("1.0.0-rc.1"));
        assert_eq!(of(&others), None);
        assert_eq!(of(&["ship-0.2.0-x86_64-unknown-linux-gnu.tar.gz", " ship--x86_64-unknown-linux-gnu.tar.gz"]), None);
        assert_eq!(of(&[" ../ship-0.2.0-x86_64-unknown-linux-gnu.tar.gz"]), None);
        let release = Release::of(&format!("{HEX} {own}"), "x86_64-unknown-linux-gnu").unwrap();
        assert_eq!(release.program(), "ship-0.2.0-x86_64-unknown-linux-gnu/ship");
        assert!(Release::of("", "x86_64-unknown-linux-gnu").is_err());
    }
}
