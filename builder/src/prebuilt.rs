//! The Build Output API v3 as a source: what an adapter of a framework left in `.vercel/output`, or `ship build` in
//! `.ship/output`, becomes the same parts that other builds are made of.

mod config;
mod elf;
mod error;
mod folder;
mod function;
mod images;
mod pack;
mod parts;
mod prerender;
mod routes;
mod wildcard;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use ship_core::route::{Phase, Route, RouteTable};
use ship_core::{Asset, CorsRule, MediaType, SitePath};

use crate::artifact::{ArtifactError, CachedArtifact, digest_file};
use crate::build::BuiltLayer;
use crate::detect::{DetectedFunction, ProjectWarning};
use crate::environment::Architecture;
use crate::tree::{self, shown_below};

pub use error::PrebuiltError;
pub(crate) use folder::{PackedFile, files_of};
pub(crate) use pack::build;
pub(crate) use parts::{FunctionFiles, Start};
pub(crate) use prerender::{KeptPage, digested};

use config::OutputConfig;
use prerender::Page;

/// Where the outputs stand that ship takes as they are, below the project.
pub(crate) const OUTPUT_FOLDERS: [&str; 2] = [".vercel/output", ".ship/output"];

/// The file that says that a folder is an output.
pub(crate) const CONFIG_JSON: &str = "config.json";

/// An output, read and checked. Nothing is packed yet.
#[derive(Debug)]
pub(crate) struct Prebuilt {
    /// The folder of its static files, which may be absent.
    pub(crate) statics: PathBuf,
    /// What is known of static files besides their content.
    pub(crate) overrides: Overrides,
    /// Its functions, sorted by name.
    pub(crate) functions: Vec<PrebuiltFunction>,
    /// The pages that are kept and made anew.
    pub(crate) pages: Vec<KeptPage>,
    pub(crate) routes: RouteTable,
    pub(crate) cors: Option<Vec<CorsRule>>,
    pub(crate) warnings: Vec<ProjectWarning>,
    /// Keys of its configuration that ship only passes on.
    pub(crate) passed_on: serde_json::Map<String, serde_json::Value>,
}

/// Which static files are served elsewhere than where they stand, and as what.
#[derive(Clone, Debug, Default)]
pub(crate) struct Overrides {
    entries: Vec<Override>,
}

/// One static file that is served in its own way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Override {
    /// The file: relative to the folder of static files, or, for one that stands elsewhere, where it is.
    pub(crate) file: OverriddenFile,
    /// Where it is served, if not where it stands.
    pub(crate) path: Option<SitePath>,
    /// As what it is served, if not as its name says.
    pub(crate) media_type: Option<MediaType>,
}

/// The file that an override is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum OverriddenFile {
    /// One of the static files.
    Static(SitePath),
    /// The page that a function has left for the time until it is asked.
    Fallback(PathBuf),
}

impl Overrides {
    /// Says something about further files.
    pub(crate) fn extend(&mut self, entries: impl IntoIterator<Item = Override>) {
        self.entries.extend(entries);
    }

    /// What is said about the static file at `path`.
    pub(crate) fn of(&self, path: &SitePath) -> Option<&Override> {
        self.entries.iter().find(|entry| matches!(&entry.file, OverriddenFile::Static(file) if file == path))
    }

    /// Files that stand elsewhere, each with where it is served.
    pub(crate) fn fallbacks(&self) -> impl Iterator<Item = (&Path, &SitePath, Option<&MediaType>)> {
        self.entries.iter().filter_map(|entry| match &entry.file {
            OverriddenFile::Fallback(file) => Some((file.as_path(), entry.path.as_ref()?, entry.media_type.as_ref())),
            OverriddenFile::Static(_) => None,
        })
    }
}

/// A function of an output.
#[derive(Debug)]
pub(crate) struct PrebuiltFunction {
    pub(crate) detected: DetectedFunction,
    pub(crate) parts: Parts,
}

/// What a function is made of.
#[derive(Debug)]
pub(crate) enum Parts {
    /// Files that are still to be packed.
    Files(FunctionFiles),
    /// An artifact that ship has packed before, with its layers.
    Packed(CachedArtifact, Vec<BuiltLayer>),
}

/// The output of the project at `project` that is to be deployed as it is: the one that was made last.
pub(crate) fn find(base: &Path) -> Option<PathBuf> {
    let made = |folder: &PathBuf| folder.join(CONFIG_JSON).metadata().and_then(|file| file.modified()).ok();
    let folders = OUTPUT_FOLDERS.iter().map(|folder| base.join(folder));
    folders.filter_map(|folder| Some((made(&folder)?, folder))).max_by_key(|(made, _)| *made).map(|(_, folder)| folder)
}

/// Reads the output in `folder`, of a project whose root is `project`.
pub(crate) fn read(folder: &Path, project: &Path, arch: Architecture) -> Result<Prebuilt, PrebuiltError> {
    let folder = tree::follow(folder, project)?;
    let place = Place { folder: &folder, project, arch };
    let config = OutputConfig::read(&place)?;
    let mut warnings = Vec::new();
    let mut routes = routes::read(&place, config.routes, (config.images, config.wildcard), &mut warnings)?;
    let mut overrides = config::overrides(&place, config.overrides)?;
    let functions = function::find(&place, &routes)?;
    let mut pages = Vec::new();
    for page in prerender::find(&place)? {
        match page {
            Page::Kept(page) => pages.push(page),
            Page::File(entry, headers) => {
                if let Some(path) = entry.path.as_ref().filter(|_| !headers.is_empty()) {
                    routes.push(Phase::Hit, prerender::headers_route(path, headers));
                }
                overrides.entries.push(entry);
            }
        }
    }
    Ok(Prebuilt {
        statics: match folder.join("static") {
            link if link.is_symlink() => tree::follow(&link, project)?,
            statics => statics,
        },
        overrides,
        functions,
        pages,
        routes,
        cors: config.ship.cors,
        warnings,
        passed_on: config.passed_on,
    })
}

/// Where an output is, and what it is to run on.
struct Place<'p> {
    folder: &'p Path,
    project: &'p Path,
    arch: Architecture,
}

impl Place<'_> {
    /// How a path is named in messages.
    fn shown(&self, path: &Path) -> PathBuf {
        shown_below(self.project, path)
    }

    /// The text of a file.
    fn read(&self, path: &Path) -> Result<Vec<u8>, PrebuiltError> {
        std::fs::read(path).map_err(|source| PrebuiltError::Unreadable { path: self.shown(path), source })
    }

    /// A file of JSON.
    fn read_json<T: serde::de::DeserializeOwned>(&self, path: &Path) -> Result<T, PrebuiltError> {
        serde_json::from_slice(&self.read(path)?).map_err(|error| PrebuiltError::Json {
            place: format!("{}:{}:{}", self.shown(path).display(), error.line(), error.column()),
            reason: crate::json::reason(&error),
        })
    }
}

impl Prebuilt {
    /// Adds the functions of the output to the project's own, which must not have the same names.
    pub(crate) fn add_functions(&self, own: &mut Vec<DetectedFunction>) -> Result<(), PrebuiltError> {
        for function in &self.functions {
            let detected = &function.detected;
            if let Some(same) = own.iter().find(|own| own.name == detected.name) {
                let (first, second) = (same.file.clone(), detected.file.clone());
                return Err(PrebuiltError::Conflict { first, second, route: detected.name.route() });
            }
            own.push(detected.clone());
        }
        own.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(())
    }
}

impl Overrides {
    /// Puts the assets where they are served, adds those that stand elsewhere, and gives the file of each that does not stand
    /// below `statics` at its own path.
    pub(crate) fn apply(
        &self,
        assets: &mut Vec<Asset>,
        statics: &Path,
    ) -> Result<HashMap<SitePath, PathBuf>, ArtifactError> {
        let mut placed = HashMap::new();
        for asset in assets.iter_mut() {
            let Some(entry) = self.of(&asset.path) else { continue };
            if let Some(path) = &entry.path {
                placed.insert(path.clone(), statics.join(asset.path.as_str()));
                asset.path = path.clone();
            }
            if let Some(media_type) = &entry.media_type {
                asset.media_type = media_type.clone();
            }
        }
        let fallbacks: Vec<_> = self.fallbacks().collect();
        let digest = |(file, ..): &(&Path, &SitePath, Option<&MediaType>)| {
            let read = || digest_file(&mut std::fs::File::open(file)?);
            read().map_err(|source| ArtifactError::Unwritable { path: (*file).to_owned(), source })
        };
        let digested = fallbacks.par_iter().map(digest).collect::<Result<Vec<_>, _>>()?;
        for ((file, path, media_type), (digest, size_bytes)) in fallbacks.into_iter().zip(digested) {
            let media_type = media_type.cloned().unwrap_or_else(|| crate::assets::media_type(path));
            placed.insert(path.clone(), file.to_owned());
            assets.push(Asset { path: path.clone(), digest, size_bytes, media_type });
        }
        assets.sort_unstable_by(|left, right| left.path.cmp(&right.path));
        Ok(placed)
    }
}

/// The routes of an output beside those of functions and of configuration: phase by phase, the project's own go first. The
/// project's dynamic functions go before the output's catch-all, where that stands in an earlier phase.
pub(crate) fn merge_routes(own: &RouteTable, of_output: &RouteTable) -> RouteTable {
    let mut merged = RouteTable::new();
    let mut push = |phase, routes: &[Route]| routes.iter().for_each(|route| merged.push(phase, route.clone()));
    let has_catch_all = [Phase::Filesystem, Phase::Miss].iter().any(|phase| !of_output.phase(*phase).is_empty());
    for phase in Phase::ALL {
        push(phase, own.phase(phase));
        if phase == Phase::Filesystem && has_catch_all {
            push(phase, own.phase(Phase::Rewrite));
        }
        push(phase, of_output.phase(phase));
    }
    merged
}
