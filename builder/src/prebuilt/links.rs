//! Packages that pnpm links: a function has no links, so what stands behind one is packed at both places.
//!
//! Node follows links before it looks for what a module imports, and so finds it beside the package's real place only. A copy at
//! the link's place would look elsewhere, and be a second instance of its package. So what stands there is a module that passes
//! on the real one.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::function::PackedFile;

/// The folder of packages.
const PACKAGES: &str = "node_modules";

/// What passes on a module of each kind.
#[derive(Clone, Copy)]
enum Kind {
    CommonJs,
    Module,
}

/// The files that stand behind links, by their names: what is packed in their place.
pub(super) fn passed_on(files: &[PackedFile]) -> BTreeMap<&str, Vec<u8>> {
    let modules = files.iter().filter(|file| in_packages(&file.name) && is_module(&file.name));
    let real: Vec<(&PackedFile, PathBuf)> =
        modules.filter_map(|file| Some((file, file.file.canonicalize().ok()?))).collect();
    // A file's own place is where its path ends as its name does, and `node_modules/a/index.js` is the end of many.
    let mut own_places: HashMap<&Path, &str> = HashMap::new();
    for (file, real) in real.iter().filter(|(file, real)| real.ends_with(&file.name)) {
        let place = own_places.entry(real).or_insert(&file.name);
        if file.name.len() > place.len() {
            *place = &file.name;
        }
    }
    let linked = real.iter().filter(|(file, real)| own_places.get(real.as_path()) != Some(&file.name.as_str()));
    let passed_on = linked.filter_map(|(file, real)| {
        let target = own_places.get(real.as_path())?;
        Some((file.name.as_str(), text(&file.name, target, kind(real))))
    });
    passed_on.collect()
}

fn in_packages(name: &str) -> bool {
    name.split('/').any(|part| part == PACKAGES)
}

fn is_module(name: &str) -> bool {
    [".js", ".mjs", ".cjs"].iter().any(|ending| name.ends_with(ending))
}

/// What Node takes a module for.
fn kind(file: &Path) -> Kind {
    match file.extension().and_then(OsStr::to_str) {
        Some("mjs") => return Kind::Module,
        Some("cjs") => return Kind::CommonJs,
        _ => {}
    }
    let mut within =
        file.ancestors().skip(1).take_while(|folder| folder.file_name().is_some_and(|name| name != PACKAGES));
    let said = within.find_map(|folder| std::fs::read(folder.join("package.json")).ok());
    let said: Value = said.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    if said["type"] == "module" { Kind::Module } else { Kind::CommonJs }
}

/// A module at `name` that passes on the one at `target`.
fn text(name: &str, target: &str, kind: Kind) -> Vec<u8> {
    let up = "../".repeat(name.matches('/').count());
    let path = Value::from(format!("{up}{target}"));
    let text = match kind {
        // Node sees by these words which names it has.
        Kind::CommonJs => format!("module.exports = require({path});\n"),
        Kind::Module => format!("import * as all from {path};\nexport * from {path};\nexport default all.default;\n"),
    };
    text.into_bytes()
}
