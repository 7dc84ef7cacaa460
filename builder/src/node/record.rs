//! What a bundle was made of, so that the next build knows without bundling whether anything has changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use ship_core::{Digest, DigestHasher};

use super::place::relative;
use crate::artifact::digest_file;
use crate::tree::FileStat;

/// Files that decide how imports are resolved, in whichever folder above a module they stand.
const RESOLUTION_FILES: [&str; 3] = ["package.json", "tsconfig.json", "jsconfig.json"];

/// The most settings files that one may build upon another.
const MAX_EXTENDS: usize = 16;

/// All that a build of the functions depended on, and what it gave.
#[derive(serde::Serialize, serde::Deserialize)]
pub(super) struct Record {
    inputs: Vec<Input>,
    /// By function: the key of its artifact, and that of its layer.
    pub(super) functions: BTreeMap<String, (Digest, Option<Digest>)>,
}

/// A file or folder that the build looked at. Its path is relative to the folder of the functions.
#[derive(serde::Serialize, serde::Deserialize)]
struct Input {
    path: String,
    kind: Kind,
    /// Device, inode, size, and the times of the last changes.
    stat: Option<(u64, u64, u64, i64, i64)>,
    digest: Option<Digest>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
enum Kind {
    /// Its content counts.
    File,
    /// The names in it count: another file could be what an import finds.
    Folder,
}

/// Whether what was remembered still holds.
pub(super) enum State {
    /// Nothing was touched.
    Untouched,
    /// Files were touched, and hold what they held: worth a new record.
    Same,
    Changed,
}

impl Record {
    /// Takes down the state of everything that a build has read.
    pub(super) fn take(
        base: &Path,
        read: &BTreeSet<PathBuf>,
        functions: BTreeMap<String, (Digest, Option<Digest>)>,
    ) -> Self {
        let inputs = inputs(base, read).into_par_iter().map(|(path, kind)| Input::take(base, &path, kind)).collect();
        Self { inputs, functions }
    }

    /// Looks at everything again.
    pub(super) fn check(&mut self, base: &Path) -> State {
        let states: Vec<State> = self.inputs.par_iter_mut().with_min_len(64).map(|input| input.check(base)).collect();
        let mut all = State::Untouched;
        for state in states {
            match state {
                State::Changed => return State::Changed,
                State::Same => all = State::Same,
                State::Untouched => {}
            }
        }
        all
    }

    /// The states of these files as they were taken down.
    pub(super) fn has_stat(&self, base: &Path, file: &Path, stat: FileStat) -> bool {
        let path = relative(base, file);
        let found = self.inputs.binary_search_by(|input| (input.path.as_str(), input.kind).cmp(&(&path, Kind::File)));
        found.is_ok_and(|index| self.inputs[index].stat == Some(numbers(stat)))
    }
}

impl Input {
    fn take(base: &Path, path: &str, kind: Kind) -> Self {
        let location = base.join(path);
        let stat = stat(&location);
        Self { path: path.to_owned(), kind, stat, digest: digest(&location, kind) }
    }

    fn check(&mut self, base: &Path) -> State {
        let location = base.join(&self.path);
        let now = stat(&location);
        if now == self.stat {
            return State::Untouched;
        }
        if digest(&location, self.kind) != self.digest {
            return State::Changed;
        }
        self.stat = now;
        State::Same
    }
}

fn stat(location: &Path) -> Option<(u64, u64, u64, i64, i64)> {
    std::fs::metadata(location).ok().map(|metadata| numbers(FileStat::of(&metadata)))
}

fn numbers(stat: FileStat) -> (u64, u64, u64, i64, i64) {
    (stat.device, stat.inode, stat.size_bytes, stat.modified_nanos, stat.changed_nanos)
}

/// What counts of a file or folder; `None` if it is not there.
fn digest(location: &Path, kind: Kind) -> Option<Digest> {
    match kind {
        Kind::File => Some(digest_file(&mut std::fs::File::open(location).ok()?).ok()?.0),
        Kind::Folder => {
            let mut names: Vec<String> = std::fs::read_dir(location)
                .ok()?
                .flatten()
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .filter(|name| !name.starts_with('.') && !name.ends_with('~'))
                .collect();
            names.sort_unstable();
            let mut hasher = DigestHasher::new();
            for name in &names {
                hasher.update_field(name.as_bytes());
            }
            Some(hasher.finish())
        }
    }
}

/// Everything that could have given another bundle: what was read, and where else the bundler would have looked.
fn inputs(base: &Path, read: &BTreeSet<PathBuf>) -> Vec<(String, Kind)> {
    let mut files: BTreeSet<PathBuf> = read.clone();
    let mut folders: BTreeSet<PathBuf> = BTreeSet::new();
    let mut passed: BTreeSet<PathBuf> = BTreeSet::new();
    for file in read {
        for (height, folder) in file.ancestors().skip(1).enumerate() {
            let is_module_folder = folder.file_name().is_some_and(|name| name == "node_modules");
            let is_installed = folder.components().any(|part| part.as_os_str() == "node_modules");
            // What is below the project is the user's to change; of packages, which of them there are.
            if is_module_folder || (!is_installed && folder.starts_with(base)) || (height == 0 && !is_installed) {
                folders.insert(folder.to_owned());
            }
            // All that is above was looked at for another file.
            if !passed.insert(folder.to_owned()) {
                break;
            }
            for name in RESOLUTION_FILES {
                let settings = folder.join(name);
                if !is_installed || (name == "package.json" && settings.is_file()) {
                    files.insert(settings);
                }
            }
        }
    }
    for settings in files.clone().iter().filter(|file| file.extension().is_some_and(|ending| ending == "json")) {
        if settings.file_name().is_some_and(|name| name.to_string_lossy().contains("tsconfig")) {
            extended(settings, &mut files, 0);
        }
    }
    let named = |paths: BTreeSet<PathBuf>, kind: Kind| paths.into_iter().map(move |path| (relative(base, &path), kind));
    let mut inputs: Vec<(String, Kind)> = named(files, Kind::File).chain(named(folders, Kind::Folder)).collect();
    inputs.sort_unstable();
    inputs
}

/// Adds the files that `tsconfig.json` builds upon.
fn extended(settings: &Path, files: &mut BTreeSet<PathBuf>, depth: usize) {
    let Some(folder) = settings.parent().filter(|_| depth < MAX_EXTENDS) else { return };
    let Ok(text) = std::fs::read_to_string(settings) else { return };
    // It may have comments, so it is searched, not parsed: what is added too much only costs a look.
    for piece in text.split("\"extends\"").skip(1) {
        let list = piece.trim_start().trim_start_matches(':').trim_start();
        let end =
            if list.starts_with('[') { list.find(']') } else { list.match_indices('"').nth(1).map(|(at, _)| at + 1) };
        for name in list[..end.unwrap_or(0)].split('"').skip(1).step_by(2) {
            let place = if name.starts_with('.') { folder.join(name) } else { folder.join("node_modules").join(name) };
            let with_ending = PathBuf::from(format!("{}.json", place.display()));
            let found =
                [place.clone(), with_ending, place.join("tsconfig.json")].into_iter().find(|file| file.is_file());
            if let Some(file) = found
                && files.insert(file.clone())
            {
                extended(&file, files, depth + 1);
            }
        }
    }
}
