//! `poetry.lock`: what it locks for a project that runs, as a requirement file, and whether it still fits its `pyproject.toml`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use toml::{Table, Value};

use super::requirements::normalised;

/// The group of what a project needs when it runs.
const MAIN: &str = "main";

/// A `poetry.lock`.
pub(super) struct PoetryLock {
    packages: Vec<Table>,
}

impl PoetryLock {
    pub(super) fn new(lock: &Table) -> Self {
        let packages = lock.get("package").and_then(Value::as_array).into_iter().flatten();
        Self { packages: packages.filter_map(Value::as_table).cloned().collect() }
    }

    /// A package that `project`, a `pyproject.toml`, asks for and that is not locked.
    pub(super) fn missing(&self, project: &Table) -> Option<String> {
        asked_for(project).into_iter().find(|name| !self.packages.iter().any(|package| is_called(package, name)))
    }

    /// What is locked for `project` in `folder`, without what only its development needs.
    pub(super) fn requirements(&self, project: &Table, folder: &Path) -> String {
        let needed = self.needed(project);
        let is_needed = |package: &&Table| match group(package) {
            Some(is_main) => is_main && package.get("optional").and_then(Value::as_bool) != Some(true),
            None => needed.contains(&name(package)),
        };
        let mut text = String::new();
        let packages = || self.packages.iter().filter(is_needed);
        let indexes = packages().filter_map(|package| source(package).filter(|source| is_type(source, &["legacy"])));
        let indexes: BTreeSet<&str> = indexes.filter_map(|source| source.get("url")?.as_str()).collect();
        for url in indexes {
            let _ = writeln!(text, "--extra-index-url {url}");
        }
        packages().for_each(|package| requirement(package, folder, &mut text));
        text
    }

    /// Older lock files do not say what a package is needed for: it is what the project asks for, and what that asks for.
    fn needed(&self, project: &Table) -> BTreeSet<String> {
        let mut needed = BTreeSet::new();
        let mut left = asked_for(project);
        while let Some(wanted) = left.pop() {
            let Some(package) = self.packages.iter().find(|package| is_called(package, &wanted)) else { continue };
            if needed.insert(name(package)) {
                let further = package.get("dependencies").and_then(Value::as_table);
                left.extend(further.into_iter().flat_map(Table::keys).map(|name| normalised(name)));
            }
        }
        needed
    }
}

/// What a project asks for when it runs, in both ways to say it.
fn asked_for(project: &Table) -> Vec<String> {
    let of_poetry = project.get("tool").and_then(|tool| tool.get("poetry")?.get("dependencies")?.as_table());
    let is_wanted = |(name, wish): &(&String, &Value)| {
        name.as_str() != "python" && wish.get("optional").and_then(Value::as_bool) != Some(true)
    };
    let of_poetry = of_poetry.into_iter().flatten().filter(is_wanted).map(|(name, _)| normalised(name));
    let listed = project.get("project").and_then(|project| project.get("dependencies")?.as_array());
    let listed = listed.into_iter().flatten().filter_map(Value::as_str).map(|requirement| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        normalised(&requirement[..requirement.find(|c| !is_part(c)).unwrap_or(requirement.len())])
    });
    of_poetry.chain(listed).collect()
}

fn name(package: &Table) -> String {
    normalised(package.get("name").and_then(Value::as_str).unwrap_or_default())
}

fn is_called(package: &Table, wanted: &str) -> bool {
    name(package) == wanted
}

/// Whether a package is of the main group, where the lock file says so.
fn group(package: &Table) -> Option<bool> {
    if let Some(groups) = package.get("groups").and_then(Value::as_array) {
        return Some(groups.iter().any(|group| group.as_str() == Some(MAIN)));
    }
    package.get("category").and_then(Value::as_str).map(|category| category == MAIN)
}

fn source(package: &Table) -> Option<&Table> {
    package.get("source")?.as_table()
}

fn is_type(source: &Table, types: &[&str]) -> bool {
    source.get("type").and_then(Value::as_str).is_some_and(|kind| types.contains(&kind))
}

fn requirement(package: &Table, folder: &Path, text: &mut String) {
    let value = |table: &Table, key: &str| table.get(key).and_then(Value::as_str).map(str::to_owned);
    let origin = source(package).and_then(|source| {
        let url = value(source, "url")?;
        let part = value(source, "subdirectory").map(|part| format!("#subdirectory={part}")).unwrap_or_default();
        match () {
            () if is_type(source, &["git"]) => {
                Some(format!("git+{url}@{}{part}", value(source, "resolved_reference")?))
            }
            () if is_type(source, &["directory", "file"]) => Some(format!("file://{}", folder.join(url).display())),
            () if is_type(source, &["url"]) => Some(url + &part),
            () => None,
        }
    });
    let version = value(package, "version").unwrap_or_default();
    let what = origin.as_ref().map_or_else(|| format!("=={version}"), |origin| format!(" @ {origin}"));
    let _ = write!(text, "{}{what}", name(package));
    let markers = match package.get("markers") {
        Some(Value::String(markers)) => Some(markers.as_str()),
        Some(Value::Table(by_group)) => by_group.get(MAIN).and_then(Value::as_str),
        _ => None,
    };
    if let Some(markers) = markers {
        let _ = write!(text, " ; {markers}");
    }
    let files = package.get("files").and_then(Value::as_array).into_iter().flatten();
    for hash in files.filter_map(|file| file.get("hash")?.as_str()).filter(|_| origin.is_none()) {
        let _ = write!(text, " --hash={hash}");
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROJECT: &str = "[tool.poetry.dependencies]\npython = \"^3.11\"\nRequests = \"^2\"\nextra = {version = \"1\", optional = true}\n\
                           [tool.poetry.group.dev.dependencies]\npytest = \"*\"\n";

    fn requirements(lock: &str) -> String {
        PoetryLock::new(&lock.parse().unwrap()).requirements(&PROJECT.parse().unwrap(), Path::new("/site"))
    }

    /// New lock files say which group a package is of, and on which systems it is needed.
    #[test]
    fn groups() {
        let lock = r#"
            [[package]]
            name = "requests"
            version = "2.32.3"
            optional = false
            groups = ["main", "dev"]
            markers = "python_version >= \"3.8\""
            files = [{file = "a.whl", hash = "sha256:aa"}, {file = "a.tar.gz", hash = "sha256:bb"}]
            [[package]]
            name = "pytest"
            version = "8.0.0"
            groups = ["dev"]
            [[package]]
            name = "extra"
            version = "1.0"
            optional = true
            groups = ["main"]
            [[package]]
            name = "ours"
            version = "1.1"
            groups = ["main"]
            files = [{file = "ours.whl", hash = "sha256:cc"}]
            [package.source]
            type = "legacy"
            url = "https://index.example/simple"
            reference = "ours"
            [[package]]
            name = "words"
            version = "0.1"
            groups = ["main"]
            [package.source]
            type = "directory"
            url = "libs/words"
            [[package]]
            name = "tool"
            version = "0.2"
            groups = ["main"]
            [package.source]
            type = "git"
            url = "https://example.com/tool.git"
            reference = "main"
            resolved_reference = "0a1b"
        "#;
        assert_eq!(
            requirements(lock),
            "--extra-index-url https://index.example/simple\n\
             requests==2.32.3 ; python_version >= \"3.8\" --hash=sha256:aa --hash=sha256:bb\n\
             ours==1.1 --hash=sha256:cc\n\
             words @ file:///site/libs/words\n\
             tool @ git+https://example.com/tool.git@0a1b\n"
        );
    }

    /// Of older ones, it is found out by following what depends on what.
    #[test]
    fn graph() {
        let lock = r#"
            [[package]]
            name = "requests"
            version = "2.32.3"
            optional = false
            files = []
            [package.dependencies]
            idna = ">=2.5,<4"
            [[package]]
            name = "idna"
            version = "3.7"
            [[package]]
            name = "pytest"
            version = "8.0.0"
        "#;
        assert_eq!(requirements(lock), "requests==2.32.3\nidna==3.7\n");
    }

    /// What is asked for and not locked was added later.
    #[test]
    fn out_of_date() {
        let missing =
            |lock: &str, project: &str| PoetryLock::new(&lock.parse().unwrap()).missing(&project.parse().unwrap());
        assert_eq!(missing("", PROJECT).as_deref(), Some("requests"));
        assert_eq!(missing("[[package]]\nname = \"requests\"\nversion = \"2\"\n", PROJECT), None);
        let listed = "[project]\nname = \"x\"\ndependencies = [\"Flask[async]>=3\"]\n";
        assert_eq!(missing("", listed).as_deref(), Some("flask"));
    }
}
