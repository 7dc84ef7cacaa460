//! From a plan to a build output: what the caches know is taken from them, the rest is compiled and digested.

mod collected;

use std::collections::HashMap;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use ship_core::{Function, FunctionName, Layer, Manifest, ManifestError, PathClash, SitePath};

use crate::artifact::{ArtifactCache, ArtifactError, CachedArtifact};
use crate::assets::{self, Assets};
use crate::detect::{DetectedFunction, SiteFolder};
use crate::environment::{BuildEnvironment, BuildOptions};
use crate::event::BuildEvent;
use crate::go::CompileError;
use crate::included::{IncludedByFunction, IncludedFiles};
use crate::languages::LanguageInputs;
use crate::node::{BundleError, InterpreterError};
use crate::output::{AssetFiles, BuildOutput, BuildTimings, BuiltFunction};
use crate::plan::{BuildPlan, PlanError, nothing_to_deploy};
use crate::prebuilt::{self, Prebuilt};
use crate::python::PythonError;
use crate::rust::RustError;
use crate::tree::TreeError;

pub(crate) use collected::Collected;

/// Builds what was planned. Blocks until it is done; `events` is called on this thread.
pub fn build(
    plan: BuildPlan,
    environment: &BuildEnvironment,
    events: &dyn Fn(BuildEvent),
) -> Result<BuildOutput, BuildError> {
    let BuildPlan {
        site,
        files,
        functions,
        included,
        languages,
        routes,
        cors,
        crons,
        variables,
        prebuilt,
        has_dev_server,
        options,
        detect_took,
        frontend_took,
        warnings: _,
    } = plan;
    let cache = ArtifactCache::new(&environment.cache_dir);
    let (sender, receiver) = mpsc::channel();
    let job = BuildJob { site: &site, options, environment, cache: &cache, included: &included, events: sender };
    let ((assets, hash), (artifacts, build)) = std::thread::scope(|scope| {
        let hashing = scope.spawn(|| timed(|| assets::digest(files, &site, &environment.cache_dir)));
        let (languages, prebuilt) = (&languages, prebuilt.as_ref());
        let building = scope.spawn(move || timed(move || build_functions(languages, prebuilt, &job)));
        // Ends when the languages have dropped their senders.
        receiver.iter().for_each(events);
        (join(hashing), join(building))
    });
    let (Assets { mut assets, read_files }, mut artifacts) = (assets?, artifacts?);
    let placed = match &prebuilt {
        Some(prebuilt) => prebuilt.overrides.apply(&mut assets, &site.folder)?,
        None => HashMap::new(),
    };
    let pages = prebuilt.as_ref().map(|prebuilt| prebuilt.pages.as_slice()).unwrap_or_default();
    let (prerenders, fallbacks) = prebuilt::digested(pages)?;
    if assets.is_empty() && functions.is_empty() && !has_dev_server {
        return Err(nothing_to_deploy(&site).into());
    }
    cache.prune(artifacts.values().flat_map(BuiltArtifact::files));
    let functions: Vec<BuiltFunction> =
        functions.into_iter().map(|detected| built_function(detected, &mut artifacts)).collect();
    let in_manifest = functions.iter().map(|built| built.function.clone()).collect();
    let manifest = Manifest::new(assets, in_manifest, routes, cors)?.with_crons(crons)?.with_prerenders(prerenders)?;
    let manifest = manifest.with_environment(variables);
    let timings = BuildTimings { detect: detect_took, frontend: frontend_took, build, hash };
    let passed_on = prebuilt.map(|prebuilt| prebuilt.passed_on).unwrap_or_default();
    let files = AssetFiles { site, placed, fallbacks, read: read_files };
    manifest.check_paths().map_err(|clash| files.name(clash))?;
    Ok(BuildOutput::new(manifest, functions, files, options.arch, passed_on, timings))
}

/// Builds the functions that the project has and those that it found built.
fn build_functions(
    languages: &LanguageInputs,
    prebuilt: Option<&Prebuilt>,
    job: &BuildJob<'_>,
) -> Result<Artifacts, BuildError> {
    let mut artifacts = languages.build(job)?;
    if let Some(prebuilt) = prebuilt {
        artifacts.extend(prebuilt::build(prebuilt, job)?);
    }
    Ok(artifacts)
}

fn built_function(detected: DetectedFunction, artifacts: &mut Artifacts) -> BuiltFunction {
    let artifact = artifacts.remove(&detected.name).expect("each function is built by its language");
    artifact.into_function(detected)
}

fn join<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let started = Instant::now();
    (work(), started.elapsed())
}

/// What each language needs to build its functions.
pub(crate) struct BuildJob<'b> {
    pub(crate) site: &'b SiteFolder,
    pub(crate) options: BuildOptions,
    pub(crate) environment: &'b BuildEnvironment,
    pub(crate) cache: &'b ArtifactCache,
    included: &'b IncludedByFunction,
    events: mpsc::Sender<BuildEvent>,
}

impl BuildJob<'_> {
    /// The files that `function` takes along: part of its key, and members of its artifact.
    pub(crate) fn included(&self, function: &FunctionName) -> &IncludedFiles {
        self.included.of(function)
    }

    /// Tells whoever asked for the build what happens.
    pub(crate) fn tell(&self, event: BuildEvent) {
        // Nobody listens any more only when the build is over.
        let _ = self.events.send(event);
    }
}

/// What the languages have built, by the names of the functions.
pub(crate) type Artifacts = HashMap<FunctionName, BuiltArtifact>;

/// The artifact of a function, the layers it needs, and where they came from.
#[derive(Debug)]
pub(crate) struct BuiltArtifact {
    artifact: CachedArtifact,
    layers: Vec<BuiltLayer>,
    is_cached: bool,
}

/// A layer that was built: the folder it is seen at, and its zip.
#[derive(Clone, Debug)]
pub(crate) struct BuiltLayer {
    pub(crate) mount: SitePath,
    pub(crate) artifact: CachedArtifact,
}

impl BuiltArtifact {
    /// An artifact that the build cache had.
    pub(crate) const fn cached(artifact: CachedArtifact) -> Self {
        Self { artifact, layers: Vec::new(), is_cached: true }
    }

    /// An artifact that was made now.
    pub(crate) const fn fresh(artifact: CachedArtifact) -> Self {
        Self { artifact, layers: Vec::new(), is_cached: false }
    }

    /// The same with layers.
    pub(crate) fn with_layers(self, layers: Vec<BuiltLayer>) -> Self {
        Self { layers, ..self }
    }

    fn files(&self) -> impl Iterator<Item = &CachedArtifact> {
        std::iter::once(&self.artifact).chain(self.layers.iter().map(|layer| &layer.artifact))
    }

    fn into_function(self, detected: DetectedFunction) -> BuiltFunction {
        let CachedArtifact { digest, size_bytes, file } = self.artifact;
        let layer = |BuiltLayer { mount, artifact }: &BuiltLayer| Layer {
            mount: mount.clone(),
            digest: artifact.digest,
            size_bytes: artifact.size_bytes,
        };
        let layers = self.layers.iter().map(layer).collect();
        let layer_files = self.layers.into_iter().map(|layer| layer.artifact.file).collect();
        let DetectedFunction { name, runtime, limits, warm, file: source, .. } = detected;
        let function = Function { name, runtime, digest, size_bytes, limits, layers, warm };
        BuiltFunction::new(function, source, self.is_cached, file, layer_files)
    }
}

/// A build did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// Several of these: what is wrong with functions in one language hides nothing of another.
    #[error("{}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Several {
        /// Each of them, in the order of the languages.
        errors: Vec<Self>,
    },
    /// A function does not compile, or there is nothing to compile it with.
    #[error(transparent)]
    Compile(#[from] CompileError),
    /// A function in Rust does not compile, or there is nothing to compile it with.
    #[error(transparent)]
    Rust(#[from] RustError),
    /// Functions in Python cannot be built.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// A function in TypeScript or JavaScript cannot be bundled.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// There is no Node to run functions with.
    #[error(transparent)]
    Interpreter(#[from] InterpreterError),
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
    /// Two files would be served at paths that some take for the same.
    #[error(transparent)]
    Clash(#[from] PathClash),
}

#[cfg(test)]
mod tests;
