//! Whether a project's packages are installed as its lock file says, and what becomes of an installation that did not end.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use ship_core::{Digest, DigestHasher};

use super::package_json::{PACKAGE_JSON, PackageJson};
use super::package_manager::{Manager, PackageManager};
use super::state::write_json;
use crate::tree::FileStat;

/// What is remembered of an installation that ship ran.
#[derive(PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Installed {
    /// The digest of what was to be installed.
    wanted: Digest,
    /// The folder of the packages, as it was made. File systems give the number of a removed folder to the next one.
    inode: u64,
    /// When that was, where the file system knows.
    made: Option<SystemTime>,
}

impl Installed {
    /// What is there now, as an installation of `wanted`; `None` if nothing is.
    pub(super) fn now(manager: &PackageManager, wanted: Digest) -> Option<Self> {
        let folder = manager.root.join("node_modules").metadata().ok()?;
        Some(Self { wanted, inode: FileStat::of(&folder).inode, made: folder.created().ok() })
    }

    /// Whether `file` remembers just this.
    pub(super) fn is_remembered(&self, file: &Path) -> bool {
        let read = || serde_json::from_slice::<Self>(&std::fs::read(file).ok()?).ok();
        read().is_some_and(|known| known == *self)
    }

    /// Remembers this. That it could not be remembered costs time, not correctness.
    pub(super) fn remember(&self, file: &Path) {
        if let Err(error) = write_json(file, self) {
            tracing::debug!(file = %file.display(), %error, "an installation cannot be remembered");
        }
    }
}

/// An installation while it runs. One that is killed or fails leaves packages that are half there, and no package manager finds
/// out which: they are taken away before the next one, unless there were packages before, which are somebody's.
#[derive(Debug)]
pub(super) struct Attempt<'m> {
    manager: &'m PackageManager,
    mark: PathBuf,
}

/// What is noted of an attempt until it has ended well.
#[derive(Serialize, Deserialize)]
struct Mark {
    /// Whether there were packages before.
    had_packages: bool,
}

impl<'m> Attempt<'m> {
    /// The attempt that is noted in `cache`, if one is.
    pub(super) fn new(manager: &'m PackageManager, cache: &Path) -> Self {
        Self { manager, mark: cache.join("installing.json") }
    }

    /// Takes away what an attempt has left that did not end, and gives whether packages stayed that are in doubt. One that went
    /// on without ship until its package manager noted its end is as good as any.
    pub(super) fn clear(&self) -> io::Result<bool> {
        let Some(mark) = self.noted() else { return Ok(false) };
        // What package managers write last; Bun has nothing of the kind.
        let last = [".package-lock.json", ".modules.yaml", ".yarn-integrity", ".yarn-state.yml"];
        let is_done = is_newer(&last.map(|name| self.modules().join(name)), &self.mark);
        if mark.had_packages && !is_done {
            return Ok(true);
        }
        if !is_done {
            self.remove_packages()?;
        }
        self.end();
        Ok(false)
    }

    fn remove_packages(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(self.modules()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Notes that it begins.
    pub(super) fn begin(&self) -> io::Result<()> {
        let had_packages = self.noted().map_or_else(|| self.modules().exists(), |mark| mark.had_packages);
        write_json(&self.mark, &Mark { had_packages })
    }

    /// Notes that all is there.
    pub(super) fn end(&self) {
        let _ = std::fs::remove_file(&self.mark);
    }

    /// Whether it left gaps although it said that all is well: npm only warns of a file that it could not write. Then npm's own
    /// note of what is installed goes, so that nobody believes it.
    pub(super) fn has_gaps(&self, last_lines: &[String]) -> bool {
        let has_gaps = last_lines.iter().any(|line| line.contains("TAR_ENTRY_ERROR"));
        if has_gaps {
            let _ = std::fs::remove_file(self.modules().join(".package-lock.json"));
        }
        has_gaps
    }

    fn noted(&self) -> Option<Mark> {
        serde_json::from_slice(&std::fs::read(&self.mark).ok()?).ok()
    }

    fn modules(&self) -> PathBuf {
        self.manager.root.join("node_modules")
    }
}

/// The digest of what has to be installed for the package in `base`: the lock file, and what the packages ask for.
pub(super) fn wanted(manager: &PackageManager, base: &Path, line: &str) -> Digest {
    let mut hasher = DigestHasher::new();
    hasher.update_field(line.as_bytes());
    let manifests = [manager.root.join(PACKAGE_JSON), base.join(PACKAGE_JSON), manager.root.join(".npmrc")];
    for file in manager.lock.iter().chain(&manifests) {
        hasher.update_field(&std::fs::read(file).unwrap_or_default());
    }
    hasher.finish()
}

/// Whether the packages that are there are those of the lock file, by what the package manager itself has left beside them:
/// people install by hand too, and nothing is installed twice.
pub(super) fn is_as_locked(manager: &PackageManager) -> bool {
    let Some(lock) = &manager.lock else { return false };
    let modules = manager.root.join("node_modules");
    match manager.manager {
        Manager::Npm => npm_matches(lock, &modules.join(".package-lock.json")),
        Manager::Pnpm => same_text(lock, &modules.join(".pnpm/lock.yaml")),
        Manager::Yarn => is_newer(&[modules.join(".yarn-integrity"), modules.join(".yarn-state.yml")], lock),
        Manager::Bun => is_newer(&[modules], lock),
    }
}

/// A package that package.json asks for and npm's lock file does not know as such: npm would quietly take another version of
/// it than the one that was tried.
pub(super) fn missing_in_lock(manager: &PackageManager, package: &PackageJson) -> Option<String> {
    #[derive(Deserialize)]
    struct Lock {
        packages: BTreeMap<String, PackageJson>,
    }
    let lock = manager.lock.as_ref().filter(|_| manager.manager == Manager::Npm && manager.is_own())?;
    // What cannot be read, npm itself complains about; old ones have no such list.
    let lock: Lock = serde_json::from_slice(&std::fs::read(lock).ok()?).ok()?;
    package.first_difference(lock.packages.get("")?).map(str::to_owned)
}

/// A package of npm's lock file.
#[derive(Deserialize, PartialEq, Eq, Debug)]
struct LockedPackage {
    version: Option<String>,
    integrity: Option<String>,
    #[serde(default)]
    optional: bool,
    #[serde(default)]
    link: bool,
}

/// npm keeps a lock file of what it has installed: each package of the project's stands in it, except those for other
/// systems.
fn npm_matches(lock: &Path, installed: &Path) -> bool {
    #[derive(Deserialize)]
    struct Lock {
        #[serde(default)]
        packages: BTreeMap<String, LockedPackage>,
    }
    let read = |file: &Path| serde_json::from_slice::<Lock>(&std::fs::read(file).ok()?).ok();
    let (Some(lock), Some(installed)) = (read(lock), read(installed)) else { return false };
    let is_package = |path: &str| path.contains("node_modules/") || path.starts_with("node_modules");
    let is_there = |(path, package): (&String, &LockedPackage)| match installed.packages.get(path) {
        Some(there) => package.link || (there.version == package.version && there.integrity == package.integrity),
        None => package.optional || !is_package(path),
    };
    !lock.packages.is_empty() && lock.packages.iter().all(is_there)
}

fn same_text(left: &Path, right: &Path) -> bool {
    matches!((std::fs::read(left), std::fs::read(right)), (Ok(left), Ok(right)) if left == right)
}

fn is_newer(marks: &[PathBuf], lock: &Path) -> bool {
    let modified = |file: &Path| file.metadata().and_then(|file| file.modified()).ok();
    let Some(lock) = modified(lock) else { return false };
    marks.iter().any(|mark| modified(mark).is_some_and(|mark| mark >= lock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestProject;

    fn project(lock: &str, installed: &str) -> (TestProject, PackageManager) {
        let project = TestProject::new([
            ("package.json", r#"{"dependencies": {"a": "1"}}"#),
            ("package-lock.json", lock),
            ("node_modules/.package-lock.json", installed),
        ]);
        let package = PackageJson::read(&project.root(), &project.root()).unwrap().unwrap();
        let manager = PackageManager::find(&project.root(), &package);
        (project, manager)
    }

    /// What npm has installed is compared package by package: another version is another, a package for another system may
    /// be absent.
    #[test]
    fn npm() {
        let lock = r#"{"packages": {"": {}, "node_modules/a": {"version": "1.0.0", "integrity": "x"},
            "node_modules/b": {"version": "2.0.0", "optional": true}, "apps/web": {"version": "1.0.0"}}}"#;
        let matches = |installed: &str| is_as_locked(&project(lock, installed).1);
        assert!(matches(r#"{"packages": {"node_modules/a": {"version": "1.0.0", "integrity": "x"}}}"#));
        assert!(!matches(r#"{"packages": {"node_modules/a": {"version": "1.0.1", "integrity": "y"}}}"#));
        assert!(!matches(r#"{"packages": {}}"#));
        assert!(!matches("not json"));
    }

    /// A lock file that was written for other dependencies is out of date.
    #[test]
    fn out_of_date() {
        let missing = |package: &str, lock: &str| {
            let project = TestProject::new([("package.json", package), ("package-lock.json", lock)]);
            let package = PackageJson::read(&project.root(), &project.root()).unwrap().unwrap();
            missing_in_lock(&PackageManager::find(&project.root(), &package), &package)
        };
        let lock = r#"{"packages": {"": {"dependencies": {"a": "^1"}, "devDependencies": {"b": "2"}}}}"#;
        assert_eq!(missing(r#"{"dependencies": {"a": "^1"}, "devDependencies": {"b": "2"}}"#, lock), None);
        assert_eq!(missing(r#"{"dependencies": {"a": "^2"}}"#, lock), Some("a".to_owned()));
        assert_eq!(missing(r#"{"devDependencies": {"b": "2", "c": "1"}}"#, lock), Some("c".to_owned()));
        assert_eq!(missing(r#"{"dependencies": {"a": "^2"}}"#, r#"{"lockfileVersion": 1}"#), None);
    }

    /// An attempt that did not end: what it left goes, unless there were packages before or its package manager says that all is
    /// there.
    #[test]
    fn attempts() {
        let lock = r#"{"packages": {"node_modules/a": {"version": "1.0.0"}}}"#;
        let begun = |with_packages: bool, ends: bool| {
            let (project, manager) = project(lock, "{}");
            let modules = project.root().join("node_modules");
            let before = std::fs::File::options().write(true).open(modules.join(".package-lock.json")).unwrap();
            before.set_modified(SystemTime::UNIX_EPOCH).unwrap();
            if !with_packages {
                std::fs::remove_dir_all(&modules).unwrap();
            }
            let cache = project.root().join("cache");
            assert!(!Attempt::new(&manager, &cache).clear().unwrap());
            Attempt::new(&manager, &cache).begin().unwrap();
            project.write("node_modules/a/package.json", "half of it");
            if ends {
                project.write("node_modules/.package-lock.json", lock);
            }
            let next = Attempt::new(&manager, &cache);
            (next.clear().unwrap(), modules.join("a/package.json").exists(), next.noted().is_some())
        };
        assert_eq!(begun(false, false), (false, false, false));
        assert_eq!(begun(true, false), (true, true, true));
        assert_eq!(begun(false, true), (false, true, false));
        assert_eq!(begun(true, true), (false, true, false));
    }

    /// npm says that all is well although it could not write a file: nothing that it left is believed.
    #[test]
    fn gaps() {
        let lock = r#"{"packages": {"node_modules/a": {"version": "1.0.0"}}}"#;
        let (project, manager) = project(lock, lock);
        let attempt = Attempt::new(&manager, &project.root());
        assert!(!attempt.has_gaps(&["added 1 package".to_owned()]));
        assert!(is_as_locked(&manager));
        let lines = ["npm warn tar TAR_ENTRY_ERROR ENOSPC: no space left on device, write", "added 1 package"];
        assert!(attempt.has_gaps(&lines.map(str::to_owned)));
        assert!(!is_as_locked(&manager));
    }

    /// What ship installed is known again until something else is wanted or the folder is another.
    #[test]
    fn remembered() {
        let (project, manager) = project("{}", "{}");
        let file = project.root().join("cache/installed.json");
        let digest = || wanted(&manager, &project.root(), "npm install");
        let now = || Installed::now(&manager, digest()).unwrap();
        assert!(!now().is_remembered(&file));
        now().remember(&file);
        assert!(now().is_remembered(&file));
        project.write("package-lock.json", "{ }");
        assert!(!now().is_remembered(&file));
        now().remember(&file);
        std::fs::rename(project.root().join("node_modules"), project.root().join("old")).unwrap();
        assert!(Installed::now(&manager, digest()).is_none());
        project.write("node_modules/a/index.js", "");
        assert!(!now().is_remembered(&file));
        now().remember(&file);
        // The new folder may well have the number of the old one.
        std::fs::remove_dir_all(project.root().join("node_modules")).unwrap();
        project.write("node_modules/a/index.js", "");
        assert!(!now().is_remembered(&file));
    }
}
