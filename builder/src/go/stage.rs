//! The build folder: what the compiler is shown in place of what a person wrote.
//!
//! Each function becomes a `main` package of its own: its file and the helpers beside it, with the package clause changed, and
//! a generated `main.go`. Files that belong to no function are compiled as they are, in a package that stands likewise where no
//! other is. These packages stand only in an overlay, a table that tells the compiler which file to read for which
//! path; nothing is written into the project, and imports work as if the function were compiled where it stands.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use minijinja::{Environment, context};
use ship_core::{Digest, DigestHasher};
use tempfile::TempDir;

use super::closure::{FunctionInputs, GoEntry, PackageInputs};
use super::gomod::{Dependencies, Module};
use super::names::FileNames;
use super::scan::GoFile;
use super::toolchain::language_version;
use crate::scratch;

/// How the names of build folders begin.
const FOLDER_PREFIX: &str = "go-build-";

/// The HTTP server around every handler.
const LAUNCHER_TEMPLATE: &str = include_str!("templates/launcher.go.jinja");

/// The socket on which it is asked.
const LISTENER_TEMPLATE: &str = include_str!("templates/listener.go.jinja");

/// What it answers in place of a handler that panicked.
const ANSWER_TEMPLATE: &str = include_str!("templates/answer.go.jinja");

/// The connection on which it answers many small requests at once.
const TRUNK_TEMPLATE: &str = include_str!("templates/trunk.go.jinja");

/// The program of one function.
const MAIN_TEMPLATE: &str = include_str!("templates/main.go.jinja");

/// What stands in front of a program that opens a port itself.
const BRIDGE_TEMPLATE: &str = include_str!("templates/bridge.go.jinja");

/// The file that brings it into the program.
const SERVER_TEMPLATE: &str = include_str!("templates/server.go.jinja");

/// The folder, below the module's, in which the launcher's package seems to stand.
const LAUNCHER_PACKAGE: &str = "ship-launcher";

/// The file that holds the generated program of a function.
const MAIN_FILE: &str = "ship-main.go";

/// The file that makes a package of files that belong to no function, whichever of them Go leaves out.
const LOOSE_FILE: &str = "ship-package.go";

/// What a package is called of which nothing else is known, or that must not become a program.
const LOOSE_PACKAGE: &str = "ship";

/// The digest of what is generated: a new launcher means new artifacts.
pub(super) fn templates_digest() -> Digest {
    let mut hasher = DigestHasher::new();
    hasher.update_field(LAUNCHER_TEMPLATE.as_bytes());
    hasher.update_field(LISTENER_TEMPLATE.as_bytes());
    hasher.update_field(ANSWER_TEMPLATE.as_bytes());
    hasher.update_field(TRUNK_TEMPLATE.as_bytes());
    hasher.update_field(MAIN_TEMPLATE.as_bytes());
    hasher.update_field(BRIDGE_TEMPLATE.as_bytes());
    hasher.update_field(SERVER_TEMPLATE.as_bytes());
    hasher.finish()
}

/// A build folder for some functions of one module. It goes when the value goes.
pub(super) struct Stage {
    folder: TempDir,
    /// Held while the folder is in use.
    _lock: File,
    /// The user's file behind each path that the compiler may name: the path it believes in, or the file it really read.
    pub(super) origins: HashMap<PathBuf, String>,
}

/// The table of a Go overlay.
#[derive(serde::Serialize, Default)]
struct Overlay {
    #[serde(rename = "Replace")]
    replace: BTreeMap<PathBuf, PathBuf>,
}

impl Stage {
    /// Writes the build folder for `functions` and `loose` packages, all of them of `module`. `site` is the folder that `api/`
    /// stands in, relative to `project`.
    pub(super) fn write(
        cache: &Path,
        module: &Module,
        (functions, loose): (&[&FunctionInputs], &[&PackageInputs]),
        go_version: &str,
        (project, site): (&Path, &Path),
    ) -> io::Result<Self> {
        let (folder, lock) = scratch::new_folder(cache, FOLDER_PREFIX)?;
        let mut stage = Self { folder, _lock: lock, origins: HashMap::new() };
        let mut overlay = Overlay::default();
        let has_server = functions.iter().any(|function| function.entry == GoEntry::Server);
        let launcher: &[_] = if has_server {
            &[("launcher.go", BRIDGE_TEMPLATE)]
        } else {
            &[
                ("launcher.go", LAUNCHER_TEMPLATE),
                ("listener.go", LISTENER_TEMPLATE),
                ("answer.go", ANSWER_TEMPLATE),
                ("trunk.go", TRUNK_TEMPLATE),
            ]
        };
        for (name, template) in launcher {
            let file = stage.file(name, &render(template, context! {}))?;
            overlay.replace.insert(module.folder.join(LAUNCHER_PACKAGE).join(name), file);
        }
        for function in functions {
            stage.function(module, function, site, &mut overlay)?;
        }
        for package in loose {
            stage.loose(module, package, site, &mut overlay)?;
        }
        stage.modules(module, go_version, &mut overlay)?;
        stage.name_manifests(module, project);
        stage.file("overlay.json", &serde_json::to_string(&overlay)?)?;
        std::fs::create_dir(stage.output_folder())?;
        Ok(stage)
    }

    /// Where the programs are written, each under the last part of its package's path.
    pub(super) fn output_folder(&self) -> PathBuf {
        self.path().join("out")
    }

    /// The overlay's file.
    pub(super) fn overlay_file(&self) -> PathBuf {
        self.path().join("overlay.json")
    }

    /// The copy of `go.mod` that Go may complete.
    pub(super) fn module_file(&self) -> PathBuf {
        self.path().join("module/go.mod")
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    fn file(&self, place: &str, text: &str) -> io::Result<PathBuf> {
        let file = self.path().join(place);
        std::fs::create_dir_all(file.parent().unwrap_or(self.path()))?;
        std::fs::write(&file, text)?;
        Ok(file)
    }

    fn function(
        &mut self,
        module: &Module,
        function: &FunctionInputs,
        site: &Path,
        overlay: &mut Overlay,
    ) -> io::Result<()> {
        let launcher = format!("{}/{LAUNCHER_PACKAGE}", module.path);
        let GoEntry::Handler(handler) = &function.entry else {
            let server = self.file(&format!("src/{MAIN_FILE}"), &render(SERVER_TEMPLATE, context! { launcher }))?;
            overlay.replace.insert(module.folder.join(&function.package.folder).join(MAIN_FILE), server);
            return Ok(());
        };
        let main = render(MAIN_TEMPLATE, context! { launcher, handler });
        self.package(module, &function.package, "main", (MAIN_FILE, &main), site, overlay)
    }

    /// A package of its own name, so that it becomes no program. One without a name is left to the compiler to refuse.
    fn loose(
        &mut self,
        module: &Module,
        package: &PackageInputs,
        site: &Path,
        overlay: &mut Overlay,
    ) -> io::Result<()> {
        let name = package.sources.first().map_or("", |source| source.scan.package.as_str());
        let name = if matches!(name, "" | "main") { LOOSE_PACKAGE } else { name };
        self.package(module, package, name, (LOOSE_FILE, &format!("package {name}\n")), site, overlay)
    }

    /// A package called `name`, of its files and a generated one.
    fn package(
        &mut self,
        module: &Module,
        package: &PackageInputs,
        name: &str,
        (generated, text): (&str, &str),
        site: &Path,
        overlay: &mut Overlay,
    ) -> io::Result<()> {
        let folder = module.folder.join(&package.folder);
        let mut names = FileNames::default();
        for source in &package.sources {
            let file = names.give(source.file.rsplit('/').next().unwrap_or_default());
            let copy =
                self.file(&format!("src/{}/{file}", package.folder), &as_package(name, &source.text, &source.scan))?;
            let shown = site.join(&source.file).display().to_string();
            self.origins.insert(copy.clone(), shown.clone());
            self.origins.insert(folder.join(&file), shown);
            overlay.replace.insert(folder.join(file), copy);
        }
        for (place, file) in &package.embedded {
            overlay.replace.insert(folder.join(place), file.clone());
        }
        let file = names.give(generated);
        let copy = self.file(&format!("src/{}/{file}", package.folder), text)?;
        overlay.replace.insert(folder.join(file), copy);
        Ok(())
    }

    /// What the copies of `go.mod` and `go.sum` are copies of.
    fn name_manifests(&mut self, module: &Module, project: &Path) {
        for name in ["go.mod", "go.sum"] {
            let file = module.folder.join(name);
            let shown = file.strip_prefix(project).unwrap_or(&file).display().to_string();
            self.origins.insert(self.module_file().with_file_name(name), shown);
        }
    }

    fn modules(&self, module: &Module, go_version: &str, overlay: &mut Overlay) -> io::Result<()> {
        match module.dependencies {
            Dependencies::Nameless => {
                let text = format!("module {}\n\ngo {}\n", module.path, language_version(go_version));
                let shown = self.file("nameless/go.mod", &text)?;
                self.file("module/go.mod", &text)?;
                overlay.replace.insert(module.folder.join("go.mod"), shown);
            }
            Dependencies::ModuleFile => {
                for (name, bytes) in
                    module.manifests.iter().filter(|(name, _)| matches!(name.as_str(), "go.mod" | "go.sum"))
                {
                    self.file(&format!("module/{name}"), &String::from_utf8_lossy(bytes))?;
                }
            }
            Dependencies::Vendored | Dependencies::Workspace(_) => {}
        }
        Ok(())
    }
}

/// A file's text as part of a package called `name`. Only names change and no line moves, so messages and stack traces keep the
/// lines that a person sees in an editor. A `main` of the file's own gives way, unnamed but still compiled.
fn as_package(name: &str, text: &str, scan: &GoFile) -> String {
    let mut staged = text.to_owned();
    if let Some(place) = scan.main_place.clone() {
        staged.replace_range(place, "_   ");
    }
    if !scan.package_place.is_empty() {
        staged.replace_range(scan.package_place.clone(), name);
    }
    staged
}

fn render(template: &str, values: minijinja::Value) -> String {
    Environment::new().render_str(template, values).expect("a template of this crate renders") + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::scan::scan;
    use super::*;

    /// The package becomes `main`, a `main` of its own becomes nameless, and every line stays where it was.
    #[test]
    fn staging_keeps_lines() {
        let text = "// Package handler.\n/* a */ package handler\n\nfunc main() {}\n";
        assert_eq!(
            as_package("main", text, &scan(text)),
            "// Package handler.\n/* a */ package main\n\nfunc _   () {}\n"
        );
    }
}
