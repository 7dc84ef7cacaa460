//! What every form of a release is made of: the program, and what it says of itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::DistError;
use super::notices;
use super::packages::Packages;
use super::release::ask;
use super::tree::{Tree, gzip};
use crate::step::workspace_root;

/// The shells, and what each calls the file that it completes by.
pub(crate) const SHELLS: [(&str, &str); 3] = [("bash", "ship"), ("zsh", "_ship"), ("fish", "ship.fish")];

/// The certificates that the machine trusts, in the place where Debian and images of containers have them.
pub(crate) const CERTIFICATES: &str = "etc/ssl/certs/ca-certificates.crt";

/// The contents of a release.
#[derive(Debug)]
pub(crate) struct Materials {
    /// The program.
    pub(crate) program: Vec<u8>,
    /// Its manual pages, by their names.
    pub(crate) pages: Vec<(String, Vec<u8>)>,
    /// What each shell completes by.
    pub(crate) completions: Vec<(&'static str, String)>,
    /// The licences of everybody whose work is in it.
    pub(crate) notices: String,
    /// The certificates that this machine trusts, if they are where Debian has them.
    pub(crate) certificates: Option<Vec<u8>>,
}

impl Materials {
    /// Asks the program for its pages and completions, and the packages for their licences.
    pub(crate) fn gather(program: &Path, packages: &Packages) -> Result<Self, DistError> {
        let name = program.to_string_lossy();
        let completions = SHELLS.map(|(shell, _)| Ok((shell, ask(&name, &["completions", shell])?)));
        Ok(Self {
            program: read(program)?,
            pages: pages(program)?,
            completions: completions.into_iter().collect::<Result<_, DistError>>()?,
            notices: notices::of(packages)?,
            certificates: fs::read(Path::new("/").join(CERTIFICATES)).ok(),
        })
    }

    /// The manual pages, compressed as systems keep them.
    pub(crate) fn packed_pages(&self) -> Result<Tree, DistError> {
        let add = |tree: Tree, (name, page): &(String, Vec<u8>)| Ok(tree.file(format!("{name}.gz"), gzip(page)?));
        self.pages.iter().try_fold(Tree::default(), add)
    }
}

/// A file of the workspace.
pub(crate) fn of_workspace(path: &str) -> Result<Vec<u8>, DistError> {
    read(&workspace_root().join(path))
}

fn read(path: &Path) -> Result<Vec<u8>, DistError> {
    fs::read(path).map_err(|source| DistError::File { path: path.to_owned(), source })
}

/// The manual pages that the program writes, sorted by name.
fn pages(program: &Path) -> Result<Vec<(String, Vec<u8>)>, DistError> {
    let folder = program.with_file_name("man");
    let silent = |said: String| DistError::Silent { command: format!("{} man", program.display()), said };
    let asked = Command::new(program).args(["man", "--quiet", "--dir"]).arg(&folder).output();
    let asked = asked.map_err(|error| silent(error.to_string()))?;
    if !asked.status.success() {
        return Err(silent(String::from_utf8_lossy(&asked.stderr).into_owned()));
    }
    let unusable = |source| DistError::File { path: folder.clone(), source };
    let paths = fs::read_dir(&folder).map_err(unusable)?.flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(|path| Ok((name(path), read(path)?))).collect()
}
