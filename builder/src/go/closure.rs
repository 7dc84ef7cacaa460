//! What a Go function is made of: its file, the helpers beside it, and every package of the project that these import, one
//! through another. The digest of all of it is what the build cache is asked with.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use ship_core::{Digest, DigestHasher, FunctionName, FunctionRuntime};

use super::gomod::Module;
use super::names::package_folder;
use super::scan::{GoFile, is_go_source, scan};
use crate::detect::{DetectedFunction, GoSource, Reach, SiteFolder};
use crate::tree::FileStat;

/// The endings of files that the compiler takes from a package's folder.
const COMPILED: [&str; 6] = ["go", "s", "S", "h", "hh", "syso"];

/// A folder whose files are compiled or embedded cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be read", path.display())]
pub(crate) struct InputError {
    pub(crate) path: PathBuf,
    #[source]
    pub(crate) source: io::Error,
}

/// All that the Go functions of a project are made of.
#[derive(Debug, Default)]
pub(crate) struct GoInputs {
    /// The modules that the functions belong to.
    pub(super) modules: Vec<Module>,
    /// The functions, sorted by name.
    pub(crate) functions: Vec<FunctionInputs>,
    /// The packages that no function has: nothing is made of them, but what is wrong with them may be why.
    pub(crate) loose: Vec<PackageInputs>,
}

/// What one function is made of.
#[derive(Debug)]
pub(crate) struct FunctionInputs {
    /// The function's name.
    pub(crate) name: FunctionName,
    /// What answers requests.
    pub(super) entry: GoEntry,
    /// The function's own file, the helpers beside it, and what these need.
    pub(crate) package: PackageInputs,
}

/// What of a function answers requests.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum GoEntry {
    /// A handler, by its name: a program is made around it.
    Handler(String),
    /// A program that stands where it is and opens a port itself.
    Server,
}

/// What a package that only the compiler sees is made of.
#[derive(Debug)]
pub(crate) struct PackageInputs {
    /// Its module's place in [`GoInputs::modules`].
    pub(super) module: usize,
    /// Its folder relative to its module's: one that only the compiler sees.
    pub(super) folder: String,
    /// Its Go files.
    pub(super) sources: Vec<OwnSource>,
    /// What these embed: the place relative to their folder, and the file.
    pub(super) embedded: Vec<(String, PathBuf)>,
    /// The digest of the sources and of everything they import from the project.
    pub(super) digest: Digest,
    /// The state in which the imported and embedded files were read.
    pub(super) read: Vec<(PathBuf, FileStat)>,
}

/// A file that becomes part of a package that only the compiler sees.
#[derive(Debug)]
pub(super) struct OwnSource {
    /// Its path relative to the folder that `api/` stands in.
    pub(super) file: String,
    pub(super) text: String,
    pub(super) scan: GoFile,
}

impl PackageInputs {
    /// Whether all files are still in the state in which they were read. What was compiled from files that changed
    /// meanwhile must not be remembered under their old digest.
    pub(crate) fn are_unchanged(&self) -> bool {
        self.read.iter().all(|(path, stat)| std::fs::metadata(path).is_ok_and(|now| FileStat::of(&now) == *stat))
    }
}

impl GoInputs {
    /// Reads what `functions` are made of.
    pub(crate) fn read(
        functions: &[DetectedFunction],
        sources: &[GoSource],
        site: &SiteFolder,
    ) -> Result<Self, InputError> {
        let mut inputs = Self::default();
        let mut packages = Packages::default();
        for source in sources {
            let Some(function) = functions.iter().find(|function| function.file == source.file) else { continue };
            let index = inputs.module(source, site)?;
            let function = packages.function(function, source, sources, site, (index, &inputs.modules[index]))?;
            inputs.functions.push(function);
        }
        for function in functions.iter().filter(|function| is_server(function)) {
            let folder = site.base.join(&function.file);
            let folder = folder.parent().unwrap_or(&site.base);
            let index = inputs.module_of(folder, site)?;
            let function = packages.server(function, folder, (index, &inputs.modules[index]))?;
            inputs.functions.push(function);
        }
        for files in loose_packages(sources, site, &packages) {
            if has_assembly(&site.base.join(files[0].folder()))? {
                continue;
            }
            let index = inputs.module(files[0], site)?;
            let package = packages.loose(&files, site, (index, &inputs.modules[index]))?;
            inputs.loose.push(package);
        }
        inputs.functions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(inputs)
    }

    /// The place of the module that a file belongs to.
    fn module(&mut self, source: &GoSource, site: &SiteFolder) -> Result<usize, InputError> {
        self.module_of(&site.base.join(source.folder()), site)
    }

    fn module_of(&mut self, folder: &Path, site: &SiteFolder) -> Result<usize, InputError> {
        let module = Module::of(folder, &site.base, &site.project)?;
        let known = self.modules.iter().position(|known| *known == module);
        if known.is_none() {
            self.modules.push(module);
        }
        Ok(known.unwrap_or(self.modules.len() - 1))
    }
}

/// Whether a function is a Go program of its own.
fn is_server(function: &DetectedFunction) -> bool {
    function.runtime == FunctionRuntime::Go && function.reach == Reach::Site
}

/// The files that are neither functions nor helpers of one, by their packages. What a function imports is compiled with it.
fn loose_packages<'s>(sources: &'s [GoSource], site: &SiteFolder, imported: &Packages) -> Vec<Vec<&'s GoSource>> {
    let place = |source: &'s GoSource| (source.folder(), source.scan.package.as_str());
    let of_functions: BTreeSet<_> = sources.iter().filter(|source| source.scan.handler.is_some()).map(place).collect();
    let mut packages: BTreeMap<_, Vec<&GoSource>> = BTreeMap::new();
    for source in sources {
        let is_imported = imported.known.contains_key(&site.base.join(source.folder()));
        if !of_functions.contains(&place(source)) && !is_imported {
            packages.entry(place(source)).or_default().push(source);
        }
    }
    packages.into_values().collect()
}

/// The packages that were read so far: functions share most of theirs.
#[derive(Default)]
struct Packages {
    known: BTreeMap<PathBuf, Package>,
}

/// A package of the project.
struct Package {
    digest: Digest,
    imports: Vec<String>,
    read: Vec<(PathBuf, FileStat)>,
}

impl Packages {
    fn function(
        &mut self,
        function: &DetectedFunction,
        source: &GoSource,
        all: &[GoSource],
        site: &SiteFolder,
        (module_index, module): (usize, &Module),
    ) -> Result<FunctionInputs, InputError> {
        let helpers = all.iter().filter(|helper| {
            helper.folder() == source.folder()
                && helper.scan.handler.is_none()
                && helper.scan.package == source.scan.package
        });
        let own: Vec<OwnSource> = std::iter::once(source).chain(helpers).map(OwnSource::of).collect();
        let name = function.name.as_str();
        let shown = name.rsplit('/').next().unwrap_or_default();
        let folder = site.base.join(source.folder());
        let package = self.inputs((name, shown), own, &folder, (module_index, module))?;
        let handler = source.scan.handler.as_ref().map(|handler| handler.name.clone()).unwrap_or_default();
        Ok(FunctionInputs { name: function.name.clone(), entry: GoEntry::Handler(handler), package })
    }

    /// The program whose package stands in `folder`.
    fn server(
        &mut self,
        function: &DetectedFunction,
        folder: &Path,
        (module_index, module): (usize, &Module),
    ) -> Result<FunctionInputs, InputError> {
        let own = Package::read(folder)?;
        let place = folder.strip_prefix(&module.folder).unwrap_or(Path::new(""));
        let place = if place.as_os_str().is_empty() { ".".to_owned() } else { place.display().to_string() };
        let mut hasher = DigestHasher::new();
        hasher.update_field(b"server");
        hasher.update_field(place.as_bytes());
        hasher.update(own.digest.as_bytes());
        let mut read = own.read;
        self.hash_imports(own.imports.into_iter().collect(), module, &mut hasher, &mut read)?;
        for (name, bytes) in &module.manifests {
            hasher.update_field(name.as_bytes());
            hasher.update_field(bytes);
        }
        let package = PackageInputs {
            module: module_index,
            folder: place,
            sources: Vec::new(),
            embedded: Vec::new(),
            digest: hasher.finish(),
            read,
        };
        Ok(FunctionInputs { name: function.name.clone(), entry: GoEntry::Server, package })
    }

    /// A package that no function has, of these files.
    fn loose(
        &mut self,
        files: &[&GoSource],
        site: &SiteFolder,
        module: (usize, &Module),
    ) -> Result<PackageInputs, InputError> {
        let source = files[0];
        let name = format!("{} {}", source.folder(), source.scan.package);
        let own = files.iter().map(|source| OwnSource::of(source)).collect();
        self.inputs((&name, &source.scan.package), own, &site.base.join(source.folder()), module)
    }

    /// A package of `sources`, which stand in `folder`. What it is called is `shown`, and `name` tells it from all others.
    fn inputs(
        &mut self,
        (name, shown): (&str, &str),
        sources: Vec<OwnSource>,
        folder: &Path,
        (module_index, module): (usize, &Module),
    ) -> Result<PackageInputs, InputError> {
        let package = package_folder(name, shown, folder.strip_prefix(&module.folder).unwrap_or(Path::new("")));
        let mut hasher = DigestHasher::new();
        let mut read = Vec::new();
        hasher.update_field(package.as_bytes());
        for file in &sources {
            hasher.update_field(file.file.as_bytes());
            hasher.update_field(file.text.as_bytes());
            hasher.update_field(file.scan.handler.as_ref().map_or("", |handler| &handler.name).as_bytes());
        }
        let patterns = sources.iter().flat_map(|file| &file.scan.embeds);
        let embedded = embedded_files(folder, patterns)?;
        for (place, file) in &embedded {
            hasher.update_field(place.as_bytes());
            hash_file(&mut hasher, file, &mut read)?;
        }
        let imports = sources.iter().flat_map(|file| file.scan.imports.iter().cloned()).collect();
        self.hash_imports(imports, module, &mut hasher, &mut read)?;
        for (name, bytes) in &module.manifests {
            hasher.update_field(name.as_bytes());
            hasher.update_field(bytes);
        }
        Ok(PackageInputs { module: module_index, folder: package, sources, embedded, digest: hasher.finish(), read })
    }

    /// Adds every package of the project that `imports` reach, each once, in the order of their import paths.
    fn hash_imports(
        &mut self,
        imports: BTreeSet<String>,
        module: &Module,
        hasher: &mut DigestHasher,
        read: &mut Vec<(PathBuf, FileStat)>,
    ) -> Result<(), InputError> {
        let mut reached = imports.clone();
        let mut waiting: Vec<String> = imports.into_iter().collect();
        while let Some(import) = waiting.pop() {
            let Some(package) = self.package(&import, module)? else { continue };
            waiting.extend(package.imports.iter().filter(|import| reached.insert((*import).clone())).cloned());
        }
        for import in &reached {
            if let Some(package) = self.package(import, module)? {
                hasher.update_field(import.as_bytes());
                hasher.update(package.digest.as_bytes());
                read.extend(package.read.iter().cloned());
            }
        }
        Ok(())
    }

    /// The package of an import path; `None` for the standard library, the module cache and what is not there.
    fn package(&mut self, import: &str, module: &Module) -> Result<Option<&Package>, InputError> {
        let Some(folder) = module.resolve(import).filter(|folder| folder.is_dir()) else { return Ok(None) };
        if !self.known.contains_key(&folder) {
            let package = Package::read(&folder)?;
            self.known.insert(folder.clone(), package);
        }
        Ok(self.known.get(&folder))
    }
}

impl OwnSource {
    fn of(source: &GoSource) -> Self {
        Self { file: source.file.clone(), text: source.text.clone(), scan: source.scan.clone() }
    }
}

impl Package {
    fn read(folder: &Path) -> Result<Self, InputError> {
        let mut hasher = DigestHasher::new();
        let mut read = Vec::new();
        let mut imports = Vec::new();
        let mut embeds = Vec::new();
        for name in compiled_files(folder)? {
            let file = folder.join(&name);
            hasher.update_field(name.as_bytes());
            let bytes = hash_file(&mut hasher, &file, &mut read)?;
            if is_go_source(&name) {
                let found = scan(&String::from_utf8_lossy(&bytes));
                imports.extend(found.imports);
                embeds.extend(found.embeds);
            }
        }
        for (place, file) in embedded_files(folder, &embeds)? {
            hasher.update_field(place.as_bytes());
            hash_file(&mut hasher, &file, &mut read)?;
        }
        Ok(Self { digest: hasher.finish(), imports, read })
    }
}

/// The names of the files that the compiler takes from a folder, sorted.
fn compiled_files(folder: &Path) -> Result<Vec<String>, InputError> {
    let unreadable = |source| InputError { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let Ok(name) = entry.map_err(unreadable)?.file_name().into_string() else { continue };
        let is_compiled = name.rsplit_once('.').is_some_and(|(_, extension)| COMPILED.contains(&extension));
        if is_compiled && !name.ends_with("_test.go") && !name.starts_with(['.', '_']) {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Whether part of a package is written in assembly, which Go can compile only where it really stands.
fn has_assembly(folder: &Path) -> Result<bool, InputError> {
    Ok(compiled_files(folder)?.iter().any(|name| matches!(name.rsplit_once('.'), Some((_, "s" | "S")))))
}

/// Adds a file's bytes, and notes the state in which they were read.
fn hash_file(
    hasher: &mut DigestHasher,
    path: &Path,
    read: &mut Vec<(PathBuf, FileStat)>,
) -> Result<Vec<u8>, InputError> {
    let unreadable = |source| InputError { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(unreadable)?;
    let bytes = std::fs::read(path).map_err(unreadable)?;
    hasher.update_field(&bytes);
    read.push((path.to_owned(), FileStat::of(&metadata)));
    Ok(bytes)
}

/// The files that patterns of `//go:embed` can reach, sorted: everything below what stands before the first wildcard. More than
/// is embedded may be listed; never less.
fn embedded_files<'p>(
    folder: &Path,
    patterns: impl IntoIterator<Item = &'p String>,
) -> Result<Vec<(String, PathBuf)>, InputError> {
    let mut found = BTreeMap::new();
    for pattern in patterns {
        let literal: Vec<&str> = pattern.split('/').take_while(|part| !part.contains(['*', '?', '[', '\\'])).collect();
        if literal.contains(&"..") || pattern.starts_with('/') {
            continue;
        }
        list_below(folder, &literal.join("/"), &mut found)?;
    }
    Ok(found.into_iter().collect())
}

fn list_below(folder: &Path, place: &str, found: &mut BTreeMap<String, PathBuf>) -> Result<(), InputError> {
    let location = folder.join(place);
    let Ok(metadata) = std::fs::symlink_metadata(&location) else { return Ok(()) };
    if metadata.is_file() {
        found.insert(place.to_owned(), location);
        return Ok(());
    }
    if !metadata.is_dir() || (!place.is_empty() && location.join("go.mod").exists()) {
        return Ok(());
    }
    let unreadable = |source| InputError { path: location.clone(), source };
    for entry in std::fs::read_dir(&location).map_err(unreadable)? {
        let Ok(name) = entry.map_err(unreadable)?.file_name().into_string() else { continue };
        if matches!(name.as_str(), ".git" | ".ship" | "node_modules") {
            continue;
        }
        let below = if place.is_empty() { name } else { format!("{place}/{name}") };
        list_below(folder, &below, found)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
