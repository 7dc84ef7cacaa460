//! The functions in Python: each file below `api/` with an application is one; a project that is a server is one as a whole.

use std::path::Path;

use rayon::prelude::*;
use ship_core::FunctionRuntime;

use super::functions::{Found, function, read_text};
use super::{DetectError, ProjectWarning, Reach, server};
use crate::config::FunctionRules;
use crate::project::ProjectDir;
use crate::python::{self, NearEntry, PythonEntry, PythonError, PythonFile, SiteEntry};

/// A Python file below `api/`.
struct PythonSource {
    file: String,
    text: String,
    scan: PythonFile,
}

impl PythonSource {
    /// The name under which another file imports it.
    fn module(&self) -> &str {
        let name = self.file.rsplit('/').next().unwrap_or(&self.file);
        name.strip_suffix(".py").unwrap_or(name)
    }

    /// Whether it is of a test, whose functions somebody else finds.
    fn is_test(&self) -> bool {
        let name = self.module();
        name == "conftest" || name.starts_with("test_") || name.ends_with("_test")
    }

    /// Whether it belongs to a package, of which a framework may find any file.
    fn is_packaged(&self, base: &Path) -> bool {
        base.join(&self.file).with_file_name("__init__.py").is_file()
    }
}

/// Adds to `found` the functions made of `files`, which stand below `api/`, or else of the project.
pub(super) fn find(
    project: &ProjectDir,
    base: &Path,
    files: &[&String],
    found: &mut Found,
    rules: &mut FunctionRules<'_>,
    warnings: &mut Vec<ProjectWarning>,
) -> Result<(), DetectError> {
    let read = |file: &&String| {
        let text = read_text(project, base, file)?;
        let scan = python::scan(file, &text);
        Ok(PythonSource { file: (*file).clone(), text, scan })
    };
    let sources = files.par_iter().map(read).collect::<Result<Vec<_>, DetectError>>()?;
    let errors: Vec<_> = sources.iter().flat_map(|source| source.scan.errors.iter().cloned()).collect();
    if !errors.is_empty() {
        return Err(PythonError::Syntax { errors }.into());
    }
    let has_others = !found.functions.is_empty();
    for source in sources.iter().filter(|source| source.scan.variable.is_some()) {
        let function = function(&source.file, FunctionRuntime::Python, rules)?;
        let (file, variable) = (source.file.clone(), source.scan.variable.clone());
        found.python.push(PythonEntry { name: function.name.clone(), file, variable });
        found.functions.push(function);
    }
    warnings.extend(sources.iter().filter_map(|source| near_entry(source, &sources)));
    // Without a function there the files below `api/` may be modules of a server.
    if has_others || !found.python.is_empty() {
        warnings.extend(sources.iter().filter_map(|source| lone_function(source, &sources, base)));
    }
    match found.python.as_slice() {
        [] => add_server(project, base, found, rules),
        [only] if !has_others && python::is_server(base, &only.file) => {
            let name = only.name.clone();
            found.functions.iter_mut().filter(|function| function.name == name).for_each(|it| it.reach = Reach::Site);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Adds the server that the project is, if it is one.
fn add_server(
    project: &ProjectDir,
    base: &Path,
    found: &mut Found,
    rules: &mut FunctionRules<'_>,
) -> Result<(), DetectError> {
    let read = |file: &str| read_text(project, base, file);
    let Some(SiteEntry { file, variable }) = python::site_entry(base, &read)? else { return Ok(()) };
    let server = server::function(&file, FunctionRuntime::Python, rules)?;
    found.python.push(PythonEntry { name: server.name.clone(), file, variable: Some(variable) });
    found.functions.push(server);
    Ok(())
}

/// What `source` has instead of an application. What another file imports is a helper, and just as it should be.
fn near_entry(source: &PythonSource, all: &[PythonSource]) -> Option<ProjectWarning> {
    let NearEntry { name, line, flaw } = source.scan.near.clone()?;
    let is_used = all.iter().any(|other| other.file != source.file && python::imports(&other.text, source.module()));
    (!is_used).then(|| ProjectWarning::NearEntry { file: source.file.clone(), line, name, flaw })
}

/// The function of a file that answers nothing and that nobody uses.
fn lone_function(source: &PythonSource, all: &[PythonSource], base: &Path) -> Option<ProjectWarning> {
    let NearEntry { name, line, flaw } = source.scan.lone.clone()?;
    let is_used = all.iter().any(|other| other.file != source.file && python::mentions(&other.text, source.module()));
    let is_meant = !is_used && !source.is_test() && !source.is_packaged(base);
    is_meant.then(|| ProjectWarning::NearEntry { file: source.file.clone(), line, name, flaw })
}
