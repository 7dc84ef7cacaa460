//! `functions/*.func` of an output: what each is made of, and how it is started.

mod check;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use ship_core::route::RouteTable;
use ship_core::{FunctionLimits, FunctionName, FunctionRuntime, Layer, WarmSchedule};

use self::check::{check_program, check_size, check_start};
use super::folder::{PackedFile, files_of};
use super::parts::{FunctionFiles, Start};
use super::{Parts, Place, PrebuiltError, PrebuiltFunction};
use crate::artifact::{CachedArtifact, digest_file};
use crate::build::BuiltLayer;
use crate::detect::{DetectedFunction, Reach};
use crate::included::Inclusion;
use crate::node::{Calling, Helpers};
use crate::tree::{self, TreeError, is_secret};

/// The file that says how a function is started.
const VC_CONFIG: &str = ".vc-config.json";

/// How long a function with `maxDuration: "max"` may take, in seconds.
const MAX_DURATION_SECS: u32 = 800;

/// What a function is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Role {
    /// To answer at a path.
    Page,
    /// To be asked by routes whether a request goes on.
    Middleware,
}

/// `.vc-config.json`, as far as it is looked at.
#[derive(Deserialize, Default, Debug)]
#[serde(default, rename_all = "camelCase")]
struct VcConfig {
    runtime: String,
    handler: Option<String>,
    entrypoint: Option<String>,
    runtime_language: Option<String>,
    launcher_type: Option<String>,
    should_add_helpers: bool,
    memory: Option<Value>,
    max_duration: Option<Value>,
    max_concurrency: Option<Value>,
    environment: Value,
    file_path_map: BTreeMap<String, String>,
    ship: Option<OwnKeys>,
}

/// What `ship build` writes beside, so that its output is the very same deployment.
#[derive(Deserialize, Debug)]
struct OwnKeys {
    runtime: FunctionRuntime,
    limits: FunctionLimits,
    #[serde(default)]
    layers: Vec<Layer>,
    #[serde(default)]
    warm: Vec<WarmSchedule>,
}

/// Finds and reads the functions of an output.
pub(super) fn find(place: &Place<'_>, routes: &RouteTable) -> Result<Vec<PrebuiltFunction>, PrebuiltError> {
    let folder = place.folder.join("functions");
    let mut folders = Vec::new();
    collect(place, &folder, "", &mut folders)?;
    folders.sort_unstable();
    let read = |(name, folder): (String, PathBuf)| {
        let is_middleware = routes.middleware().any(|middleware| middleware.as_str() == name);
        read(place, &name, &folder, if is_middleware { Role::Middleware } else { Role::Page })
    };
    folders.into_iter().map(read).collect()
}

/// The `.func` folders below `folder`, each with the name of its function. Symlinks lead to a function that is shared.
fn collect(
    place: &Place<'_>,
    folder: &Path,
    above: &str,
    found: &mut Vec<(String, PathBuf)>,
) -> Result<(), PrebuiltError> {
    let unreadable = |source| PrebuiltError::Unreadable { path: place.shown(folder), source };
    let entries = match std::fs::read_dir(folder) {
        Err(absent) if absent.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(unreadable)?,
    };
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        if !path.is_dir() {
            continue;
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let name = if above.is_empty() { name } else { format!("{above}/{name}") };
        match name.strip_suffix(".func") {
            Some(function) => found.push((function.to_owned(), path)),
            None => collect(place, &path, &name, found)?,
        }
    }
    Ok(())
}

fn read(place: &Place<'_>, name: &str, folder: &Path, role: Role) -> Result<PrebuiltFunction, PrebuiltError> {
    // The name is that of the link, the content that of the function that it leads to.
    let real = tree::follow(folder, place.project)?;
    let config: VcConfig = place.read_json(&real.join(VC_CONFIG))?;
    let wrong = |source| PrebuiltError::Path { config: place.shown(folder), source };
    let name: FunctionName = name.parse().map_err(wrong)?;
    let file = place.shown(folder).display().to_string();
    if let Some(own) = config.ship {
        return packed(place, name, file, &real, own);
    }
    let start = start(place, &real, &config, role)?;
    let files = files(place, &real, &config.file_path_map)?;
    check_size(place, &real, &files)?;
    check_start(place, &real, &start, &files)?;
    let runtime = match (&start, config.runtime_language.as_deref()) {
        (Start::Node { .. } | Start::Module { .. }, _) => FunctionRuntime::Node,
        (Start::Program { .. }, Some("rust")) => FunctionRuntime::Rust,
        (Start::Program { .. }, _) => FunctionRuntime::Go,
    };
    let detected = DetectedFunction {
        name,
        file,
        runtime,
        limits: limits(&config),
        warm: Vec::new(),
        reach: Reach::Path,
        inclusion: Inclusion::default(),
    };
    Ok(PrebuiltFunction { detected, parts: Parts::Files(FunctionFiles { files, packages: BTreeMap::new(), start }) })
}

/// A function that ship itself packed: its artifact stands beside its folder.
fn packed(
    place: &Place<'_>,
    name: FunctionName,
    file: String,
    folder: &Path,
    own: OwnKeys,
) -> Result<PrebuiltFunction, PrebuiltError> {
    let zip = folder.with_extension("zip");
    let artifact = artifact(place, zip)?;
    let OwnKeys { runtime, limits, layers, warm } = own;
    let layer = |layer: Layer| {
        let zip = place.folder.join("layers").join(format!("{}.zip", layer.digest.to_hex()));
        Ok(BuiltLayer { mount: layer.mount, artifact: self::artifact(place, zip)? })
    };
    let layers = layers.into_iter().map(layer).collect::<Result<_, PrebuiltError>>()?;
    if matches!(runtime, FunctionRuntime::Go | FunctionRuntime::Rust) {
        check_program(place, &folder.join(runtime.entry()))?;
    }
    let detected =
        DetectedFunction { name, file, runtime, limits, warm, reach: Reach::Path, inclusion: Inclusion::default() };
    Ok(PrebuiltFunction { detected, parts: Parts::Packed(artifact, layers) })
}

/// An artifact as it stands in a file.
fn artifact(place: &Place<'_>, file: PathBuf) -> Result<CachedArtifact, PrebuiltError> {
    let read = || digest_file(&mut std::fs::File::open(&file)?);
    let (digest, size_bytes) =
        read().map_err(|source| PrebuiltError::Unreadable { path: place.shown(&file), source })?;
    Ok(CachedArtifact { digest, size_bytes, file })
}

/// How a function is started, by what its configuration says.
fn start(place: &Place<'_>, folder: &Path, config: &VcConfig, role: Role) -> Result<Start, PrebuiltError> {
    let unsupported = |reason: String| Err(PrebuiltError::Unsupported { function: place.shown(folder), reason });
    let named = |file: &Option<String>, key: &str| match file {
        Some(file) => Ok(file.trim_start_matches("./").to_owned()),
        None => Err(PrebuiltError::Unsupported {
            function: place.shown(folder),
            reason: format!("its .vc-config.json has no `{key}`"),
        }),
    };
    let environment = environment(&config.environment);
    let is_middleware = role == Role::Middleware;
    match config.runtime.as_str() {
        "edge" => {
            let calling = Calling { is_edge: true, helpers: Helpers::None, is_middleware };
            Ok(Start::Node { entry: named(&config.entrypoint, "entrypoint")?, calling, environment })
        }
        node if node.starts_with("nodejs") || config.launcher_type.as_deref() == Some("Nodejs") => {
            let helpers = if config.should_add_helpers { Helpers::All } else { Helpers::None };
            let calling = Calling { is_edge: false, helpers, is_middleware };
            Ok(Start::Node { entry: named(&config.handler, "handler")?, calling, environment })
        }
        "executable" | "provided.al2023" | "provided.al2" | "provided" => {
            Ok(Start::Program { handler: named(&config.handler, "handler")? })
        }
        python if python.starts_with("python") => unsupported(
            "it is a Python function that was packed for another platform: `ship deploy` without `--prebuilt` builds it from \
             its source"
                .to_owned(),
        ),
        "container" => unsupported("it is a container image, and functions here are files".to_owned()),
        "" => unsupported("its .vc-config.json has no `runtime`".to_owned()),
        other => unsupported(format!("its runtime is `{other}`, and those that are known are nodejs, edge and executable")),
    }
}

/// `environment`: an object, or a list of objects.
fn environment(value: &Value) -> BTreeMap<String, String> {
    let objects = value.as_array().into_iter().flatten().chain([value]).filter_map(Value::as_object);
    let pair = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
    objects.flatten().filter_map(pair).collect()
}

fn limits(config: &VcConfig) -> FunctionLimits {
    let default = FunctionLimits::default();
    let number = |value: &Option<Value>| value.as_ref()?.as_u64()?.try_into().ok().filter(|number: &u32| *number > 0);
    let is_max = config.max_duration.as_ref().is_some_and(|value| value == "max");
    FunctionLimits {
        timeout_secs: if is_max {
            MAX_DURATION_SECS
        } else {
            number(&config.max_duration).unwrap_or(default.timeout_secs)
        },
        memory_mb: number(&config.memory).unwrap_or(default.memory_mb),
        concurrency: number(&config.max_concurrency).unwrap_or(default.concurrency),
        ..default
    }
}

/// The files of a function: those in its folder, and those that `filePathMap` names by their place in the repository.
fn files(
    place: &Place<'_>,
    folder: &Path,
    mapped: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, PackedFile>, PrebuiltError> {
    let mut files = files_of(folder, place.project)?;
    files.remove(VC_CONFIG);
    let repository = repository(place.project);
    for (name, source) in mapped {
        let config = || place.shown(&folder.join(VC_CONFIG));
        let name: ship_core::SitePath =
            name.parse().map_err(|source| PrebuiltError::Path { config: config(), source })?;
        if is_secret(Path::new(name.as_str())) || is_secret(Path::new(source)) {
            continue;
        }
        let location = place.project.join(source);
        let missing = |_| PrebuiltError::FileMissing { function: place.shown(folder), file: source.clone() };
        let real = location.canonicalize().map_err(missing)?;
        let Ok(below) = real.strip_prefix(&repository) else {
            return Err(PrebuiltError::LeavesProject { config: config(), file: source.clone() });
        };
        // Its name says nothing of what it is where a symlink is on the way.
        if is_secret(below) {
            return Err(TreeError::SymlinkToSecret { link: source.into(), target: below.to_owned() }.into());
        }
        if real.is_dir() {
            let below = files_of(&real, &repository)?.into_iter();
            files.extend(below.map(|(below, file)| (format!("{name}/{below}"), file)));
        } else {
            files.insert(name.as_str().to_owned(), PackedFile::of(real));
        }
    }
    Ok(files)
}

/// The repository that a project is in: where its version control is, else the project itself.
fn repository(project: &Path) -> PathBuf {
    project.ancestors().find(|folder| folder.join(".git").exists()).unwrap_or(project).to_owned()
}

#[cfg(test)]
mod tests;
