//! Imports that only one interpreter understands: `bun:sqlite`, `npm:hono@4`, `https://…`. Each is left to the interpreter, becomes
//! an installed package, or is refused: nothing is fetched when a function runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use ship_core::FunctionRuntime;

/// Where Deno's names for imports stand.
const DENO_SETTINGS: [&str; 2] = ["deno.json", "deno.jsonc"];

/// What becomes of an import.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Foreign {
    /// The interpreter has it.
    BuiltIn,
    /// It is this package, or this part of one, as it is installed.
    Package(String),
    /// It cannot be had, and why.
    Refused(String),
}

/// What `specifier` is to functions that `runtime` runs; `None` if it is nothing particular.
pub(super) fn foreign(runtime: FunctionRuntime, specifier: &str) -> Option<Foreign> {
    let (scheme, rest) = specifier.split_once(':').unwrap_or((specifier, ""));
    match (scheme, runtime) {
        ("bun", FunctionRuntime::Bun) => Some(Foreign::BuiltIn),
        ("bun", _) if !rest.is_empty() => {
            let how = "have `\"bunVersion\": \"1.x\"` in vercel.json, or `runtime = \"bun\"` in ship.toml";
            Some(Foreign::Refused(format!("`{specifier}` is a part of Bun: {how}")))
        }
        ("npm" | "jsr", FunctionRuntime::Deno) => {
            let package = rest.trim_start_matches('/');
            let (name, part) = without_version(package);
            Some(Foreign::Package(if scheme == "jsr" { format!("{}{part}", jsr_name(&name)) } else { name + &part }))
        }
        ("npm" | "jsr", _) => {
            let how = "have `\"runtime\": \"vercel-deno@3.1.1\"` in vercel.json, or `runtime = \"deno\"` in ship.toml";
            Some(Foreign::Refused(format!("`{specifier}` is how Deno names a package: {how}")))
        }
        ("http" | "https", FunctionRuntime::Deno) => {
            let how = "install it as a package, or keep a copy beside the function";
            Some(Foreign::Refused(format!("`{specifier}` is not fetched: {how}")))
        }
        _ => None,
    }
}

/// Why a package that Deno would fetch cannot be had, and what installs it.
pub(super) fn not_installed(specifier: &str) -> Foreign {
    let (scheme, rest) = specifier.split_once(':').unwrap_or(("npm", specifier));
    let (name, _) = without_version(rest.trim_start_matches('/'));
    let command = if scheme == "jsr" { format!("npx jsr add {name}") } else { format!("npm install {name}") };
    Foreign::Refused(format!(
        "`{specifier}` is not installed, and nothing is fetched when a function runs: `{command}`"
    ))
}

/// A package's name, and the part of it: of `hono@4/cors` both, without the version between them.
fn without_version(package: &str) -> (String, String) {
    let slashes = usize::from(package.starts_with('@'));
    let end = package.match_indices('/').nth(slashes).map_or(package.len(), |(at, _)| at);
    let (named, part) = package.split_at(end);
    let name = named.char_indices().skip(1).find(|(_, letter)| *letter == '@').map_or(named, |(at, _)| &named[..at]);
    (name.to_owned(), part.to_owned())
}

/// What npm calls a package of JSR.
fn jsr_name(name: &str) -> String {
    let (scope, package) = name.trim_start_matches('@').split_once('/').unwrap_or(("", name));
    format!("@jsr/{scope}__{package}")
}

/// The names that a project gives to imports, in its settings of Deno.
#[derive(Default, Debug)]
pub(super) struct ImportNames {
    names: BTreeMap<String, String>,
    /// The file that they stand in.
    pub(super) file: Option<PathBuf>,
}

impl ImportNames {
    /// Those of the project in `base`.
    pub(super) fn read(base: &Path) -> Self {
        let Some(file) = DENO_SETTINGS.iter().map(|name| base.join(name)).find(|file| file.is_file()) else {
            return Self::default();
        };
        let settings: Value =
            std::fs::read(&file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let imports = settings["imports"].as_object().into_iter().flatten();
        let names = imports.filter_map(|(name, target)| Some((name.clone(), target.as_str()?.to_owned())));
        Self { names: names.collect(), file: Some(file) }
    }

    /// What `specifier` stands for, if it is such a name or begins with one.
    pub(super) fn target(&self, specifier: &str) -> Option<String> {
        if let Some(target) = self.names.get(specifier) {
            return Some(target.clone());
        }
        let begun = self.names.iter().rev().filter(|(name, _)| {
            let rest = specifier.strip_prefix(name.as_str());
            rest.is_some_and(|rest| name.ends_with('/') || rest.starts_with('/'))
        });
        let (name, target) = begun.max_by_key(|(name, _)| name.len())?;
        Some(format!("{target}{}", &specifier[name.len()..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an interpreter has stays; packages are what is installed; what would be fetched is refused with what to do instead.
    #[test]
    fn specifiers() {
        use FunctionRuntime::{Bun, Deno, Node};
        let package = |name: &str| Some(Foreign::Package(name.to_owned()));
        assert_eq!(foreign(Bun, "bun"), Some(Foreign::BuiltIn));
        assert_eq!(foreign(Bun, "bun:sqlite"), Some(Foreign::BuiltIn));
        assert_eq!(foreign(Deno, "npm:hono@^4.6/cors"), package("hono/cors"));
        assert_eq!(foreign(Deno, "npm:/@x/y@1"), package("@x/y"));
        assert_eq!(foreign(Deno, "jsr:@std/path@1/join"), package("@jsr/std__path/join"));
        for (runtime, specifier, word) in [
            (Node, "bun:sqlite", "bunVersion"),
            (Deno, "bun:ffi", "bunVersion"),
            (Node, "npm:hono", "vercel-deno"),
            (Deno, "https://deno.land/x/a.ts", "is not fetched"),
        ] {
            assert!(matches!(foreign(runtime, specifier), Some(Foreign::Refused(why)) if why.contains(word)));
        }
        for specifier in ["bunyan", "./a", "node:fs", "hono", "bun"] {
            assert_eq!(foreign(Node, specifier), None, "{specifier}");
        }
        let Foreign::Refused(why) = not_installed("jsr:@std/path@1") else { panic!("it is refused") };
        assert!(why.ends_with("`npx jsr add @std/path`"), "{why}");
    }

    /// Names of a project's settings stand for what they say, whole or as a beginning.
    #[test]
    fn names() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(ImportNames::read(folder.path()).target("hono"), None);
        let settings = r#"{ "imports": { "hono": "npm:hono@4", "@/": "./lib/", "@std/": "jsr:/@std/" } }"#;
        std::fs::write(folder.path().join("deno.json"), settings).unwrap();
        let names = ImportNames::read(folder.path());
        let target = |specifier: &str| names.target(specifier);
        assert_eq!(target("hono").as_deref(), Some("npm:hono@4"));
        assert_eq!(target("hono/cors").as_deref(), Some("npm:hono@4/cors"));
        assert_eq!(target("@/day.ts").as_deref(), Some("./lib/day.ts"));
        assert_eq!(target("@std/path").as_deref(), Some("jsr:/@std/path"));
        assert_eq!([target("honor"), target("./hono")], [None, None]);
    }
}
