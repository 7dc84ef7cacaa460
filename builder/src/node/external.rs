//! Packages that no bundle can hold: those with compiled parts, and those that look for their own files when they run.

use std::path::Path;

use serde_json::Value;

/// Packages that are known to look for their own files, or to be wrapped around a program, in ways that their
/// `package.json` does not show.
const KNOWN: [&str; 25] = [
    "@prisma/client",
    "@sparticuz/chromium",
    "aws-crt",
    "better-sqlite3",
    "canvas",
    "duckdb",
    "esbuild",
    "firebase-admin",
    "jsdom",
    "knex",
    "mongodb-client-encryption",
    "oracledb",
    "pino",
    "pino-pretty",
    "playwright",
    "playwright-core",
    "prisma",
    "puppeteer",
    "puppeteer-core",
    "sharp",
    "sqlite3",
    "swagger-ui-dist",
    "thread-stream",
    "typescript",
    "vm2",
];

/// Packages that load compiled parts: who depends on one of them has such parts.
const BINDING_LOADERS: [&str; 7] = [
    "@mapbox/node-pre-gyp",
    "bindings",
    "nan",
    "node-addon-api",
    "node-gyp-build",
    "node-gyp-build-optional-packages",
    "prebuild-install",
];

/// How names of packages end that hold compiled parts for one platform.
const PLATFORMS: [&str; 6] =
    ["-linux-x64", "-linux-arm64", "-darwin-arm64", "-linux-x64-gnu", "-linux-x64-musl", "-linux-arm64-gnu"];

/// Whether the package `name` in `folder` stays outside of every bundle.
pub(super) fn stays_outside(name: &str, folder: &Path) -> bool {
    if KNOWN.binary_search(&name).is_ok() {
        return true;
    }
    let Some(package) = read_package(folder) else { return false };
    let depends_on = |key: &str, is_one: &dyn Fn(&str) -> bool| {
        package.get(key).and_then(Value::as_object).is_some_and(|names| names.keys().any(|name| is_one(name)))
    };
    let is_loader = |name: &str| BINDING_LOADERS.binary_search(&name).is_ok();
    let is_platform = |name: &str| PLATFORMS.iter().any(|platform| name.ends_with(platform));
    package.get("gypfile").and_then(Value::as_bool) == Some(true)
        || package.get("binary").is_some_and(Value::is_object)
        || package.get("napi").is_some_and(Value::is_object)
        || depends_on("dependencies", &is_loader)
        || depends_on("optionalDependencies", &is_platform)
        || package
            .get("main")
            .and_then(Value::as_str)
            .is_some_and(|main| Path::new(main).extension().is_some_and(|ending| ending == "node"))
        || folder.join("binding.gyp").is_file()
}

/// A package's `package.json`.
pub(super) fn read_package(folder: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(folder.join("package.json")).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lists are searched by halves.
    #[test]
    fn lists_are_sorted() {
        assert!(KNOWN.is_sorted() && BINDING_LOADERS.is_sorted());
    }

    /// A package with compiled parts stays outside, however it says so; others do not.
    #[test]
    fn compiled_parts() {
        let folder = tempfile::tempdir().unwrap();
        let outside = |name: &str, package: &str| {
            std::fs::write(folder.path().join("package.json"), package).unwrap();
            stays_outside(name, folder.path())
        };
        assert!(outside("sharp", "{}"));
        assert!(outside("a", r#"{"gypfile":true}"#));
        assert!(outside("a", r#"{"dependencies":{"bindings":"1"}}"#));
        assert!(outside("a", r#"{"optionalDependencies":{"@a/b-linux-x64-gnu":"1"}}"#));
        assert!(outside("a", r#"{"main":"build/a.node"}"#));
        assert!(!outside("a", r#"{"dependencies":{"b":"1"},"main":"index.js"}"#));
        assert!(!outside("a", "no json"));
        std::fs::write(folder.path().join("binding.gyp"), "").unwrap();
        assert!(outside("a", "{}"));
    }
}
