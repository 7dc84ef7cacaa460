//! Launchers that are known before an artifact is.
//!
//! Artifacts of Node are started by a module of their own, which is the same in all of them but for what it launches; those of
//! Python by a package, which is a layer. A host whose own builder writes these has them loaded and called before anybody asks;
//! an artifact by another version starts its own, as everywhere else.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;
use ship_core::Digest;

use crate::spec::FunctionSpec;

/// The longest text of what is launched, in bytes: a path and some flags.
const MOST_LAUNCHED_BYTES: usize = 64 * 1024;

/// Of how many functions it is known what their launchers launch. Those of a host that has more are read again.
const MOST_SEEN: usize = 4096;

/// The text of every launcher that a builder writes, but for what is launched.
#[derive(Clone, Debug)]
pub struct KnownLauncher {
    /// What stands before what is launched, which is JSON.
    before: String,
    /// What stands behind it: the module, and what launches.
    after: String,
    /// The module by itself. Its `launch` takes what is launched and the URL of the artifact.
    pub(super) module: String,
    /// What artifacts launch with it, by their digests; nothing, if they have another.
    seen: Arc<Mutex<HashMap<Digest, Option<Value>>>>,
}

impl KnownLauncher {
    /// A launcher whose text is `before`, JSON that says what is launched, and `after`; and its module by itself.
    pub fn new(before: String, after: String, module: String) -> Self {
        Self { before, after, module, seen: Arc::default() }
    }

    /// What the launcher of an artifact, which is in this file, launches, if it is this one.
    pub(crate) fn starts(&self, artifact: Digest, file: &Path) -> Option<Value> {
        if let Some(known) = self.seen().get(&artifact) {
            return known.clone();
        }
        // Whoever runs what cannot be read finds out what is wrong with it.
        let launched = self.read(file).ok()?;
        let mut seen = self.seen();
        if seen.len() >= MOST_SEEN {
            seen.clear();
        }
        seen.insert(artifact, launched.clone());
        launched
    }

    fn seen(&self) -> MutexGuard<'_, HashMap<Digest, Option<Value>>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the launcher in a file launches, if it is this one.
    fn read(&self, file: &Path) -> io::Result<Option<Value>> {
        let metadata = file.symlink_metadata()?;
        let most = self.before.len() + self.after.len() + MOST_LAUNCHED_BYTES;
        // An artifact may hold something else under this name.
        if !metadata.is_file() || metadata.len() > most as u64 {
            return Ok(None);
        }
        Ok(self.launched(&fs::read_to_string(file)?))
    }

    /// What a launcher launches, if it is this one.
    fn launched(&self, text: &str) -> Option<Value> {
        let launched = text.strip_prefix(&self.before)?.strip_suffix(&self.after)?;
        serde_json::from_str(launched).ok()
    }
}

/// The package that starts functions in Python, as a builder writes it.
#[derive(Clone, Debug)]
pub struct KnownPackage {
    /// Its name, and that of its folder in an artifact.
    pub name: &'static str,
    /// The names and the texts of its modules.
    pub modules: Vec<(&'static str, &'static str)>,
    /// Which layers hold it, by their digests.
    seen: Arc<Mutex<HashMap<Digest, bool>>>,
}

impl KnownPackage {
    /// A package with these modules.
    pub fn new(name: &'static str, modules: Vec<(&'static str, &'static str)>) -> Self {
        Self { name, modules, seen: Arc::default() }
    }

    /// Whether a function is started by this package.
    pub(crate) fn starts(&self, spec: &FunctionSpec) -> bool {
        let layer = spec.function.layers.iter().find(|layer| layer.mount.as_str() == self.name);
        layer.is_some_and(|layer| {
            // What is seen of a layer holds for all functions that have it, so it is not looked for in this one's folder.
            let folder = spec.root.with_file_name(layer.digest.to_hex()).join(self.name);
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            *seen.entry(layer.digest).or_insert_with(|| self.is_in(&folder).unwrap_or(false))
        })
    }

    /// Whether a folder holds this package and nothing else.
    fn is_in(&self, folder: &Path) -> io::Result<bool> {
        if fs::read_dir(folder)?.count() != self.modules.len() {
            return Ok(false);
        }
        for (name, text) in &self.modules {
            let file = folder.join(name);
            let metadata = file.symlink_metadata()?;
            if !metadata.is_file() || metadata.len() != text.len() as u64 || fs::read(file)? != text.as_bytes() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is launched is found in a launcher that is known, and in no other.
    #[test]
    fn known_or_not() {
        let known = KnownLauncher::new("const a = ".into(), ";\nrun(a);\n".into(), String::new());
        let launched = known.launched("const a = {\"entry\": \"./b\"};\nrun(a);\n").unwrap();
        assert_eq!(launched["entry"], "./b");
        for other in [
            "const a = {};\nrun(b);\n",
            "let a = {};\nrun(a);\n",
            "const a = f();\nrun(a);\n",
            "const a = ;\nrun(a);\n",
            "",
        ] {
            assert_eq!(known.launched(other), None, "{other}");
        }
    }

    /// What an artifact launches is read once.
    #[test]
    fn read_once() {
        let root = tempfile::tempdir().unwrap();
        let known = KnownLauncher::new("const a = ".into(), ";\nrun(a);\n".into(), String::new());
        let (artifact, launcher) = (Digest::of(b"artifact"), root.path().join("launcher.mjs"));
        assert_eq!(known.starts(artifact, &launcher), None, "it is not there");
        fs::write(&launcher, "const a = 1;\nrun(a);\n").unwrap();
        assert_eq!(known.starts(artifact, &launcher), Some(1.into()));
        fs::remove_file(&launcher).unwrap();
        assert_eq!(known.starts(artifact, &launcher), Some(1.into()));
    }

    /// A package is known by all of its modules, and by nothing else beside them.
    #[test]
    fn whole_package() {
        let folder = tempfile::tempdir().unwrap();
        let known = KnownPackage::new("launcher", vec![("a.py", "a = 1\n"), ("b.py", "")]);
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put("a.py", "a = 1\n");
        assert!(!known.is_in(folder.path()).unwrap());
        put("b.py", "");
        assert!(known.is_in(folder.path()).unwrap());
        put("c.py", "");
        assert!(!known.is_in(folder.path()).unwrap());
        fs::remove_file(folder.path().join("c.py")).unwrap();
        put("a.py", "a = 2\n");
        assert!(!known.is_in(folder.path()).unwrap());
    }
}
