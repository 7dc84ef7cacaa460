//! Who replaces the program, if it is not `ship upgrade`.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

/// Something that knows of the program and would not notice that it was replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// A package of Debian's, by its name.
    Debian(String),
    /// `cargo install`.
    Cargo,
    /// A build from a clone of the repository.
    Build,
}

impl Owner {
    /// Who owns a program, if anybody does.
    pub(crate) fn of(program: &Path) -> Option<Self> {
        let folder = program.parent()?;
        if folder.join(".cargo-lock").exists() {
            return Some(Self::Build);
        }
        if is_of_cargo(folder) {
            return Some(Self::Cargo);
        }
        debian_package(program).map(Self::Debian)
    }

    /// What to type instead.
    pub(crate) fn hint(&self) -> String {
        match self {
            Self::Debian(package) => {
                format!("`apt install ./{package}_VERSION_ARCH.deb` installs the package of a newer release")
            }
            Self::Cargo => "`cargo install --locked --path cli`, in a newer clone".to_owned(),
            Self::Build => "`git pull && cargo build --release`, in the clone".to_owned(),
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Debian(package) => write!(f, "the Debian package `{package}`"),
            Self::Cargo => f.write_str("`cargo install`"),
            Self::Build => f.write_str("a build of cargo's"),
        }
    }
}

/// Whether cargo has written down that it installed a `ship` into this folder.
fn is_of_cargo(folder: &Path) -> bool {
    let Some(root) = folder.parent().filter(|_| folder.ends_with("bin")) else { return false };
    let Ok(text) = fs_err::read_to_string(root.join(".crates.toml")) else { return false };
    text.lines().any(|line| line.starts_with("\"ship "))
}

/// The package that a file is of: `ship: /usr/bin/ship` is what dpkg says.
fn debian_package(program: &Path) -> Option<String> {
    let asked = Command::new("dpkg-query").arg("--search").arg(program).stdin(Stdio::null()).output().ok()?;
    let said = String::from_utf8_lossy(&asked.stdout).into_owned();
    let (package, _) = said.lines().next()?.split_once(':')?;
    asked.status.success().then(|| package.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What cargo and a build leave beside a program is recognised; a program that stands alone is nobody's.
    #[test]
    fn owners() {
        let folder = tempfile::tempdir().unwrap();
        let bin = folder.path().join("bin");
        fs_err::create_dir(&bin).unwrap();
        let program = bin.join("ship");
        fs_err::write(&program, "").unwrap();
        assert_eq!(Owner::of(&program), None);
        let installed = "[v1]\n\"shipshape 1.0.0 (registry+https://example)\" = [\"shipshape\"]\n";
        fs_err::write(folder.path().join(".crates.toml"), installed).unwrap();
        assert_eq!(Owner::of(&program), None);
        let installed = format!("{installed}\"ship 0.1.0 (path+file:///src/cli)\" = [\"ship\"]\n");
        fs_err::write(folder.path().join(".crates.toml"), installed).unwrap();
        assert_eq!(Owner::of(&program), Some(Owner::Cargo));
        fs_err::write(bin.join(".cargo-lock"), "").unwrap();
        assert_eq!(Owner::of(&program), Some(Owner::Build));
    }
}
