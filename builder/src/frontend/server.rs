//! Servers that frameworks leave beside the static files of a site: where each stands, and what becomes of it, which is one
//! function that answers wherever no file does.

mod guard;
pub(super) mod layouts;
mod next;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use ship_core::route::RouteTable;
use ship_core::{MediaType, SitePath};

use crate::detect::DetectedFunction;
use crate::node::{Calling, Helpers, NodeSource};
use crate::prebuilt::{FunctionFiles, OverriddenFile, Override, Parts, Prebuilt, PrebuiltFunction, Start, files_of};
use crate::tree::{self, Selection, TreeError, TreeFile, shown_below};

pub(crate) use next::NextServer;

/// How a framework leaves its server.
#[derive(PartialEq, Eq, Debug)]
pub(crate) struct ServerLayout {
    /// The folder that the build leaves, relative to the one that it runs in.
    pub(super) folder: &'static str,
    /// The module of the server, relative to that folder. It may also stand in the one folder beside that place which has one:
    /// presets for Vercel put bundles of routes there.
    pub(super) entry: &'static str,
    /// The folder of static files, relative to that folder.
    pub(super) statics: &'static str,
    /// The folder of pages that were made beforehand, relative to that folder: `about.html` is the page `/about`.
    pub(super) pages: Option<&'static str>,
    pub(super) kind: ServerKind,
}

/// What the module of a server needs beside itself.
#[derive(PartialEq, Eq, Debug)]
pub(crate) enum ServerKind {
    /// Nothing but what stands in its folder: the framework has put all packages there.
    Complete,
    /// The project's packages, and a module that makes a handler of what it exports. `{entry}` stands for the server's own.
    Module(&'static str),
}

/// The server that a build has left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FrameworkServer {
    /// That of Next.js.
    Next(NextServer),
    /// Any other, in the folder that its build runs in.
    Other {
        base: PathBuf,
        layout: &'static ServerLayout,
        /// Its module, relative to the folder of the layout.
        entry: String,
    },
}

/// The parts of a deployment that a server and its static files make.
pub(crate) struct ServerParts {
    pub(crate) prebuilt: Prebuilt,
    /// The source that is still to be bundled, if the server is not complete by itself.
    pub(crate) source: Option<NodeSource>,
}

impl ServerLayout {
    /// The module of the server in `base`, relative to the layout's folder, if it is there and no other could be meant.
    fn entry(&self, base: &Path) -> Option<String> {
        let folder = base.join(self.folder);
        if folder.join(self.entry).is_file() {
            return Some(self.entry.to_owned());
        }
        let (place, name) = self.entry.rsplit_once('/')?;
        let bundles = std::fs::read_dir(folder.join(place)).into_iter().flatten().flatten();
        let bundles = bundles.filter_map(|bundle| Some(format!("{place}/{}/{name}", bundle.file_name().to_str()?)));
        let mut bundles = bundles.filter(|entry| folder.join(entry).is_file());
        bundles.next().filter(|_| bundles.next().is_none())
    }

    /// Whether a build that began at `started` has left it.
    pub(super) fn is_fresh(&self, base: &Path, started: SystemTime) -> bool {
        self.entry(base).is_some_and(|entry| is_fresh(&base.join(self.folder).join(entry), started))
    }
}

/// How far the clock of file systems may be behind: a tick of the kernel, in which a short build begins and ends.
const FILE_CLOCK_LAG: Duration = Duration::from_millis(20);

/// Whether a file was written since `started`.
pub(super) fn is_fresh(file: &Path, started: SystemTime) -> bool {
    file.metadata().and_then(|file| file.modified()).is_ok_and(|modified| modified + FILE_CLOCK_LAG >= started)
}

impl FrameworkServer {
    /// The server in `output`, a folder that a build with one of `layouts` has left below `base`.
    pub(super) fn find(base: &Path, output: &Path, layouts: &'static [ServerLayout]) -> Option<Self> {
        if let Some(server) = NextServer::in_folder(&base.join(output)) {
            return Some(Self::Next(server));
        }
        let mut layouts = layouts.iter().filter(|layout| Path::new(layout.folder) == output);
        layouts.find_map(|layout| Some(Self::Other { base: base.to_owned(), layout, entry: layout.entry(base)? }))
    }

    /// The file of the server, relative to the folder that the build runs in.
    pub(crate) fn file(&self) -> String {
        match self {
            Self::Next(server) => server.file(),
            Self::Other { layout, entry, .. } => format!("{}/{entry}", layout.folder),
        }
    }

    /// What it becomes: `function` answers wherever no static file does. No link may leave `project`.
    pub(crate) fn read(&self, function: DetectedFunction, project: &Path) -> Result<ServerParts, TreeError> {
        match self {
            Self::Next(server) => Ok(ServerParts { prebuilt: server.read(function, project)?, source: None }),
            Self::Other { base, layout, entry } => layout.read(base, entry, function, project),
        }
    }
}

impl ServerLayout {
    fn read(
        &self,
        base: &Path,
        entry: &str,
        function: DetectedFunction,
        project: &Path,
    ) -> Result<ServerParts, TreeError> {
        let folder = base.join(self.folder);
        let mut prebuilt = of_statics(folder.join(self.statics));
        if let Some(pages) = self.pages.map(|pages| folder.join(pages)) {
            let files = files_below(&pages, project)?;
            let page = |file: TreeFile| Some(served_at(page_path(&file.path)?, pages.join(file.path.as_str())));
            prebuilt.overrides.extend(files.into_iter().filter_map(page));
        }
        let source = match self.kind {
            ServerKind::Complete => {
                let (below, entry) = entry.split_once('/').unwrap_or(("", entry));
                let files = files_of(&folder.join(below), project)?;
                let calling = Calling { is_edge: false, helpers: Helpers::None, is_middleware: false };
                let start = Start::Node { entry: entry.to_owned(), calling, environment: BTreeMap::new() };
                let parts = Parts::Files(FunctionFiles::with_packages_apart(files, start));
                prebuilt.functions.push(PrebuiltFunction { detected: function, parts });
                None
            }
            ServerKind::Module(module) => {
                let file = format!("{}/{entry}", self.folder);
                let (_, name) = entry.rsplit_once('/').unwrap_or(("", entry));
                Some(NodeSource::made(base, &file, module.replace("{entry}", name)))
            }
        };
        Ok(ServerParts { prebuilt, source })
    }
}

/// A deployment of static files, so far.
fn of_statics(statics: PathBuf) -> Prebuilt {
    Prebuilt {
        statics,
        overrides: crate::prebuilt::Overrides::default(),
        functions: Vec::new(),
        pages: Vec::new(),
        routes: RouteTable::new(),
        cors: None,
        warnings: Vec::new(),
        passed_on: serde_json::Map::new(),
    }
}

/// Where a page is served that stands at `file`.
fn page_path(file: &SitePath) -> Option<SitePath> {
    let is_index = file.file_name() == "index.html";
    file.as_str().strip_suffix(".html").filter(|_| !is_index).unwrap_or(file.as_str()).parse().ok()
}

/// A file that is served at `path`, wherever it stands. What it is, its own name says.
fn served_at(path: SitePath, file: PathBuf) -> Override {
    let name = file.file_name().and_then(|name| name.to_str()?.parse().ok());
    let media_type: Option<MediaType> = name.map(|name: SitePath| crate::assets::media_type(&name));
    Override { file: OverriddenFile::Fallback(file), path: Some(path), media_type }
}

/// The files below a folder, none if it is not there. No link may leave `project`.
fn files_below(folder: &Path, project: &Path) -> Result<Vec<TreeFile>, TreeError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let real =
        folder.canonicalize().map_err(|source| TreeError::Unreadable { path: shown_below(project, folder), source })?;
    tree::walk(&real, project, &Published)
}

/// What of a folder of static files is published: no hidden files, among which secrets are.
struct Published;

impl Selection for Published {
    fn enters(&self, _: &str, name: &str) -> bool {
        !name.starts_with('.') || name == ".well-known"
    }

    fn takes(&self, _: &str, name: &str) -> bool {
        !name.starts_with('.')
    }
}
