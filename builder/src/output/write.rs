//! Writing a build output in the layout of the Build Output API v3: `config.json`, `static/`, `functions/*.func/`, and each
//! function's artifact beside its folder.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Map, Value, json};
use ship_core::{Asset, Manifest};
use zip::ZipArchive;

use super::{BuildOutput, BuiltFunction};
use crate::assets::media_type;

/// How often to try to take the place of an output that others are writing too.
const SWAP_ATTEMPTS: usize = 16;

/// Writes `output` into `folder`, which is replaced as a whole: a reader sees the old output or the new one, never a mixture.
/// The folder above gets a `.gitignore`, because none of it belongs into version control.
pub fn write_output(output: &BuildOutput, folder: &Path) -> Result<(), WriteOutputError> {
    let failed = |source| WriteOutputError { path: folder.to_owned(), source };
    let parent = folder.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(failed)?;
    let ignore = parent.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(&ignore, "*\n").map_err(|source| WriteOutputError { path: ignore.clone(), source })?;
    }
    let fresh = tempfile::Builder::new().prefix(".output-").tempdir_in(parent).map_err(failed)?;
    write_config(output, fresh.path())?;
    write_static(output, fresh.path())?;
    output.functions().par_iter().try_for_each(|function| write_function(output, function, fresh.path()))?;
    put_in_place(fresh.path(), folder).map_err(failed)
}

/// Gives a finished folder its name.
fn put_in_place(fresh: &Path, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    // Temporary folders are made for their owner alone; an output is as readable as the project.
    std::fs::set_permissions(fresh, std::fs::Permissions::from_mode(0o755))?;
    let parent = folder.parent().unwrap_or(Path::new("."));
    for _ in 0..SWAP_ATTEMPTS {
        match std::fs::rename(fresh, folder) {
            Err(taken) if matches!(taken.kind(), ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists) => {}
            other => return other,
        }
        let old = tempfile::Builder::new().prefix(".old-").tempdir_in(parent)?;
        match std::fs::rename(folder, old.path()) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Err(io::Error::from(ErrorKind::ResourceBusy))
}

fn write_config(output: &BuildOutput, folder: &Path) -> Result<(), WriteOutputError> {
    let manifest = output.manifest();
    let mut config = json!({ "version": 3, "routes": manifest.routes(), "ship": { "cors": manifest.cors() } });
    let overrides = overrides(manifest);
    if !overrides.is_empty() {
        config["overrides"] = overrides.into();
    }
    for (key, value) in &output.passed_on {
        config[key] = value.clone();
    }
    write_json(&folder.join("config.json"), &config)
}

/// What is served as something else than its name says.
fn overrides(manifest: &Manifest) -> Map<String, Value> {
    let differing = manifest.assets().iter().filter(|asset| asset.media_type != media_type(&asset.path));
    let entry = |asset: &Asset| (asset.path.to_string(), json!({ "contentType": asset.media_type.as_str() }));
    differing.map(entry).collect()
}

fn write_static(output: &BuildOutput, folder: &Path) -> Result<(), WriteOutputError> {
    let folder = folder.join("static");
    make_folder(&folder)?;
    output.manifest().assets().par_iter().try_for_each(|asset| {
        let from = output.files.of(&asset.path);
        let into = folder.join(asset.path.as_str());
        make_folder(into.parent().unwrap_or(&folder))?;
        copy(&from, &into)
    })
}

fn write_function(output: &BuildOutput, built: &BuiltFunction, folder: &Path) -> Result<(), WriteOutputError> {
    let function = &built.function;
    let place = folder.join("functions").join(format!("{}.func", function.name));
    make_folder(&place)?;
    let config = json!({
        "runtime": "executable",
        "handler": function.runtime.entry(),
        "runtimeLanguage": function.runtime,
        "architecture": output.arch.build_output_name(),
        "memory": function.limits.memory_mb,
        "maxDuration": function.limits.timeout_secs,
        "maxConcurrency": function.limits.concurrency,
        "supportsResponseStreaming": true,
    });
    let mut config = config;
    // What the other keys cannot say, so that the output deployed as it is is the very same deployment.
    config["ship"] = json!({ "runtime": function.runtime, "limits": function.limits });
    if !function.layers.is_empty() {
        config["ship"]["layers"] = json!(function.layers);
    }
    write_json(&place.join(".vc-config.json"), &config)?;
    write_layers(built, folder)?;
    unpack(&built.artifact, &place).map_err(|source| WriteOutputError { path: built.artifact.clone(), source })?;
    copy(&built.artifact, &folder.join("functions").join(format!("{}.zip", function.name)))
}

/// Layers stand once beside all functions, under their digests.
fn write_layers(built: &BuiltFunction, folder: &Path) -> Result<(), WriteOutputError> {
    let folder = folder.join("layers");
    for (layer, file) in built.layers() {
        make_folder(&folder)?;
        copy(file, &folder.join(format!("{}.zip", layer.digest.to_hex())))?;
    }
    Ok(())
}

/// Unpacks an artifact that this crate made.
fn unpack(artifact: &Path, folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut zip = ZipArchive::new(File::open(artifact)?)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index)?;
        let name = entry.name()?.parse::<ship_core::SitePath>().map_err(io::Error::other)?;
        let place = folder.join(name.as_str());
        std::fs::create_dir_all(place.parent().unwrap_or(folder))?;
        if entry.is_symlink() {
            std::os::unix::fs::symlink(io::read_to_string(entry)?, place)?;
            continue;
        }
        let mode = entry.unix_mode().unwrap_or(0o644) & 0o777;
        let mut file = File::options().write(true).create_new(true).mode(mode).open(place)?;
        io::copy(&mut entry, &mut file)?;
    }
    Ok(())
}

fn write_json(file: &Path, value: &serde_json::Value) -> Result<(), WriteOutputError> {
    std::fs::write(file, format!("{value:#}\n")).map_err(|source| WriteOutputError { path: file.to_owned(), source })
}

fn make_folder(folder: &Path) -> Result<(), WriteOutputError> {
    std::fs::create_dir_all(folder).map_err(|source| WriteOutputError { path: folder.to_owned(), source })
}

/// A copy, not a link: whoever edits the output must not edit the project.
fn copy(from: &Path, into: &Path) -> Result<(), WriteOutputError> {
    std::fs::copy(from, into).map_err(|source| WriteOutputError { path: into.to_owned(), source })?;
    Ok(())
}

/// The output cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be written", path.display())]
pub struct WriteOutputError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

#[cfg(test)]
mod tests;
