//! The sources below `api/` as they were found, and the functions that are made of them.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ship_core::{Digest, FunctionName, FunctionRuntime};

use super::launcher::Calling;
use super::scan::{NodeScan, scan};
use crate::detect::{DetectedFunction, ProjectWarning};

/// The endings of files that may be functions.
const ENDINGS: [&str; 8] = [".js", ".mjs", ".cjs", ".jsx", ".ts", ".mts", ".cts", ".tsx"];

/// What stands before the ending of files that are about the sources, and no part of them.
const ABOUT: [&str; 4] = [".d", ".test", ".spec", ".config"];

/// Whether a file of this name may be a function: declarations, tests and settings never are.
pub(crate) fn is_source(name: &str) -> bool {
    let stem = ENDINGS.iter().find_map(|ending| name.strip_suffix(ending));
    stem.is_some_and(|stem| !ABOUT.iter().any(|about| stem.ends_with(about)))
}

/// A source file below `api/`.
#[derive(Debug)]
pub(crate) struct NodeSource {
    /// Its path relative to the folder that `api/` stands in.
    pub(crate) file: String,
    /// Where it is.
    location: PathBuf,
    text: String,
    pub(crate) scan: NodeScan,
    /// Whether it is there only for the bundler.
    is_made: bool,
    /// It decides whether requests go on.
    is_middleware: bool,
}

/// What a module is called that ship makes beside the server of a framework.
const MADE: &str = "ship-server.mjs";

impl NodeSource {
    /// The source `file` below `base`, which holds `text`.
    pub(crate) fn read(base: &Path, file: &str, text: String) -> Self {
        let mut scan = scan(file, &text);
        // `require('../server')` alone is a function if that listens.
        scan.is_function |= scan.loads.iter().any(|name| listens(&base.join(file), name));
        Self { file: file.to_owned(), location: base.join(file), text, scan, is_made: false, is_middleware: false }
    }

    /// A source that stands in for `file` below `base`: a module beside it that holds `text`, and that is on no disk.
    pub(crate) fn made(base: &Path, file: &str, text: String) -> Self {
        let source = Self::read(base, file, text);
        Self { location: source.location.with_file_name(MADE), is_made: true, ..source }
    }

    /// The middleware in `file` below `base`, which holds `text`.
    pub(crate) fn middleware(base: &Path, file: &str, text: String) -> Self {
        Self { is_middleware: true, ..Self::read(base, file, text) }
    }
}

/// Whether the file that `importer` loads by `name` listens.
fn listens(importer: &Path, name: &str) -> bool {
    let path = importer.with_file_name("").join(name);
    let named = path.display().to_string();
    // TypeScript names a module as it will be called.
    let stem = ENDINGS.iter().find_map(|ending| named.strip_suffix(ending));
    let with_ending = |stem: &str| ENDINGS.map(|ending| PathBuf::from(format!("{stem}{ending}")));
    let mut candidates = vec![path];
    candidates.extend(stem.into_iter().chain([&*named, &*format!("{named}/index")]).flat_map(with_ending));
    let Some(file) = candidates.into_iter().find(|file| file.is_file()) else { return false };
    let text = std::fs::read_to_string(&file).unwrap_or_default();
    scan(&file.to_string_lossy(), &text).listens
}

/// What `source` has instead of a handler. What another file imports is a helper, and just as it should be.
pub(crate) fn near_export(source: &NodeSource, all: &[NodeSource]) -> Option<ProjectWarning> {
    let near = source.scan.near.clone()?;
    let name = source.file.rsplit('/').next().unwrap_or_default();
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let imports = ["'", "\"", ".js'", ".js\"", ".ts'", ".ts\"", ".mjs'", ".mjs\""];
    let is_used = |other: &NodeSource| imports.iter().any(|end| other.text.contains(&format!("/{stem}{end}")));
    let is_helper = all.iter().any(|other| other.file != source.file && is_used(other));
    (!is_helper).then(|| ProjectWarning::NearExport { file: source.file.clone(), line: near.line, found: near.found })
}

/// The functions in TypeScript and JavaScript of a project.
#[derive(Debug, Default)]
pub(crate) struct NodeInputs {
    /// Sorted by name.
    pub(super) functions: Vec<NodeFunction>,
}

/// One function.
#[derive(Debug)]
pub(super) struct NodeFunction {
    pub(super) name: FunctionName,
    /// What runs it.
    pub(super) runtime: FunctionRuntime,
    /// Where its file is.
    pub(super) location: PathBuf,
    /// What it is called in the bundle.
    pub(super) entry: String,
    pub(super) calling: Calling,
    /// The digest of its own file.
    pub(super) digest: Digest,
    /// What stands in its file, if that is there only for the bundler.
    pub(super) made: Option<String>,
}

impl NodeInputs {
    /// Those that `runtime` runs.
    pub(super) fn run_by(&self, runtime: FunctionRuntime) -> impl Iterator<Item = &NodeFunction> {
        self.functions.iter().filter(move |function| function.runtime == runtime)
    }

    /// What `functions` are made of.
    pub(crate) fn new(functions: &[DetectedFunction], sources: Vec<NodeSource>) -> Self {
        let mut found: Vec<NodeFunction> = sources
            .into_iter()
            .filter_map(|source| {
                let is_it =
                    |function: &&DetectedFunction| function.runtime.is_javascript() && function.file == source.file;
                let DetectedFunction { name, runtime, .. } = functions.iter().find(is_it)?;
                let config = source.scan.config;
                Some(NodeFunction {
                    entry: entry_name(name),
                    name: name.clone(),
                    runtime: *runtime,
                    calling: Calling {
                        is_edge: config.is_edge || source.is_middleware,
                        helpers: config.helpers,
                        is_middleware: source.is_middleware,
                    },
                    digest: Digest::of(source.text.as_bytes()),
                    location: source.location,
                    made: source.is_made.then_some(source.text),
                })
            })
            .collect();
        found.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Self { functions: found }
    }
}

/// A function's name as the name of one file, which no other function has.
fn entry_name(name: &FunctionName) -> String {
    let mut entry = String::new();
    for byte in name.as_str().bytes() {
        match byte {
            b'/' => entry.push('~'),
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => entry.push(char::from(byte)),
            other => {
                let _ = write!(entry, "@{other:02x}");
            }
        }
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file that only loads another is a function if that one listens, however it is named.
    #[test]
    fn loads_a_server() {
        let folder = tempfile::tempdir().unwrap();
        let server = "const app = express();\napp.listen(process.env.PORT);\n";
        let files = [("api/index.js", ""), ("server.js", server), ("src/app.ts", server), ("lib/index.js", server)];
        for (file, text) in files.into_iter().chain([("set.js", "a()")]) {
            std::fs::create_dir_all(folder.path().join(file).parent().unwrap()).unwrap();
            std::fs::write(folder.path().join(file), text).unwrap();
        }
        let is_function = |text: &str| NodeSource::read(folder.path(), "api/index.js", text.into()).scan.is_function;
        for text in ["require('../server')", "import '../server.js'", "import '../src/app.js'", "require('../lib')"] {
            assert!(is_function(text), "{text}");
        }
        for text in
            ["require('../set')", "import '../absent'", "import 'dotenv/config'", "const a = require('../server')"]
        {
            assert!(!is_function(text), "{text}");
        }
    }

    /// Sources by their names; what is about sources is none.
    #[test]
    fn names() {
        for name in ["a.js", "a.mjs", "a.cjs", "a.ts", "a.mts", "a.tsx", "[id].ts", "latest.ts", "spec.js"] {
            assert!(is_source(name), "{name}");
        }
        for name in ["a.d.ts", "a.d.mts", "a.test.ts", "a.spec.js", "vitest.config.ts", "a.json", "ts", "a.ts.bak"] {
            assert!(!is_source(name), "{name}");
        }
        let entry = |name: &str| entry_name(&name.parse().unwrap());
        assert_eq!(entry("api/users/[id]"), "api~users~@5bid@5d");
        assert_ne!(entry("api/a~b"), entry("api/a/b"));
    }
}
