//! `Cargo.toml`: which folders belong together, and what is added so that cargo builds functions.

use std::path::Path;

use toml::{Table, Value};

use crate::tree::normalised;

/// The name of the file.
pub(super) const MANIFEST: &str = "Cargo.toml";

/// The folder of ship's own crate in a mirrored workspace.
pub(super) const LAUNCHER_FOLDER: &str = ".ship-launcher";

/// Where cargo looks for what is no function of a package: its build script, its library and programs, its tests.
const OWN_PLACES: [&str; 5] = ["build.rs", "src", "tests", "benches", "examples"];

/// Whether `file`, relative to `base`, belongs to a package below `api/` in one of the ways that cargo knows.
pub(crate) fn is_of_package(base: &Path, file: &str) -> bool {
    let file = Path::new(file);
    let mut above = file.ancestors().skip(1).filter(|folder| folder.starts_with("api"));
    above.any(|folder| {
        let place = file.strip_prefix(folder).ok().and_then(|place| place.iter().next()?.to_str());
        place.is_some_and(|place| OWN_PLACES.contains(&place)) && base.join(folder).join(MANIFEST).is_file()
    })
}

/// Crates that serve HTTP.
const SERVERS: [&str; 8] = ["actix-web", "axum", "hyper", "ntex", "poem", "salvo", "viz", "warp"];

/// What a program without such a crate waits for visitors with.
const LISTENER: &str = "TcpListener";

/// Whether the package in `folder` may be a server: it uses a crate that serves HTTP, or its program listens by itself.
pub(crate) fn is_server(folder: &Path) -> bool {
    let read = |file: &str| std::fs::read_to_string(folder.join(file)).unwrap_or_default();
    let manifest = Manifest::parse(&read(MANIFEST));
    let uses_server = || SERVERS.iter().any(|name| manifest.depends_on(name));
    manifest.is_package() && (uses_server() || read(MAIN).contains(LISTENER))
}

/// Where cargo finds the program of a package that names none.
const MAIN: &str = "src/main.rs";

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

    /// The name of the binary that is made of `file`, a path relative to the manifest, because the manifest or cargo's own rule
    /// says so.
    pub(super) fn binary_of(&self, file: &str) -> Option<String> {
        let is_it = |path: &Value| path.as_str().is_some_and(|path| normalised(Path::new(path)) == Path::new(file));
        let binaries = self.table.get("bin").and_then(Value::as_array);
        let named = binaries.into_iter().flatten().find(|binary| binary.get("path").is_some_and(is_it));
        let package = self.table.get("package").filter(|package| {
            let is_found = package.get("autobins").and_then(Value::as_bool) != Some(false);
            file == MAIN && is_found
        });
        Some(named.or(package)?.get("name")?.as_str()?.to_owned())
    }

    /// The folders that it names, as it writes them: path dependencies, patches, and the patterns of workspace members.
    pub(super) fn folders(&self) -> Vec<String> {
        let mut found = Vec::new();
        dependencies(&self.table, &mut found);
        for target in tables(self.table.get("target")) {
            dependencies(target, &mut found);
        }
        for source in tables(self.table.get("patch")).chain(self.table.get("replace").and_then(Value::as_table)) {
            paths(source, &mut found);
        }
        if let Some(workspace) = self.table.get("workspace").and_then(Value::as_table) {
            dependencies(workspace, &mut found);
            let members = workspace.get("members").and_then(Value::as_array).into_iter().flatten();
            found.extend(members.filter_map(Value::as_str).map(str::to_owned));
        }
        found
    }
}

fn dependencies(of: &Table, found: &mut Vec<String>) {
    for name in DEPENDENCY_TABLES {
        if let Some(table) = of.get(name).and_then(Value::as_table) {
            paths(table, found);
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
pub(super) fn with_binaries(original: &str, binaries: &[Binary], launcher: &str, wanted: &[&str]) -> String {
    let quoted = |text: &str| Value::from(text).to_string();
    let mut text = format!("{}\n", original.trim_end());
    for Binary { name, path } in binaries {
        let (name, path) = (quoted(name), quoted(path));
        let entry = [("name", name.as_str()), ("path", &path), ("test", "false"), ("bench", "false"), ("doc", "false")];
        text.push_str("\n[[bin]]\n");
        text.extend(entry.map(|(key, value)| format!("{key} = {value}\n")));
    }
    let features = wanted.iter().map(|feature| quoted(feature)).collect::<Vec<_>>().join(", ");
    let path = quoted(launcher);
    let appended =
        text + &format!("\n[dependencies.ship-launcher]\npath = {path}\nversion = \"1\"\nfeatures = [{features}]\n");
    if appended.parse::<Table>().is_ok() { appended } else { rewritten(original, binaries, launcher, wanted) }
}

/// The same of a manifest that has tables which nothing can be appended to, because they stand in one line.
fn rewritten(original: &str, binaries: &[Binary], launcher: &str, features: &[&str]) -> String {
    // Where it cannot be read, cargo says why.
    let Ok(mut table) = original.parse::<Table>() else { return original.to_owned() };
    let binary = |Binary { name, path }: &Binary| {
        let texts = [("name", name), ("path", path)].map(|(key, text)| (key.to_owned(), Value::from(text.as_str())));
        Value::Table(texts.into_iter().collect())
    };
    if let Value::Array(all) = table.entry("bin").or_insert_with(|| Value::Array(Vec::new())) {
        all.extend(binaries.iter().map(binary));
    }
    let mut dependency = Table::new();
    dependency.insert("path".to_owned(), launcher.into());
    dependency.insert("features".to_owned(), features.to_vec().into());
    if let Value::Table(all) = table.entry("dependencies").or_insert_with(|| Value::Table(Table::new())) {
        all.insert("ship-launcher".to_owned(), Value::Table(dependency));
    }
    table.to_string()
}

/// The manifest of a project that has none.
pub(super) const NAMELESS: &str = "[package]\nname = \"ship-site\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
                                   [dependencies]\nbytes = \"1\"\nhttp = \"1\"\nhttp-body-util = \"0.1\"\n";

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
        assert_eq!(manifest.binary_of("src/main.rs").as_deref(), Some("a"));
        let silent = Manifest::parse("[package]\nname = \"a\"\nautobins = false\n");
        assert_eq!(silent.binary_of("src/main.rs"), None);
        assert!(manifest.depends_on("vercel_runtime") && !manifest.depends_on("http"));
        assert!(manifest.is_package() && manifest.is_workspace() && manifest.says_strip());
    }

    /// What is added stands behind a person's own lines; where it cannot, it is put into the tables that are there.
    #[test]
    fn additions() {
        let binaries = [Binary { name: "b".to_owned(), path: "api/b.rs".to_owned() }];
        let add = |text: &str| with_binaries(text, &binaries, ".ship-launcher", &["serve"]);
        let appended = add("[package]\nname = \"a\"\n\n[[bin]]\nname = \"a\"\npath = \"api/a.rs\"\n");
        assert!(appended.starts_with("[package]\nname = \"a\"\n\n[[bin]]\nname = \"a\"\n"), "{appended}");
        let inline = add("bin = [{ name = \"a\", path = \"api/a.rs\" }]\n[package]\nname = \"a\"\n");
        for text in [appended, inline] {
            let manifest = Manifest::parse(&text);
            assert_eq!(manifest.binary_of("api/a.rs").as_deref(), Some("a"), "{text}");
            assert_eq!(manifest.binary_of("api/b.rs").as_deref(), Some("b"), "{text}");
            assert_eq!(manifest.folders(), [".ship-launcher"], "{text}");
        }
    }
}
