//! Where a project's static files are, and which of the files there belong to the site.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use globset::GlobSet;
use ship_core::SitePath;
use toml::Spanned;

use crate::config::{BuildEntry, ConfigError, ConfigText};
use crate::project::ProjectDir;
use crate::tree::{self, Selection, TreeError, follow, shown_below, special_kind};

use super::{DetectError, DetectedFunction, Reach, middleware};
use crate::python;

/// Files in the root of a project that are about the project, not of its site.
const PROJECT_FILES: [&str; 43] = [
    "bun.lock",
    "bun.lockb",
    "cargo.lock",
    "cargo.toml",
    "compose.yaml",
    "compose.yml",
    "composer.json",
    "composer.lock",
    "deno.json",
    "deno.lock",
    "go.mod",
    "go.sum",
    "go.work",
    "go.work.sum",
    "jsconfig.json",
    "justfile",
    "lerna.json",
    "makefile",
    "mypy.ini",
    "now.json",
    "npm-shrinkwrap.json",
    "nx.json",
    "package-lock.json",
    "package.json",
    "pdm.lock",
    "pipfile",
    "pipfile.lock",
    "pnpm-lock.yaml",
    "pnpm-workspace.yaml",
    "poetry.lock",
    "pylock.toml",
    "pyproject.toml",
    "pytest.ini",
    "requirements.txt",
    "ruff.toml",
    "setup.cfg",
    "ship.toml",
    "tox.ini",
    "turbo.json",
    "uv.lock",
    "uv.toml",
    "vercel.json",
    "yarn.lock",
];

/// How large such a file is at most, in bytes. Lock files of large projects have some ten million.
const MAX_PROJECT_FILE_BYTES: u64 = 128 * 1024 * 1024;

/// Files that are about a module or a package, in whichever folder it stands.
const MANIFESTS: [&str; 6] = ["cargo.lock", "cargo.toml", "go.mod", "go.sum", "go.work", "go.work.sum"];

/// How names of such files begin.
const PROJECT_FILE_PREFIXES: [&str; 10] = [
    "changelog",
    "containerfile",
    "contributing",
    "docker-compose",
    "dockerfile",
    "licence",
    "license",
    "readme",
    "requirements",
    "tsconfig",
];

/// The folder that holds the static files.
#[derive(Clone, Debug)]
pub(crate) struct SiteFolder {
    /// The project's root, which no symlink may leave.
    pub(crate) project: PathBuf,
    /// The folder that `api/` stands in.
    pub(crate) base: PathBuf,
    /// The folder of the static files.
    pub(crate) folder: PathBuf,
    pub(crate) kind: SiteFolderKind,
    /// Which files of it are the site, where somebody has named them.
    pub(crate) named: Option<NamedFiles>,
    /// The folder of the site that they are served in, if it is not the site's root.
    pub(crate) mount: Option<SitePath>,
}

/// Files that somebody has named by globs.
#[derive(Clone, Default, Debug)]
pub(crate) struct NamedFiles {
    pub(super) globs: GlobSet,
    /// Those that functions are made of: nobody gets their sources.
    pub(super) sources: BTreeSet<String>,
}

impl NamedFiles {
    fn hold(&self, path: &str) -> bool {
        self.globs.is_match(path) && !self.sources.contains(path)
    }
}

/// Why it is this folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum SiteFolderKind {
    /// It is `public/`, or the configuration names it: everything in it is the site.
    Output,
    /// Nothing else was there: the project folder, without what is about the project.
    ProjectFolder,
    /// The project folder, of which only what is named is the site.
    Named,
    /// None: there is no `public/`, and the project is a server that answers everything itself.
    Nothing,
}

/// The folder that the site is built from: the project's, or `[build] root` below it.
pub(super) fn base_folder(
    text: ConfigText<'_>,
    build: &BuildEntry,
    project: &ProjectDir,
) -> Result<PathBuf, DetectError> {
    match &build.root {
        None => Ok(project.root().to_owned()),
        Some(root) => named_folder(text, "root", root, project.root(), project),
    }
}

/// Finds the folder of the static files.
pub(super) fn static_folder(
    text: ConfigText<'_>,
    build: &BuildEntry,
    project: &ProjectDir,
    base: PathBuf,
    functions: &[DetectedFunction],
) -> Result<SiteFolder, DetectError> {
    let site = |folder: PathBuf, base: PathBuf, kind| SiteFolder {
        project: project.root().to_owned(),
        base,
        folder,
        kind,
        named: None,
        mount: None,
    };
    if let Some(output) = build.output.as_ref().filter(|output| !output.get_ref().trim().is_empty()) {
        let folder = named_folder(text, text.key("output", "outputDirectory"), output, &base, project)?;
        let kind = if folder == base { SiteFolderKind::ProjectFolder } else { SiteFolderKind::Output };
        return Ok(site(folder, base, kind));
    }
    let public = base.join("public");
    if public.is_dir() {
        let folder = tree::follow(&public, project.root())?;
        return Ok(site(folder, base, SiteFolderKind::Output));
    }
    // What stands around a server are its sources and its templates.
    let is_server = |function: &DetectedFunction| function.reach == Reach::Site && !function.file.starts_with("api/");
    let kind = if functions.iter().any(is_server) { SiteFolderKind::Nothing } else { SiteFolderKind::ProjectFolder };
    Ok(site(base.clone(), base, kind))
}

fn named_folder(
    text: ConfigText<'_>,
    key: &str,
    written: &Spanned<String>,
    base: &Path,
    project: &ProjectDir,
) -> Result<PathBuf, DetectError> {
    let wrong = |reason: &str| -> ConfigError {
        text.error(written.span(), format!("`{key}` names `{}`, {reason}", written.get_ref()))
    };
    let location = base.join(written.get_ref());
    if !location.is_dir() {
        let question = if key == "root" { "" } else { ": was the frontend built?" };
        return Err(wrong(&format!("which is not a folder{question}")).into());
    }
    match tree::follow(&location, project.root()) {
        Ok(folder) => Ok(folder),
        Err(tree::TreeError::SymlinkLeavesProject { .. }) => Err(wrong("which is outside of the project").into()),
        Err(other) => Err(other.into()),
    }
}

impl SiteFolder {
    /// Where the file at `path` of the folder is served.
    pub(crate) fn served_at(&self, path: SitePath) -> SitePath {
        let Some(mount) = &self.mount else { return path };
        format!("{mount}/{path}").parse().unwrap_or(path)
    }

    /// The file that is served at `path`.
    pub(crate) fn file_of(&self, path: &SitePath) -> PathBuf {
        let below = |mount: &SitePath| path.as_str().strip_prefix(mount.as_str())?.strip_prefix('/');
        self.folder.join(self.mount.as_ref().and_then(below).unwrap_or(path.as_str()))
    }

    /// The folder of a project itself.
    pub(super) fn of_project(project: &ProjectDir, base: PathBuf) -> Self {
        let (project, folder) = (project.root().to_owned(), base.clone());
        Self { project, folder, base, kind: SiteFolderKind::ProjectFolder, named: None, mount: None }
    }

    /// The files of a project that somebody has named.
    pub(super) fn of_named(project: &ProjectDir, base: PathBuf, named: NamedFiles) -> Self {
        let kind = if named.globs.is_empty() { SiteFolderKind::Nothing } else { SiteFolderKind::Named };
        Self { kind, named: Some(named), ..Self::of_project(project, base) }
    }

    /// Which files of the folder belong to the site.
    pub(crate) fn selection(&self) -> impl Selection {
        let is_project_folder = self.kind == SiteFolderKind::ProjectFolder;
        let has = |name: &str| is_project_folder && self.folder.join(name).exists();
        SiteSelection {
            folder: self.folder.clone(),
            kind: self.kind,
            named: self.named.clone().unwrap_or_default(),
            has_go_module: has("go.mod"),
            has_cargo_package: has("Cargo.toml"),
            is_python_project: is_project_folder
                && (python::is_python_project(&self.folder) || python::is_python_project(&self.folder.join("api"))),
        }
    }
}

struct SiteSelection {
    folder: PathBuf,
    kind: SiteFolderKind,
    named: NamedFiles,
    has_go_module: bool,
    has_cargo_package: bool,
    is_python_project: bool,
}

impl Selection for SiteSelection {
    fn enters(&self, path: &str, name: &str) -> bool {
        if name.starts_with('.') && name != ".well-known" {
            return false;
        }
        match self.kind {
            SiteFolderKind::Output => true,
            SiteFolderKind::Nothing => false,
            SiteFolderKind::Named => name != "node_modules",
            SiteFolderKind::ProjectFolder => {
                let is_left_out = name == "node_modules"
                    || name == "__pycache__"
                    || path == "api"
                    || (path == "vendor" && self.has_go_module)
                    || (path == "target" && self.has_cargo_package)
                    || (self.is_python_project
                        && (python::is_virtual_environment(&self.folder.join(path))
                            || python::is_made_by_setuptools(&self.folder, path)));
                !is_left_out
            }
        }
    }

    /// Hidden files are never static: `.env` and its kin are among them.
    fn takes(&self, path: &str, name: &str) -> bool {
        match self.kind {
            _ if name.starts_with('.') => false,
            SiteFolderKind::Output => true,
            SiteFolderKind::Nothing => false,
            SiteFolderKind::Named => self.named.hold(path) && !is_project_file(path, name),
            // A page of a site without Python may well load a script in Python.
            SiteFolderKind::ProjectFolder => {
                let is_source = self.is_python_project && python::is_python_source(name);
                !(is_source || is_project_file(path, name))
            }
        }
    }
}

/// Looks whether what is read of a project by its name is a file of it, before it is read: nobody may write to a named pipe, a device has no end, and what
/// a symlink outside says is not the project's. A repository of somebody else can hold all of them.
pub(super) fn check_project_files(project: &ProjectDir) -> Result<(), TreeError> {
    let root = project.root();
    let unreadable = |path: &Path, source| TreeError::Unreadable { path: shown_below(root, path), source };
    for entry in std::fs::read_dir(root).map_err(|source| unreadable(root, source))? {
        let entry = entry.map_err(|source| unreadable(root, source))?;
        let name = entry.file_name().to_string_lossy().to_ascii_lowercase();
        let is_read = PROJECT_FILES.binary_search(&name.as_str()).is_ok() || MANIFESTS.contains(&name.as_str());
        if !is_read {
            continue;
        }
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            match follow(&path, root) {
                // Whoever wants to read it says that there is nothing.
                Err(TreeError::SymlinkBroken { .. } | TreeError::SymlinkLoop { .. }) => continue,
                followed => drop(followed?),
            }
        }
        let metadata = std::fs::metadata(&path).map_err(|source| unreadable(&path, source))?;
        if let Some(kind) = special_kind(metadata.file_type()) {
            return Err(TreeError::SpecialFile { path: shown_below(root, &path), kind });
        }
        if metadata.len() > MAX_PROJECT_FILE_BYTES {
            return Err(unreadable(&path, io::ErrorKind::FileTooLarge.into()));
        }
    }
    Ok(())
}

fn is_project_file(path: &str, name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let is_in_root = !path.contains('/');
    let is_manifest = MANIFESTS.contains(&name.as_str());
    let is_source = [".go", ".rs", ".pem", ".key"].iter().any(|extension| name.ends_with(extension));
    let is_config = [".config.js", ".config.mjs", ".config.cjs", ".config.ts"].iter().any(|end| name.ends_with(end));
    is_source
        || is_manifest
        || (is_in_root
            && (is_config
                || middleware::FILES.contains(&name.as_str())
                || PROJECT_FILES.binary_search(&name.as_str()).is_ok()
                || PROJECT_FILE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))))
}
