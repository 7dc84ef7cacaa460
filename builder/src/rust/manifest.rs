//! `Cargo.toml`: which folders belong together, and what is added so that cargo builds functions.

use std::path::{Component, Path, PathBuf};

use toml::{Table, Value};

/// The name of the file.
pub(super) const MANIFEST: &str = "Cargo.toml";

/// The folder of ship's own crate in a mirrored workspace.
pub(super) const LAUNCHER_FOLDER: &str = ".ship-launcher";

/// The tables that name dependencies.
const DEPENDENCY_TABLES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// A `Cargo.toml`, as far as building functions needs to know it.
#[derive(Clone, Debug, Default)]
pub(super) struct Manifest {
    table: Table,
}

impl Manifest {
    /// Reads a file's text. What is wrong with it is cargo's to say.
    pub(super) fn parse(text: &str) -> Self {
        Self { table: text.parse().unwrap_or_default() }
    }

    pub(super) fn is_package(&self) -> bool {
        self.table.contains_key("package")
    }

    pub(super) fn is_workspace(&self) -> bool {
        self.table.contains_key("workspace")
    }

    /// Whether functions may use this crate.
    pub(super) fn depends_on(&self, name: &str) -> bool {
        self.table.get("dependencies").and_then(|table| table.get(name)).is_some()
    }

    /// Whether somebody has decided what is stripped from programs.
    pub(super) fn says_strip(&self) -> bool {
        self.table.get("profile").and_then(|table| table.get("release")?.get("strip")).is_some()
    }

    /// The name of the binary that is made of `file`, a path relative to the manifest.
    pub(super) fn binary_of(&self, file: &str) -> Option<String> {
        let is_it = |path: &Value| path.as_str().is_some_and(|path| normalised(Path::new(path)) == Path::new(file));
        let binaries = self.table.get("bin")?.as_array()?;
        let binary = binaries.iter().find(|binary| binary.get("path").is_some_and(is_it))?;
        Some(binary.get("name")?.as_str()?.to_owned())
    }

    /// The folders that it names, as it writes them: path dependencies, patches, and the patterns of workspace members.
    pub(super) fn folders(&self) -> Vec<String> {
        let mut found = Vec::new();
        self.dependencies(&self.table, &mut found);
        for target in tables(self.table.get("target")) {
            self.dependencies(target, &mut found);
        }
        for source in tables(self.table.get("patch")).chain(self.table.get("replace").and_then(Value::as_table)) {
            paths(source, &mut found);
        }
        if let Some(workspace) = self.table.get("workspace").and_then(Value::as_table) {
            self.dependencies(workspace, &mut found);
            let members = workspace.get("members").and_then(Value::as_array).into_iter().flatten();
            found.extend(members.filter_map(Value::as_str).map(str::to_owned));
        }
        found
    }

    fn dependencies(&self, of: &Table, found: &mut Vec<String>) {
        for name in DEPENDENCY_TABLES {
            if let Some(table) = of.get(name).and_then(Value::as_table) {
                paths(table, found);
            }
        }
    }
}

fn tables(value: Option<&Value>) -> impl Iterator<Item = &Table> {
    value.and_then(Value::as_table).into_iter().flat_map(|table| table.values().filter_map(Value::as_table))
}

fn paths(dependencies: &Table, found: &mut Vec<String>) {
    let named = dependencies.values().filter_map(|dependency| dependency.get("path")?.as_str());
    found.extend(named.map(str::to_owned));
}

/// A binary that cargo is told of.
pub(super) struct Binary {
    pub(super) name: String,
    /// Relative to the manifest.
    pub(super) path: String,
}

/// What `text` becomes so that cargo builds `binaries` with ship's crate beside them. Everything is added at the end, so the
/// lines that cargo's messages name are those a person sees.
pub(super) fn with_binaries(text: &str, binaries: &[Binary], launcher: &str, features: &[&str]) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut text = format!("{}\n", text.trim_end());
    for Binary { name, path } in binaries {
        let (name, path) = (quoted(name), quoted(path));
        text += &format!("\n[[bin]]\nname = {name}\npath = {path}\ntest = false\nbench = false\ndoc = false\n");
    }
    let features = features.iter().map(|feature| quoted(feature)).collect::<Vec<_>>().join(", ");
    let path = quoted(launcher);
    text + &format!("\n[dependencies.ship-launcher]\npath = {path}\nversion = \"1\"\nfeatures = [{features}]\n")
}

/// The manifest of a project that has none.
pub(super) const NAMELESS: &str = "[package]\nname = \"ship-site\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
                                   [dependencies]\nbytes = \"1\"\nhttp = \"1\"\nhttp-body-util = \"0.1\"\n";

/// A path without `.` and `..`, by its text alone.
pub(super) fn normalised(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                normal.pop();
            }
            other => normal.push(other),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Folders are found in every table that can name one, and so is the binary of a file.
    #[test]
    fn folders_and_binaries() {
        let manifest = Manifest::parse(
            "[package]\nname = \"a\"\n[dependencies]\nb = { path = \"../b\" }\nc = \"1\"\nvercel_runtime = \"2\"\n\
             [target.'cfg(unix)'.dependencies]\nd = { path = \"d\" }\n[patch.crates-io]\ne = { path = \"e\" }\n\
             [workspace]\nmembers = [\"crates/*\"]\n[workspace.dependencies]\nf = { path = \"f\" }\n\
             [[bin]]\nname = \"x\"\npath = \"./api/x.rs\"\n[profile.release]\nstrip = true\n",
        );
        assert_eq!(manifest.folders(), ["../b", "d", "e", "f", "crates/*"]);
        assert_eq!(manifest.binary_of("api/x.rs").as_deref(), Some("x"));
        assert_eq!(manifest.binary_of("api/y.rs"), None);
        assert!(manifest.depends_on("vercel_runtime") && !manifest.depends_on("http"));
        assert!(manifest.is_package() && manifest.is_workspace() && manifest.says_strip());
    }
}
