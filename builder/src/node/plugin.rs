//! What ship tells the bundler while it runs: which packages stay outside, and where each module stands.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use oxc::span::{SourceType, Span};
use rolldown::ModuleType;
use rolldown::plugin::PluginContextResolveOptions;
use rolldown::plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookResolveIdArgs, HookResolveIdOutput, HookResolveIdReturn,
    HookTransformArgs, HookTransformOutput, HookTransformOutputMap, HookTransformReturn, HookUsage, Plugin,
    PluginContext, SharedLoadPluginContext, SharedTransformPluginContext,
};
use rolldown_common::{ImportKind, ResolvedExternal};
use ship_core::FunctionRuntime;
use string_wizard::{Hires, MagicString, SourceMapOptions};

use super::bundle::BundleRequest;
use super::external::stays_outside;
use super::foreign::{Foreign, ImportNames, foreign, not_installed};
use super::locate::{self, Module};
use super::message::{RefusedImport, file_of};
use super::place::{in_artifact, package_folder, package_name};
use super::thrown;
use crate::tree::FileStat;

/// A package that stays outside of the bundle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct OutsidePackage {
    pub(super) name: String,
    /// Its folder, free of symlinks.
    pub(super) folder: PathBuf,
}

/// What was found while the bundler ran.
#[derive(Default, Debug)]
pub(super) struct Findings {
    /// By module: the packages outside that it imports.
    pub(super) outside: BTreeMap<String, BTreeSet<OutsidePackage>>,
    /// By module: files of the project that it reads.
    pub(super) files: BTreeMap<String, Vec<PathBuf>>,
    /// Packages that were bundled and must not be: they read their own files.
    pub(super) unbundlable: BTreeSet<String>,
    /// The files that were read, in the state that they had before.
    pub(super) stats: BTreeMap<PathBuf, FileStat>,
    /// Imports that cannot be had.
    pub(super) refused: BTreeSet<RefusedImport>,
}

fn has_ending(file: &str, ending: &str) -> bool {
    Path::new(file).extension().is_some_and(|found| found == ending)
}

/// An import that stays one, of this.
fn outside(specifier: &str) -> HookResolveIdOutput {
    HookResolveIdOutput { external: Some(true.into()), ..HookResolveIdOutput::from_id(specifier) }
}

/// The plugin.
#[derive(Debug)]
pub(super) struct ShipPlugin {
    base: PathBuf,
    /// What runs the functions.
    runtime: FunctionRuntime,
    /// The files that are functions.
    entries: BTreeSet<PathBuf>,
    /// What the project calls its imports.
    names: ImportNames,
    /// The text of files that are on no disk.
    made: BTreeMap<PathBuf, String>,
    /// Packages that an earlier run found to be unbundlable.
    forced: BTreeSet<String>,
    findings: Arc<Mutex<Findings>>,
    /// By folder of the importer and name: the package, if it stays outside.
    packages: Mutex<HashMap<(PathBuf, String), Option<OutsidePackage>>>,
}

impl ShipPlugin {
    pub(super) fn new(request: &BundleRequest<'_>, forced: BTreeSet<String>, findings: Arc<Mutex<Findings>>) -> Self {
        let (base, made) = (request.base.to_owned(), request.made.clone());
        let names = match request.runtime {
            FunctionRuntime::Deno => ImportNames::read(&base),
            _ => ImportNames::default(),
        };
        let entries = request.entries.iter().map(|(_, file)| file.clone()).collect();
        let runtime = request.runtime;
        let plugin = Self { base, runtime, entries, names, made, forced, findings, packages: Mutex::default() };
        plugin.names.file.iter().for_each(|file| plugin.reads(file));
        plugin
    }

    /// Takes down the state of a file that is about to be read.
    fn reads(&self, file: &Path) {
        if let Ok(metadata) = std::fs::metadata(file) {
            self.note(|findings| {
                findings.stats.insert(file.to_owned(), FileStat::of(&metadata));
            });
        }
    }

    /// What becomes of an import that only one interpreter understands, or that the project has a name for.
    async fn foreign(
        &self,
        context: &PluginContext,
        importer: &str,
        args: &HookResolveIdArgs<'_>,
    ) -> HookResolveIdReturn {
        let is_own = package_folder(&file_of(importer)).is_none();
        let named = self.names.target(args.specifier).filter(|_| is_own);
        let target = named.as_deref().unwrap_or(args.specifier);
        let path = match foreign(self.runtime, target) {
            Some(Foreign::BuiltIn) => return Ok(Some(outside(target))),
            Some(Foreign::Refused(why)) if is_own => return Ok(Some(self.refuse(importer, args.specifier, why))),
            Some(Foreign::Package(name)) => name,
            None if named.is_some() && target.starts_with('.') => self.base.join(target).to_string_lossy().into_owned(),
            _ if named.is_some() => target.to_owned(),
            _ => return Ok(None),
        };
        if let Some(package) = package_name(&path).and_then(|name| self.outside(&file_of(importer), name)) {
            self.imports(importer, package);
            return Ok(Some(outside(&path)));
        }
        let options = PluginContextResolveOptions { import_kind: args.kind, ..PluginContextResolveOptions::default() };
        match (context.resolve(&path, Some(importer), Some(options)).await?, not_installed(target)) {
            (Ok(found), _) => Ok(Some(HookResolveIdOutput::from_resolved_id(found))),
            (Err(_), Foreign::Refused(why)) if is_own && target.contains(':') => {
                Ok(Some(self.refuse(importer, args.specifier, why)))
            }
            _ => Ok(None),
        }
    }

    /// An import that is made when the program runs, of a file that is named by its whole path and is not there by now: the program
    /// may make it. It stays as it is written; the bundler would make a path from the bundle's place of it.
    async fn left_for_later(
        context: &PluginContext,
        importer: &str,
        args: &HookResolveIdArgs<'_>,
    ) -> HookResolveIdReturn {
        let is_whole = args.specifier.starts_with('/') || args.specifier.starts_with("file:");
        if !is_whole || !matches!(args.kind, ImportKind::DynamicImport | ImportKind::Require) {
            return Ok(None);
        }
        let options = PluginContextResolveOptions { import_kind: args.kind, ..PluginContextResolveOptions::default() };
        let found = context.resolve(args.specifier, Some(importer), Some(options)).await?;
        let external = Some(ResolvedExternal::Absolute);
        Ok(found.is_err().then(|| HookResolveIdOutput { external, ..outside(args.specifier) }))
    }

    /// Keeps an import for the message about all that cannot be had.
    fn refuse(&self, importer: &str, specifier: &str, why: String) -> HookResolveIdOutput {
        let refused = RefusedImport { file: file_of(importer), specifier: specifier.to_owned(), why };
        self.note(|findings| {
            findings.refused.insert(refused);
        });
        outside(specifier)
    }

    /// Notes that a module imports a package that stays outside.
    fn imports(&self, importer: &str, package: OutsidePackage) {
        self.note(|findings| {
            findings.outside.entry(importer.to_owned()).or_default().insert(package);
        });
    }

    fn note(&self, what: impl FnOnce(&mut Findings)) {
        what(&mut self.findings.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The package of this name that is installed where `importer` sees it.
    fn installed(importer: &Path, name: &str) -> Option<OutsidePackage> {
        let folders = importer.parent()?.ancestors();
        let folder = folders.map(|folder| folder.join("node_modules").join(name)).find(|folder| folder.is_dir())?;
        Some(OutsidePackage { name: name.to_owned(), folder: folder.canonicalize().ok()? })
    }

    /// The package of this name that `importer` sees, if it stays outside.
    fn outside(&self, importer: &Path, name: &str) -> Option<OutsidePackage> {
        let from = importer.parent()?.to_owned();
        let key = (from.clone(), name.to_owned());
        let known = self.packages.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return known;
        }
        let found = Self::installed(importer, name).filter(|OutsidePackage { folder, .. }| {
            // A workspace's own package is bundled like any other source.
            let is_installed = package_folder(&folder.join("package.json")).is_some();
            is_installed && (self.forced.contains(name) || stays_outside(name, folder))
        });
        self.packages.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        found
    }

    /// What becomes of the places that a module asks for.
    fn located(&self, id: &str, source_type: SourceType, text: &str) -> Vec<(Span, String)> {
        let file = file_of(id);
        let place = in_artifact(&self.base, &file);
        let is_entry = self.entries.contains(&file);
        let module = Module { file: &file, base: &self.base, place: &place, runtime: self.runtime, is_entry };
        let found = locate::locate(&module, source_type, text);
        match package_folder(&file) {
            Some((_, name)) if found.requires_computed || !found.files.is_empty() => self.note(|findings| {
                findings.unbundlable.insert(name);
            }),
            None if !found.files.is_empty() => self.note(|findings| {
                findings.files.insert(id.to_owned(), found.files);
            }),
            _ => {}
        }
        let packages = found.packages.iter().filter_map(|name| Self::installed(&file, name));
        for package in packages {
            self.note(|findings| {
                findings.outside.entry(id.to_owned()).or_default().insert(package);
            });
        }
        found.edits
    }

    /// A module with other words in some of its places.
    fn edited(id: &str, text: &str, edits: Vec<(Span, String)>) -> Option<HookTransformOutput> {
        if edits.is_empty() {
            return None;
        }
        let mut edited = MagicString::new(text);
        for (span, with) in edits {
            edited.update(span.start, span.end, with).ok()?;
        }
        let (source, hires) = (Arc::from(id), Hires::Boundary);
        let options = SourceMapOptions { source, hires, ..SourceMapOptions::default() };
        Some(HookTransformOutput {
            code: Some(edited.to_string()),
            map: HookTransformOutputMap::from(edited.source_map(options)),
            ..HookTransformOutput::default()
        })
    }
}

impl Plugin for ShipPlugin {
    fn name(&self) -> Cow<'static, str> {
        Cow::Borrowed("ship")
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::ResolveId | HookUsage::Load | HookUsage::Transform
    }

    async fn resolve_id(&self, context: &PluginContext, args: &HookResolveIdArgs<'_>) -> HookResolveIdReturn {
        if args.importer.is_none() && self.made.contains_key(Path::new(args.specifier)) {
            return Ok(Some(HookResolveIdOutput::from_id(args.specifier)));
        }
        let Some(importer) = args.importer else { return Ok(None) };
        if let Some(found) = self.foreign(context, importer, args).await? {
            return Ok(Some(found));
        }
        if let Some(later) = Self::left_for_later(context, importer, args).await? {
            return Ok(Some(later));
        }
        let Some(name) = package_name(args.specifier) else { return Ok(None) };
        let Some(package) = self.outside(&file_of(importer), name) else { return Ok(None) };
        self.imports(importer, package);
        Ok(Some(outside(args.specifier)))
    }

    /// `import program from './program.wasm?module'`, as edge functions have it.
    async fn load(&self, _: SharedLoadPluginContext, args: &HookLoadArgs<'_>) -> HookLoadReturn {
        let read = file_of(args.id);
        if let Some(text) = self.made.get(&read) {
            let (code, module_type) = (text.clone().into(), Some(ModuleType::Js));
            return Ok(Some(HookLoadOutput { code, module_type, ..HookLoadOutput::default() }));
        }
        self.reads(&read);
        let Some(file) = args.id.strip_suffix("?module").filter(|file| has_ending(file, "wasm")) else {
            return Ok(None);
        };
        let from = serde_json::Value::from(file);
        let code = format!("import bytes from {from};\nexport default new WebAssembly.Module(bytes);\n");
        Ok(Some(HookLoadOutput { code: code.into(), module_type: Some(ModuleType::Js), ..HookLoadOutput::default() }))
    }

    async fn transform(&self, _: SharedTransformPluginContext, args: &HookTransformArgs<'_>) -> HookTransformReturn {
        let source_type = match args.module_type {
            ModuleType::Js | ModuleType::Jsx => SourceType::unambiguous().with_jsx(true),
            ModuleType::Ts => SourceType::ts(),
            ModuleType::Tsx => SourceType::tsx(),
            _ => return Ok(None),
        };
        let mut edits = Vec::new();
        if locate::may_ask(&file_of(args.id), args.code) {
            edits.extend(self.located(args.id, source_type, args.code));
        }
        if thrown::may_throw(&file_of(args.id), args.code) {
            edits.extend(thrown::edits(source_type, args.code));
        }
        Ok(Self::edited(args.id, args.code, edits))
    }
}
