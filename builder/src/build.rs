//! From a plan to a build output: what the caches know is taken from them, the rest is compiled and digested.

use std::time::{Duration, Instant};

use rayon::prelude::*;
use ship_core::{Digest, Function, Manifest, ManifestError};

use crate::artifact::{ArtifactCache, ArtifactError, CachedArtifact};
use crate::assets::{self, Assets};
use crate::detect::{DetectedFunction, SiteFolder};
use crate::environment::{Architecture, BuildEnvironment};
use crate::event::BuildEvent;
use crate::go::{self, CompileError, Compiled, Compiler, FunctionInputs, GoInputs, PackageInputs};
use crate::output::{BuildOutput, BuildTimings, BuiltFunction};
use crate::plan::{BuildPlan, PlanError, nothing_to_deploy};
use crate::tree::TreeError;

/// Builds what was planned. Blocks until it is done; `events` is called on this thread.
pub fn build(
    plan: BuildPlan,
    environment: &BuildEnvironment,
    events: &dyn Fn(BuildEvent),
) -> Result<BuildOutput, BuildError> {
    let BuildPlan { site, files, functions, go, routes, cors, options, detect_took } = plan;
    let cache = ArtifactCache::new(&environment.cache_dir);
    let go_build = GoBuild { inputs: &go, site: &site, arch: options.arch, environment, cache };
    let ((assets, hash), (artifacts, build)) = std::thread::scope(|scope| {
        let hashing = scope.spawn(|| timed(|| assets::digest(files, &site, &environment.cache_dir)));
        let artifacts = timed(|| go_build.run(events));
        (hashing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)), artifacts)
    });
    let (Assets { assets, read_files }, artifacts) = (assets?, artifacts?);
    if assets.is_empty() && functions.is_empty() {
        return Err(nothing_to_deploy(&site).into());
    }
    let functions: Vec<BuiltFunction> =
        functions.into_iter().zip(artifacts).map(|(detected, found)| found.into_function(detected)).collect();
    let in_manifest = functions.iter().map(|built| built.function.clone()).collect();
    let manifest = Manifest::new(assets, in_manifest, routes, cors)?;
    let timings = BuildTimings { detect: detect_took, build, hash };
    Ok(BuildOutput::new(manifest, functions, site, options.arch, read_files, timings))
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    (work(), started.elapsed())
}

/// The functions in Go of one build.
struct GoBuild<'b> {
    inputs: &'b GoInputs,
    site: &'b SiteFolder,
    arch: Architecture,
    environment: &'b BuildEnvironment,
    cache: ArtifactCache,
}

/// The artifact of a function, and where it came from.
struct FoundArtifact {
    artifact: CachedArtifact,
    is_cached: bool,
}

impl FoundArtifact {
    fn into_function(self, detected: DetectedFunction) -> BuiltFunction {
        let CachedArtifact { digest, size_bytes, file } = self.artifact;
        let DetectedFunction { name, runtime, limits, file: source } = detected;
        let function = Function { name, runtime, digest, size_bytes, limits };
        BuiltFunction::new(function, source, self.is_cached, file)
    }
}

impl GoBuild<'_> {
    /// The artifacts of all functions, in their order.
    fn run(&self, events: &dyn Fn(BuildEvent)) -> Result<Vec<FoundArtifact>, BuildError> {
        if self.inputs.functions.is_empty() && self.inputs.loose.is_empty() {
            return Ok(Vec::new());
        }
        let toolchain = go::find_toolchain(self.environment);
        let key = |inputs: &FunctionInputs| inputs.key(&toolchain, self.arch, self.environment);
        let keys: Vec<Digest> = self.inputs.functions.iter().map(key).collect();
        let mut found: Vec<Option<FoundArtifact>> = keys.iter().map(|key| self.cached(key)).collect();
        let changed: Vec<&FunctionInputs> = self
            .inputs
            .functions
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|(inputs, _)| inputs)
            .collect();
        let loose_key = |package: &PackageInputs| package.key(&toolchain, self.arch, self.environment);
        let loose: Vec<&PackageInputs> =
            self.inputs.loose.iter().filter(|package| !self.cache.is_faultless(&loose_key(package))).collect();
        if !changed.is_empty() || !loose.is_empty() {
            let pack = |compiled: &[Compiled<'_>]| self.pack(compiled, &keys);
            let (arch, site, environment) = (self.arch, self.site, self.environment);
            let compiler = Compiler { toolchain: &toolchain, arch, site, environment };
            let packed = compiler.compile(self.inputs, (&changed, &loose), events, pack)?;
            for (index, artifact) in packed {
                found[index] = Some(FoundArtifact { artifact, is_cached: false });
            }
            self.cache.prune(found.iter().flatten().map(|found| &found.artifact));
            for package in loose.into_iter().filter(|package| package.are_unchanged()) {
                self.cache.remember_faultless(&loose_key(package));
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    fn cached(&self, key: &Digest) -> Option<FoundArtifact> {
        Some(FoundArtifact { artifact: self.cache.find(key)?, is_cached: true })
    }

    /// Packs programs, in parallel, and remembers them by their keys.
    fn pack(&self, compiled: &[Compiled<'_>], keys: &[Digest]) -> Result<Vec<(usize, CachedArtifact)>, BuildError> {
        let pack = |compiled: &Compiled<'_>| {
            let artifact = self.cache.store(&compiled.program)?;
            let index = self.inputs.functions.iter().position(|inputs| inputs.name == compiled.inputs.name);
            let index = index.expect("what was compiled is one of the functions");
            if compiled.inputs.package.are_unchanged() {
                self.cache.remember(&keys[index], &artifact);
            }
            Ok((index, artifact))
        };
        compiled.par_iter().map(pack).collect()
    }
}

/// A build did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A function does not compile, or there is nothing to compile it with.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A static file cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// An artifact cannot be written.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// There are only Go files that nothing is made of.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The parts do not make a deployment.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

#[cfg(test)]
mod tests;
