//! Packing the functions of an output.

use std::collections::BTreeMap;

use rayon::prelude::*;
use ship_core::{Digest, DigestHasher, FunctionRuntime};

use super::folder::PackedFile;
use super::parts::{FunctionFiles, PACKAGES, Start};
use super::{Parts, Prebuilt};
use crate::artifact::{ArtifactError, Content, Member, digest_file};
use crate::build::{Artifacts, BuildError, BuildJob, BuiltArtifact, BuiltLayer};
use crate::included::IncludedFiles;
use crate::node::launcher;

/// Changes when the same files would be packed in another way.
const KEY_VERSION: &str = "ship prebuilt function 2";

/// Packs the functions of an output. Those that share their files are packed once.
pub(crate) fn build(prebuilt: &Prebuilt, job: &BuildJob<'_>) -> Result<Artifacts, BuildError> {
    let mut artifacts = Artifacts::new();
    for function in &prebuilt.functions {
        let built = match &function.parts {
            Parts::Packed(artifact, layers) => BuiltArtifact::cached(artifact.clone()).with_layers(layers.clone()),
            Parts::Files(files) => packed(files, job.included(&function.detected.name), job)?,
        };
        artifacts.insert(function.detected.name.clone(), built);
    }
    Ok(artifacts)
}

fn packed(files: &FunctionFiles, included: &IncludedFiles, job: &BuildJob<'_>) -> Result<BuiltArtifact, BuildError> {
    // What else goes into the folder of a layer would stand in its way.
    let together = included.has_below(PACKAGES).then(|| files.together());
    let files = together.as_ref().unwrap_or(files);
    let layers = packages(&files.packages, job)?.into_iter().collect();
    let key = included.key(key(files)?);
    if let Some(artifact) = job.cache.find(&key) {
        return Ok(BuiltArtifact::cached(artifact).with_layers(layers));
    }
    let artifact = job.cache.store(included.beside(members(files)))?;
    if included.key(self::key(files)?) == key && included.are_unchanged() {
        job.cache.remember(&key, &artifact);
    }
    Ok(BuiltArtifact::fresh(artifact).with_layers(layers))
}

/// Packs what is the same for many deployments.
fn packages(packages: &BTreeMap<String, PackedFile>, job: &BuildJob<'_>) -> Result<Option<BuiltLayer>, BuildError> {
    if packages.is_empty() {
        return Ok(None);
    }
    let digest = || -> Result<Digest, BuildError> {
        let mut hasher = DigestHasher::new();
        hasher.update_field(KEY_VERSION.as_bytes());
        hash(packages, &mut hasher)?;
        Ok(hasher.finish())
    };
    let key = digest()?;
    let artifact = if let Some(artifact) = job.cache.find(&key) {
        artifact
    } else {
        let members = packages.iter().map(|(name, file)| member(name.clone(), file));
        let artifact = job.cache.store(members.collect())?;
        if digest()? == key {
            job.cache.remember(&key, &artifact);
        }
        artifact
    };
    Ok(Some(BuiltLayer { mount: PACKAGES.parse().expect("the name of a folder is a path"), artifact }))
}

/// The digest of everything that decides what is packed beside layers.
fn key(files: &FunctionFiles) -> Result<Digest, BuildError> {
    let mut hasher = DigestHasher::new();
    hasher.update_field(KEY_VERSION.as_bytes());
    hash(&files.files, &mut hasher)?;
    match &files.start {
        Start::Program { handler } => hasher.update_field(handler.as_bytes()),
        Start::Node { .. } => hasher.update_field(&start_module(&files.start).unwrap_or_default()),
        Start::Module { text, .. } => {
            hasher.update_field(text);
            hasher.update_field(&start_module(&files.start).unwrap_or_default());
        }
    }
    Ok(hasher.finish())
}

/// Digests files, in parallel: a server comes with a thousand of them.
fn hash(files: &BTreeMap<String, PackedFile>, hasher: &mut DigestHasher) -> Result<(), BuildError> {
    let digest = |(name, packed): (&String, &PackedFile)| match packed {
        PackedFile::File { file, is_executable } => {
            let read = || digest_file(&mut std::fs::File::open(file)?);
            let (digest, _) = read().map_err(|source| ArtifactError::Unwritable { path: file.clone(), source })?;
            Ok((name.clone(), digest.as_bytes().to_vec(), if *is_executable { "program" } else { "file" }))
        }
        PackedFile::Link { target } => Ok((name.clone(), target.clone().into_bytes(), "link")),
    };
    let digested: Vec<_> = files.par_iter().map(digest).collect::<Result<_, ArtifactError>>()?;
    for (name, content, kind) in digested {
        hasher.update_field(name.as_bytes());
        hasher.update_field(&content);
        hasher.update_field(kind.as_bytes());
    }
    Ok(())
}

fn member(name: String, packed: &PackedFile) -> Member {
    match packed {
        PackedFile::Link { target } => Member::link(name, target.clone()),
        PackedFile::File { file, is_executable: true } => Member::executable(name, file.clone()),
        PackedFile::File { file, .. } => Member::data(name, Content::File(file.clone())),
    }
}

fn members(files: &FunctionFiles) -> Vec<Member> {
    let mut members: Vec<Member> = Vec::with_capacity(files.files.len() + 1);
    for (name, packed) in &files.files {
        // A program is started by one name, whatever it is called.
        let is_program = matches!(&files.start, Start::Program { handler } if handler == name);
        let name = if is_program { "bootstrap".to_owned() } else { name.clone() };
        members.push(match packed {
            PackedFile::File { file, .. } if is_program => Member::executable(name, file.clone()),
            other => member(name, other),
        });
    }
    if let Start::Module { name, text, .. } = &files.start {
        members.push(Member::data(*name, Content::Bytes(text.clone())));
    }
    members.extend(start_module(&files.start).map(|text| Member::data("launcher.mjs", Content::Bytes(text))));
    members
}

/// What Node starts, with the variables that the output gives the function.
fn start_module(start: &Start) -> Option<Vec<u8>> {
    let (entry, calling, environment) = match start {
        Start::Node { entry, calling, environment } => (entry, calling, environment),
        Start::Module { name, calling, .. } => return Some(launcher(name, *calling, FunctionRuntime::Node)),
        Start::Program { .. } => return None,
    };
    let mut text = Vec::new();
    if !environment.is_empty() {
        let variables = serde_json::to_string(environment).expect("texts have no fallible encoders");
        let line = format!("for (const [name, value] of Object.entries({variables})) process.env[name] ??= value;\n");
        text.extend_from_slice(line.as_bytes());
    }
    text.extend(launcher(entry, *calling, FunctionRuntime::Node));
    Some(text)
}
