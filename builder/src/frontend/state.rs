//! What a build of the frontend was made of and what it left, so that it does not run again while neither changes.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ignore::gitignore::{Gitignore, GitignoreBuilder};
use serde::{Deserialize, Serialize};
use ship_core::{Digest, DigestHasher};

use crate::assets::{self, FoundFiles};
use crate::detect::{SiteFolder, SiteFolderKind};
use crate::tree::{self, Selection, TreeError};

/// Folders that tools make for themselves: never what a build is made of.
const TOOL_FOLDERS: [&str; 22] = [
    ".angular",
    ".astro",
    ".cache",
    ".docusaurus",
    ".expo",
    ".git",
    ".hg",
    ".idea",
    ".netlify",
    ".next",
    ".nuxt",
    ".nx",
    ".output",
    ".parcel-cache",
    ".ship",
    ".svelte-kit",
    ".svn",
    ".turbo",
    ".vercel",
    ".vinxi",
    ".vite",
    "node_modules",
];

/// Whether tools keep things for themselves in folders of this name.
pub(super) fn is_tool_folder(name: &str) -> bool {
    TOOL_FOLDERS.binary_search(&name).is_ok()
}

/// What is remembered of a build that succeeded.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    /// The digest of everything it was made of.
    pub(super) inputs: Digest,
    /// The folder that it left, relative to the folder it ran in.
    pub(super) output: PathBuf,
    /// The state of what stands in that folder.
    pub(super) left: Digest,
}

impl Record {
    /// Reads what is remembered in `file`. Anything wrong with it, and nothing is.
    pub(super) fn read(file: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(file).ok()?).ok()
    }

    /// Remembers this build. That it could not be remembered costs time, not correctness.
    pub(super) fn write(&self, file: &Path) {
        if let Err(error) = write_json(file, self) {
            tracing::debug!(file = %file.display(), %error, "a build cannot be remembered");
        }
    }

    /// Whether it left nothing else than what stands there now.
    pub(super) fn is_of(&self, inputs: &Digest, base: &Path) -> bool {
        self.inputs == *inputs && state_of(&base.join(&self.output)).is_ok_and(|state| state == self.left)
    }
}

/// Writes a small file in place of an older one.
pub(super) fn write_json(file: &Path, value: &impl Serialize) -> io::Result<()> {
    let folder = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut fresh = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder)?;
    serde_json::to_writer(fresh.as_file_mut(), value)?;
    fresh.persist(file)?;
    Ok(())
}

/// The state of the files below `folder`: which there are, and what the file system says of each.
pub(super) fn state_of(folder: &Path) -> Result<Digest, TreeError> {
    let boundary = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mut hasher = DigestHasher::new();
    for file in tree::walk(&boundary, &boundary, &Everything)? {
        let stat = file.stat;
        hasher.update_field(file.path.as_str().as_bytes());
        for number in
            [stat.inode, stat.size_bytes, stat.modified_nanos.cast_unsigned(), stat.changed_nanos.cast_unsigned()]
        {
            hasher.update(&number.to_le_bytes());
        }
    }
    Ok(hasher.finish())
}

struct Everything;

impl Selection for Everything {
    fn enters(&self, _: &str, name: &str) -> bool {
        name != "node_modules"
    }

    fn takes(&self, _: &str, _: &str) -> bool {
        true
    }
}

/// The digest of the files in `root` that a build may be made of: all but what tools keep for themselves, what `outputs` of
/// earlier builds hold, and what git ignores. Environment files count although git ignores them.
pub(super) fn sources(root: &Path, outputs: &[PathBuf], cache_dir: &Path) -> Result<Digest, TreeError> {
    let selection = Sources { ignored: Ignored::read(root), outputs: outputs.to_vec() };
    let looked_at = SystemTime::now();
    let files = tree::walk(root, root, &selection)?;
    let place = SiteFolder {
        project: root.to_owned(),
        base: root.to_owned(),
        folder: root.to_owned(),
        kind: SiteFolderKind::ProjectFolder,
        named: None,
        mount: None,
    };
    // Its digests are kept apart from those of a site that is served from the same folder.
    let cache_dir = cache_dir.join("frontend");
    let digested = assets::digest(FoundFiles { files, looked_at }, &place, &cache_dir)?;
    let mut hasher = DigestHasher::new();
    for asset in &digested.assets {
        hasher.update_field(asset.path.as_str().as_bytes());
        hasher.update_field(asset.digest.as_bytes());
    }
    Ok(hasher.finish())
}

struct Sources {
    ignored: Ignored,
    /// Relative to the root.
    outputs: Vec<PathBuf>,
}

impl Selection for Sources {
    fn enters(&self, path: &str, name: &str) -> bool {
        !is_tool_folder(name)
            && !self.outputs.iter().any(|output| output == Path::new(path))
            && !self.ignored.is_match(path, true)
    }

    fn takes(&self, path: &str, name: &str) -> bool {
        let is_noise =
            name == ".DS_Store" || name.ends_with('~') || matches!(name.rsplit_once('.'), Some((_, "swp" | "log")));
        name.starts_with(".env") || !(is_noise || self.ignored.is_match(path, false))
    }
}

/// What git ignores in a folder, by the file in the folder itself.
struct Ignored(Option<Gitignore>);

impl Ignored {
    fn read(root: &Path) -> Self {
        let mut builder = GitignoreBuilder::new(root);
        // A pattern that git would not take ignores nothing.
        let _ = builder.add(root.join(".gitignore"));
        Self(builder.build().ok().filter(|patterns| !patterns.is_empty()))
    }

    fn is_match(&self, path: &str, is_folder: bool) -> bool {
        self.0.as_ref().is_some_and(|patterns| patterns.matched(path, is_folder).is_ignore())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestProject;

    /// What a build is made of changes its digest; what tools leave behind, outputs and what git ignores do not.
    #[test]
    fn what_counts() {
        let project = TestProject::new([
            ("src/main.ts", "1"),
            (".env.local", "A=1"),
            (".gitignore", "*.local\n/generated\n"),
            ("package.json", "{}"),
        ]);
        let cache = tempfile::tempdir().unwrap();
        let digest = || sources(&project.root(), &["dist".into(), "web/out".into()], cache.path()).unwrap();
        let before = digest();
        for path in [
            "dist/index.html",
            "web/out/a",
            "node_modules/a/index.js",
            "generated/a",
            "x.local",
            ".astro/types.d.ts",
            ".git/HEAD",
        ] {
            project.write(path, "new");
            assert_eq!(digest(), before, "{path}");
        }
        for path in [".env.local", "src/main.ts", "src/dist/a", "web/index.ts", ".npmrc", "package.json"] {
            let before = digest();
            project.write(path, "new");
            assert_ne!(digest(), before, "{path}");
        }
    }

    /// A build is known as long as what it left is as it left it.
    #[test]
    fn outputs() {
        let project = TestProject::new([("dist/index.html", "1")]);
        let inputs = Digest::of(b"inputs");
        let left = state_of(&project.root().join("dist")).unwrap();
        let record = Record { inputs, output: "dist".into(), left };
        let file = project.root().join("cache/record.json");
        record.write(&file);
        let read = Record::read(&file).unwrap();
        assert_eq!(read, record);
        assert!(read.is_of(&inputs, &project.root()));
        assert!(!read.is_of(&Digest::of(b"others"), &project.root()));
        project.write("dist/more.html", "2");
        assert!(!read.is_of(&inputs, &project.root()));
        std::fs::remove_dir_all(project.root().join("dist")).unwrap();
        assert!(!read.is_of(&inputs, &project.root()));
    }
}
