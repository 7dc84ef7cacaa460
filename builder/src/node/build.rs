//! Building functions in TypeScript and JavaScript: what has not changed is taken from the build cache, or else all are bundled
//! in one run and those with other content are packed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use ship_core::{Digest, DigestHasher, FunctionName, FunctionRuntime};

use super::bundle::{BundleRequest, Bundled, BundledFunction, bundle};
use super::external::read_package;
use super::inputs::{NodeFunction, NodeInputs};
use super::launcher::launcher;
use super::layer::{self, MOUNT};
use super::place::{BUNDLE_FOLDER, in_artifact};
use super::plugin::OutsidePackage;
use super::record::{Record, State};
use super::toolchain::{self, Interpreter, InterpreterError};
use crate::artifact::{ArtifactError, CachedArtifact, Content, Member, digest_file};
use crate::build::{Artifacts, BuildError, BuildJob, BuiltArtifact, BuiltLayer, Collected};
use crate::event::BuildEvent;
use crate::included::IncludedFiles;
use crate::tree::FileStat;

/// What is part of every key: artifacts of another version of the bundler, or of this file, are others.
const VERSION: &str = "node functions 5, rolldown 1.2.0";

/// The most files that a folder may hold which a function reads as a whole.
const MAX_READ_FILES: usize = 2_000;

/// What runs functions in these languages.
const RUNTIMES: [FunctionRuntime; 3] = [FunctionRuntime::Node, FunctionRuntime::Bun, FunctionRuntime::Deno];

/// Builds the functions of `inputs`.
pub(crate) fn build(inputs: &NodeInputs, job: &BuildJob<'_>) -> Result<Artifacts, BuildError> {
    if inputs.functions.is_empty() {
        return Ok(Artifacts::new());
    }
    // Each interpreter has packages of its own for what it runs, so there is a run of the bundler for each.
    let mut collected = Collected::new(&job.environment.interrupt);
    for runtime in RUNTIMES {
        let functions: Vec<&NodeFunction> = inputs.run_by(runtime).collect();
        if !functions.is_empty() {
            collected.add(|| build_for(runtime, functions, job));
        }
    }
    collected.finish()
}

/// Sees that what runs the functions of `inputs` is there. Functions run where they are built, unless somebody says otherwise; a host
/// elsewhere has an interpreter of its own. Mistakes are found without it, and nobody waits for a download to hear of them.
pub(crate) fn ensure_interpreters(inputs: &NodeInputs, job: &BuildJob<'_>) -> Result<(), InterpreterError> {
    for runtime in RUNTIMES.into_iter().filter(|runtime| inputs.run_by(*runtime).next().is_some()) {
        toolchain::ensure(Interpreter::of(runtime), job.environment, job.cache, &|event| job.tell(event))?;
    }
    Ok(())
}

fn build_for(
    runtime: FunctionRuntime,
    functions: Vec<&NodeFunction>,
    job: &BuildJob<'_>,
) -> Result<Artifacts, BuildError> {
    let build = NodeBuild { key: request_key(&functions, job), runtime, functions, job };
    match build.cached() {
        Some(artifacts) => Ok(artifacts),
        None => build.bundled(),
    }
}

/// What a build is asked for, and where: the key of what is remembered of it.
fn request_key(functions: &[&NodeFunction], job: &BuildJob<'_>) -> Digest {
    let mut hasher = DigestHasher::new();
    hasher.update_field(VERSION.as_bytes());
    hasher.update_field(job.site.base.as_os_str().as_encoded_bytes());
    hasher.update_field(job.options.arch.as_str().as_bytes());
    for function in functions {
        hasher.update_field(function.name.as_str().as_bytes());
        hasher.update_field(&function.launcher());
        hasher.update_field(job.included(&function.name).key(function.digest).as_bytes());
    }
    hasher.finish()
}

impl NodeFunction {
    fn launcher(&self) -> Vec<u8> {
        launcher(&format!("{BUNDLE_FOLDER}/{}.mjs", self.entry), self.calling, self.runtime)
    }
}

struct NodeBuild<'b> {
    runtime: FunctionRuntime,
    /// Those that it runs, sorted by name.
    functions: Vec<&'b NodeFunction>,
    job: &'b BuildJob<'b>,
    key: Digest,
}

impl NodeBuild<'_> {
    fn base(&self) -> &Path {
        &self.job.site.base
    }

    /// All artifacts, if nothing has changed since they were made.
    fn cached(&self) -> Option<Artifacts> {
        let mut record = self.record()?;
        match record.check(self.base()) {
            State::Changed => return None,
            State::Same => self.remember(&record),
            State::Untouched => {}
        }
        let found = self.functions.par_iter().map(|function| {
            let (key, layer) = record.functions.get(function.name.as_str())?;
            let artifact = BuiltArtifact::cached(self.job.cache.find(key)?);
            let layers = match layer {
                Some(key) => vec![Self::layer(self.job.cache.find(key)?)],
                None => Vec::new(),
            };
            Some((function.name.clone(), artifact.with_layers(layers)))
        });
        found.collect()
    }

    fn record(&self) -> Option<Record> {
        serde_json::from_slice(&self.job.cache.notes(&self.key)?).ok()
    }

    fn remember(&self, record: &Record) {
        let notes = serde_json::to_vec(record).expect("a record has only strings for keys");
        self.job.cache.keep_notes(&self.key, &notes);
    }

    fn layer(artifact: CachedArtifact) -> BuiltLayer {
        BuiltLayer { mount: MOUNT.parse().expect("the name of a folder is a path"), artifact }
    }

    fn bundled(&self) -> Result<Artifacts, BuildError> {
        let names = self.functions.iter().map(|function| function.name.clone());
        self.job.tell(BuildEvent::Compiling { functions: names.collect() });
        let entries = self.functions.iter().map(|function| (function.entry.clone(), function.location.clone()));
        let bundled = bundle(&BundleRequest {
            project: &self.job.site.project,
            base: self.base(),
            entries: entries.collect(),
            made: self.made(),
            forced: self.known_unbundlable(),
            runtime: self.runtime,
        })?;
        self.keep_unbundlable(&bundled.forced);
        let layers = self.pack_layers(&bundled)?;
        let packed = self.pack(&bundled)?;
        let layer_of = |name: &FunctionName| layers.of.get(name).map(|index| &layers.all[*index]);
        let functions = packed
            .iter()
            .map(|(name, packed)| (name.as_str().to_owned(), (packed.key, layer_of(name).map(|layer| layer.key))));
        let functions = functions.collect();
        let mut read: BTreeSet<PathBuf> = bundled.stats.keys().cloned().collect();
        read.extend(layers.all.iter().flat_map(|layer| layer.files.iter().cloned()));
        read.extend(bundled.functions.values().flat_map(|function| function.files.iter().cloned()));
        let record = Record::take(self.base(), &read, functions);
        // What was bundled from files that changed meanwhile must not be remembered.
        let is_unchanged = |(file, stat): (&PathBuf, &FileStat)| record.has_stat(self.base(), file, *stat);
        if bundled.stats.iter().all(is_unchanged) {
            self.remember(&record);
        }
        self.job.tell(BuildEvent::Compiled { functions: packed.len() });
        let with_layer = |(name, packed): (FunctionName, Packed)| {
            let layers = layer_of(&name).map(|layer| layer.layer.clone()).into_iter().collect();
            (name, packed.artifact.with_layers(layers))
        };
        Ok(packed.into_iter().map(with_layer).collect())
    }

    /// The modules that are there only for the bundler.
    fn made(&self) -> BTreeMap<PathBuf, String> {
        let made = |function: &&NodeFunction| Some((function.location.clone(), function.made.clone()?));
        self.functions.iter().filter_map(made).collect()
    }

    /// The packages that an earlier build found to be unbundlable, as far as they are the same still: it saves a run.
    fn known_unbundlable(&self) -> BTreeSet<String> {
        let notes = self.job.cache.notes(&self.unbundlable_key());
        let known: BTreeMap<String, String> =
            notes.and_then(|notes| serde_json::from_slice(&notes).ok()).unwrap_or_default();
        known
            .into_iter()
            .filter(|(name, version)| self.version(name).as_ref() == Some(version))
            .map(|(name, _)| name)
            .collect()
    }

    fn keep_unbundlable(&self, names: &BTreeSet<String>) {
        let versions: BTreeMap<&String, String> =
            names.iter().filter_map(|name| Some((name, self.version(name)?))).collect();
        if !versions.is_empty() {
            let notes = serde_json::to_vec(&versions).expect("a map of strings is JSON");
            self.job.cache.keep_notes(&self.unbundlable_key(), &notes);
        }
    }

    fn unbundlable_key(&self) -> Digest {
        let mut hasher = DigestHasher::new();
        hasher.update_field(b"unbundlable packages");
        hasher.update_field(self.runtime.as_str().as_bytes());
        hasher.update_field(VERSION.as_bytes());
        hasher.update_field(self.base().as_os_str().as_encoded_bytes());
        hasher.finish()
    }

    /// The version of a package that is installed beside the functions.
    fn version(&self, name: &str) -> Option<String> {
        let package = read_package(&self.base().join("node_modules").join(name))?;
        package.get("version")?.as_str().map(str::to_owned)
    }

    /// Packs what has other content than before, in parallel.
    fn pack(&self, bundled: &Bundled) -> Result<BTreeMap<FunctionName, Packed>, BuildError> {
        let digests = bundled.module_digests();
        let pack = |function: &&NodeFunction| {
            let parts = &bundled.functions[&function.entry];
            let packed = self.pack_one(function, parts, &digests)?;
            Ok((function.name.clone(), packed))
        };
        let packed: Result<BTreeMap<_, _>, ArtifactError> = self.functions.par_iter().map(pack).collect();
        Ok(packed?)
    }

    fn pack_one(
        &self,
        function: &NodeFunction,
        parts: &BundledFunction,
        digests: &BTreeMap<String, Digest>,
    ) -> Result<Packed, ArtifactError> {
        let launcher = function.launcher();
        let included = self.job.included(&function.name);
        let excluded = included.exclusions();
        let mut files = self.read_files(&parts.files);
        files.retain(|name, _| !excluded.hold(name));
        let mut hasher = DigestHasher::new();
        hasher.update_field(VERSION.as_bytes());
        hasher.update_field(&launcher);
        for name in parts.modules.keys() {
            hasher.update_field(name.as_bytes());
            hasher.update_field(digests[name].as_bytes());
        }
        for (name, file) in &files {
            let unreadable = |source| ArtifactError::Unwritable { path: file.clone(), source };
            let (digest, _) = digest_file(&mut std::fs::File::open(file).map_err(unreadable)?).map_err(unreadable)?;
            hasher.update_field(name.as_bytes());
            hasher.update_field(digest.as_bytes());
        }
        // What is taken along of `node_modules` stands in the layer that is seen there.
        let (_, included) = included.divided(MOUNT);
        let key = included.key(hasher.finish());
        if let Some(artifact) = self.job.cache.find(&key) {
            return Ok(Packed { key, artifact: BuiltArtifact::cached(artifact) });
        }
        let mut members = vec![Member::data(self.runtime.entry(), Content::Bytes(launcher))];
        members.extend(
            parts.modules.iter().map(|(name, bytes)| Member::data(name.clone(), Content::Bytes(bytes.to_vec()))),
        );
        members.extend(files.into_iter().map(|(name, file)| Member::data(name, Content::File(file))));
        let artifact = self.job.cache.store(included.beside(members))?;
        if included.are_unchanged() {
            self.job.cache.remember(&key, &artifact);
        }
        Ok(Packed { key, artifact: BuiltArtifact::fresh(artifact) })
    }

    /// The files that a function reads, by their places in the artifact; of folders, all that is in them.
    fn read_files(&self, read: &BTreeSet<PathBuf>) -> BTreeMap<String, PathBuf> {
        let mut files = BTreeMap::new();
        for path in read {
            self.add_files(path, &mut files);
        }
        files
    }

    fn add_files(&self, path: &Path, files: &mut BTreeMap<String, PathBuf>) {
        // No symlink may lead out of the project, here no more than in the site.
        let is_within = path.canonicalize().is_ok_and(|real| real.starts_with(&self.job.site.project));
        if !is_within || files.len() >= MAX_READ_FILES {
            return;
        }
        if path.is_file() {
            files.insert(in_artifact(self.base(), path), path.to_owned());
            return;
        }
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            // Hidden files are where secrets are.
            if !name.starts_with('.') && name != "node_modules" {
                self.add_files(&entry.path(), files);
            }
        }
    }

    /// Packs the packages that stay outside. All functions that need any share one layer of them, unless they say themselves what
    /// of `node_modules` they want or do not.
    fn pack_layers(&self, bundled: &Bundled) -> Result<PackedLayers, ArtifactError> {
        let outside = |function: &&NodeFunction| &bundled.functions[&function.entry].outside;
        let packages: BTreeSet<OutsidePackage> = self.functions.iter().flat_map(outside).cloned().collect();
        let shared = layer::members(&packages, self.job.options.arch);
        let mut layers = PackedLayers::default();
        let mut known: Vec<((bool, IncludedFiles), usize)> = Vec::new();
        for function in &self.functions {
            let (included, _) = self.job.included(&function.name).divided(MOUNT);
            let wish = (!outside(function).is_empty(), included);
            if let Some((_, index)) = known.iter().find(|(known, _)| *known == wish) {
                layers.of.insert(function.name.clone(), *index);
                continue;
            }
            let (needs_packages, included) = &wish;
            let excluded = included.exclusions();
            let own = shared.iter().filter(|member| *needs_packages && !excluded.hold(&member.name)).cloned();
            let members = included.beside(own.collect());
            if members.is_empty() {
                continue;
            }
            layers.of.insert(function.name.clone(), layers.all.len());
            known.push((wish, layers.all.len()));
            layers.all.push(self.pack_layer(members)?);
        }
        Ok(layers)
    }

    /// Packs a layer, unless that was done before.
    fn pack_layer(&self, members: Vec<Member>) -> Result<PackedLayer, ArtifactError> {
        let mut hasher = DigestHasher::new();
        hasher.update_field(VERSION.as_bytes());
        let mut files = Vec::new();
        for member in &members {
            let Content::File(file) = &member.content else { continue };
            let unreadable = |source| ArtifactError::Unwritable { path: file.clone(), source };
            let stat = FileStat::of(&std::fs::metadata(file).map_err(unreadable)?);
            hasher.update_field(member.name.as_bytes());
            hasher.update_field(file.as_os_str().as_encoded_bytes());
            hasher.update_field(format!("{stat:?}").as_bytes());
            files.push(file.clone());
        }
        let key = hasher.finish();
        let artifact = if let Some(artifact) = self.job.cache.find(&key) {
            artifact
        } else {
            let artifact = self.job.cache.store(members)?;
            self.job.cache.remember(&key, &artifact);
            artifact
        };
        Ok(PackedLayer { key, layer: Self::layer(artifact), files })
    }
}

/// An artifact, and what it was found or remembered by.
struct Packed {
    key: Digest,
    artifact: BuiltArtifact,
}

/// The layers, and which function has which.
#[derive(Default)]
struct PackedLayers {
    all: Vec<PackedLayer>,
    of: BTreeMap<FunctionName, usize>,
}

/// A layer, what it was found or remembered by, and the files in it.
struct PackedLayer {
    key: Digest,
    layer: BuiltLayer,
    files: Vec<PathBuf>,
}

#[cfg(test)]
mod tests;
