//! What a project says it depends on: the most exact of the files that can say so.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value as Json;
use ship_core::{Digest, DigestHasher};
use toml::Table;

use super::error::PythonError;
use super::requirements::{RequirementFile, RequirementFiles};
use super::version::Wanted;
use crate::detect::SiteFolder;
use crate::tree::shown_below;

/// What a project depends on, and the Python it wants.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    pub(super) dependencies: Option<Dependencies>,
    pub(super) wanted: Vec<Wanted>,
}

/// The file that says what is installed.
#[derive(Debug)]
pub(super) struct Dependencies {
    pub(super) source: Source,
    /// The folder it stands in.
    pub(super) folder: PathBuf,
    /// It and what it refers to; the first is the file itself.
    pub(super) files: Vec<RequirementFile>,
    /// Whether a folder is installed too, whose files may change unseen.
    pub(super) has_folders: bool,
}

/// Which kind of file it is. The earlier ones are more exact.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    UvLock,
    Pylock,
    PoetryLock,
    Pyproject,
    PipfileLock,
    Requirements,
    Pipfile,
}

/// The kinds with their files, in the order in which they are looked for.
const SOURCES: [(Source, &str); 7] = [
    (Source::UvLock, "uv.lock"),
    (Source::Pylock, "pylock.toml"),
    (Source::PoetryLock, "poetry.lock"),
    (Source::Pyproject, "pyproject.toml"),
    (Source::PipfileLock, "Pipfile.lock"),
    (Source::Requirements, "requirements.txt"),
    (Source::Pipfile, "Pipfile"),
];

impl Needs {
    /// Reads what the project in the base folder of `site`, or else its `api/`, says.
    pub(super) fn read(site: &SiteFolder) -> Result<Self, PythonError> {
        let folders = [site.base.clone(), site.base.join("api")];
        let mut needs = Self::default();
        for folder in folders.iter().filter(|folder| folder.is_dir()) {
            needs.wanted.extend(wanted(folder, site)?);
            if needs.dependencies.is_none() {
                needs.dependencies = dependencies(folder, site)?;
            }
        }
        Ok(needs)
    }
}

impl Dependencies {
    /// The file, relative to the project.
    pub(super) fn shown(&self) -> &str {
        &self.files[0].shown
    }

    /// The file of this name that stands beside it, if that was read.
    pub(super) fn beside(&self, name: &str) -> Option<&RequirementFile> {
        self.files[1..].iter().find(|file| file.shown.rsplit('/').next() == Some(name))
    }

    /// The file itself.
    pub(super) fn path(&self) -> PathBuf {
        let name = SOURCES.iter().find(|(source, _)| *source == self.source).map_or("", |(_, name)| name);
        self.folder.join(name)
    }

    /// The digest of all that is said.
    pub(super) fn digest(&self) -> Digest {
        let mut hasher = DigestHasher::new();
        hasher.update_field(format!("{:?}", self.source).as_bytes());
        for file in &self.files {
            hasher.update_field(file.shown.as_bytes());
            hasher.update_field(file.text.as_bytes());
        }
        hasher.finish()
    }
}

fn dependencies(folder: &Path, site: &SiteFolder) -> Result<Option<Dependencies>, PythonError> {
    for (source, name) in SOURCES {
        let file = folder.join(name);
        if !file.is_file() {
            continue;
        }
        let mut read = RequirementFiles::default();
        let unreadable = |source| PythonError::Unreadable { path: shown_below(&site.project, &file), source };
        match source {
            Source::Requirements => read.read(&file, &site.project, 0).map_err(unreadable)?,
            _ => read.files.push(text_of(&file, site).map_err(unreadable)?),
        }
        let names_packages = match source {
            Source::Requirements => read.name_packages(),
            Source::Pyproject => {
                let table = parse(&read.files[0])?;
                read.has_folders = table.get("build-system").is_some() && project(&table).is_none();
                asks_for_packages(&table) && !is_required(folder, site)
            }
            Source::Pipfile => {
                let table = parse(&read.files[0])?;
                table.get("packages").and_then(toml::Value::as_table).is_some_and(|packages| !packages.is_empty())
            }
            Source::UvLock | Source::Pylock | Source::PoetryLock | Source::PipfileLock => {
                read.has_folders = locks_folders(source, &read.files[0].text);
                true
            }
        };
        if !names_packages {
            continue;
        }
        // What stands beside a lock file decides too: what it was made for, and where packages come from.
        let beside = if source == Source::PipfileLock { &["Pipfile"][..] } else { &["pyproject.toml", "uv.toml"] };
        for beside in beside.iter().filter(|beside| **beside != name) {
            let beside = folder.join(beside);
            if beside.is_file() {
                read.files.push(text_of(&beside, site).map_err(unreadable)?);
            }
        }
        return Ok(Some(Dependencies {
            source,
            folder: folder.to_owned(),
            files: read.files,
            has_folders: read.has_folders,
        }));
    }
    Ok(None)
}

/// Whether the `requirements.txt` in `folder` asks for a folder, most often the project itself: then it says more than the project.
fn is_required(folder: &Path, site: &SiteFolder) -> bool {
    let mut read = RequirementFiles::default();
    // Where it cannot be read, it is not what is installed.
    read.read(&folder.join("requirements.txt"), &site.project, 0).is_ok() && read.has_folders
}

/// Whether a lock file locks packages that are folders of the project besides the project itself. Most do not hold the words
/// for that, and need not be read.
fn locks_folders(source: Source, text: &str) -> bool {
    let words = ["editable", "directory", "\"path\""];
    if !words.iter().any(|word| text.contains(word)) {
        return false;
    }
    if source == Source::PipfileLock {
        let lock: Json = serde_json::from_str(text).unwrap_or_default();
        return lock["default"].as_object().is_some_and(|all| all.values().any(|package| package["path"].is_string()));
    }
    // What is wrong with it is said when it is installed from.
    let lock: Table = text.parse().unwrap_or_default();
    let packages = ["package", "packages"].iter().filter_map(|key| lock.get(*key)?.as_array()).flatten();
    let is_folder = |package: &toml::Value| {
        let source = package.get("source");
        let folder = ["editable", "directory"].iter().find_map(|key| source?.get(key)?.as_str());
        let is_of_poetry = source.and_then(|source| source.get("type")?.as_str()) == Some("directory");
        folder.is_some_and(|folder| folder != ".") || is_of_poetry || package.get("directory").is_some()
    };
    packages.into_iter().any(is_folder)
}

fn text_of(file: &Path, site: &SiteFolder) -> io::Result<RequirementFile> {
    Ok(RequirementFile {
        shown: shown_below(&site.project, file).display().to_string(),
        text: std::fs::read_to_string(file)?,
    })
}

/// The tables of a file.
pub(super) fn parse(file: &RequirementFile) -> Result<Table, PythonError> {
    file.text.parse().map_err(|source: toml::de::Error| PythonError::NotToml {
        file: file.shown.clone(),
        line: source.span().map_or(1, |span| super::syntax::line_of(&file.text, span.start)),
        message: source.message().to_owned(),
    })
}

fn project(table: &Table) -> Option<&Table> {
    table.get("project")?.as_table()
}

/// Whether a `pyproject.toml` says what is to be installed. Many only configure tools.
fn asks_for_packages(table: &Table) -> bool {
    let listed = project(table).and_then(|project| project.get("dependencies")).and_then(toml::Value::as_array);
    let is_dynamic = project(table)
        .and_then(|project| project.get("dynamic")?.as_array())
        .is_some_and(|dynamic| dynamic.iter().any(|key| key.as_str() == Some("dependencies")));
    let poetry = table.get("tool").and_then(|tool| tool.get("poetry")?.get("dependencies")?.as_table());
    let asks_poetry = project(table).is_none() && poetry.is_some_and(|poetry| poetry.keys().any(|key| key != "python"));
    listed.is_some_and(|listed| !listed.is_empty()) || is_dynamic || asks_poetry
}

/// What the files of a folder say about the version of Python.
fn wanted(folder: &Path, site: &SiteFolder) -> Result<Vec<Wanted>, PythonError> {
    let mut all = Vec::new();
    let read = |name: &str| {
        let file = folder.join(name);
        let unreadable = |source| PythonError::Unreadable { path: shown_below(&site.project, &file), source };
        if file.is_file() { text_of(&file, site).map(Some).map_err(unreadable) } else { Ok(None) }
    };
    if let Some(file) = read(".python-version")? {
        all.extend(Wanted::from_version_file(&file.shown, &file.text));
    }
    if let Some(file) = read("pyproject.toml")? {
        let table = parse(&file)?;
        let asked = project(&table).and_then(|project| project.get("requires-python")?.as_str());
        let line = file.text.lines().position(|line| line.trim_start().starts_with("requires-python")).unwrap_or(0);
        all.extend(asked.map(|text| Wanted { place: format!("{}:{}", file.shown, line + 1), text: text.to_owned() }));
    }
    if let Some(file) = read("Pipfile.lock")? {
        let lock: Json = serde_json::from_str(&file.text).unwrap_or_default();
        let asked = lock["_meta"]["requires"]["python_version"].as_str();
        let line = file.text.lines().position(|line| line.contains("python_version")).unwrap_or(0);
        all.extend(asked.map(|text| Wanted { place: format!("{}:{}", file.shown, line + 1), text: text.to_owned() }));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestProject;

    fn needs(files: &[(&str, &str)]) -> Needs {
        let project = TestProject::new(files.iter().copied());
        Needs::read(&project.detect().unwrap().site).unwrap()
    }

    /// The most exact file that asks for something is taken, in the project before `api/`.
    #[test]
    fn which_file() {
        let shown = |files: &[(&str, &str)]| {
            needs(files).dependencies.map(|dependencies| (dependencies.shown().to_owned(), dependencies.source))
        };
        let requirements = ("requirements.txt", "flask\n");
        let tools = ("pyproject.toml", "[tool.ruff]\nline-length = 100\n");
        let asking = ("pyproject.toml", "[project]\nname = \"x\"\ndependencies = [\"flask\"]\n");
        assert_eq!(shown(&[]), None);
        assert_eq!(shown(&[requirements, tools]), Some(("requirements.txt".into(), Source::Requirements)));
        assert_eq!(shown(&[requirements, asking]), Some(("pyproject.toml".into(), Source::Pyproject)));
        let itself = ("requirements.txt", "-e .[x]\nflask\n");
        assert_eq!(shown(&[itself, asking]), Some(("requirements.txt".into(), Source::Requirements)));
        assert_eq!(shown(&[asking, ("uv.lock", "")]), Some(("uv.lock".into(), Source::UvLock)));
        assert_eq!(
            shown(&[("api/requirements.txt", "flask")]),
            Some(("api/requirements.txt".into(), Source::Requirements))
        );
        assert_eq!(shown(&[("requirements.txt", "# nothing\n")]), None);
        let pipfile = ("Pipfile", "[packages]\nflask = \"*\"\n");
        assert_eq!(shown(&[pipfile]), Some(("Pipfile".into(), Source::Pipfile)));
        assert_eq!(shown(&[pipfile, requirements]), Some(("requirements.txt".into(), Source::Requirements)));
        assert_eq!(shown(&[("Pipfile", "[requires]\npython_version = \"3.11\"\n")]), None);
        assert_eq!(shown(&[asking, ("poetry.lock", "")]), Some(("poetry.lock".into(), Source::PoetryLock)));
    }

    /// A lock file that locks a folder besides the project's own installs what no lock file can say.
    #[test]
    fn folders() {
        let package = |rest: &str| format!("[[package]]\nname = \"words\"\ndescription = \"a directory\"\n{rest}\n");
        let pylock = "[[packages]]\nname = \"words\"\ndirectory = { path = \"libs/words\" }\n";
        let pipfile = "{\"default\": {\"words\": {\"editable\": true, \"path\": \"./libs/words\"}}}";
        for (source, text, expected) in [
            (Source::UvLock, package("source = { virtual = \".\" }"), false),
            (Source::UvLock, package("source = { editable = \".\" }"), false),
            (Source::UvLock, package("source = { editable = \"libs/words\" }"), true),
            (Source::Pylock, pylock.to_owned(), true),
            (Source::PoetryLock, package("[package.source]\ntype = \"directory\"\nurl = \"libs/words\""), true),
            (Source::PoetryLock, package(""), false),
            (Source::PipfileLock, pipfile.to_owned(), true),
        ] {
            assert_eq!(locks_folders(source, &text), expected, "{text}");
        }
    }

    /// What is said of the version of Python, with its place.
    #[test]
    fn versions() {
        let pyproject = "[project]\nname = \"x\"\nrequires-python = \">=3.11\"\n";
        let said: Vec<String> = needs(&[(".python-version", "3.12\n"), ("pyproject.toml", pyproject)])
            .wanted
            .into_iter()
            .map(|wanted| format!("{} {}", wanted.place, wanted.text))
            .collect();
        assert_eq!(said, [".python-version:1 3.12", "pyproject.toml:3 >=3.11"]);
    }
}
