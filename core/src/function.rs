//! Functions: what of a deployment runs.

use std::fmt;
use std::str::FromStr;

use crate::digest::Digest;
use crate::limits::FunctionLimits;
use crate::path::FunctionName;

/// A function of a deployment: an artifact by its digest, and how to run it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Function {
    /// Its name, and with a leading `/` the path it answers at.
    pub name: FunctionName,
    /// How its artifact is started.
    pub runtime: FunctionRuntime,
    /// The digest of its artifact, a zip.
    pub digest: Digest,
    /// The size of its artifact in bytes.
    pub size_bytes: u64,
    /// What it may use.
    pub limits: FunctionLimits,
}

/// How an artifact is started. All speak HTTP/1.1 on the listener they inherit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FunctionRuntime {
    /// A static executable named `bootstrap`, compiled from Go.
    Go,
}

impl FunctionRuntime {
    /// The word used on the wire, in output and in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "go",
        }
    }
}

impl fmt::Display for FunctionRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for FunctionRuntime {
    type Err = UnknownRuntime;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "go" => Ok(Self::Go),
            _ => Err(UnknownRuntime { found: text.to_owned() }),
        }
    }
}

/// The text names no runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a runtime that this version knows")]
pub struct UnknownRuntime {
    found: String,
}
