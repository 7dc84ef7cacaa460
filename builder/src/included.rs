//! Files that a function takes along: `include_files` and `exclude_files` of `[functions."glob"]`. They become members of its
//! artifact, at their paths in the project, so the function finds them in its working directory.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};
use ship_core::{Digest, DigestHasher, FunctionName};

use crate::artifact::{Content, Member, Mode, digest_file};
use crate::detect::{DetectedFunction, SiteFolder};
use crate::tree::{self, FileStat, Selection, TreeError, shown_below};

/// The longest glob, in bytes: what `vercel.json` accepts.
const MAX_GLOB_BYTES: usize = 256;

/// Which files a function takes along, as a person wrote it: globs relative to the folder that `api/` stands in. A glob that
/// names a folder means everything in it.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Inclusion {
    pub(crate) include: Vec<String>,
    pub(crate) exclude: Vec<String>,
}

impl Inclusion {
    /// What is wrong with a glob, if anything is.
    pub(crate) fn check(glob: &str) -> Result<(), InclusionError> {
        if glob.len() > MAX_GLOB_BYTES {
            return Err(InclusionError::TooLong);
        }
        if glob.starts_with('/') || glob.split('/').any(|part| part == "..") {
            return Err(InclusionError::LeavesProject);
        }
        compiled(glob).map(drop).map_err(|error| InclusionError::Glob(error.kind().clone()))
    }
}

/// A text names no files that a function could take along.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum InclusionError {
    #[error("it is longer than {MAX_GLOB_BYTES} bytes")]
    TooLong,
    #[error("files are taken from the project, by paths relative to it, as in `data/**`")]
    LeavesProject,
    #[error("{0}")]
    Glob(globset::ErrorKind),
}

/// The files that a function does not want.
#[derive(Clone, Default, Debug)]
pub(crate) struct Exclusions {
    globs: GlobSet,
}

impl Exclusions {
    /// Whether the file at `path`, relative to the folder that `api/` stands in, is one of them.
    pub(crate) fn hold(&self, path: &str) -> bool {
        self.globs.is_match(path)
    }
}

/// The files that one function takes along, each read once.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(crate) struct IncludedFiles {
    files: Vec<IncludedFile>,
    exclude: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct IncludedFile {
    name: String,
    location: PathBuf,
    mode: Mode,
    digest: Digest,
    stat: FileStat,
}

impl IncludedFiles {
    fn read(inclusion: &Inclusion, site: &SiteFolder) -> Result<Self, TreeError> {
        let exclude = inclusion.exclude.clone();
        if inclusion.include.is_empty() {
            return Ok(Self { files: Vec::new(), exclude });
        }
        let wanted = Wanted::new(inclusion);
        let found = tree::walk(&site.base, &site.project, &wanted)?;
        let read = |file: &tree::TreeFile| {
            let location = site.base.join(file.path.as_str());
            let unreadable = |source| TreeError::Unreadable { path: shown_below(&site.project, &location), source };
            let mut opened = File::open(&location).map_err(unreadable)?;
            let mode = Mode::of(&opened.metadata().map_err(unreadable)?);
            let (digest, _) = digest_file(&mut opened).map_err(unreadable)?;
            Ok(IncludedFile { name: file.path.as_str().to_owned(), location, mode, digest, stat: file.stat })
        };
        Ok(Self { files: found.iter().map(read).collect::<Result<_, TreeError>>()?, exclude })
    }

    /// What of the files that the function would have by itself it does not want.
    pub(crate) fn exclusions(&self) -> Exclusions {
        Exclusions { globs: set(&self.exclude) }
    }

    /// Those below a folder of the project, and the others.
    pub(crate) fn divided(&self, folder: &str) -> (Self, Self) {
        let prefix = format!("{folder}/");
        let (below, beside) = self.files.iter().cloned().partition(|file| file.name.starts_with(&prefix));
        let with = |files| Self { files, exclude: self.exclude.clone() };
        (with(below), with(beside))
    }

    /// The key of an artifact that `key` would be the key of, were nothing included.
    pub(crate) fn key(&self, key: Digest) -> Digest {
        if self.files.is_empty() && self.exclude.is_empty() {
            return key;
        }
        let mut hasher = DigestHasher::new();
        hasher.update_field(b"ship included files 2");
        hasher.update(key.as_bytes());
        for file in &self.files {
            hasher.update_field(file.name.as_bytes());
            hasher.update_field(if file.mode == Mode::Executable { b"x" } else { b"-" });
            hasher.update(file.digest.as_bytes());
        }
        for glob in &self.exclude {
            hasher.update_field(glob.as_bytes());
        }
        hasher.finish()
    }

    /// All members of an artifact: the function's own, which go first where names meet, and the included files.
    pub(crate) fn beside(&self, mut own: Vec<Member>) -> Vec<Member> {
        let beside = self.files.iter().filter(|file| !own.iter().any(|member| member.name == file.name));
        let beside: Vec<Member> = beside.map(IncludedFile::member).collect();
        own.extend(beside);
        own
    }

    /// Whether any of them stands in `folder`.
    pub(crate) fn has_below(&self, folder: &str) -> bool {
        self.files.iter().any(|file| Path::new(&file.name).starts_with(folder))
    }

    /// Whether all files are still in the state in which they were read.
    pub(crate) fn are_unchanged(&self) -> bool {
        let is_unchanged =
            |file: &IncludedFile| std::fs::metadata(&file.location).is_ok_and(|now| FileStat::of(&now) == file.stat);
        self.files.iter().all(is_unchanged)
    }
}

impl IncludedFile {
    fn member(&self) -> Member {
        Member { name: self.name.clone(), content: Content::File(self.location.clone()), mode: self.mode }
    }
}

/// What each function of a project takes along.
#[derive(Default, Debug)]
pub(crate) struct IncludedByFunction {
    functions: HashMap<FunctionName, IncludedFiles>,
    nothing: IncludedFiles,
}

impl IncludedByFunction {
    /// Reads what `functions` take along. Functions that take the same share the reading.
    pub(crate) fn read(functions: &[DetectedFunction], site: &SiteFolder) -> Result<Self, TreeError> {
        let mut read: HashMap<&Inclusion, IncludedFiles> = HashMap::new();
        let mut all = Self::default();
        for function in functions.iter().filter(|function| function.inclusion != Inclusion::default()) {
            let files = match read.get(&function.inclusion) {
                Some(files) => files.clone(),
                None => IncludedFiles::read(&function.inclusion, site)?,
            };
            read.entry(&function.inclusion).or_insert_with(|| files.clone());
            all.functions.insert(function.name.clone(), files);
        }
        Ok(all)
    }

    /// What `function` takes along.
    pub(crate) fn of(&self, function: &FunctionName) -> &IncludedFiles {
        self.functions.get(function).unwrap_or(&self.nothing)
    }
}

/// The files that the globs name.
struct Wanted {
    include: GlobSet,
    exclude: GlobSet,
    /// What stands before the first wildcard of each glob: only there is anything to be found.
    literal: Vec<PathBuf>,
}

impl Wanted {
    fn new(inclusion: &Inclusion) -> Self {
        let literal = |glob: &String| {
            let is_plain = |part: &&str| !part.contains(['*', '?', '[', '{', '\\']);
            plain(glob).split('/').take_while(is_plain).collect()
        };
        let literal = inclusion.include.iter().map(literal).collect();
        Self { include: set(&inclusion.include), exclude: set(&inclusion.exclude), literal }
    }
}

impl Selection for Wanted {
    fn enters(&self, path: &str, name: &str) -> bool {
        let path = Path::new(path);
        let is_on_the_way = |place: &PathBuf| place.starts_with(path) || path.starts_with(place);
        name != ".git" && name != ".ship" && self.literal.iter().any(is_on_the_way)
    }

    /// Files of the environment hold secrets; functions get them as variables.
    fn takes(&self, path: &str, name: &str) -> bool {
        !name.starts_with(".env") && self.include.is_match(path) && !self.exclude.is_match(path)
    }
}

fn plain(glob: &str) -> &str {
    glob.trim_start_matches("./").trim_end_matches('/')
}

fn compiled(glob: &str) -> Result<Glob, globset::Error> {
    GlobBuilder::new(plain(glob)).literal_separator(true).build()
}

/// All files that one of `globs` names, or that stand in a folder it names.
fn set(globs: &[String]) -> GlobSet {
    let mut builder = GlobSetBuilder::new();
    for glob in globs {
        for glob in [compiled(glob), compiled(&format!("{}/**", plain(glob)))].into_iter().flatten() {
            builder.add(glob);
        }
    }
    builder.build().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestProject, handler};

    fn names(project: &TestProject) -> Vec<String> {
        let plan = project.plan().unwrap();
        let files = plan.included.of(&"api/date".parse().unwrap()).beside(Vec::new());
        files.into_iter().map(|member| member.name).collect()
    }

    /// Globs and folders name files below the project; exclusions go before, and secrets never come along.
    #[test]
    fn selection() {
        let source = handler("Handler", "ok");
        let project = TestProject::new([
            ("api/date.go", source.as_str()),
            ("api/data.json", "{}"),
            ("data/a.json", "1"),
            ("data/deep/b.json", "2"),
            ("data/deep/c.txt", "3"),
            ("data/.env", "SECRET=1"),
            ("words/de.txt", "ja"),
            ("other/x.json", "4"),
            (
                "ship.toml",
                "[functions.\"api/*\"]\ninclude_files = [\"./data/**\", \"words/\", \"api/*.json\"]\nexclude_files = [\"**/*.txt\"]\n",
            ),
        ]);
        assert_eq!(names(&project), ["api/data.json", "data/a.json", "data/deep/b.json"]);
    }

    /// A function's own members go first, and what is included is part of its key.
    #[test]
    fn key_and_members() {
        let source = handler("Handler", "ok");
        let config = "[functions.\"api/*\"]\ninclude_files = [\"bootstrap\", \"a.txt\"]\n";
        let project = TestProject::new([
            ("api/date.go", source.as_str()),
            ("bootstrap", "theirs"),
            ("a.txt", "one"),
            ("ship.toml", config),
        ]);
        let included = || project.plan().unwrap().included.of(&"api/date".parse().unwrap()).clone();
        let own = Member::data("bootstrap", Content::Bytes(b"ours".to_vec()));
        let members = included().beside(vec![own.clone()]);
        assert_eq!(members.iter().map(|member| member.name.as_str()).collect::<Vec<_>>(), ["bootstrap", "a.txt"]);
        assert_eq!(members[0], own);
        let key = Digest::of(b"key");
        let before = included();
        project.write("a.txt", "two");
        assert_ne!(before.key(key), included().key(key));
        assert!(!before.are_unchanged() && included().are_unchanged());
        assert_eq!(IncludedFiles::default().key(key), key);
    }
}
