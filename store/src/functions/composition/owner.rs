//! Whose a file is, by where it stands.

use ship_core::FunctionRuntime;

/// Where packages of Node stand, at any depth.
const NODE_PACKAGES: &str = "node_modules";

/// Where packages of Python stand: in what ship packs, and in what others do.
const PYTHON_PACKAGES: [&str; 2] = ["python", "site-packages"];

/// Where the project stands in an artifact of Python.
const PYTHON_PROJECT: &str = "project";

/// What ship itself puts beside a function: launchers, by file and by folder.
const LAUNCHERS: [&str; 3] = ["launcher.mjs", "launcher.py", "ship_launcher"];

/// Whose something is.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Owner {
    pub(super) kind: PackageKind,
    pub(super) name: String,
}

/// What kind of thing a package is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum PackageKind {
    /// The project wrote it.
    Own,
    /// Somebody else did.
    Dependency,
    /// It comes with the language, the bundler or ship.
    Platform,
    /// Of a program, what is no code.
    Data,
}

impl PackageKind {
    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Dependency => "dependency",
            Self::Platform => "platform",
            Self::Data => "data",
        }
    }
}

impl Owner {
    pub(super) fn own() -> Self {
        Self { kind: PackageKind::Own, name: "the project".to_owned() }
    }

    pub(super) fn dependency(name: impl Into<String>) -> Self {
        Self { kind: PackageKind::Dependency, name: name.into() }
    }

    pub(super) fn platform(name: impl Into<String>) -> Self {
        Self { kind: PackageKind::Platform, name: name.into() }
    }

    pub(super) fn data(name: impl Into<String>) -> Self {
        Self { kind: PackageKind::Data, name: name.into() }
    }

    /// Whose the file at `path` is, and where it stands there.
    pub(super) fn of_path(path: &str, runtime: FunctionRuntime) -> (Self, String) {
        if path.strip_suffix(".map").is_some() {
            return (Self::data("source maps"), path.to_owned());
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
        if let Some(place) = parts.iter().rposition(|part| *part == NODE_PACKAGES) {
            return of_node(&parts[place + 1..]);
        }
        match (parts.first(), runtime) {
            (Some(first), _) if LAUNCHERS.contains(first) => (Self::platform("ship's launcher"), parts.join("/")),
            (Some(first), FunctionRuntime::Python) if PYTHON_PACKAGES.contains(first) => of_python(&parts[1..]),
            (Some(&PYTHON_PROJECT), FunctionRuntime::Python) => (Self::own(), parts[1..].join("/")),
            _ => (Self::own(), parts.join("/")),
        }
    }
}

/// A package of Node is a folder, or a folder in that of its scope.
fn of_node(parts: &[&str]) -> (Owner, String) {
    let length = if parts.first().is_some_and(|part| part.starts_with('@')) { 2 } else { 1 };
    let (package, rest) = parts.split_at(length.min(parts.len()));
    (Owner::dependency(package.join("/")), rest.join("/"))
}

/// A package of Python is a folder, a module by itself, or the folder of what is known of it.
fn of_python(parts: &[&str]) -> (Owner, String) {
    let first = parts.first().copied().unwrap_or_default();
    let folder = first.strip_suffix(".dist-info").or_else(|| first.strip_suffix(".libs"));
    let name = folder.map_or(first, |folder| folder.split('-').next().unwrap_or(folder));
    let name = name.strip_suffix(".py").unwrap_or(name);
    (Owner::dependency(name.to_ascii_lowercase()), parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packages of both languages, what ship adds, and what remains.
    #[test]
    fn places() {
        let read = |(runtime, path): (FunctionRuntime, &str)| {
            let (owner, rest) = Owner::of_path(path, runtime);
            format!("{} {}: {rest}", owner.kind.as_str(), owner.name)
        };
        let (node, python) = (FunctionRuntime::Node, FunctionRuntime::Python);
        let paths = [
            (node, "node_modules/sharp/lib/index.js"),
            (node, "../../node_modules/.pnpm/zod@4.0.0/node_modules/@scope/zod/index.js"),
            (node, "python/six.py"),
            (python, "python/starlette/app.py"),
            (python, "python/PyYAML-6.0.dist-info/RECORD"),
            (python, "python/six.py"),
            (python, "project/api/date.py"),
            (node, "launcher.mjs"),
            (node, "../lib/date.ts"),
            (node, "bundle/date.mjs.map"),
        ];
        insta::assert_snapshot!(paths.map(read).join("\n"), @r"
        dependency sharp: lib/index.js
        dependency @scope/zod: index.js
        own the project: python/six.py
        dependency starlette: starlette/app.py
        dependency pyyaml: PyYAML-6.0.dist-info/RECORD
        dependency six: six.py
        own the project: api/date.py
        platform ship's launcher: launcher.mjs
        own the project: lib/date.ts
        data source maps: bundle/date.mjs.map
        ");
    }
}
