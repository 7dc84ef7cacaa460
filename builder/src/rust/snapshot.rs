//! What Rust functions are made of: every file of their packages, of the workspace these belong to and of the packages that are
//! named by a path. Each file is read once; what was read is what the build cache is asked with, and what is compiled.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use globset::GlobBuilder;
use rayon::prelude::*;
use ship_core::{Digest, DigestHasher, FunctionName};

use super::manifest::{MANIFEST, Manifest, NAMELESS};
use super::scan::{RustEntry, RustFile};
use crate::detect::{DetectedFunction, SiteFolder, SiteFolderKind};
use crate::tree::normalised;

/// Files up to this size are copied; larger ones (models, recordings) are linked to.
const MAX_COPIED_BYTES: u64 = 1024 * 1024;

/// Folders that hold what was made by tools, and are linked to as they are.
const LINKED_FOLDERS: [&str; 5] = ["node_modules", ".next", ".svelte-kit", ".vercel", ".output"];

/// Folders that cargo and functions never see.
const UNSEEN_FOLDERS: [&str; 5] = ["target", ".git", ".hg", ".svn", ".ship"];

/// Endings of files in other languages, which are linked to and decide nothing.
const OTHER_LANGUAGES: [&str; 12] =
    [".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte", ".astro", ".go", ".py", ".map"];

/// Files above the packages that say how cargo works.
const SETTINGS: [&str; 4] = [".cargo/config.toml", ".cargo/config", "rust-toolchain.toml", "rust-toolchain"];

/// A Rust file below `api/`, read once.
#[derive(Debug)]
pub(crate) struct RustSource {
    /// Its path relative to the folder that `api/` stands in.
    pub(crate) file: String,
    pub(crate) scan: RustFile,
}

/// All that the Rust functions of a project are made of.
#[derive(Debug, Default)]
pub(crate) struct RustInputs {
    /// The workspaces that functions belong to, each with its functions.
    pub(super) workspaces: Vec<Workspace>,
}

/// One workspace: one lock file, and one run of cargo.
#[derive(Debug)]
pub(super) struct Workspace {
    /// The folder that everything below is relative to: it holds all packages.
    pub(super) root: PathBuf,
    /// The folder of the workspace's own manifest, relative to the root.
    pub(super) folder: PathBuf,
    /// The files by their paths.
    pub(super) files: BTreeMap<PathBuf, Content>,
    /// What cargo is told from above the packages.
    pub(super) settings: Vec<Vec<u8>>,
    /// The packages of functions, by their folders relative to the root.
    pub(super) packages: BTreeMap<PathBuf, Vec<RustFunction>>,
    /// Of all of it.
    pub(super) digest: Digest,
}

/// What stands at a path.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// A file, as it was read.
    Bytes(Vec<u8>),
    /// A file or folder that is linked to.
    Link(PathBuf),
}

/// A function and what answers in it.
#[derive(Clone, Debug)]
pub(super) struct RustFunction {
    pub(super) name: FunctionName,
    /// Relative to its package's folder.
    pub(super) path: String,
    pub(super) entry: RustEntry,
}

/// A folder or file of a Rust project cannot be read.
#[derive(Debug)]
pub(crate) struct Unreadable {
    pub(crate) path: PathBuf,
    pub(crate) source: io::Error,
}

impl RustInputs {
    /// Reads what `functions` are made of.
    pub(crate) fn read(
        functions: &[DetectedFunction],
        sources: &[RustSource],
        site: &SiteFolder,
    ) -> Result<Self, Unreadable> {
        let mut by_package: BTreeMap<PathBuf, Vec<RustFunction>> = BTreeMap::new();
        for source in sources {
            let Some(entry) = source.scan.entry.clone() else { continue };
            let Some(function) = functions.iter().find(|function| function.file == source.file) else { continue };
            let file = site.base.join(&source.file);
            let folder = package_of(&file, site);
            let path = file.strip_prefix(&folder).unwrap_or(&file).to_string_lossy().into_owned();
            let function = RustFunction { name: function.name.clone(), path, entry };
            by_package.entry(folder).or_default().push(function);
        }
        let mut by_workspace: BTreeMap<PathBuf, BTreeMap<PathBuf, Vec<RustFunction>>> = BTreeMap::new();
        for (package, functions) in by_package {
            by_workspace.entry(workspace_of(&package)).or_default().insert(package, functions);
        }
        let read = |(folder, packages): (&PathBuf, _)| Workspace::read(folder, packages, site);
        Ok(Self { workspaces: by_workspace.iter().map(read).collect::<Result<_, _>>()? })
    }
}

/// The folder of the package that a file belongs to: the nearest with a manifest, or else the one that `api/` stands in.
fn package_of(file: &Path, site: &SiteFolder) -> PathBuf {
    let mut above = file.ancestors().skip(1).take_while(|folder| folder.starts_with(&site.project));
    above.find(|folder| folder.join(MANIFEST).is_file()).unwrap_or(&site.base).to_owned()
}

/// The folder of the workspace that a package belongs to, as cargo looks for it.
fn workspace_of(package: &Path) -> PathBuf {
    let is_workspace = |folder: &&Path| {
        let text = std::fs::read_to_string(folder.join(MANIFEST)).unwrap_or_default();
        Manifest::parse(&text).is_workspace()
    };
    package.ancestors().find(is_workspace).unwrap_or(package).to_owned()
}

impl Workspace {
    /// The folder that cargo runs in: a person's own, whose settings and toolchain it finds there.
    pub(super) fn cargo_folder(&self, site: &SiteFolder) -> PathBuf {
        let folder = self.root.join(&self.folder);
        if folder.is_dir() { folder } else { site.base.clone() }
    }

    /// The files with handlers, relative to the root, with what stands in them and where the handler's name stands.
    pub(super) fn handlers(&self) -> impl Iterator<Item = (PathBuf, Cow<'_, str>, (usize, usize))> {
        let functions =
            self.packages.iter().flat_map(|(folder, functions)| functions.iter().map(move |it| (folder, it)));
        functions.filter_map(|(folder, function)| {
            let RustEntry::Handler { place, .. } = function.entry else { return None };
            let path = folder.join(&function.path);
            match self.files.get(&path)? {
                Content::Bytes(bytes) => Some((path, String::from_utf8_lossy(bytes), place)),
                Content::Link(_) => None,
            }
        })
    }

    /// A file of it, whose path is relative to the root, as it is shown: relative to the project.
    pub(super) fn shown(&self, path: &Path, site: &SiteFolder) -> String {
        let path = self.root.join(path);
        path.strip_prefix(&site.project).unwrap_or(&path).display().to_string()
    }

    fn read(
        folder: &Path,
        packages: &BTreeMap<PathBuf, Vec<RustFunction>>,
        site: &SiteFolder,
    ) -> Result<Self, Unreadable> {
        let mut reach = Reach::default();
        reach.manifest(folder)?;
        for package in packages.keys() {
            reach.manifest(package)?;
        }
        let root = common_ancestor(reach.folders.keys());
        let mut walk = Walk { root: &root, site, files: BTreeMap::new(), large: Vec::new() };
        let mut walked: Vec<&Path> = Vec::new();
        for (folder, is_package) in &reach.folders {
            if walked.iter().any(|walked| folder.starts_with(walked)) {
                continue;
            }
            // Without a package of its own, only what cargo itself reads matters of a workspace's folder.
            if *is_package || packages.contains_key(folder) {
                walk.folder(folder)?;
                walked.push(folder);
            } else {
                walk.settings(folder)?;
            }
        }
        let Walk { mut files, large, .. } = walk;
        let relative = |path: &Path| path.strip_prefix(&root).unwrap_or(path).to_owned();
        for package in packages.keys().filter(|package| !package.join(MANIFEST).is_file()) {
            files.insert(relative(package).join(MANIFEST), Content::Bytes(NAMELESS.into()));
        }
        let settings = settings_above(&root);
        let digest = digest(&files, &large, &settings);
        let packages = packages.iter().map(|(folder, functions)| (relative(folder), functions.clone())).collect();
        Ok(Self { folder: relative(folder), root, files, settings, packages, digest })
    }
}

/// The folders whose manifests cargo reads, and whether each holds a package.
#[derive(Default)]
struct Reach {
    folders: BTreeMap<PathBuf, bool>,
}

impl Reach {
    fn manifest(&mut self, folder: &Path) -> Result<(), Unreadable> {
        if self.folders.contains_key(folder) {
            return Ok(());
        }
        let file = folder.join(MANIFEST);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(Unreadable { path: file, source }),
        };
        let manifest = Manifest::parse(&text);
        self.folders.insert(folder.to_owned(), manifest.is_package());
        for named in manifest.folders() {
            for below in matching(folder, &named) {
                if below.join(MANIFEST).is_file() {
                    self.manifest(&below)?;
                }
            }
        }
        Ok(())
    }
}

/// The folders that a path, or a pattern such as `crates/*`, names.
fn matching(folder: &Path, named: &str) -> Vec<PathBuf> {
    let mut found = vec![folder.to_owned()];
    for part in Path::new(named).components().map(|part| part.as_os_str().to_string_lossy().into_owned()) {
        if !part.contains(['*', '?', '[']) {
            for folder in &mut found {
                *folder = normalised(&folder.join(&part));
            }
            continue;
        }
        let Ok(glob) = GlobBuilder::new(&part).build().map(|glob| glob.compile_matcher()) else { return Vec::new() };
        let below = |folder: &PathBuf| {
            let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
            let named = entries.filter(|entry| glob.is_match(entry.file_name())).map(|entry| entry.path());
            named.filter(|path| path.is_dir()).collect::<Vec<_>>()
        };
        found = found.iter().flat_map(below).collect();
    }
    found
}

fn common_ancestor<'p>(folders: impl Iterator<Item = &'p PathBuf>) -> PathBuf {
    let mut common: Option<PathBuf> = None;
    for folder in folders {
        common = Some(match common {
            None => folder.clone(),
            Some(common) => common.ancestors().find(|above| folder.starts_with(above)).unwrap_or(Path::new("/")).into(),
        });
    }
    common.unwrap_or_else(|| PathBuf::from("/"))
}

struct Walk<'w> {
    root: &'w Path,
    site: &'w SiteFolder,
    files: BTreeMap<PathBuf, Content>,
    /// Digests of what is linked to although it may be compiled in.
    large: Vec<(PathBuf, Digest)>,
}

impl Walk<'_> {
    fn settings(&mut self, folder: &Path) -> Result<(), Unreadable> {
        for name in SETTINGS.iter().chain(&[MANIFEST, "Cargo.lock"]) {
            let file = folder.join(name);
            if file.is_file() {
                self.file(&file)?;
            }
        }
        Ok(())
    }

    fn folder(&mut self, folder: &Path) -> Result<(), Unreadable> {
        let (files, links) = list(folder, self.site)?;
        for link in links {
            self.files.insert(self.relative(&link), Content::Link(link));
        }
        let read: Vec<_> = files.par_iter().map(|file| read(file)).collect();
        for (file, read) in files.iter().zip(read) {
            self.keep(file, read?);
        }
        Ok(())
    }

    fn file(&mut self, file: &Path) -> Result<(), Unreadable> {
        let read = read(file)?;
        self.keep(file, read);
        Ok(())
    }

    fn keep(&mut self, file: &Path, read: Read) {
        let path = self.relative(file);
        let content = match read {
            Read::Small(bytes) => Content::Bytes(bytes),
            Read::Large(digest) => {
                self.large.push((path.clone(), digest));
                Content::Link(file.to_owned())
            }
            Read::Gone => return,
        };
        self.files.insert(path, content);
    }

    fn relative(&self, path: &Path) -> PathBuf {
        path.strip_prefix(self.root).unwrap_or(path).to_owned()
    }
}

enum Read {
    Small(Vec<u8>),
    Large(Digest),
    /// An editor's temporary file that is gone again.
    Gone,
}

fn read(file: &Path) -> Result<Read, Unreadable> {
    let attempt = || -> io::Result<Read> {
        if std::fs::metadata(file)?.len() <= MAX_COPIED_BYTES {
            return Ok(Read::Small(std::fs::read(file)?));
        }
        let (digest, _) = crate::artifact::digest_file(&mut std::fs::File::open(file)?)?;
        Ok(Read::Large(digest))
    };
    match attempt() {
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(Read::Gone),
        other => other.map_err(|source| Unreadable { path: file.to_owned(), source }),
    }
}

/// The files below `folder` that may decide what is compiled, and what is only linked to.
fn list(folder: &Path, site: &SiteFolder) -> Result<(Vec<PathBuf>, Vec<PathBuf>), Unreadable> {
    let (mut files, mut links) = (Vec::new(), Vec::new());
    let mut waiting = vec![folder.to_owned()];
    let is_site = |path: &Path| site.kind == SiteFolderKind::Output && path == site.folder;
    while let Some(folder) = waiting.pop() {
        let unreadable = |source| Unreadable { path: folder.clone(), source };
        for entry in std::fs::read_dir(&folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let kind = entry.file_type().map_err(unreadable)?;
            if kind.is_dir() {
                match name.as_str() {
                    name if UNSEEN_FOLDERS.contains(&name) => {}
                    name if LINKED_FOLDERS.contains(&name) || is_site(&path) => links.push(path),
                    _ => waiting.push(path),
                }
            } else if kind.is_symlink()
                || name.starts_with(".env")
                || OTHER_LANGUAGES.iter().any(|ending| name.ends_with(ending))
            {
                links.push(path);
            } else if kind.is_file() {
                files.push(path);
            }
        }
    }
    files.sort_unstable();
    Ok((files, links))
}

/// What files above `root` tell cargo and rustup.
fn settings_above(root: &Path) -> Vec<Vec<u8>> {
    let above = root.ancestors().skip(1);
    above
        .flat_map(|folder| SETTINGS.map(|name| folder.join(name)))
        .filter_map(|file| std::fs::read(file).ok())
        .collect()
}

fn digest(files: &BTreeMap<PathBuf, Content>, large: &[(PathBuf, Digest)], settings: &[Vec<u8>]) -> Digest {
    let mut hasher = DigestHasher::new();
    for (path, content) in files {
        if let Content::Bytes(bytes) = content {
            hasher.update_field(path.as_os_str().as_encoded_bytes());
            hasher.update_field(bytes);
        }
    }
    for (path, digest) in large.iter().collect::<BTreeSet<_>>() {
        hasher.update_field(path.as_os_str().as_encoded_bytes());
        hasher.update(digest.as_bytes());
    }
    for setting in settings {
        hasher.update_field(setting);
    }
    hasher.finish()
}
