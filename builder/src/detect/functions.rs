//! The functions below `api/`: each file with a handler is one; the files without are helpers of those beside them.

use std::path::Path;

use rayon::prelude::*;
use ship_core::{FunctionLimits, FunctionName, FunctionRuntime, WarmSchedule};

use super::{DetectError, IgnoreFile, ProjectWarning, server};
use crate::config::{Allowance, FunctionRules, OwnLimits};
use crate::go::{self, GoFile, Handler, HandlerFlaw, NearHandler};
use crate::included::Inclusion;
use crate::node::{self, NodeSource};
use crate::project::ProjectDir;
use crate::python::{self, PythonEntry, PythonError, SyntaxError};
use crate::rust::{self, NearRustHandler, RustSource};
use crate::tree::{self, Selection, TreeError};

/// The endings of files that other versions of ship build and this one does not.
const OTHER_LANGUAGES: [&str; 1] = [".rb"];

/// A function that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DetectedFunction {
    /// Its name: its path without the extension.
    pub name: FunctionName,
    /// Its file, relative to the folder that `api/` stands in.
    pub file: String,
    /// How it is started.
    pub runtime: FunctionRuntime,
    /// What it may use.
    pub limits: FunctionLimits,
    /// When other numbers of instances are kept than its limits say.
    pub warm: Vec<WarmSchedule>,
    /// Which paths it answers at.
    pub(crate) reach: Reach,
    /// Which files of the project it takes along.
    pub(crate) inclusion: Inclusion,
}

/// Which paths a function answers at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reach {
    /// The path of its file.
    Path,
    /// Every path at which nothing else stands: it is a server of its own, with its own routes.
    Site,
}

/// A Go file below `api/`, read once: what is looked at here is what is compiled later.
#[derive(Debug)]
pub(crate) struct GoSource {
    /// Its path relative to the folder that `api/` stands in.
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) scan: GoFile,
}

impl GoSource {
    /// The folder it stands in, `api/users` for example.
    pub(crate) fn folder(&self) -> &str {
        self.file.rsplit_once('/').map_or("", |(folder, _)| folder)
    }
}

/// What stands below `api/`, or is named elsewhere.
#[derive(Default)]
pub(super) struct Found {
    /// Sorted by name.
    pub(super) functions: Vec<DetectedFunction>,
    /// Sorted by file.
    pub(super) sources: Vec<GoSource>,
    /// Sorted by file.
    pub(super) rust_sources: Vec<RustSource>,
    /// The functions in Python, with what of their files answers requests.
    pub(super) python: Vec<PythonEntry>,
    /// What is wrong with files in Python, where there are functions in other languages, too.
    pub(super) python_mistakes: Vec<SyntaxError>,
    pub(super) node_sources: Vec<NodeSource>,
    /// The source files, of which those without a handler are helpers. Go's are its compiler's to judge.
    pub(super) helpers: Vec<String>,
}

/// Finds the functions below `base`.
pub(super) fn find(
    project: &ProjectDir,
    base: &Path,
    ignore: &IgnoreFile,
    rules: &mut FunctionRules<'_>,
    warnings: &mut Vec<ProjectWarning>,
) -> Result<Found, DetectError> {
    let folder = base.join("api");
    if !folder.is_dir() {
        let mut found = Found::default();
        super::python::find(project, base, &[], &mut found, rules, warnings)?;
        return Ok(found);
    }
    // The folder itself may be a symlink, which must not leave the project either.
    let folder = tree::follow(&folder, project.root())?;
    let selection = ignore.everywhere().without_ignored(&folder, ApiSelection);
    let files: Vec<String> =
        tree::walk(&folder, project.root(), &selection)?.iter().map(|file| format!("api/{}", file.path)).collect();
    let is_go = |file: &&String| go::is_go_source(file);
    let is_node = |file: &&String| node::is_source(file);
    let is_rust = |file: &&String| rust::is_rust_source(file);
    let is_known = |file: &&String| is_source(file);
    warnings.extend(files.iter().filter(|file| !is_known(file)).map(|file| unknown_language(file.clone())));
    let helpers: Vec<String> = files.iter().filter(is_known).filter(|file| !is_go(file)).cloned().collect();
    let rust_files: Vec<&String> =
        files.iter().filter(is_rust).filter(|file| !rust::is_of_package(base, file)).collect();
    let rust_sources =
        rust_files.par_iter().map(|file| rust_source(project, base, file)).collect::<Result<Vec<_>, _>>()?;
    let python: Vec<&String> = files.iter().filter(|file| python::is_python_source(file)).collect();
    let node_files: Vec<&String> = files.iter().filter(is_node).collect();
    let files: Vec<&String> = files.iter().filter(is_go).collect();
    let node_sources =
        node_files.par_iter().map(|file| node_source(project, base, file)).collect::<Result<Vec<_>, _>>()?;
    let sources = files.par_iter().map(|file| go_source(project, base, file)).collect::<Result<Vec<_>, _>>()?;
    let mut functions = Vec::new();
    for source in &sources {
        if source.scan.handler.is_some() {
            functions.push(function(&source.file, FunctionRuntime::Go, rules)?);
            warnings.extend(further_handler(source, &sources));
        } else {
            warnings.extend(near_handler(source, &sources));
        }
    }
    for RustSource { file, scan } in &rust_sources {
        if scan.entry.is_some() {
            functions.push(function(file, FunctionRuntime::Rust, rules)?);
        } else if let Some(NearRustHandler { name, line, flaw }) = scan.near_handler.clone() {
            warnings.push(ProjectWarning::NearRustHandler { file: file.clone(), line, name, flaw });
        }
    }
    for source in &node_sources {
        if source.scan.is_function {
            functions.push(javascript_function(source, rules)?);
            let flaws = source.scan.flaws.iter().cloned();
            warnings.extend(flaws.map(|flaw| ProjectWarning::OwnSetting { file: source.file.clone(), flaw }));
        } else {
            warnings.extend(node::near_export(source, &node_sources));
        }
    }
    let mut found = Found { functions, sources, rust_sources, node_sources, helpers, ..Found::default() };
    let in_python = super::python::find(project, base, &python, &mut found, rules, warnings);
    put_off_mistakes(in_python, &mut found)?;
    found.functions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    Ok(found)
}

/// Keeps what is wrong with files in Python until functions in other languages are compiled, so that no mistake hides another.
fn put_off_mistakes(in_python: Result<(), DetectError>, found: &mut Found) -> Result<(), DetectError> {
    match in_python {
        Err(DetectError::Python(PythonError::Syntax { errors })) if !found.functions.is_empty() => {
            found.python_mistakes = errors;
            Ok(())
        }
        other => other,
    }
}

/// What is said of a file that is not in a language that is built, as far as its ending tells.
fn unknown_language(file: String) -> ProjectWarning {
    if is_source(&file.to_lowercase()) {
        ProjectWarning::CapitalEnding { file }
    } else {
        ProjectWarning::LanguageNotBuilt { file }
    }
}

/// Adds the server of the project's own, if it has one: a function that answers wherever nothing else stands.
pub(super) fn add_server(
    project: &ProjectDir,
    base: &Path,
    rules: &mut FunctionRules<'_>,
    found: &mut Found,
) -> Result<bool, DetectError> {
    let interpreter = |file: &str, own| rules.interpreter(server::NAME, file, own);
    let Some(file) = node::find_server(base, &interpreter) else { return Ok(false) };
    let source = node_source(project, base, &file)?;
    let runtime = rules.interpreter(server::NAME, &file, source.scan.interpreter);
    let server = server::function(&file, runtime, rules)?;
    found.functions.push(server);
    found.functions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    found.node_sources.push(source);
    Ok(true)
}

/// Adds the Rust program of the project, which is a server.
pub(super) fn add_rust_server(
    project: &ProjectDir,
    base: &Path,
    rules: &mut FunctionRules<'_>,
    found: &mut Found,
) -> Result<(), DetectError> {
    let source = rust_source(project, base, server::RUST_PROGRAM)?;
    if source.scan.entry.is_some() {
        found.functions.push(server::function(server::RUST_PROGRAM, FunctionRuntime::Rust, rules)?);
        found.rust_sources.push(source);
    }
    Ok(())
}

/// What `source` has instead of a handler. What another file uses is a helper, and just as it should be.
fn near_handler(source: &GoSource, all: &[GoSource]) -> Option<ProjectWarning> {
    let NearHandler { name, line, flaw } = source.scan.near_handler.clone()?;
    // A function with a writer alone is often a helper of its own file.
    let counts = |other: &GoSource| other.file != source.file || flaw == HandlerFlaw::NoRequest;
    let is_used = all.iter().any(|other| counts(other) && go::mentions(&other.text, &name));
    (!is_used).then(|| ProjectWarning::NearHandler { file: source.file.clone(), line, name, flaw })
}

/// A second handler in a file that has one. What is used somewhere is a helper, and just as it should be.
fn further_handler(source: &GoSource, all: &[GoSource]) -> Option<ProjectWarning> {
    let (first, Handler { name, line }) = (source.scan.handler.as_ref()?, source.scan.further_handler.clone()?);
    let is_used = all.iter().any(|any| go::mentions(&any.text, &name));
    let (file, first) = (source.file.clone(), first.name.clone());
    (!is_used).then_some(ProjectWarning::FurtherHandler { file, line, name, first })
}

pub(super) fn go_source(project: &ProjectDir, base: &Path, file: &str) -> Result<GoSource, DetectError> {
    let text = read_text(project, base, file)?;
    let scan = go::scan(&text);
    Ok(GoSource { file: file.to_owned(), text, scan })
}

pub(super) fn rust_source(project: &ProjectDir, base: &Path, file: &str) -> Result<RustSource, DetectError> {
    let scan = rust::scan(&read_text(project, base, file)?);
    Ok(RustSource { file: file.to_owned(), scan })
}

pub(super) fn node_source(project: &ProjectDir, base: &Path, file: &str) -> Result<NodeSource, DetectError> {
    Ok(NodeSource::read(base, file, read_text(project, base, file)?))
}

/// The text of a source file below `base`.
pub(super) fn read_text(project: &ProjectDir, base: &Path, file: &str) -> Result<String, DetectError> {
    let location = base.join(file);
    let shown = tree::shown_below(project.root(), &location);
    let bytes = std::fs::read(&location).map_err(|source| TreeError::Unreadable { path: shown.clone(), source })?;
    crate::text::text(bytes).map_err(|problem| DetectError::NotUtf8 { file: shown.display().to_string(), problem })
}

/// The function that is made of `file`.
pub(super) fn function(
    file: &str,
    runtime: FunctionRuntime,
    rules: &mut FunctionRules<'_>,
) -> Result<DetectedFunction, DetectError> {
    function_with(file, runtime, OwnLimits::default(), rules)
}

/// The function in TypeScript or JavaScript that is made of `source`.
pub(super) fn javascript_function(
    source: &NodeSource,
    rules: &mut FunctionRules<'_>,
) -> Result<DetectedFunction, DetectError> {
    let own = source.scan.config;
    let own = OwnLimits { timeout_secs: own.timeout_secs, memory_mb: own.memory_mb };
    let name = source.file.rsplit_once('.').map_or(source.file.as_str(), |(name, _)| name);
    let runtime = rules.interpreter(name, &source.file, source.scan.interpreter);
    function_with(&source.file, runtime, own, rules)
}

/// The function that is made of `file`, which says itself what it wants to use.
fn function_with(
    file: &str,
    runtime: FunctionRuntime,
    own: OwnLimits,
    rules: &mut FunctionRules<'_>,
) -> Result<DetectedFunction, DetectError> {
    let name = file.rsplit_once('.').map_or(file, |(name, _)| name);
    let Allowance { limits, warm } = rules.allowance(name, file, own)?;
    let inclusion = rules.inclusion(name, file);
    let name = name.parse().map_err(|source| TreeError::Name { path: file.into(), source })?;
    Ok(DetectedFunction { name, file: file.to_owned(), runtime, limits, warm, reach: Reach::Path, inclusion })
}

/// What may be a function: no hidden files, none that begin with `_`, no tests and no installed packages.
struct ApiSelection;

impl Selection for ApiSelection {
    fn enters(&self, _path: &str, name: &str) -> bool {
        !name.starts_with(['.', '_']) && name != "node_modules" && name != "vendor" && name != "testdata"
    }

    fn takes(&self, _path: &str, name: &str) -> bool {
        let is_other = OTHER_LANGUAGES.iter().any(|ending| name.ends_with(ending));
        !name.starts_with(['.', '_']) && (is_source(&name.to_lowercase()) || is_other)
    }
}

/// Whether a file of this name is in a language that is built.
fn is_source(name: &str) -> bool {
    go::is_go_source(name) || node::is_source(name) || python::is_python_source(name) || rust::is_rust_source(name)
}
