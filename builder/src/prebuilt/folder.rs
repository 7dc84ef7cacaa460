//! The folder of a function, as it is packed: its files, and its links as links. Package managers link packages to each other,
//! and whoever follows such a link finds what stands beside its target: a copy would find other packages, or none.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ship_core::SitePath;

use crate::node::relative;
use crate::tree::{self, Selection, TreeError, is_secret, shown_below};

/// The most folders that may stand in each other: deeper ones are links that lead back.
const MAX_DEPTH: usize = 64;

/// One file of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum PackedFile {
    /// A file, and whether it is a program.
    File { file: PathBuf, is_executable: bool },
    /// A link to another place in the same folder.
    Link { target: String },
}

impl PackedFile {
    /// What is packed of a file.
    pub(crate) fn of(file: PathBuf) -> Self {
        let is_executable = file.metadata().is_ok_and(|file| file.permissions().mode() & 0o111 != 0);
        Self::File { file, is_executable }
    }

    /// How many bytes it has.
    pub(super) fn size_bytes(&self) -> u64 {
        match self {
            Self::File { file, .. } => file.metadata().map_or(0, |metadata| metadata.len()),
            Self::Link { .. } => 0,
        }
    }
}

/// What of a function's folder is packed: everything but version control and secrets, whoever traced them.
struct FunctionSelection;

impl Selection for FunctionSelection {
    fn enters(&self, _: &str, name: &str) -> bool {
        !is_secret(Path::new(name))
    }

    fn takes(&self, _: &str, name: &str) -> bool {
        !is_secret(Path::new(name))
    }
}

/// The files of a folder by their names in an artifact. A link that leads out of the folder is followed as long as it stays
/// below `boundary`, which is free of links; one that leads nowhere is left out.
pub(crate) fn files_of(folder: &Path, boundary: &Path) -> Result<BTreeMap<String, PackedFile>, TreeError> {
    let root = folder
        .canonicalize()
        .map_err(|source| TreeError::Unreadable { path: shown_below(boundary, folder), source })?;
    let mut reading = Reading { root: &root, boundary, files: BTreeMap::new() };
    reading.folder(&root, "", 0)?;
    Ok(reading.files)
}

struct Reading<'r> {
    root: &'r Path,
    boundary: &'r Path,
    files: BTreeMap<String, PackedFile>,
}

impl Reading<'_> {
    fn folder(&mut self, folder: &Path, above: &str, depth: usize) -> Result<(), TreeError> {
        let unreadable = |source| TreeError::Unreadable { path: shown_below(self.boundary, folder), source };
        if depth > MAX_DEPTH {
            return Err(unreadable(io::Error::from_raw_os_error(libc::ELOOP)));
        }
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let kind = entry.file_type().map_err(unreadable)?;
            let path = entry.path();
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else {
                return Err(TreeError::NotUtf8 { path: shown_below(self.boundary, &path) });
            };
            let place = if above.is_empty() { name.clone() } else { format!("{above}/{name}") };
            match () {
                () if kind.is_dir() && FunctionSelection.enters(&place, &name) => {
                    self.folder(&path, &place, depth + 1)?;
                }
                () if kind.is_symlink() && FunctionSelection.takes(&place, &name) => {
                    self.link(&path, place, depth)?;
                }
                () if kind.is_file() && FunctionSelection.takes(&place, &name) => {
                    self.add(place, PackedFile::of(path.clone()), &path)?;
                }
                () => {}
            }
        }
        Ok(())
    }

    fn link(&mut self, link: &Path, place: String, depth: usize) -> Result<(), TreeError> {
        let written = std::fs::read_link(link).unwrap_or_default();
        // What was traced links to packages that nothing needs and that were therefore left behind.
        if !link.exists() {
            return Ok(());
        }
        let target = tree::normalised(&link.parent().unwrap_or(self.root).join(&written));
        // What is written may go through other links, so that its text says something else than the system.
        let is_same = || matches!((target.canonicalize(), link.canonicalize()), (Ok(one), Ok(other)) if one == other);
        if target != self.root && target.starts_with(self.root) && is_same() {
            let stands_in = self.root.join(&place);
            let target = relative(stands_in.parent().unwrap_or(self.root), &target);
            return self.add(place, PackedFile::Link { target }, link);
        }
        let real = tree::follow(link, self.boundary)?;
        if is_secret(real.strip_prefix(self.boundary).unwrap_or(&real)) {
            return Ok(());
        }
        if real.is_dir() { self.folder(&real, &place, depth + 1) } else { self.add(place, PackedFile::of(real), link) }
    }

    fn add(&mut self, place: String, file: PackedFile, at: &Path) -> Result<(), TreeError> {
        let wrong = |source| TreeError::Name { path: shown_below(self.boundary, at), source };
        place.parse::<SitePath>().map_err(wrong)?;
        self.files.insert(place, file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestProject;

    fn packed(project: &TestProject) -> Vec<String> {
        let files = files_of(&project.root().join("function"), &project.root()).unwrap();
        let shown = |(name, file): (String, PackedFile)| match file {
            PackedFile::File { file, .. } => format!("{name}: {}", std::fs::read_to_string(file).unwrap()),
            PackedFile::Link { target } => format!("{name} -> {target}"),
        };
        files.into_iter().map(shown).collect()
    }

    /// Links within the folder stay links, whatever way they are written; those to other parts of the project become what they
    /// lead to. Secrets stay behind, by whichever name, and so do links to what was not traced.
    #[test]
    fn links() {
        let project = TestProject::new([
            ("function/node_modules/.pnpm/a@1/node_modules/a/index.js", "a"),
            ("function/index.js", "index"),
            ("function/.env", "SECRET=1"),
            ("function/.git/HEAD", "x"),
            ("shared/ui/button.js", "button"),
            ("shared/.env.local", "SECRET=1"),
        ]);
        let root = project.root();
        let link = |target: &str, place: &str| {
            std::os::unix::fs::symlink(target, root.join("function").join(place)).unwrap();
        };
        link(".pnpm/a@1/node_modules/a", "node_modules/a");
        link(root.join("function/index.js").to_str().unwrap(), "absolute.js");
        link("./node_modules/.././index.js", "winding.js");
        link("../../shared/ui", "node_modules/ui");
        link("../shared/.env.local", "innocent");
        link("node_modules/absent", "absent");
        assert_eq!(
            packed(&project),
            [
                "absolute.js -> index.js",
                "index.js: index",
                "node_modules/.pnpm/a@1/node_modules/a/index.js: a",
                "node_modules/a -> .pnpm/a@1/node_modules/a",
                "node_modules/ui/button.js: button",
                "winding.js -> index.js",
            ]
        );
    }

    /// A link out of the project is refused by its name.
    #[test]
    fn outside() {
        let project = TestProject::new([("function/index.js", "")]);
        std::os::unix::fs::symlink("/etc/hostname", project.root().join("function/out")).unwrap();
        let refused = files_of(&project.root().join("function"), &project.root()).unwrap_err().to_string();
        assert!(refused.starts_with("symlink_leaves_project: the symlink `function/out`"), "{refused}");
    }
}
