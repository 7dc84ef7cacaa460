//! The server of Next.js, as `next build` leaves it in its standalone output: a folder with everything that it needs but the
//! static files, which are added here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use minijinja::{Environment, context};
use serde_json::Value;
use ship_core::SitePath;

use super::guard::Guard;
use super::{files_below, is_fresh, of_statics, served_at};
use crate::detect::DetectedFunction;
use crate::node::{Calling, Helpers};
use crate::prebuilt::{FunctionFiles, PackedFile, Parts, Prebuilt, PrebuiltFunction, Start, files_of};
use crate::tree::TreeError;

/// What starts the server.
const START: &str = include_str!("templates/next.mjs.jinja");

/// Its name in the artifact.
const START_FILE: &str = "ship-next.mjs";

/// Where Next.js leaves its build, unless its configuration says otherwise.
const USUAL_FOLDER: &str = ".next";

/// What the build says of itself.
const REQUIRED_FILES: &str = "required-server-files.json";

/// Images may be fetched by the server from itself, when it makes smaller ones of them.
const IMAGES: [&str; 10] = ["avif", "bmp", "gif", "heic", "ico", "jpeg", "jpg", "png", "svg", "webp"];

/// A build with a standalone server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NextServer {
    /// The folder of the project.
    base: PathBuf,
    /// The folder of the build.
    dist: PathBuf,
    /// The folder of the project below the one that was traced: a package of a monorepo stands where it stood.
    app: String,
}

impl NextServer {
    /// The server in `dist`, if the build in there has one.
    pub(super) fn in_folder(dist: &Path) -> Option<Self> {
        let required: Value = serde_json::from_slice(&std::fs::read(dist.join(REQUIRED_FILES)).ok()?).ok()?;
        let app = required["relativeAppDir"].as_str().unwrap_or_default().to_owned();
        let server = Self { base: dist.parent()?.to_owned(), dist: dist.to_owned(), app };
        server.standalone().join("server.js").is_file().then_some(server)
    }

    /// The folder of the server that a build has left which began at `started`, relative to `base`: `named`, the usual one, or
    /// any that the project's configuration may have named.
    pub(crate) fn folder_of_build(base: &Path, named: Option<&str>, started: SystemTime) -> Option<PathBuf> {
        let others = std::fs::read_dir(base).into_iter().flatten().flatten().map(|entry| entry.file_name().into());
        let folders = named.into_iter().chain([USUAL_FOLDER]).map(PathBuf::from).chain(others);
        let is_it = |folder: &PathBuf| {
            let dist = base.join(folder);
            is_fresh(&dist.join(REQUIRED_FILES), started) && Self::in_folder(&dist).is_some()
        };
        folders.into_iter().find(is_it)
    }

    /// The folder that stands for the project's in the standalone output.
    fn standalone(&self) -> PathBuf {
        self.dist.join("standalone").join(&self.app)
    }

    /// The name of the build's folder.
    fn dist_name(&self) -> String {
        self.dist.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The file of the server, relative to the project.
    pub(super) fn file(&self) -> String {
        let server = self.standalone().join("server.js");
        server.strip_prefix(&self.base).unwrap_or(&server).to_string_lossy().into_owned()
    }

    /// What it becomes.
    pub(super) fn read(&self, function: DetectedFunction, project: &Path) -> Result<Prebuilt, TreeError> {
        let mut files = files_of(&self.dist.join("standalone"), project)?;
        // None of its own: what is served is said file by file.
        let mut prebuilt = of_statics(self.dist.join("standalone/no-static-files"));
        self.add_static_files(project, &mut files, &mut prebuilt)?;
        let start = self.start();
        let start = Start::Module { name: START_FILE, text: start, calling: CALLING };
        let parts = Parts::Files(FunctionFiles::with_packages_apart(files, start));
        prebuilt.functions.push(PrebuiltFunction { detected: self.with_own_limits(function), parts });
        Ok(prebuilt)
    }

    /// Puts each static file where it is served from: the host's own files, the server, or both.
    fn add_static_files(
        &self,
        project: &Path,
        files: &mut BTreeMap<String, PackedFile>,
        prebuilt: &mut Prebuilt,
    ) -> Result<(), TreeError> {
        let config = self.config();
        let guard = Guard::read(&self.dist);
        let base_path = config["basePath"].as_str().unwrap_or_default();
        // A prefix that is a path is one of this site; one with a host is another site's.
        let asset_prefix = config["assetPrefix"].as_str().filter(|prefix| prefix.starts_with('/')).unwrap_or(base_path);
        let dist_name = self.dist_name();
        let built = ("_next/static", self.dist.join("static"), format!("{dist_name}/static"));
        let public = ("", self.base.join("public"), "public".to_owned());
        for (below, folder, in_app) in [built, public] {
            let prefixes: &[&str] =
                if below.is_empty() || asset_prefix == base_path { &[base_path] } else { &[base_path, asset_prefix] };
            for file in files_below(&folder, project)? {
                let location = folder.join(file.path.as_str());
                let is_built = !below.is_empty();
                let paths = prefixes.iter().map(|prefix| url_path(prefix, below, file.path.as_str()));
                let is_guarded = |path: &String| match format!("/{path}") {
                    path if is_built => guard.sees_built(&path),
                    path => guard.sees(&path) || is_start_page(&path),
                };
                let (guarded, served): (Vec<String>, Vec<String>) = paths.partition(is_guarded);
                let is_image = file.path.extension().is_some_and(|ending| IMAGES.contains(&ending));
                if is_image || !guarded.is_empty() {
                    let name = [self.app.as_str(), in_app.as_str(), file.path.as_str()];
                    files.entry(joined(&name)).or_insert_with(|| PackedFile::of(location.clone()));
                }
                let served = served.iter().filter_map(|path| path.parse::<SitePath>().ok());
                prebuilt.overrides.extend(served.map(|path| served_at(path, location.clone())));
            }
        }
        Ok(())
    }

    /// The configuration that the build was made with.
    fn config(&self) -> Value {
        let bytes = std::fs::read(self.dist.join(REQUIRED_FILES)).unwrap_or_default();
        let mut required: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        required["config"].take()
    }

    /// The text of the module that starts it.
    fn start(&self) -> Vec<u8> {
        let values = context! { app => self.app.as_str(), dist => self.dist_name() };
        let text = Environment::new().render_str(START, values).expect("the template of this file renders");
        (text + "\n").into_bytes()
    }

    /// One function answers for all routes, so it may take as long as the one that may take longest (`maxDuration`), and loads
    /// all of them when it starts.
    fn with_own_limits(&self, mut function: DetectedFunction) -> DetectedFunction {
        let bytes = std::fs::read(self.dist.join("server/functions-config-manifest.json")).unwrap_or_default();
        let manifest: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let routes = manifest["functions"].as_object().into_iter().flat_map(|routes| routes.values());
        let seconds = routes.filter_map(|route| u32::try_from(route["maxDuration"].as_u64()?).ok());
        let longest = seconds.filter(|seconds| *seconds <= MAX_DURATION_SECS).max().unwrap_or_default();
        function.limits.timeout_secs = function.limits.timeout_secs.max(longest);
        function.limits.init_timeout_secs = function.limits.init_timeout_secs.max(INIT_SECS);
        function
    }
}

/// The longest that a request may take, in seconds.
const MAX_DURATION_SECS: u32 = 3600;

/// How long a site of many pages may take to start on a small machine, in seconds.
const INIT_SECS: u32 = 60;

const CALLING: Calling = Calling { is_edge: false, helpers: Helpers::None, is_middleware: false };

/// Next.js answers at `/` itself, also where there is a file that a host would take for the start page.
fn is_start_page(path: &str) -> bool {
    path.ends_with("/index.html")
}

fn url_path(prefix: &str, below: &str, path: &str) -> String {
    joined(&[prefix.trim_matches('/'), below, path])
}

/// A path of these parts, of which some may be empty.
fn joined(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    parts.join("/")
}
