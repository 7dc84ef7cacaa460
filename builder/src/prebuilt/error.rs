//! Why an output cannot be deployed.

use std::io;
use std::path::PathBuf;

use ship_core::ParsePathError;

use super::routes::RouteError;
use crate::environment::Architecture;
use crate::tree::TreeError;

/// An output cannot be deployed as it is.
#[derive(Debug, thiserror::Error)]
pub enum PrebuiltError {
    /// There is none.
    #[error("there is no output to deploy: looked for `.vercel/output/config.json` and `.ship/output/config.json` in `{}`", root.display())]
    Missing {
        /// The project.
        root: PathBuf,
    },
    /// A file of it cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        /// Which, relative to the project.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file of it is not the JSON it should be.
    #[error("{place}: {reason}")]
    Json {
        /// The place.
        place: String,
        /// What the reader says.
        reason: String,
    },
    /// It is of another version.
    #[error("{}: the output has version {found}, and only version 3 is known", config.display())]
    Version {
        /// Its configuration.
        config: PathBuf,
        /// The version it says.
        found: serde_json::Value,
    },
    /// A route cannot be kept to.
    #[error("{}: {reason}", config.display())]
    Route {
        /// Its configuration.
        config: PathBuf,
        /// What is wrong, with the number of the route.
        reason: RouteError,
    },
    /// A path in it is none.
    #[error("{}: {source}", config.display())]
    Path {
        /// The file that says it.
        config: PathBuf,
        /// Why.
        #[source]
        source: ParsePathError,
    },
    /// A page is to be made anew, and nothing is there that makes it.
    #[error("`{}` has no function beside it that makes the page", config.display())]
    PageWithoutFunction {
        /// What says so.
        config: PathBuf,
    },
    /// A function is of a kind that is not run.
    #[error("`{}` cannot be run: {reason}", function.display())]
    Unsupported {
        /// Its folder.
        function: PathBuf,
        /// What it is.
        reason: String,
    },
    /// A function lacks what it says that it is made of.
    #[error("`{}` lacks `{file}`, which its .vc-config.json names", function.display())]
    FileMissing {
        /// Its folder.
        function: PathBuf,
        /// The file.
        file: String,
    },
    /// Something in the output leads out of the project.
    #[error("{}: `{file}` leads out of the project", config.display())]
    LeavesProject {
        /// The file that says it.
        config: PathBuf,
        /// The path.
        file: String,
    },
    /// A program is for another processor.
    #[error("`{}` is a program for {found}, and this deployment is for {wanted}", file.display())]
    WrongArchitecture {
        /// The program.
        file: PathBuf,
        /// What it is for.
        found: String,
        /// What it should be for.
        wanted: Architecture,
    },
    /// A function is too large.
    #[error(
        "FUNCTION_TOO_LARGE: `{}` has {} MB unpacked, more than the {} MB that a function may have; its largest files are\n{}",
        function.display(), size_bytes / 1_000_000, most_bytes / 1_000_000, largest.join("\n")
    )]
    TooLarge {
        /// Its folder.
        function: PathBuf,
        /// Its size.
        size_bytes: u64,
        /// What it may have.
        most_bytes: u64,
        /// Its largest files, each with its size.
        largest: Vec<String>,
    },
    /// Two things answer at one path.
    #[error("conflicting_file_path: `{first}` and `{second}` both answer at `{route}`: rename one of them")]
    Conflict {
        /// One of them.
        first: String,
        /// The other.
        second: String,
        /// The path.
        route: String,
    },
    /// Something in it cannot be deployed.
    #[error(transparent)]
    Tree(#[from] TreeError),
}

impl PrebuiltError {
    /// The stable code of the problem, where it has one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => Some("no_prebuilt_output"),
            Self::TooLarge { .. } => Some("FUNCTION_TOO_LARGE"),
            Self::WrongArchitecture { .. } => Some("wrong_architecture"),
            Self::Unsupported { .. } => Some("unsupported_function"),
            Self::Conflict { .. } => Some("conflicting_file_path"),
            _ => None,
        }
    }

    /// What to do next, where that can be said.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Missing { .. } => {
                Some("`ship build` makes one, and so do the adapters of frameworks; `ship deploy` builds by itself")
            }
            Self::WrongArchitecture { wanted: Architecture::Amd64, .. } => {
                Some("build it for the host's processor: `ship build --arch amd64`, or `GOARCH=amd64`")
            }
            Self::WrongArchitecture { wanted: Architecture::Arm64, .. } => {
                Some("build it for the host's processor: `ship build --arch arm64`, or `GOARCH=arm64`")
            }
            _ => None,
        }
    }
}
