//! What a build gives: a manifest, and where the bytes of each blob in it are.

mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ship_core::{Digest, Function, Layer, Manifest, PathClash, SitePath};

use crate::detect::SiteFolder;
use crate::environment::Architecture;

pub use write::{WriteOutputError, write_output};

/// A finished build.
#[derive(Debug)]
pub struct BuildOutput {
    manifest: Manifest,
    functions: Vec<BuiltFunction>,
    files: AssetFiles,
    arch: Architecture,
    /// Keys of a prebuilt output's configuration that are only passed on.
    passed_on: serde_json::Map<String, serde_json::Value>,
    timings: BuildTimings,
    canonical_json: OnceLock<Vec<u8>>,
    sources: OnceLock<HashMap<Digest, PathBuf>>,
}

/// Where the static files of a build stand.
#[derive(Debug)]
pub(crate) struct AssetFiles {
    /// The folder of nearly all.
    pub(crate) site: SiteFolder,
    /// Those that stand elsewhere than they are served.
    pub(crate) placed: HashMap<SitePath, PathBuf>,
    /// Those that are not served as files, but as the first answers of functions.
    pub(crate) fallbacks: HashMap<Digest, PathBuf>,
    /// How many had to be read.
    pub(crate) read: usize,
}

impl AssetFiles {
    /// The file that is served at `path`.
    pub(crate) fn of(&self, path: &SitePath) -> PathBuf {
        self.placed.get(path).cloned().unwrap_or_else(|| self.site.file_of(path))
    }

    /// The same clash with the names of the files in the project.
    pub(crate) fn name(&self, PathClash { one, other, difference }: PathClash) -> PathClash {
        let name = |path: SitePath| {
            let file = self.of(&path);
            let named = file.strip_prefix(&self.site.project).ok().and_then(Path::to_str);
            named.and_then(|name| name.parse().ok()).unwrap_or(path)
        };
        PathClash { one: name(one), other: name(other), difference }
    }
}

/// A function that was built.
#[derive(Clone, Debug)]
pub struct BuiltFunction {
    /// As it stands in the manifest.
    pub function: Function,
    /// The path it answers at: `/api/date`.
    pub route: String,
    /// Its file, relative to the folder that `api/` stands in.
    pub file: String,
    /// Whether the build cache had it.
    pub cached: bool,
    artifact: PathBuf,
    /// The zips of its layers, in their order.
    layers: Vec<PathBuf>,
}

/// How long the parts of a build took. `build` and `hash` run at the same time.
#[derive(Clone, Copy, Default, Debug)]
pub struct BuildTimings {
    /// Reading the configuration and finding files and sources.
    pub detect: Duration,
    /// Building the frontend, or finding out that it is built.
    pub frontend: Duration,
    /// Compiling and packing functions, or finding them in the build cache.
    pub build: Duration,
    /// Digesting static files.
    pub hash: Duration,
}

/// Where the bytes of a blob are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BlobSource {
    /// In a file, which may have changed since: whoever reads it checks the digest.
    File(PathBuf),
    /// In memory.
    Bytes(Arc<[u8]>),
}

impl BuildOutput {
    pub(crate) fn new(
        manifest: Manifest,
        functions: Vec<BuiltFunction>,
        files: AssetFiles,
        arch: Architecture,
        passed_on: serde_json::Map<String, serde_json::Value>,
        timings: BuildTimings,
    ) -> Self {
        let (canonical_json, sources) = (OnceLock::new(), OnceLock::new());
        Self { manifest, functions, files, arch, passed_on, timings, canonical_json, sources }
    }

    /// All that the deployment is.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest's canonical encoding, computed once.
    pub fn canonical_json(&self) -> &[u8] {
        self.canonical_json.get_or_init(|| self.manifest.to_canonical_json())
    }

    /// The functions, sorted by name.
    pub fn functions(&self) -> &[BuiltFunction] {
        &self.functions
    }

    /// The processor that the functions were compiled for.
    pub fn arch(&self) -> Architecture {
        self.arch
    }

    /// How many static files there are.
    pub fn static_files(&self) -> usize {
        self.manifest.assets().len()
    }

    /// How many bytes the static files have.
    pub fn static_bytes(&self) -> u64 {
        self.manifest.assets().iter().map(|asset| asset.size_bytes).sum()
    }

    /// How many static files had to be read; the others were known from an earlier build.
    pub fn read_files(&self) -> usize {
        self.files.read
    }

    /// How long the parts took.
    pub fn timings(&self) -> BuildTimings {
        self.timings
    }

    /// Where the bytes of a blob of the manifest are.
    pub fn blob_source(&self, digest: &Digest) -> Option<BlobSource> {
        self.sources().get(digest).cloned().map(BlobSource::File)
    }

    /// The files behind the blobs. Few deployments miss any, so the table is made when the first is asked for.
    fn sources(&self) -> &HashMap<Digest, PathBuf> {
        self.sources.get_or_init(|| {
            let assets = self.manifest.assets().iter();
            let assets = assets.map(|asset| (asset.digest, self.files.of(&asset.path)));
            let artifacts = self.functions.iter().map(|built| (built.function.digest, built.artifact.clone()));
            let layers = self.functions.iter().flat_map(BuiltFunction::layers);
            let layers = layers.map(|(layer, file)| (layer.digest, file.to_owned()));
            let fallbacks = self.files.fallbacks.iter().map(|(digest, file)| (*digest, file.clone()));
            assets.chain(artifacts).chain(layers).chain(fallbacks).collect()
        })
    }
}

impl BuiltFunction {
    pub(crate) fn new(function: Function, file: String, cached: bool, artifact: PathBuf, layers: Vec<PathBuf>) -> Self {
        let route = function.name.route();
        Self { function, route, file, cached, artifact, layers }
    }

    /// Its layers, each with its zip.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (&Layer, &Path)> {
        self.function.layers.iter().zip(self.layers.iter().map(PathBuf::as_path))
    }
}
