//! One run of the bundler over all functions, so that what they share is read and parsed once.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use rolldown::plugin::__inner::SharedPluginable;
use rolldown::{
    Bundler, BundlerOptions, InputItem, LogLevel, ModuleType, OutputFormat, Platform, ResolveOptions, SourceMapType,
};
use rolldown_common::{Output, OutputChunk};
use rolldown_error::{BuildDiagnostic, EventKind, Severity};

use ship_core::{Digest, FunctionRuntime};

use super::message::{BundleError, Reader, file_of};
use super::place::BUNDLE_FOLDER;
use super::plugin::{Findings, OutsidePackage, ShipPlugin};
use crate::tree::FileStat;

/// How often the bundler may run until every package that has to stay outside does. Each further run is for a package that
/// only its sources, or the bundler's refusal, give away; packages of packages are found in the same run.
const MAX_RUNS: usize = 4;

/// Files that are imported as their text.
const TEXTS: [&str; 10] = ["css", "csv", "gql", "graphql", "html", "md", "sql", "svg", "txt", "xml"];

/// Files that are imported as their bytes.
const BYTES: [&str; 14] =
    ["avif", "bin", "gif", "ico", "jpeg", "jpg", "otf", "pdf", "png", "ttf", "wasm", "webp", "woff", "woff2"];

/// What is to be bundled.
pub(super) struct BundleRequest<'b> {
    /// The project's root.
    pub(super) project: &'b Path,
    /// The folder that `api/` stands in.
    pub(super) base: &'b Path,
    /// Each function's name in the bundle, and its file.
    pub(super) entries: Vec<(String, PathBuf)>,
    /// The text of files that are on no disk.
    pub(super) made: BTreeMap<PathBuf, String>,
    /// Packages that an earlier build found to be unbundlable.
    pub(super) forced: BTreeSet<String>,
    /// What runs the functions.
    pub(super) runtime: FunctionRuntime,
}

/// What came of it.
pub(super) struct Bundled {
    /// By the name of the entry.
    pub(super) functions: HashMap<String, BundledFunction>,
    /// The packages that had to be kept outside because of what is in their files.
    pub(super) forced: BTreeSet<String>,
    /// Every file that was read, in the state in which it was found.
    pub(super) stats: BTreeMap<PathBuf, FileStat>,
}

/// A function's part of the bundle.
#[derive(Default)]
pub(super) struct BundledFunction {
    /// Its modules and their maps, by name.
    pub(super) modules: BTreeMap<String, Arc<Vec<u8>>>,
    /// The packages that it needs from outside.
    pub(super) outside: BTreeSet<OutsidePackage>,
    /// The files that its modules read.
    pub(super) files: BTreeSet<PathBuf>,
}

impl Bundled {
    /// The digests of all modules, each computed once.
    pub(super) fn module_digests(&self) -> BTreeMap<String, Digest> {
        let modules: BTreeMap<&String, &Arc<Vec<u8>>> =
            self.functions.values().flat_map(|function| &function.modules).collect();
        modules.into_par_iter().map(|(name, bytes)| (name.clone(), Digest::of(bytes))).collect()
    }
}

/// The stack of a thread that parses, in bytes: it calls itself for each level of what it reads. Only what is used takes memory.
const STACK_BYTES: usize = 128 * 1024 * 1024;

/// Bundles all functions of a project.
pub(super) fn bundle(request: &BundleRequest<'_>) -> Result<Bundled, BundleError> {
    let failed = |error: &dyn std::fmt::Display| BundleError::Failed { message: error.to_string() };
    let mut threads = tokio::runtime::Builder::new_multi_thread();
    let threads = threads.thread_stack_size(STACK_BYTES).enable_all().build().map_err(|error| failed(&error))?;
    let mut forced = request.forced.clone();
    let mut runs = 0;
    loop {
        runs += 1;
        let findings = Arc::new(Mutex::new(Findings::default()));
        let run = threads.block_on(run(request, forced.clone(), Arc::clone(&findings)));
        let findings = std::mem::take(&mut *findings.lock().unwrap_or_else(PoisonError::into_inner));
        if !findings.refused.is_empty() {
            return Err(Reader { project: request.project, base: request.base }.refused(&findings.refused));
        }
        let known = forced.len();
        forced.extend(findings.unbundlable.iter().cloned());
        if forced.len() == known || runs == MAX_RUNS {
            let run = run?;
            let functions = run.functions(request, &findings)?;
            let mut stats = findings.stats;
            for file in run.read {
                // Settings are read before any module is; modules have their state already.
                if let (Entry::Vacant(place), Ok(metadata)) = (stats.entry(file.clone()), std::fs::metadata(&file)) {
                    place.insert(FileStat::of(&metadata));
                }
            }
            return Ok(Bundled { functions, forced, stats });
        }
    }
}

/// What one run gave.
struct Run {
    outputs: Vec<Output>,
    read: Vec<PathBuf>,
}

async fn run(
    request: &BundleRequest<'_>,
    forced: BTreeSet<String>,
    findings: Arc<Mutex<Findings>>,
) -> Result<Run, BundleError> {
    let reader = Reader { project: request.project, base: request.base };
    let refused = |diagnostics: Vec<BuildDiagnostic>| reader.error(&diagnostics);
    let plugin: SharedPluginable = Arc::new(ShipPlugin::new(request, forced, Arc::clone(&findings)));
    let mut bundler =
        Bundler::with_plugins(options(request), vec![plugin]).map_err(|errors| refused(errors.into_vec()))?;
    let output = bundler.generate().await.map_err(|errors| {
        let errors = errors.into_vec().into_iter().filter(|error| error.severity() == Severity::Error);
        let errors: Vec<BuildDiagnostic> = errors.collect();
        let at_fault = errors.iter().filter_map(|error| reader.package_at_fault(error));
        findings.lock().unwrap_or_else(PoisonError::into_inner).unbundlable.extend(at_fault);
        refused(errors)
    })?;
    // A package that is not there is a warning to the bundler; the function would not start. What a package of packages does
    // about its own optional ones is its own business.
    let is_own = |diagnostic: &BuildDiagnostic| {
        diagnostic.id().is_some_and(|id| !file_of(&id).components().any(|part| part.as_os_str() == "node_modules"))
    };
    let unresolved: Vec<BuildDiagnostic> = output
        .warnings
        .into_iter()
        .filter(|warning| matches!(warning.kind(), EventKind::UnresolvedImport) && is_own(warning))
        .collect();
    if !unresolved.is_empty() {
        return Err(refused(unresolved));
    }
    let read = bundler.watch_files().iter().map(|file| file_of(&file)).filter(|file| file.is_absolute()).collect();
    let closed = bundler.close().await;
    closed.map_err(|errors| refused(errors.into_vec()))?;
    Ok(Run { outputs: output.assets, read })
}

fn options(request: &BundleRequest<'_>) -> BundlerOptions {
    let entry = |(name, file): &(String, PathBuf)| InputItem {
        name: Some(name.clone()),
        import: file.to_string_lossy().into_owned(),
    };
    let types = TEXTS.iter().map(|ending| (ending, ModuleType::Text));
    let types = types.chain(BYTES.iter().map(|ending| (ending, ModuleType::Binary)));
    BundlerOptions {
        input: Some(request.entries.iter().map(entry).collect()),
        cwd: Some(request.base.to_owned()),
        platform: Some(Platform::Node),
        resolve: Some(ResolveOptions { condition_names: condition(request.runtime), ..ResolveOptions::default() }),
        format: Some(OutputFormat::Esm),
        dir: Some(BUNDLE_FOLDER.to_owned()),
        entry_filenames: Some("[name].mjs".to_owned().into()),
        chunk_filenames: Some("shared-[hash].mjs".to_owned().into()),
        // The launcher reads a map when a stack is asked for. A comment in the module would make Node read it at each start.
        sourcemap: Some(SourceMapType::Hidden),
        module_types: Some(types.map(|(ending, kind)| ((*ending).to_owned(), kind)).collect()),
        sourcemap_exclude_sources: Some(true),
        log_level: Some(LogLevel::Silent),
        ..BundlerOptions::default()
    }
}

/// The condition under which packages have something else for an interpreter.
fn condition(runtime: FunctionRuntime) -> Option<Vec<String>> {
    matches!(runtime, FunctionRuntime::Bun | FunctionRuntime::Deno).then(|| vec![runtime.to_string()])
}

impl Run {
    /// What each function needs of the output: its entry, and all that this imports, one through another.
    fn functions(
        &self,
        request: &BundleRequest<'_>,
        findings: &Findings,
    ) -> Result<HashMap<String, BundledFunction>, BundleError> {
        let bytes: HashMap<&str, Arc<Vec<u8>>> = self
            .outputs
            .iter()
            .map(|output| (output.filename(), Arc::new(output.content_as_bytes().to_vec())))
            .collect();
        let chunks: HashMap<&str, &OutputChunk> = self
            .outputs
            .iter()
            .filter_map(|output| match output {
                Output::Chunk(chunk) => Some((chunk.filename.as_str(), &**chunk)),
                Output::Asset(_) => None,
            })
            .collect();
        let mut functions = HashMap::new();
        for (name, _) in &request.entries {
            let mut function = BundledFunction::default();
            let mut seen = HashSet::new();
            let entry = format!("{name}.mjs");
            let mut left = vec![entry.as_str()];
            while let Some(file) = left.pop() {
                let Some(chunk) = chunks.get(file).filter(|_| seen.insert(file)) else { continue };
                function.take(file, &bytes);
                function.take(&format!("{file}.map"), &bytes);
                left.extend(chunk.imports.iter().map(|name| -> &str { name }));
                // The bundler names the file that holds what is imported later, and imports another that leads to it.
                left.extend(
                    mentioned(&chunk.code).filter_map(|name| chunks.get_key_value(name)).map(|(name, _)| *name),
                );
                for module in &chunk.module_ids {
                    function.outside.extend(findings.outside.get(module.as_str()).into_iter().flatten().cloned());
                    function.files.extend(findings.files.get(module.as_str()).into_iter().flatten().cloned());
                }
            }
            if function.modules.is_empty() {
                return Err(BundleError::Failed { message: format!("there is no `{entry}` in what it made") });
            }
            functions.insert(name.clone(), function);
        }
        Ok(functions)
    }
}

/// The names that stand behind `"./` in a module: those of its neighbours, and perhaps others.
fn mentioned(code: &str) -> impl Iterator<Item = &str> {
    code.match_indices("\"./").filter_map(|(place, start)| code[place + start.len()..].split('"').next())
}

impl BundledFunction {
    fn take(&mut self, file: &str, bytes: &HashMap<&str, Arc<Vec<u8>>>) {
        if let Some(bytes) = bytes.get(file) {
            self.modules.insert(format!("{BUNDLE_FOLDER}/{file}"), Arc::clone(bytes));
        }
    }
}

#[cfg(test)]
mod tests;
