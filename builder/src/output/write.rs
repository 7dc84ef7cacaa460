//! Writing a build output in the layout of the Build Output API v3: `config.json`, `static/`, `functions/*.func/`, and each
//! function's artifact beside its folder.

mod record;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Map, Value, json};
use ship_core::{Asset, Digest, DigestHasher, Manifest, Prerender, QueryPlace, SitePath};
use zip::ZipArchive;
use zip::read::ZipFile;

use super::{BuildOutput, BuiltFunction};
use crate::assets::media_type;
use record::Record;

/// The file that says how each function is started.
const VC_CONFIG: &str = ".vc-config.json";
/// What is remembered of the last output, beside it.
const RECORD: &str = "output-record.json";

/// How often to try to take the place of an output that others are writing too.
const SWAP_ATTEMPTS: usize = 16;

/// Writes `output` into `folder`, which is replaced as a whole: a reader sees the old output or the new one, never a mixture.
/// What is there already is not made again: an output that nothing has changed stays, and of another the unchanged parts are
/// taken over. The folder above gets a `.gitignore`, because none of it belongs into version control.
pub fn write_output(output: &BuildOutput, folder: &Path) -> Result<(), WriteOutputError> {
    let failed = |source| WriteOutputError { path: folder.to_owned(), source };
    let parent = folder.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent).map_err(failed)?;
    let ignore = parent.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(&ignore, "*\n").map_err(|source| WriteOutputError { path: ignore.clone(), source })?;
    }
    let record = parent.join(RECORD);
    let parts = parts(output);
    let before = Record::read(&record, folder);
    if before.is_of(&parts) {
        return Ok(());
    }
    let fresh = tempfile::Builder::new().prefix(".output-").tempdir_in(parent).map_err(failed)?;
    make_folder(&fresh.path().join("static"))?;
    parts
        .par_iter()
        .try_for_each(|part| if before.take_over(part, fresh.path()) { Ok(()) } else { part.write(fresh.path()) })?;
    put_in_place(fresh.path(), folder).map_err(failed)?;
    if let Err(error) = Record::of(&parts, folder).and_then(|made| made.write(&record)) {
        // The next build writes everything again.
        tracing::debug!(file = %record.display(), %error, "what was written cannot be remembered");
    }
    Ok(())
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

/// One thing that is written or taken over as a whole.
struct Part<'o> {
    /// Where it stands in the output, without the ending that a folder and its zip differ in.
    place: String,
    /// What it is made of: the same digest is the same bytes.
    made_of: Digest,
    content: PartContent<'o>,
}

enum PartContent<'o> {
    Text(String),
    Copy(PathBuf),
    Function { built: &'o BuiltFunction, config: String },
}

impl Part<'_> {
    /// Where its files are: files, or folders with all below them.
    fn places(&self) -> Vec<String> {
        match &self.content {
            PartContent::Text(_) | PartContent::Copy(_) => vec![self.place.clone()],
            PartContent::Function { .. } => vec![format!("{}.func", self.place), format!("{}.zip", self.place)],
        }
    }

    /// A copy, not a link: whoever edits the output must not edit the project.
    fn write(&self, output: &Path) -> Result<(), WriteOutputError> {
        let place = output.join(&self.place);
        make_folder(place.parent().unwrap_or(output))?;
        match &self.content {
            PartContent::Text(text) => write_text(&place, text),
            PartContent::Copy(from) => copy(from, &place),
            PartContent::Function { built, config } => {
                let folder = output.join(format!("{}.func", self.place));
                make_folder(&folder)?;
                write_text(&folder.join(VC_CONFIG), config)?;
                unpack(&built.artifact, &folder)?;
                copy(&built.artifact, &output.join(format!("{}.zip", self.place)))
            }
        }
    }
}

fn parts(output: &BuildOutput) -> Vec<Part<'_>> {
    let config = config(output);
    let config = Part {
        place: "config.json".to_owned(),
        made_of: Digest::of(config.as_bytes()),
        content: PartContent::Text(config),
    };
    let assets = output.manifest().assets().iter().map(|asset| Part {
        place: format!("static/{}", asset.path),
        made_of: asset.digest,
        content: PartContent::Copy(output.files.of(&asset.path)),
    });
    // Layers stand once beside all functions, under their digests.
    let layers: BTreeMap<Digest, &Path> =
        output.functions().iter().flat_map(BuiltFunction::layers).map(|(layer, file)| (layer.digest, file)).collect();
    let layers = layers.into_iter().map(|(digest, file)| Part {
        place: format!("layers/{}.zip", digest.to_hex()),
        made_of: digest,
        content: PartContent::Copy(file.to_owned()),
    });
    let functions = output.functions().iter().map(|built| function_part(output, built));
    let prerenders = output.manifest().prerenders().iter().flat_map(|prerender| prerender_parts(output, prerender));
    std::iter::once(config).chain(assets).chain(layers).chain(functions).chain(prerenders).collect()
}

fn function_part<'o>(output: &BuildOutput, built: &'o BuiltFunction) -> Part<'o> {
    let config = function_config(output, built);
    let mut made_of = DigestHasher::new();
    made_of.update_field(built.function.digest.to_hex().as_bytes());
    made_of.update_field(config.as_bytes());
    Part {
        place: format!("functions/{}", built.function.name),
        made_of: made_of.finish(),
        content: PartContent::Function { built, config },
    }
}

/// How a function's answers are kept stands beside its folder, with the answer that was made before.
fn prerender_parts<'o>(output: &'o BuildOutput, prerender: &Prerender) -> Vec<Part<'o>> {
    let place = |end: &str| format!("functions/{}.prerender-{end}", prerender.function);
    let mut config =
        json!({ "expiration": prerender.expiration, "passQuery": prerender.query_place == QueryPlace::Url });
    if let Some(names) = &prerender.allow_query {
        config["allowQuery"] = json!(names);
    }
    if let Some(token) = &prerender.bypass_token {
        config["bypassToken"] = json!(token);
    }
    let mut parts = Vec::new();
    if let Some(fallback) = &prerender.fallback
        && let Some(from) = output.files.fallbacks.get(&fallback.digest)
    {
        let extension = from.extension().map(|end| format!(".{}", end.to_string_lossy())).unwrap_or_default();
        let place = place(&format!("fallback{extension}"));
        config["fallback"] = json!(place.rsplit('/').next());
        config["initialStatus"] = json!(fallback.status);
        config["initialHeaders"] = json!(fallback.headers);
        parts.push(Part { place, made_of: fallback.digest, content: PartContent::Copy(from.clone()) });
    }
    let text = format!("{config:#}\n");
    let made_of = Digest::of(text.as_bytes());
    parts.push(Part { place: place("config.json"), made_of, content: PartContent::Text(text) });
    parts
}

fn config(output: &BuildOutput) -> String {
    let manifest = output.manifest();
    let mut config = json!({ "version": 3, "routes": manifest.routes(), "ship": { "cors": manifest.cors() } });
    let overrides = overrides(manifest);
    if !overrides.is_empty() {
        config["overrides"] = overrides.into();
    }
    for (key, value) in &output.passed_on {
        config[key] = value.clone();
    }
    format!("{config:#}\n")
}

/// What is served as something else than its name says.
fn overrides(manifest: &Manifest) -> Map<String, Value> {
    let differing = manifest.assets().iter().filter(|asset| asset.media_type != media_type(&asset.path));
    let entry = |asset: &Asset| (asset.path.to_string(), json!({ "contentType": asset.media_type.as_str() }));
    differing.map(entry).collect()
}

fn function_config(output: &BuildOutput, built: &BuiltFunction) -> String {
    let function = &built.function;
    let mut config = json!({
        "runtime": "executable",
        "handler": function.runtime.entry(),
        "runtimeLanguage": function.runtime,
        "architecture": output.arch.build_output_name(),
        "memory": function.limits.memory_mb,
        "maxDuration": function.limits.timeout_secs,
        "maxConcurrency": function.limits.concurrency,
        "supportsResponseStreaming": true,
    });
    // What the other keys cannot say, so that the output deployed as it is is the very same deployment.
    config["ship"] = json!({ "runtime": function.runtime, "limits": function.limits });
    if !function.layers.is_empty() {
        config["ship"]["layers"] = json!(function.layers);
    }
    if !function.warm.is_empty() {
        config["ship"]["warm"] = json!(function.warm);
    }
    format!("{config:#}\n")
}

/// Unpacks an artifact that this crate made.
fn unpack(artifact: &Path, folder: &Path) -> Result<(), WriteOutputError> {
    let unreadable = |source| WriteOutputError { path: artifact.to_owned(), source };
    let mut zip = File::open(artifact).and_then(|file| Ok(ZipArchive::new(file)?)).map_err(unreadable)?;
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).map_err(|error| unreadable(error.into()))?;
        let name = entry.name().map_err(io::Error::from);
        let name = name.and_then(|name| name.parse::<SitePath>().map_err(io::Error::other)).map_err(unreadable)?;
        let place = folder.join(name.as_str());
        make_folder(place.parent().unwrap_or(folder))?;
        unpack_one(&mut entry, &place).map_err(|source| WriteOutputError { path: place, source })?;
    }
    Ok(())
}

fn unpack_one(entry: &mut ZipFile<'_, File>, place: &Path) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    if entry.is_symlink() {
        return std::os::unix::fs::symlink(io::read_to_string(entry)?, place);
    }
    let mode = entry.unix_mode().unwrap_or(0o644) & 0o777;
    let mut file = File::options().write(true).create_new(true).mode(mode).open(place)?;
    io::copy(entry, &mut file).map(drop)
}

fn write_text(file: &Path, text: &str) -> Result<(), WriteOutputError> {
    std::fs::write(file, text).map_err(|source| WriteOutputError { path: file.to_owned(), source })
}

fn make_folder(folder: &Path) -> Result<(), WriteOutputError> {
    std::fs::create_dir_all(folder).map_err(|source| WriteOutputError { path: folder.to_owned(), source })
}

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
