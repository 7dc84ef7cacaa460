//! Go modules: which module a file belongs to, and which folder an import path means inside of it.

use std::io;
use std::path::{Path, PathBuf};

use super::closure::InputError;

/// The module path of a project without `go.mod`.
const NAMELESS_MODULE: &str = "ship.site";

/// The module that functions are compiled in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Module {
    /// Its folder; for a project without `go.mod`, the folder that `api/` stands in.
    pub(super) folder: PathBuf,
    /// Its module path.
    pub(super) path: String,
    /// Where its dependencies come from.
    pub(super) dependencies: Dependencies,
    /// The files that say which versions are used, by name, with their contents.
    pub(super) manifests: Vec<(String, Vec<u8>)>,
    /// Import path prefixes and the folders they mean, longest prefix first.
    roots: Vec<(String, PathBuf)>,
}

/// Where the packages of other modules come from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Dependencies {
    /// There is no `go.mod`: one is made up in the build folder.
    Nameless,
    /// From the module cache, as `go.mod` says. What it lacks is added to a copy in the build folder.
    ModuleFile,
    /// From `vendor/`.
    Vendored,
    /// From the modules that this `go.work` names.
    Workspace(PathBuf),
}

impl Module {
    /// The module of a Go file in `folder`: that of the nearest `go.mod` up to `project`, or else a made-up one at `base`.
    pub(super) fn of(folder: &Path, base: &Path, project: &Path) -> Result<Self, InputError> {
        let Some(folder) = nearest(folder, project, "go.mod") else { return Ok(Self::nameless(base)) };
        let text = read_text(&folder.join("go.mod"))?;
        let parsed = ModuleFile::parse(&text);
        let mut module = Self {
            path: parsed.path.clone().unwrap_or_else(|| NAMELESS_MODULE.to_owned()),
            manifests: Vec::new(),
            roots: Vec::new(),
            dependencies: Dependencies::ModuleFile,
            folder,
        };
        module.add_root(&parsed, &module.folder.clone());
        if let Some(workspace) = nearest(&module.folder, project, "go.work") {
            module.join_workspace(&workspace)?;
        } else if module.folder.join("vendor/modules.txt").is_file() {
            module.dependencies = Dependencies::Vendored;
        }
        for name in ["go.mod", "go.sum", "vendor/modules.txt"] {
            module.keep_manifest(&module.folder.join(name), name)?;
        }
        module.roots.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(module)
    }

    fn nameless(base: &Path) -> Self {
        Self {
            folder: base.to_owned(),
            path: NAMELESS_MODULE.to_owned(),
            dependencies: Dependencies::Nameless,
            manifests: Vec::new(),
            roots: vec![(NAMELESS_MODULE.to_owned(), base.to_owned())],
        }
    }

    /// The folder that an import means, if it is one whose files can change: this module's, one that a local `replace` or
    /// the workspace names, or a vendored one. The standard library and the module cache never change.
    pub(super) fn resolve(&self, import: &str) -> Option<PathBuf> {
        for (prefix, folder) in &self.roots {
            if let Some(below) = import.strip_prefix(prefix.as_str())
                && (below.is_empty() || below.starts_with('/'))
            {
                return Some(folder.join(below.trim_start_matches('/')));
            }
        }
        let is_vendored = self.dependencies == Dependencies::Vendored;
        is_vendored.then(|| self.folder.join("vendor").join(import)).filter(|folder| folder.is_dir())
    }

    fn add_root(&mut self, file: &ModuleFile, folder: &Path) {
        if let Some(path) = &file.path {
            self.roots.push((path.clone(), folder.to_owned()));
        }
        for (path, target) in &file.local_replacements {
            self.roots.push((path.clone(), folder.join(target)));
        }
    }

    fn join_workspace(&mut self, folder: &Path) -> Result<(), InputError> {
        let file = folder.join("go.work");
        let parsed = ModuleFile::parse(&read_text(&file)?);
        for (path, target) in &parsed.local_replacements {
            self.roots.push((path.clone(), folder.join(target)));
        }
        for used in &parsed.used {
            let used = folder.join(used);
            if let Ok(text) = std::fs::read_to_string(used.join("go.mod")) {
                self.add_root(&ModuleFile::parse(&text), &used);
                self.keep_manifest(&used.join("go.mod"), "go.mod")?;
                self.keep_manifest(&used.join("go.sum"), "go.sum")?;
            }
        }
        self.keep_manifest(&file, "go.work")?;
        self.keep_manifest(&folder.join("go.work.sum"), "go.work.sum")?;
        self.dependencies = Dependencies::Workspace(file);
        Ok(())
    }

    fn keep_manifest(&mut self, file: &Path, name: &str) -> Result<(), InputError> {
        match std::fs::read(file) {
            Ok(bytes) => self.manifests.push((name.to_owned(), bytes)),
            Err(absent) if absent.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(InputError { path: file.to_owned(), source }),
        }
        Ok(())
    }
}

/// The nearest folder from `folder` up to `top` that holds `name`.
fn nearest(folder: &Path, top: &Path, name: &str) -> Option<PathBuf> {
    folder
        .ancestors()
        .take_while(|folder| folder.starts_with(top))
        .find(|folder| folder.join(name).is_file())
        .map(Path::to_owned)
}

fn read_text(file: &Path) -> Result<String, InputError> {
    std::fs::read_to_string(file).map_err(|source| InputError { path: file.to_owned(), source })
}

/// What of a `go.mod` or `go.work` matters here: which paths mean which folders.
#[derive(Default, PartialEq, Eq, Debug)]
struct ModuleFile {
    path: Option<String>,
    local_replacements: Vec<(String, String)>,
    used: Vec<String>,
}

impl ModuleFile {
    fn parse(text: &str) -> Self {
        let mut file = Self::default();
        let mut block = None;
        for line in text.lines() {
            let line = line.split("//").next().unwrap_or_default();
            let words: Vec<&str> = line.split_whitespace().map(|word| word.trim_matches(['"', '`'])).collect();
            match (words.as_slice(), block) {
                ([")"], _) => block = None,
                ([directive, "("], None) => block = Some(*directive),
                ([directive, arguments @ ..], None) => file.directive(directive, arguments),
                (arguments, Some(directive)) => file.directive(directive, arguments),
                _ => {}
            }
        }
        file
    }

    fn directive(&mut self, directive: &str, arguments: &[&str]) {
        match (directive, arguments) {
            ("module", [path]) => self.path = Some((*path).to_owned()),
            ("use", [folder]) => self.used.push((*folder).to_owned()),
            ("replace", [path, "=>", target] | [path, _, "=>", target]) if target.starts_with(['.', '/']) => {
                self.local_replacements.push(((*path).to_owned(), (*target).to_owned()));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The directives are read one to a line and in blocks, with comments, quotes and versions.
    #[test]
    fn module_files() {
        let file = ModuleFile::parse(
            "module \"example.com/site\" // the site\n\ngo 1.26\nrequire example.com/a v1.0.0\n\
             replace example.com/a v1.0.0 => ./a\nreplace (\n\texample.com/b => ../b // local\n\
             \texample.com/c => example.com/d v1.2.3\n)\nuse (\n\t./x\n\t.\n)\n",
        );
        let expected = ModuleFile {
            path: Some("example.com/site".into()),
            local_replacements: vec![("example.com/a".into(), "./a".into()), ("example.com/b".into(), "../b".into())],
            used: vec!["./x".into(), ".".into()],
        };
        assert_eq!(file, expected);
    }
}
