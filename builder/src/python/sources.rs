//! What of a project its functions may import or open: everything but what is about the project, belongs to other languages,
//! or was made by tools.

use std::path::{Path, PathBuf};

use crate::assets::FoundFiles;
use crate::detect::{IgnoreFile, SiteFolder, SiteFolderKind};
use crate::tree::{self, FileStat, Selection, TreeError, TreeFile};

/// Files that say of a folder that it is a Python project.
const PROJECT_FILES: [&str; 8] = [
    "Pipfile",
    "Pipfile.lock",
    "manage.py",
    "poetry.lock",
    "pylock.toml",
    "pyproject.toml",
    "requirements.txt",
    "uv.lock",
];

/// Files that no program reads while it runs, and some of which name private indexes. A change of one is no change of the
/// functions; one that a program does read is taken along by `include_files`.
const LEFT_OUT: [&str; 23] = [
    "Cargo.lock",
    "Cargo.toml",
    "Pipfile",
    "Pipfile.lock",
    "bun.lock",
    "bun.lockb",
    "go.mod",
    "go.sum",
    "go.work",
    "go.work.sum",
    "package-lock.json",
    "package.json",
    "pdm.lock",
    "pnpm-lock.yaml",
    "poetry.lock",
    "pylock.toml",
    "requirements.txt",
    "ship.toml",
    "tsconfig.json",
    "uv.lock",
    "uv.toml",
    "vercel.json",
    "yarn.lock",
];

/// Endings of what Python makes of its sources, and of sources in other languages.
const LEFT_OUT_ENDINGS: [&str; 9] = [".astro", ".go", ".jsx", ".pyc", ".pyo", ".rs", ".svelte", ".ts", ".tsx"];

/// Folders that tools make.
const LEFT_OUT_FOLDERS: [&str; 4] = ["__pycache__", "__pypackages__", "htmlcov", "node_modules"];

/// Where setuptools leaves what it builds.
const SETUPTOOLS_FOLDER: &str = "build";

/// What a virtual environment has in its folder.
const VIRTUAL_ENVIRONMENT: &str = "pyvenv.cfg";

/// Whether the files in `folder` are those of a Python project.
pub(crate) fn is_python_project(folder: &Path) -> bool {
    PROJECT_FILES.iter().any(|name| folder.join(name).is_file())
}

/// Whether `folder` is a virtual environment: installed packages, for this machine.
pub(crate) fn is_virtual_environment(folder: &Path) -> bool {
    folder.join(VIRTUAL_ENVIRONMENT).exists()
}

/// Whether the folder at `path` below `base` is one that setuptools leaves behind, also when a project is installed for its own
/// functions.
pub(crate) fn is_made_by_setuptools(base: &Path, path: &str) -> bool {
    path.ends_with(".egg-info") || (path == SETUPTOOLS_FOLDER && base.join(path).join("lib").is_dir())
}

/// The files that functions may need, those of `entries` among them whatever is ignored.
pub(super) fn find<'e>(
    site: &SiteFolder,
    ignore: &IgnoreFile,
    entries: impl Iterator<Item = &'e str>,
) -> Result<FoundFiles, TreeError> {
    let looked_at = std::time::SystemTime::now();
    let is_output = site.kind == SiteFolderKind::Output && site.folder != site.base;
    let served = if is_output { site.folder.strip_prefix(&site.base).ok().map(Path::to_owned) } else { None };
    let selection = SourceSelection { base: site.base.clone(), served };
    let selection = ignore.in_project_folder().without_ignored(&site.base, selection);
    let mut files = tree::walk(&site.base, &site.project, &selection)?;
    for entry in entries {
        if let Err(place) = files.binary_search_by(|file| file.path.as_str().cmp(entry)) {
            files.insert(place, found(site, entry)?);
        }
    }
    Ok(FoundFiles { files, looked_at })
}

fn found(site: &SiteFolder, file: &str) -> Result<TreeFile, TreeError> {
    let location = site.base.join(file);
    let shown = || tree::shown_below(&site.project, &location);
    let metadata = std::fs::metadata(&location).map_err(|source| TreeError::Unreadable { path: shown(), source })?;
    let path = file.parse().map_err(|source| TreeError::Name { path: shown(), source })?;
    Ok(TreeFile { path, stat: FileStat::of(&metadata) })
}

struct SourceSelection {
    base: PathBuf,
    /// The folder of the static files, relative to the base: visitors get those without a function.
    served: Option<PathBuf>,
}

impl Selection for SourceSelection {
    /// Hidden folders are those of tools, and may hold secrets.
    fn enters(&self, path: &str, name: &str) -> bool {
        let is_made_by_tools = LEFT_OUT_FOLDERS.contains(&name)
            || (name == "target" && self.base.join("Cargo.toml").exists())
            || is_made_by_setuptools(&self.base, path)
            || is_virtual_environment(&self.base.join(path));
        let is_served = self.served.as_deref() == Some(Path::new(path));
        !(name.starts_with('.') || is_made_by_tools || is_served)
    }

    fn takes(&self, path: &str, name: &str) -> bool {
        let is_script_of_api =
            path.starts_with("api/") && [".js", ".mjs", ".cjs"].iter().any(|end| name.ends_with(end));
        !name.starts_with('.')
            && LEFT_OUT.binary_search(&name).is_err()
            && !LEFT_OUT_ENDINGS.iter().any(|ending| name.ends_with(ending))
            && !is_script_of_api
    }
}
