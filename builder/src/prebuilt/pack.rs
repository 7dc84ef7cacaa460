//! Packing the functions of an output.

use std::collections::BTreeMap;

use ship_core::{Digest, DigestHasher};

use super::function::{FunctionFiles, Start};
use super::links;
use super::{Parts, Prebuilt};
use crate::artifact::{ArtifactError, Content, Member, digest_file};
use crate::build::{Artifacts, BuildError, BuildJob, BuiltArtifact};
use crate::node::launcher;

/// Changes when the same files would be packed in another way.
const KEY_VERSION: &str = "ship prebuilt function 2";

/// Packs the functions of an output. Those that share their files are packed once.
pub(crate) fn build(prebuilt: &Prebuilt, job: &BuildJob<'_>) -> Result<Artifacts, BuildError> {
    let mut artifacts = Artifacts::new();
    for function in &prebuilt.functions {
        let built = match &function.parts {
            Parts::Packed(artifact, layers) => BuiltArtifact::cached(artifact.clone()).with_layers(layers.clone()),
            Parts::Files(files) => packed(files, job)?,
        };
        artifacts.insert(function.detected.name.clone(), built);
    }
    Ok(artifacts)
}

fn packed(files: &FunctionFiles, job: &BuildJob<'_>) -> Result<BuiltArtifact, BuildError> {
    let key = key(files)?;
    if let Some(artifact) = job.cache.find(&key) {
        return Ok(BuiltArtifact::cached(artifact));
    }
    let artifact = job.cache.store(members(files))?;
    if self::key(files)? == key {
        job.cache.remember(&key, &artifact);
    }
    Ok(BuiltArtifact::fresh(artifact))
}

/// The digest of everything that decides what is packed.
fn key(files: &FunctionFiles) -> Result<Digest, BuildError> {
    let mut hasher = DigestHasher::new();
    hasher.update_field(KEY_VERSION.as_bytes());
    for file in &files.files {
        let read = || digest_file(&mut std::fs::File::open(&file.file)?);
        let (digest, _) = read().map_err(|source| ArtifactError { path: file.file.clone(), source })?;
        hasher.update_field(file.name.as_bytes());
        hasher.update_field(digest.as_bytes());
        hasher.update_field(&[u8::from(file.is_executable)]);
    }
    match &files.start {
        Start::Program { handler } => hasher.update_field(handler.as_bytes()),
        Start::Node { .. } => hasher.update_field(&start_module(&files.start).unwrap_or_default()),
    }
    for (name, text) in passed_on(files) {
        hasher.update_field(name.as_bytes());
        hasher.update_field(&text);
    }
    Ok(hasher.finish())
}

/// What is packed in the place of files behind links, where Node would look at these.
fn passed_on(files: &FunctionFiles) -> BTreeMap<&str, Vec<u8>> {
    match &files.start {
        Start::Node { .. } => links::passed_on(&files.files),
        Start::Program { .. } => BTreeMap::new(),
    }
}

fn members(files: &FunctionFiles) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::with_capacity(files.files.len() + 1);
    let mut passed_on = passed_on(files);
    for file in &files.files {
        if let Some(text) = passed_on.remove(file.name.as_str()) {
            members.push(Member::data(file.name.clone(), Content::Bytes(text)));
            continue;
        }
        // A program is started by one name, whatever it is called.
        let name = match &files.start {
            Start::Program { handler } if *handler == file.name => "bootstrap".to_owned(),
            _ => file.name.clone(),
        };
        let is_program = matches!(&files.start, Start::Program { .. }) && name == "bootstrap";
        members.push(if is_program || file.is_executable {
            Member::executable(name, file.file.clone())
        } else {
            Member::data(name, Content::File(file.file.clone()))
        });
    }
    members.extend(start_module(&files.start).map(|text| Member::data("launcher.mjs", Content::Bytes(text))));
    members
}

/// What Node starts, with the variables that the output gives the function.
fn start_module(start: &Start) -> Option<Vec<u8>> {
    let Start::Node { entry, calling, environment } = start else { return None };
    let mut text = Vec::new();
    if !environment.is_empty() {
        let variables = serde_json::to_string(environment).expect("texts have no fallible encoders");
        let line = format!("for (const [name, value] of Object.entries({variables})) process.env[name] ??= value;\n");
        text.extend_from_slice(line.as_bytes());
    }
    text.extend(launcher(entry, *calling));
    Some(text)
}
