//! The folder that a person points at.

use std::io;
use std::path::{Path, PathBuf};

use ship_core::ProjectName;

/// A folder that exists and can be listed. Its path is absolute and free of symlinks.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProjectDir {
    root: PathBuf,
}

impl ProjectDir {
    /// Opens the folder at `path`.
    pub fn open(path: &Path) -> Result<Self, ProjectError> {
        let unreadable = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => ProjectError::Missing { path: path.to_owned() },
            io::ErrorKind::NotADirectory => ProjectError::NotAFolder { path: path.to_owned() },
            _ => ProjectError::Unreadable { path: path.to_owned(), source },
        };
        let root = path.canonicalize().map_err(unreadable)?;
        std::fs::read_dir(&root).map_err(unreadable)?;
        Ok(Self { root })
    }

    /// The folder, as an absolute path without symlinks.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The name a project gets from its folder when `ship.toml` gives none.
    pub fn name_from_folder(&self) -> Result<ProjectName, ProjectError> {
        let folder = self.root.file_name().unwrap_or_default().to_string_lossy();
        ProjectName::from_folder_name(&folder).ok_or_else(|| ProjectError::NoName { path: self.root.clone() })
    }
}

/// The folder cannot be a project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// Nothing is there.
    #[error("the folder `{}` does not exist", path.display())]
    Missing {
        /// What was asked for.
        path: PathBuf,
    },
    /// A file is there.
    #[error("`{}` is not a folder", path.display())]
    NotAFolder {
        /// What was asked for.
        path: PathBuf,
    },
    /// It cannot be listed.
    #[error("the folder `{}` cannot be read", path.display())]
    Unreadable {
        /// What was asked for.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Nothing of its name can stand in a host name.
    #[error("the folder name of `{}` cannot name a project: set `name = \"…\"` in ship.toml", path.display())]
    NoName {
        /// The folder.
        path: PathBuf,
    },
}
