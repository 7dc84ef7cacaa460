//! Projects as people keep them: folders of files, and what git writes beside them.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// Folders that builds leave in an example.
const LEFT_BY_BUILDS: [&str; 6] = [".astro", ".next", ".ship", ".vercel", "dist", "node_modules"];

/// A project folder.
#[derive(Clone, Debug)]
#[must_use]
pub struct TestProject {
    folder: PathBuf,
}

impl TestProject {
    pub(crate) fn new(folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).expect("the folder is writable");
        Self { folder }
    }

    /// Where it stands.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The path of a file in it.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.join(path)
    }

    /// Writes a file, and the folders above it.
    #[track_caller]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.write(path, content);
        self
    }

    /// Writes a program.
    #[track_caller]
    pub fn program(self, path: &str, script: &str) -> Self {
        use std::os::unix::fs::PermissionsExt as _;
        self.write(path, script);
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(0o755)).expect("the file is writable");
        self
    }

    /// Writes a file of a project that is in use.
    #[track_caller]
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("the folder is writable");
        fs::write(&path, content).expect("the file is writable");
    }

    /// Replaces `from` by `to` in a file, once.
    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let before = fs::read_to_string(self.folder.join(path)).expect("the file is there");
        assert!(before.contains(from), "{path} does not hold {from:?}");
        self.write(path, before.replacen(from, to, 1));
    }

    /// Removes a file.
    #[track_caller]
    pub fn remove(&self, path: &str) {
        fs::remove_file(self.folder.join(path)).expect("the file is there");
    }

    /// Writes what git writes when a branch is checked out that has one commit.
    #[track_caller]
    pub fn on_branch(self, branch: &str) -> Self {
        self.check_out(branch);
        self
    }

    /// Moves a project that is in use to a branch.
    #[track_caller]
    pub fn check_out(&self, branch: &str) {
        self.write(".git/HEAD", format!("ref: refs/heads/{branch}\n"));
        self.write(&format!(".git/refs/heads/{branch}"), "0123456789abcdef0123456789abcdef01234567\n");
        self.write(".git/config", "[core]\n\trepositoryformatversion = 0\n\tbare = false\n");
        fs::create_dir_all(self.folder.join(".git/objects")).expect("the folder is writable");
    }

    /// Copies a folder of files into the project.
    #[track_caller]
    pub fn copied_from(self, source: &Path) -> Self {
        copy(source, &self.folder);
        self
    }
}

/// Copies files and folders, without what builds leave there.
#[track_caller]
fn copy(source: &Path, target: &Path) {
    let entries = WalkDir::new(source)
        .into_iter()
        .filter_entry(|entry| !LEFT_BY_BUILDS.iter().any(|left| entry.file_name() == *left));
    for entry in entries.map(|entry| entry.expect("the folder is readable")) {
        let to = target.join(entry.path().strip_prefix(source).expect("it is below the folder"));
        if entry.file_type().is_dir() {
            fs::create_dir_all(to).expect("the folder is writable");
        } else if entry.path_is_symlink() {
            let target = fs::read_link(entry.path()).expect("the link is readable");
            std::os::unix::fs::symlink(target, to).expect("the folder is writable");
        } else {
            fs::copy(entry.path(), to).expect("the file can be copied");
        }
    }
}
