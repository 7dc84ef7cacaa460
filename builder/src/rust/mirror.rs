//! The mirror: what cargo is shown in place of what a person wrote.
//!
//! It is a copy of the snapshot in a folder of ship's own, where each function's file has got the few lines at its end that make
//! a program of it, each manifest the binaries it lacks, and the lock file what it lacks. Because a function's file stays the
//! root of its crate at its own path, `crate::`, `mod`, `include_str!`, `CARGO_MANIFEST_DIR`, build scripts, features,
//! workspaces and messages of the compiler all mean what they mean without ship. The folder stays between builds, and only
//! what changed is written, so cargo compiles only what changed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::{Environment, context};
use ship_core::{Digest, DigestHasher, FunctionName};

use super::manifest::{Binary, LAUNCHER_FOLDER, MANIFEST, Manifest, NAMELESS, with_binaries};
use super::scan::RustEntry;
use super::snapshot::{Content, RustFunction, Workspace};

/// Ship's own crate. Its files are text to this one: they run in functions, and follow other rules than what runs in ship.
const LAUNCHER: [(&str, &str); 4] = [
    ("lib.rs", include_str!("launcher/lib.rs.txt")),
    ("adopt.rs", include_str!("launcher/adopt.rs.txt")),
    ("body.rs", include_str!("launcher/body.rs.txt")),
    ("serve.rs", include_str!("launcher/serve.rs.txt")),
];

/// Its manifest.
const LAUNCHER_MANIFEST: &str = include_str!("launcher/Cargo.toml.jinja");

/// What makes a program of a handler.
const SERVE: &str = "\nfn main() -> ::std::process::ExitCode {\n    ::ship_launcher::serve(handler)\n}\n";

/// What makes a program of a handler that speaks of `vercel_runtime`.
const SERVE_VERCEL: &str = "\nfn main() -> ::std::process::ExitCode {\n    ::ship_launcher::adopt();\n    \
    ::std::process::Termination::report(::ship_launcher::block_on(::vercel_runtime::run(::vercel_runtime::service_fn(\
    handler))))\n}\n";

/// What goes before a program's own `main`, which gets a name that is as long.
const ADOPT: &str = "\nfn main() -> ::std::process::ExitCode {\n    ::ship_launcher::adopt();\n    \
    ::std::process::Termination::report(mai_())\n}\n";

/// What a program's own `main` is called.
const RENAMED_MAIN: &str = "mai_";

/// The digest of what is generated: a new launcher means new artifacts.
pub(super) fn templates_digest() -> Digest {
    let mut hasher = DigestHasher::new();
    let texts = LAUNCHER.iter().map(|(_, text)| *text).chain([LAUNCHER_MANIFEST, SERVE, SERVE_VERCEL, ADOPT]);
    texts.for_each(|text| hasher.update_field(text.as_bytes()));
    hasher.finish()
}

/// The mirror of one workspace.
pub(super) struct Mirror {
    /// The folder that stands for the workspace's root.
    pub(super) folder: PathBuf,
    /// Where cargo writes.
    pub(super) target: PathBuf,
    /// The binaries' names, by function.
    pub(super) binaries: BTreeMap<FunctionName, String>,
    /// Held while the folder is in use.
    _lock: File,
}

impl Mirror {
    /// Brings the mirror of `workspace` below `cache` up to date.
    pub(super) fn write(workspace: &Workspace, cache: &Path) -> io::Result<Self> {
        let id = Digest::of(workspace.root.join(&workspace.folder).as_os_str().as_encoded_bytes()).to_hex();
        let place = cache.join(&id[..16]);
        let folder = place.join("mirror");
        std::fs::create_dir_all(&folder)?;
        let lock = File::create(place.join("lock"))?;
        lock.lock()?;
        let mut mirror = Self { folder, target: place.join("target"), binaries: BTreeMap::new(), _lock: lock };
        let mut files = mirror.files(workspace);
        mirror.close_off(workspace, &mut files);
        mirror.remove_others(&files)?;
        for (path, content) in &files {
            put(&mirror.folder.join(path), content)?;
        }
        mirror.lock_file(workspace, &place.join("their-lock"))?;
        Ok(mirror)
    }

    /// Everything but the lock file.
    fn files(&mut self, workspace: &Workspace) -> BTreeMap<PathBuf, Content> {
        let mut files = workspace.files.clone();
        files.remove(&workspace.folder.join("Cargo.lock"));
        let mut features = BTreeSet::new();
        let mut has_axum = false;
        for (folder, functions) in &workspace.packages {
            let text = text_of(&files, &folder.join(MANIFEST));
            let manifest = Manifest::parse(&text);
            let mut binaries = Vec::new();
            let mut wanted = BTreeSet::new();
            for function in functions {
                let file = folder.join(&function.path);
                let is_vercel = manifest.depends_on("vercel_runtime");
                let (program, feature) = program(&text_of(&files, &file), &function.entry, is_vercel);
                wanted.extend(feature);
                files.insert(file, Content::Bytes(program.into_bytes()));
                let name = manifest.binary_of(&function.path).unwrap_or_else(|| {
                    let binary = Binary { name: binary_name(function), path: function.path.clone() };
                    binaries.push(binary);
                    binary_name(function)
                });
                self.binaries.insert(function.name.clone(), name);
            }
            if wanted.contains("serve") && manifest.depends_on("axum") {
                has_axum = true;
                wanted.insert("axum");
            }
            let text = if manifest.is_package() { text } else { format!("{text}\n{NAMELESS}") };
            let up: PathBuf = folder.iter().map(|_| "..").collect();
            let launcher = up.join(LAUNCHER_FOLDER).display().to_string();
            let text = with_binaries(&text, &binaries, &launcher, &wanted.iter().copied().collect::<Vec<_>>());
            files.insert(folder.join(MANIFEST), Content::Bytes(text.into_bytes()));
            features.extend(wanted);
        }
        let launcher = Path::new(LAUNCHER_FOLDER);
        for (name, text) in LAUNCHER {
            files.insert(launcher.join(name), Content::Bytes(text.into()));
        }
        let manifest = Environment::new().render_str(LAUNCHER_MANIFEST, context! { axum => has_axum });
        let manifest = manifest.expect("a template of this crate renders");
        files.insert(launcher.join(MANIFEST), Content::Bytes(manifest.into_bytes()));
        files
    }

    /// Keeps cargo from looking for a workspace above the mirror, where the cache may stand in one.
    fn close_off(&self, workspace: &Workspace, files: &mut BTreeMap<PathBuf, Content>) {
        let manifest = workspace.folder.join(MANIFEST);
        let text = text_of(files, &manifest);
        let is_nested = self.folder.ancestors().skip(1).any(|above| above.join(MANIFEST).is_file());
        if is_nested && !Manifest::parse(&text).is_workspace() {
            files.insert(manifest, Content::Bytes(format!("{text}\n[workspace]\n").into_bytes()));
        }
    }

    /// A person's lock file is copied when it is another than last time: cargo may have completed the copy since.
    fn lock_file(&self, workspace: &Workspace, theirs: &Path) -> io::Result<()> {
        let copy = self.folder.join(&workspace.folder).join("Cargo.lock");
        let Some(Content::Bytes(bytes)) = workspace.files.get(&workspace.folder.join("Cargo.lock")) else {
            return Ok(());
        };
        if std::fs::read(theirs).is_ok_and(|known| known == *bytes) && copy.is_file() {
            return Ok(());
        }
        std::fs::write(copy, bytes)?;
        std::fs::write(theirs, bytes)
    }

    /// Removes what is no longer there.
    fn remove_others(&self, files: &BTreeMap<PathBuf, Content>) -> io::Result<()> {
        let folders: BTreeSet<&Path> = files.keys().flat_map(|path| path.ancestors().skip(1)).collect();
        let mut waiting = vec![PathBuf::new()];
        while let Some(folder) = waiting.pop() {
            for entry in std::fs::read_dir(self.folder.join(&folder))? {
                let entry = entry?;
                let path = folder.join(entry.file_name());
                let is_folder = entry.file_type()?.is_dir();
                let is_lock = entry.file_name() == "Cargo.lock";
                match (is_folder, folders.contains(path.as_path()), files.contains_key(&path)) {
                    (true, true, _) => waiting.push(path),
                    (true, false, _) => std::fs::remove_dir_all(entry.path())?,
                    (false, false, true) => {}
                    (false, false, false) if is_lock => {}
                    (false, ..) => std::fs::remove_file(entry.path())?,
                }
            }
        }
        Ok(())
    }
}

fn text_of(files: &BTreeMap<PathBuf, Content>, path: &Path) -> String {
    match files.get(path) {
        Some(Content::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        Some(Content::Link(target)) => std::fs::read_to_string(target).unwrap_or_default(),
        None => String::new(),
    }
}

/// A name that no other binary has.
fn binary_name(function: &RustFunction) -> String {
    let name = function.name.as_str();
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    format!("{}-{}", plain.trim_matches('-'), &Digest::of(name.as_bytes()).to_hex()[..8])
}

/// The text of a program, and the feature of ship's crate that it needs. No line of a person's own moves.
fn program(text: &str, entry: &RustEntry, has_vercel: bool) -> (String, Option<&'static str>) {
    match entry {
        RustEntry::Unreadable => (text.to_owned(), None),
        RustEntry::Handler { is_vercel, .. } if *is_vercel && has_vercel => {
            (format!("{text}{SERVE_VERCEL}"), Some("block"))
        }
        RustEntry::Handler { .. } => (format!("{text}{SERVE}"), Some("serve")),
        RustEntry::Program { main } => {
            let mut program = text.to_owned();
            program.replace_range(main.clone(), RENAMED_MAIN);
            (program + ADOPT, None)
        }
    }
}

/// Writes what stands at a path, unless it stands there already: what is written anew counts as changed for cargo.
fn put(path: &Path, content: &Content) -> io::Result<()> {
    match content {
        Content::Bytes(bytes) => {
            let is_there = path.symlink_metadata().is_ok_and(|there| there.is_file());
            if is_there && std::fs::read(path)? == *bytes {
                return Ok(());
            }
            clear(path)?;
            std::fs::write(path, bytes)
        }
        Content::Link(target) => {
            if std::fs::read_link(path).is_ok_and(|there| there == *target) {
                return Ok(());
            }
            clear(path)?;
            std::os::unix::fs::symlink(target, path)
        }
    }
}

fn clear(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    match path.symlink_metadata() {
        Ok(there) if there.is_dir() => std::fs::remove_dir_all(path),
        Ok(_) => std::fs::remove_file(path),
        Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestProject;

    const HANDLER: &str = "async fn handler(r: http::Request<String>) -> R { crate::x() }\n";

    fn written(project: &TestProject) -> Mirror {
        let plan = project.plan().unwrap();
        Mirror::write(&plan.languages.rust.workspaces[0], &project.environment().cache_dir).unwrap()
    }

    /// A member of a workspace above, a path dependency beside it, and what else is there: all at their own places. The person's
    /// lines stay where they are, their tree stays as it is, and what did not change is not written again.
    #[test]
    fn a_mirror_of_a_workspace() {
        let manifest = "[package]\nname = \"site\"\n\n[dependencies]\nshared = { path = \"../shared\" }\n";
        let project = TestProject::new([
            ("Cargo.toml", "[workspace]\nmembers = [\"api\", \"crates/*\"]\n"),
            ("Cargo.lock", "version = 4\n"),
            ("api/Cargo.toml", manifest),
            ("api/a.rs", HANDLER),
            ("api/b.rs", "#[tokio::main]\nasync fn main() {}\n"),
            ("api/words.txt", "words"),
            ("crates/one/Cargo.toml", "[package]\nname = \"one\"\n"),
            ("crates/one/target/junk", ""),
            ("shared/Cargo.toml", "[package]\nname = \"shared\"\n"),
            ("shared/src/lib.rs", "pub fn x() {}\n"),
            ("docs/large.md", "not seen"),
        ]);
        let mirror = written(&project);
        let folder = mirror.folder.clone();
        let read = |path: &str| std::fs::read_to_string(folder.join(path));
        assert_eq!(read("api/a.rs").unwrap(), format!("{HANDLER}{SERVE}"));
        assert_eq!(read("api/b.rs").unwrap(), format!("#[tokio::main]\nasync fn mai_() {{}}\n{ADOPT}"));
        assert_eq!(read("api/words.txt").unwrap(), "words");
        assert!(read("api/Cargo.toml").unwrap().starts_with(manifest));
        assert!(read("crates/one/Cargo.toml").is_ok() && read("shared/src/lib.rs").is_ok());
        assert_eq!(read("Cargo.lock").unwrap(), "version = 4\n");
        assert!(read("crates/one/target/junk").is_err() && read("docs/large.md").is_err());
        assert_eq!(mirror.binaries.len(), 2);

        // Cargo completes its copy of the lock file.
        std::fs::write(folder.join("Cargo.lock"), "version = 4\n# more\n").unwrap();
        let state = |path: &str| std::fs::metadata(folder.join(path)).unwrap().modified().unwrap();
        let before = (state("api/a.rs"), state("shared/src/lib.rs"));
        project.write("api/words.txt", "other words");
        drop(mirror);
        let _again = written(&project);
        assert_eq!(before, (state("api/a.rs"), state("shared/src/lib.rs")));
        assert_eq!(std::fs::read_to_string(folder.join("api/words.txt")).unwrap(), "other words");
        assert_eq!(std::fs::read_to_string(folder.join("Cargo.lock")).unwrap(), "version = 4\n# more\n");
        assert_eq!(std::fs::read_to_string(project.root().join("Cargo.lock")).unwrap(), "version = 4\n");
    }
}
