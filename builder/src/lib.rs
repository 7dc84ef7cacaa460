//! From a project folder to a build output: static files, function artifacts, routes.
//!
//! [`ProjectDir`] → [`detect()`] → [`ProjectConfig`] → [`plan()`] → [`BuildPlan`] → [`build()`] → [`BuildOutput`]: each arrow is one
//! function and the only way from one type to the next.
//!
//! This crate knows languages and frameworks, and no host. It never writes into the user's folder (only [`write_output`] does,
//! below the folder it is given), never reads an environment variable or a home folder of its own accord (they arrive in
//! [`BuildEnvironment`]), never prints, and reaches the network only to fetch Go or Node where they are absent. The same tree
//! gives the same digests in any folder, for any user, on any day.

mod artifact;
mod assets;
mod build;
mod config;
mod detect;
mod environment;
mod event;
mod go;
mod node;
mod output;
mod plan;
mod project;
#[cfg(test)]
mod testing;
mod tree;

pub use artifact::ArtifactError;
pub use build::{BuildError, build};
pub use config::ConfigError;
pub use detect::{DetectError, DetectedFunction, ProjectConfig, ProjectWarning, detect};
pub use environment::{Architecture, BuildEnvironment, BuildOptions, UnknownArchitecture};
pub use event::BuildEvent;
pub use go::{CompileError, Exclusion, HandlerFlaw, ToolchainError};
pub use node::{BundleError, NodeError, pinned_node_folder};
pub use output::{BlobSource, BuildOutput, BuildTimings, BuiltFunction, WriteOutputError, write_output};
pub use plan::{BuildPlan, PlanError, plan};
pub use project::{ProjectDir, ProjectError};
pub use tree::TreeError;
