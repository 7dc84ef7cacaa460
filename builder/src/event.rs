//! What a build tells while it runs, for progress on a terminal or a line of JSON.

use std::time::Duration;

use ship_core::FunctionName;

/// One step of a build. Events arrive on the thread that called [`crate::build()`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BuildEvent {
    /// A compiler or interpreter is being fetched, because there is none.
    ToolchainFetching {
        /// Which, `go1.26.10` for example.
        version: &'static str,
        /// What there is none of: `Node 20 or newer`.
        needed: String,
        /// Bytes received so far.
        received_bytes: u64,
        /// Bytes in all, if the proxy said so.
        total_bytes: Option<u64>,
    },
    /// It has arrived and is being checked and unpacked.
    ToolchainUnpacking {
        /// Which.
        version: &'static str,
    },
    /// These functions have changed and are compiled now.
    Compiling {
        /// Their names.
        functions: Vec<FunctionName>,
    },
    /// A crate is being compiled that functions in Rust need.
    CompilingCrate {
        /// Its name.
        name: String,
    },
    /// The compiler has run, and what it made is in the build cache.
    Compiled {
        /// How many functions were compiled.
        functions: usize,
    },
    /// A tool is being fetched from the Python package index.
    ToolFetching {
        /// Which, `uv 0.13.8` for example.
        name: &'static str,
        /// What it is fetched for, as the end of a sentence.
        reason: &'static str,
        /// Bytes received so far.
        received_bytes: u64,
        /// Bytes in all, if the index said so.
        total_bytes: Option<u64>,
    },
    /// What links functions in Rust for other machines is not to be had, so they are linked for this one.
    LinkerAbsent {
        /// Why.
        reason: String,
    },
    /// What functions in Python depend on is being installed.
    PackagesInstalling {
        /// The file that names it, relative to the project.
        file: String,
    },
    /// It is installed, and will not be again until that file changes.
    PackagesInstalled {
        /// The file that names it, relative to the project.
        file: String,
        /// How many bytes of packages there are.
        bytes: u64,
    },
    /// The packages of the frontend are being installed.
    FrontendInstalling {
        /// What installs them.
        command: String,
    },
    /// The frontend is being built.
    FrontendBuilding {
        /// What it is made with, if that is known.
        framework: Option<&'static str>,
        /// What builds it.
        command: String,
    },
    /// What installs or builds the frontend has printed a line.
    FrontendPrinted {
        /// The line, without its end and without colours.
        line: String,
    },
    /// The frontend is built.
    FrontendBuilt {
        /// How long that took.
        took: Duration,
    },
}
