//! Why functions in Python cannot be built.

use std::io;
use std::path::PathBuf;

use super::syntax::SyntaxError;
use super::version::Version;
use crate::environment::Architecture;
use crate::pypi::FetchError;

/// Functions in Python cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// Files break Python's grammar.
    #[error("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Syntax {
        /// The first mistake of each file.
        errors: Vec<SyntaxError>,
    },
    /// A file that says what a project needs cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        /// Which, relative to the project.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not TOML.
    #[error("{file}:{line}: {message}")]
    NotToml {
        /// The file, relative to the project.
        file: String,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
    /// A lock file is not what its name says.
    #[error("`{file}` is not a lock file: {message}")]
    NotJson {
        /// The file, relative to the project.
        file: String,
        /// What is wrong.
        message: String,
    },
    /// There is no Python.
    #[error("there is no `python3` on the search path, and `{needed_for}` asks for it: install Python")]
    NoInterpreter {
        /// The file that needs one.
        needed_for: String,
    },
    /// There is another Python than the project asks for.
    #[error("{place}: the project asks for Python {wanted}, and `{}` is Python {found}: install that version and put it first on the search path, or ask for another one", program.display())]
    Version {
        /// Where it asks.
        place: String,
        /// For what.
        wanted: String,
        /// What there is.
        found: Version,
        /// Where.
        program: PathBuf,
    },
    /// There is no environment in which a script could install packages.
    #[error("no environment can be made for the build script: {message}")]
    NoEnvironment {
        /// What uv says.
        message: String,
    },
    /// A lock file is older than what it locks.
    #[error("`{lock}` is out of date: `{project}` was changed since. `{command}` brings it up to date")]
    LockOutOfDate {
        /// The lock file.
        lock: String,
        /// What it locks.
        project: String,
        /// What a person types.
        command: &'static str,
    },
    /// A package cannot be installed.
    #[error("{place}: `{package}` cannot be installed{}\n{message}", target(*arch))]
    Package {
        /// Where it is asked for, file and line.
        place: String,
        /// Which package.
        package: String,
        /// For which processor, if not this machine's.
        arch: Option<Architecture>,
        /// What uv says.
        message: String,
    },
    /// A line that is to name a package cannot be read.
    #[error("{place}: this names no package: {message}")]
    Requirement {
        /// Where it stands, file and line.
        place: String,
        /// What uv says, with the line.
        message: String,
    },
    /// Packages cannot be installed.
    #[error("what `{file}` asks for cannot be installed{}\n{message}", target(*arch))]
    Packages {
        /// Where it is asked for.
        file: String,
        /// For which processor, if not this machine's.
        arch: Option<Architecture>,
        /// What uv says.
        message: String,
    },
    /// uv is not there and ship has none for this machine.
    #[error("there is no uv on the search path, and ship has none to fetch for {platform}: install uv")]
    NoUv {
        /// The operating system and processor.
        platform: String,
    },
    /// uv is not there and could not be fetched.
    #[error(
        "there is no uv on the search path, and it could not be fetched from {address}: install uv, or set UV_DEFAULT_INDEX"
    )]
    UvUnreachable {
        /// What was asked.
        address: String,
        /// Why it gave nothing.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What arrived is not uv.
    #[error("what {address} gave for uv is not that program: its digest is {found}, not {expected}")]
    UvDigest {
        /// Where it came from.
        address: String,
        /// Its digest.
        found: String,
        /// The digest it should have.
        expected: &'static str,
    },
    /// A program cannot be started.
    #[error("`{}` cannot be started", program.display())]
    NotStarted {
        /// The program.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A folder for packages or tools cannot be written.
    #[error("`{}` cannot be written", path.display())]
    Storage {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl From<FetchError> for PythonError {
    /// What keeps uv from being fetched.
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Platform { platform } => Self::NoUv { platform },
            FetchError::Unreachable { address, source } => Self::UvUnreachable { address, source },
            FetchError::Digest { address, found, expected } => Self::UvDigest { address, found, expected },
            FetchError::Storage { path, source } => Self::Storage { path, source },
        }
    }
}

impl PythonError {
    /// The stable code of the problem, where it has one.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            Self::Syntax { .. } => Some("syntax_error"),
            Self::NoInterpreter { .. } | Self::NoUv { .. } | Self::UvUnreachable { .. } => Some("no_toolchain"),
            Self::Version { .. } => Some("python_version"),
            Self::LockOutOfDate { .. } => Some("lock_out_of_date"),
            Self::Package { .. } | Self::Packages { .. } | Self::Requirement { .. } => Some("install_failed"),
            _ => None,
        }
    }
}

fn target(arch: Option<Architecture>) -> String {
    arch.map_or_else(String::new, |arch| format!(" for {arch}"))
}
