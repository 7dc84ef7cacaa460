//! What keeps a release from being made.

use std::io;
use std::path::PathBuf;

/// A release cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DistError {
    /// A file cannot be read or written.
    #[error("{} cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Cargo does not describe the workspace.
    #[error("cargo does not describe the workspace: {0}")]
    Metadata(#[from] cargo_metadata::Error),
    /// The lock file is none.
    #[error("Cargo.lock cannot be read: {0}")]
    Lock(#[from] toml::de::Error),
    /// A program that is asked something does not answer.
    #[error("`{command}` does not answer: {said}")]
    Silent {
        /// The command line.
        command: String,
        /// What it said instead.
        said: String,
    },
    /// Releases are made for other machines only.
    #[error("no release is made on {machine}: it would hold no program for it")]
    Machine {
        /// The operating system and processor.
        machine: String,
    },
    /// The program needs libraries of the machine that it runs on.
    #[error("{} is not linked statically: it asks for {needed}", path.display())]
    Dynamic {
        /// The program.
        path: PathBuf,
        /// The first that it asks for.
        needed: String,
    },
    /// A path is longer than an archive's header has room for.
    #[error("the path {path} is too long for an archive")]
    LongPath {
        /// The path.
        path: String,
    },
    /// An archive cannot be made.
    #[error("an archive cannot be made: {0}")]
    Archive(#[from] io::Error),
}
