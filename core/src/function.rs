//! Functions: what of a deployment runs.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::digest::{Digest, DigestHasher};
use crate::limits::FunctionLimits;
use crate::path::{FunctionName, SitePath};
use crate::warm::WarmSchedule;

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
    /// What it shares with other functions: installed packages, which are large and seldom change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    /// When other numbers of instances are kept than its limits say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warm: Vec<WarmSchedule>,
}

impl Function {
    /// How many instances are kept at `now` although nobody asks.
    pub fn kept_at(&self, now: Timestamp) -> u32 {
        let kept = WarmSchedule::kept_at(&self.warm, now).unwrap_or(self.limits.min_instances);
        kept.min(self.limits.max_instances)
    }

    /// What tells the folder apart in which it runs: its artifact, and which layers stand in it. Without layers it is the
    /// artifact's own digest.
    pub fn folder(&self) -> Digest {
        if self.layers.is_empty() {
            return self.digest;
        }
        let mut hasher = DigestHasher::new();
        hasher.update_field(b"ship function with layers");
        hasher.update_field(self.digest.as_bytes());
        for layer in &self.layers {
            hasher.update_field(layer.mount.as_str().as_bytes());
            hasher.update_field(layer.digest.as_bytes());
        }
        hasher.finish()
    }
}

/// An artifact that functions share: a zip of its own, unpacked once, which each of them sees in its folder.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// The folder of the layer's zip that a function sees under the same name in its own folder: `node_modules`.
    pub mount: SitePath,
    /// The digest of its zip.
    pub digest: Digest,
    /// The size of its zip in bytes.
    pub size_bytes: u64,
}

/// How an artifact is started. All speak HTTP/1.1 on the listener they inherit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FunctionRuntime {
    /// A static executable named `bootstrap`, compiled from Go.
    Go,
    /// An executable named `bootstrap`, compiled from Rust.
    Rust,
    /// A module named `launcher.mjs`, run by the host's Node.
    Node,
    /// A module of the same name, run by the host's Bun.
    Bun,
    /// A module of the same name, run by the host's Deno.
    Deno,
    /// A program named `launcher.py`, run by the host's Python.
    Python,
}

impl FunctionRuntime {
    /// The file of an artifact that is started.
    pub const fn entry(self) -> &'static str {
        match self {
            Self::Go | Self::Rust => "bootstrap",
            Self::Node | Self::Bun | Self::Deno => "launcher.mjs",
            Self::Python => "launcher.py",
        }
    }

    /// Whether its functions are written in TypeScript or JavaScript.
    pub const fn is_javascript(self) -> bool {
        matches!(self, Self::Node | Self::Bun | Self::Deno)
    }

    /// The word used on the wire, in output and in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Rust => "rust",
            Self::Node => "node",
            Self::Bun => "bun",
            Self::Deno => "deno",
            Self::Python => "python",
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
            "rust" => Ok(Self::Rust),
            "node" => Ok(Self::Node),
            "bun" => Ok(Self::Bun),
            "deno" => Ok(Self::Deno),
            "python" => Ok(Self::Python),
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
