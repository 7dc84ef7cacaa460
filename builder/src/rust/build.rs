//! Building functions in Rust: what the build cache has is taken from it, the rest is compiled and packed.

use rayon::prelude::*;
use ship_core::{Digest, DigestHasher, FunctionName, FunctionRuntime};

use super::compile::{Compiler, RustError};
use super::linker::{Linker, is_native};
use super::mirror::{Mirror, templates_digest};
use super::signature;
use super::snapshot::{RustInputs, Workspace};
use super::toolchain::Toolchain;
use crate::artifact::{ArtifactError, Member};
use crate::build::{Artifacts, BuildError, BuildJob, BuiltArtifact, Collected};
use crate::event::BuildEvent;

/// Changes when the same inputs would give another program for a reason that is in none of them.
const KEY_VERSION: &str = "ship rust function 1";

/// Builds the functions of `inputs`.
pub(crate) fn build(inputs: &RustInputs, job: &BuildJob<'_>) -> Result<Artifacts, BuildError> {
    if inputs.workspaces.is_empty() {
        return Ok(Artifacts::new());
    }
    let toolchain = Toolchain::find(job.environment)?;
    let linker = Linker::choose(job.options, job.environment);
    let built = build_with(linker, &toolchain, inputs, job);
    match built.as_ref().err().and_then(without_linker) {
        // Most programs run on other machines of today all the same, and a host starts them before it shows them.
        Some(reason) if is_native(job.options.arch) => {
            job.tell(BuildEvent::LinkerAbsent { reason });
            build_with(Linker::Own, &toolchain, inputs, job)
        }
        _ => built,
    }
}

/// Why there is no linker for the systems of hosts, if that kept any of the functions from being built.
fn without_linker(error: &BuildError) -> Option<String> {
    match error {
        BuildError::Rust(error @ RustError::LinkerUnreachable { .. }) => Some(error.to_string()),
        BuildError::Several { errors } => errors.iter().find_map(without_linker),
        _ => None,
    }
}

fn build_with(
    linker: Linker,
    toolchain: &Toolchain,
    inputs: &RustInputs,
    job: &BuildJob<'_>,
) -> Result<Artifacts, BuildError> {
    let mut collected = Collected::new(&job.environment.interrupt);
    let identity = toolchain.identity(linker, job.environment);
    for workspace in &inputs.workspaces {
        collected.add(|| WorkspaceBuild { workspace, job, toolchain, linker, identity }.run());
    }
    collected.finish()
}

struct WorkspaceBuild<'b> {
    workspace: &'b Workspace,
    job: &'b BuildJob<'b>,
    toolchain: &'b Toolchain,
    linker: Linker,
    identity: Digest,
}

impl WorkspaceBuild<'_> {
    fn run(&self) -> Result<Artifacts, BuildError> {
        let mut artifacts = Artifacts::new();
        let mut changed = Vec::new();
        for function in self.workspace.packages.values().flatten() {
            match self.job.cache.find(&self.key(&function.name)) {
                Some(artifact) => {
                    artifacts.insert(function.name.clone(), BuiltArtifact::cached(artifact));
                }
                None => changed.push(&function.name),
            }
        }
        if !changed.is_empty() {
            artifacts.extend(self.compile(&changed)?);
        }
        Ok(artifacts)
    }

    fn compile(&self, changed: &[&FunctionName]) -> Result<Artifacts, BuildError> {
        let BuildJob { site, options, environment, .. } = *self.job;
        if let Some(message) = signature::flaws(self.workspace, site) {
            return Err(RustError::Refused { message }.into());
        }
        let cache = environment.cache_dir.join("rust");
        let mirror =
            Mirror::write(self.workspace, &cache).map_err(|source| RustError::Mirror { folder: cache, source })?;
        self.toolchain.require_standard_library(options.arch, &self.workspace.cargo_folder(site), environment)?;
        let linker = self.linker.ready(environment, &|event| self.job.tell(event))?;
        let compiler = Compiler { toolchain: self.toolchain, linker, arch: options.arch, site, environment };
        let programs = compiler.compile(self.workspace, &mirror, changed, &|event| self.job.tell(event))?;
        let pack = |(name, program): (&&FunctionName, _)| {
            let included = self.job.included(name);
            let members = included.beside(vec![Member::executable(FunctionRuntime::Rust.entry(), program)]);
            let artifact = self.job.cache.store(members)?;
            if included.are_unchanged() {
                self.job.cache.remember(&self.key(name), &artifact);
            }
            Ok(((*name).clone(), BuiltArtifact::fresh(artifact)))
        };
        let packed: Result<Artifacts, ArtifactError> = changed.par_iter().zip(programs).map(pack).collect();
        Ok(packed?)
    }

    fn key(&self, function: &FunctionName) -> Digest {
        let mut hasher = DigestHasher::new();
        hasher.update_field(KEY_VERSION.as_bytes());
        hasher.update(templates_digest().as_bytes());
        hasher.update(self.identity.as_bytes());
        hasher.update_field(self.job.options.arch.as_str().as_bytes());
        hasher.update(self.workspace.digest.as_bytes());
        hasher.update_field(function.as_str().as_bytes());
        self.job.included(function).key(hasher.finish())
    }
}
