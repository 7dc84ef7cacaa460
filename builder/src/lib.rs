//! From a project folder to a build output: static files, function artifacts, routes.
//!
//! [`ProjectDir`] → [`detect()`] → [`ProjectConfig`] → [`prepare()`] → [`PreparedProject`] → [`plan()`] → [`BuildPlan`] → [`build()`] → [`BuildOutput`]: each arrow is one
//! function and the only way from one type to the next.
//!
//! This crate knows languages and frameworks, and no host. It never writes into the user's folder (only [`write_output`] does,
//! below the folder it is given, and what [`prepare()`] runs: the user's own build of a frontend), never reads an environment
//! variable or a home folder of its own accord (they arrive in [`BuildEnvironment`]), never prints, and reaches the network only
//! to fetch a toolchain that is absent and what a project depends on. The same tree
//! gives the same digests in any folder, for any user, on any day.

mod artifact;
mod assets;
mod build;
mod config;
mod detect;
mod env_files;
mod environment;
mod event;
mod excerpt;
mod frontend;
mod go;
mod included;
mod interrupt;
mod json;
mod languages;
mod node;
mod output;
mod plan;
mod prebuilt;
mod project;
mod pypi;
mod python;
mod rust;
mod scratch;
#[cfg(test)]
mod testing;
mod text;
mod tree;

pub use artifact::ArtifactError;
pub use build::{BuildError, build};
pub use config::ConfigError;
pub use detect::{
    DetectError, DetectedFunction, NearServer, ProjectConfig, ProjectWarning, ServerLack, detect, detect_prebuilt,
};
pub use env_files::{BuildTarget, EnvFileError, EnvFileProblem, env_file_line};
pub use environment::{Architecture, BuildEnvironment, BuildOptions, RunsOn, UnknownArchitecture, reaches_builds};
pub use event::BuildEvent;
pub use frontend::{
    BuildContext, DevServer, FrontendError, FrontendTraces, PreparedProject, frontend_prefixes, prepare,
    prepare_for_development,
};
pub use go::{CompileError, Exclusion, HandlerFlaw, ToolchainError};
pub use interrupt::{Interrupt, Interrupted};
pub use node::{
    BundleError, InterpreterError, LauncherText, MatcherEntryError, MatcherError, OwnFlaw, pinned_interpreters,
};
pub use output::{BlobSource, BuildOutput, BuildTimings, BuiltFunction, WriteOutputError, write_output};
pub use plan::{BuildPlan, PlanError, plan};
pub use prebuilt::PrebuiltError;
pub use project::{ProjectDir, ProjectError};
pub use python::{EntryFlaw, PythonError, SyntaxError, Version, python_launcher};
pub use rust::{RustError, RustFlaw};
pub use text::{OtherEncoding, TextError};
pub use tree::TreeError;
