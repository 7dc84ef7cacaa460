//! Building functions in Go: what the build cache has is taken from it, the rest is compiled and packed.

use rayon::prelude::*;
use ship_core::{Digest, FunctionName, FunctionRuntime};

use super::closure::{FunctionInputs, GoInputs, PackageInputs};
use super::compile::{CompileError, Compiled, Compiler};
use super::settings;
use super::toolchain::{Toolchain, find_toolchain};
use crate::artifact::{ArtifactError, CachedArtifact, Member};
use crate::build::{Artifacts, BuildError, BuildJob, BuiltArtifact};

/// Builds the functions of `inputs`.
pub(crate) fn build(inputs: &GoInputs, job: &BuildJob<'_>) -> Result<Artifacts, BuildError> {
    if inputs.functions.is_empty() && inputs.loose.is_empty() {
        return Ok(Artifacts::new());
    }
    let toolchain = find_toolchain(job.environment);
    GoBuild { inputs, job, toolchain }.run()
}

/// The functions in Go of one build.
struct GoBuild<'b> {
    inputs: &'b GoInputs,
    job: &'b BuildJob<'b>,
    toolchain: Toolchain,
}

impl GoBuild<'_> {
    fn run(&self) -> Result<Artifacts, BuildError> {
        let mut artifacts = Artifacts::new();
        let mut changed = Vec::new();
        for function in &self.inputs.functions {
            match self.job.cache.find(&self.function_key(function)) {
                Some(artifact) => {
                    artifacts.insert(function.name.clone(), BuiltArtifact::cached(artifact));
                }
                None => changed.push(function),
            }
        }
        let is_faultless = |package: &&PackageInputs| self.job.cache.is_faultless(&self.key(package));
        let loose: Vec<&PackageInputs> = self.inputs.loose.iter().filter(|package| !is_faultless(package)).collect();
        if !changed.is_empty() || !loose.is_empty() {
            self.compile(&changed, &loose, &mut artifacts)?;
        }
        Ok(artifacts)
    }

    fn compile(
        &self,
        changed: &[&FunctionInputs],
        loose: &[&PackageInputs],
        artifacts: &mut Artifacts,
    ) -> Result<(), BuildError> {
        let BuildJob { site, options, environment, .. } = *self.job;
        let flags = settings::build_flags(environment).ok_or_else(|| CompileError::BuildFlags {
            flags: environment.variable(settings::BUILD_FLAGS).unwrap_or_default().to_string_lossy().into_owned(),
        })?;
        let compiler = Compiler { toolchain: &self.toolchain, arch: options.arch, site, environment, flags: &flags };
        let pack = |compiled: &[Compiled<'_>]| self.pack(compiled);
        let packed =
            compiler.compile::<_, BuildError>(self.inputs, (changed, loose), &|event| self.job.tell(event), pack)?;
        for (function, artifact) in packed {
            artifacts.insert(function, BuiltArtifact::fresh(artifact));
        }
        for package in loose.iter().filter(|package| package.are_unchanged()) {
            self.job.cache.remember_faultless(&self.key(package));
        }
        Ok(())
    }

    /// Packs programs, in parallel, and remembers them by their keys.
    fn pack(&self, compiled: &[Compiled<'_>]) -> Result<Vec<(FunctionName, CachedArtifact)>, BuildError> {
        let pack = |compiled: &Compiled<'_>| {
            let program = Member::executable(FunctionRuntime::Go.entry(), compiled.program.clone());
            let included = self.job.included(&compiled.inputs.name);
            let artifact = self.job.cache.store(included.beside(vec![program]))?;
            if compiled.inputs.package.are_unchanged() && included.are_unchanged() {
                self.job.cache.remember(&self.function_key(compiled.inputs), &artifact);
            }
            Ok((compiled.inputs.name.clone(), artifact))
        };
        let packed: Result<Vec<_>, ArtifactError> = compiled.par_iter().map(pack).collect();
        Ok(packed?)
    }

    fn function_key(&self, function: &FunctionInputs) -> Digest {
        self.job.included(&function.name).key(self.key(&function.package))
    }

    fn key(&self, package: &PackageInputs) -> Digest {
        package.key(&self.toolchain, self.job.options.arch, self.job.environment)
    }
}
