//! The parts of a project that `builds` of `vercel.json` names, file by file. Nothing is found beyond what it names, and a
//! function answers at the path of its file, its ending included; one named `index` answers for its folder too.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use ship_core::route::{CaseRule, Pattern, Phase, Route, RouteTable};
use ship_core::{FunctionRuntime, SitePath};

use super::functions::{DetectedFunction, Found, Reach, go_source, node_source, read_text, rust_source};
use super::{DetectError, IgnoreFile, ProjectWarning};
use crate::config::{Allowance, BuildItem, Builder, ConfigError, ConfigText, Configuration, FunctionRules};
use crate::go;
use crate::node::Helpers;
use crate::project::ProjectDir;
use crate::python::{self, PythonEntry, PythonError};
use crate::tree::{self, Selection, TreeError};

/// The folder that a script leaves, unless another is named.
const SCRIPT_OUTPUT: &str = "dist";

/// What `builds` names.
pub(super) struct Named {
    pub(super) found: Found,
    /// The files that are served as they are.
    pub(super) statics: GlobSet,
    /// The package that is built.
    pub(super) frontend: Option<NamedFrontend>,
}

/// The build of a package, or the script that builds.
pub(super) struct NamedFrontend {
    /// The folder of the package, which is also where its files are served. None is the project's own.
    pub(super) folder: Option<SitePath>,
    /// What runs the script that builds it, where that is no package.
    pub(super) script: Option<Vec<String>>,
    /// The folder that the build leaves, where that is said.
    pub(super) output: Option<String>,
    /// Where it is named in the configuration.
    pub(super) place: Range<usize>,
}

/// Reads `builds`, if there are any.
pub(super) fn find(
    project: &ProjectDir,
    base: &Path,
    ignore: &IgnoreFile,
    (text, file): (ConfigText<'_>, &Configuration),
    rules: &mut FunctionRules<'_>,
    warnings: &mut Vec<ProjectWarning>,
) -> Result<Option<Named>, DetectError> {
    if file.builds.is_empty() {
        return Ok(None);
    }
    let selection = ignore.in_project_folder().without_ignored(base, ProjectSelection);
    let files: Vec<String> =
        tree::walk(base, project.root(), &selection)?.into_iter().map(|file| file.path.as_str().to_owned()).collect();
    let mut reading = Reading { project, base, rules, warnings, found: Found::default(), text };
    let (mut statics, mut frontend) = (GlobSetBuilder::new(), None);
    for item in &file.builds {
        let glob = compile(text, item)?;
        let matching: Vec<&String> = files.iter().filter(|file| glob.is_match(file)).collect();
        if matching.is_empty() {
            let line = text.line(item.place().start);
            reading.warnings.push(ProjectWarning::BuildOfNothing {
                config: text.file.name(),
                glob: item.glob().to_owned(),
                line,
            });
            continue;
        }
        match item.builder(text)? {
            Builder::Static => drop(statics.add(glob.glob().clone())),
            Builder::Frontend if frontend.is_none() => frontend = Some(reading.frontend(item, &matching)?),
            Builder::Frontend => {
                let message = "one site has one frontend that is built: deploy the other as a project of its own";
                return Err(text.error(item.place(), message).coded("invalid_builds").into());
            }
            Builder::Go => reading.functions(item, &matching, FunctionRuntime::Go)?,
            Builder::Deno => reading.functions(item, &matching, FunctionRuntime::Deno)?,
            Builder::Node => reading.functions(item, &matching, FunctionRuntime::Node)?,
            Builder::Python => reading.functions(item, &matching, FunctionRuntime::Python)?,
            Builder::Rust => reading.functions(item, &matching, FunctionRuntime::Rust)?,
        }
    }
    let mut found = reading.found;
    add_go_helpers(project, base, &files, &mut found)?;
    found.functions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    let statics = statics.build().map_err(|error| text.error(0..0, error.to_string()))?;
    Ok(Some(Named { found, statics, frontend }))
}

fn compile(text: ConfigText<'_>, item: &BuildItem) -> Result<GlobMatcher, ConfigError> {
    // A placeholder in the name of a file looks like a class of characters, and is none.
    let literal = |letter| match letter {
        '[' => "[[]".to_owned(),
        ']' => "[]]".to_owned(),
        other => String::from(other),
    };
    let written: String = item.glob().chars().map(literal).collect();
    let glob = GlobBuilder::new(&written).literal_separator(true).build();
    let glob = glob.map_err(|error| text.error(item.place(), error.kind().to_string()).coded("invalid_builds"))?;
    Ok(glob.compile_matcher())
}

/// One reading of the list.
struct Reading<'r, 't> {
    project: &'r ProjectDir,
    base: &'r Path,
    text: ConfigText<'r>,
    rules: &'r mut FunctionRules<'t>,
    warnings: &'r mut Vec<ProjectWarning>,
    found: Found,
}

impl Reading<'_, '_> {
    fn functions(&mut self, item: &BuildItem, files: &[&String], runtime: FunctionRuntime) -> Result<(), DetectError> {
        for file in files {
            let is_named = |function: &DetectedFunction| function.file == **file;
            if self.found.functions.iter().any(is_named) {
                continue;
            }
            let runtime = match runtime {
                FunctionRuntime::Node => self.rules.interpreter(file, file, None),
                other => other,
            };
            let function = self.function(item, file, runtime)?;
            if self.source(item, &function)? {
                self.found.functions.push(function);
            } else {
                self.warnings.push(ProjectWarning::NoHandler { file: (*file).clone() });
            }
        }
        Ok(())
    }

    fn function(
        &mut self,
        item: &BuildItem,
        file: &str,
        runtime: FunctionRuntime,
    ) -> Result<DetectedFunction, DetectError> {
        let name = file.parse().map_err(|source| TreeError::Name { path: file.into(), source })?;
        let Allowance { limits, warm } = self.rules.allowance(file, file, item.limits())?;
        let inclusion = item.inclusion(self.text)?;
        Ok(DetectedFunction { name, file: file.to_owned(), runtime, limits, warm, reach: Reach::Path, inclusion })
    }

    /// The build of the package or the script in `files`.
    fn frontend(&self, item: &BuildItem, files: &[&String]) -> Result<NamedFrontend, DetectError> {
        let file = files.first().map_or("", |file| file.as_str());
        let (folder, name) = file.rsplit_once('/').map_or((None, file), |(folder, name)| (Some(folder), name));
        let path = || PathBuf::from(item.glob());
        let folder = folder.map(str::parse).transpose().map_err(|source| TreeError::Name { path: path(), source })?;
        let is_script = Path::new(name).extension().is_some_and(|ending| ending == "sh");
        let text = is_script.then(|| read_text(self.project, self.base, file)).transpose()?;
        let script = text.map(|text| words_of_script(name, &text));
        // What a package leaves is known by its framework; a script leaves what it is told to.
        let output = item.output().or(script.is_some().then_some(SCRIPT_OUTPUT)).map(str::to_owned);
        Ok(NamedFrontend { folder, script, output, place: item.place() })
    }

    /// Adds the source of a function; says whether it has a handler.
    fn source(&mut self, item: &BuildItem, function: &DetectedFunction) -> Result<bool, DetectError> {
        let (project, base, file) = (self.project, self.base, function.file.as_str());
        match function.runtime {
            FunctionRuntime::Node | FunctionRuntime::Bun | FunctionRuntime::Deno => {
                let mut source = node_source(project, base, file)?;
                if item.forbids_helpers() {
                    source.scan.config.helpers = Helpers::None;
                }
                // Who is named in full is believed to answer in a way that only running it shows.
                let has_handler = source.scan.is_function || item.glob() == file;
                self.found.node_sources.push(source);
                Ok(has_handler)
            }
            FunctionRuntime::Go => {
                let source = go_source(project, base, file)?;
                let has_handler = source.scan.handler.is_some();
                self.found.sources.push(source);
                Ok(has_handler)
            }
            FunctionRuntime::Rust => {
                let source = rust_source(project, base, file)?;
                let has_handler = source.scan.entry.is_some();
                self.found.rust_sources.push(source);
                Ok(has_handler)
            }
            _ => {
                let scan = python::scan(file, &read_text(project, base, file)?);
                if !scan.errors.is_empty() {
                    return Err(PythonError::Syntax { errors: scan.errors }.into());
                }
                let Some(variable) = scan.variable else { return Ok(false) };
                let entry =
                    PythonEntry { name: function.name.clone(), file: file.to_owned(), variable: Some(variable) };
                self.found.python.push(entry);
                Ok(true)
            }
        }
    }
}

/// The words that run a script in its folder: what its first line names as its interpreter, or else a shell.
fn words_of_script(name: &str, text: &str) -> Vec<String> {
    let interpreter = text.lines().next().and_then(|line| line.strip_prefix("#!"));
    let words = interpreter.unwrap_or("sh").split_whitespace().map(str::to_owned);
    words.chain([format!("./{name}")]).collect()
}

/// Adds the Go files that stand beside functions: what they declare, functions use.
fn add_go_helpers(project: &ProjectDir, base: &Path, files: &[String], found: &mut Found) -> Result<(), DetectError> {
    let folder = |file: &str| file.rsplit_once('/').map_or(String::new(), |(folder, _)| folder.to_owned());
    let mut sources: BTreeMap<String, _> =
        found.sources.drain(..).map(|source| (source.file.clone(), source)).collect();
    let folders: Vec<String> = sources.keys().map(|file| folder(file)).collect();
    for file in files.iter().filter(|file| go::is_go_source(file) && folders.contains(&folder(file))) {
        if !sources.contains_key(file) {
            sources.insert(file.clone(), go_source(project, base, file)?);
        }
    }
    found.sources = sources.into_values().collect();
    Ok(())
}

/// Lets functions named `index` answer for their folders, behind what stands there by its own name and before what `routes`
/// say of it.
pub(super) fn with_folder_routes(written: &RouteTable, functions: &[DetectedFunction]) -> RouteTable {
    let mut table = RouteTable::new();
    for function in functions {
        let name = function.name.as_str();
        let (folder, file) = name.rsplit_once('/').map_or(("", name), |(folder, file)| (folder, file));
        if file.rsplit_once('.').is_none_or(|(stem, _)| stem != "index") {
            continue;
        }
        let folder = if folder.is_empty() { String::new() } else { format!("/{}", super::route::escape(folder)) };
        let pattern = Pattern::anchored(&format!("^{folder}/?$"), CaseRule::Sensitive);
        let mut route = Route::new(pattern.expect("an escaped path is a pattern"));
        route.dest = Some(format!("/{name}"));
        route.check = true;
        table.push(Phase::Filesystem, route);
    }
    for phase in Phase::ALL {
        written.phase(phase).iter().for_each(|route| table.push(phase, route.clone()));
    }
    table
}

/// What may be named: everything but what is hidden or installed.
struct ProjectSelection;

impl Selection for ProjectSelection {
    fn enters(&self, _path: &str, name: &str) -> bool {
        name != "node_modules" && (!name.starts_with('.') || name == ".well-known")
    }

    fn takes(&self, _path: &str, name: &str) -> bool {
        !name.starts_with('.')
    }
}
