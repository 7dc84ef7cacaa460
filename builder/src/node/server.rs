//! Finding a server of its own: a project whose package names a server framework, and a file that uses it.

use std::path::{Path, PathBuf};

use serde_json::Value;
use ship_core::FunctionRuntime;

use super::external::read_package;
use super::scan::scan;
use crate::detect::{NearServer, ServerLack};

/// Frameworks of servers, by the package that a project depends on and its entry imports.
const FRAMEWORKS: [&str; 9] =
    ["@hapi/hapi", "@hono/node-server", "@nestjs/core", "elysia", "express", "fastify", "h3", "hono", "koa"];

/// Frameworks that bring a build and a server of their own: what they keep in `server.js` is theirs.
const OTHER_FRAMEWORKS: [&str; 9] =
    ["@angular/cli", "@remix-run/dev", "@sveltejs/kit", "astro", "gatsby", "next", "nuxt", "react-scripts", "vite"];

/// The folders in which an entry may stand.
const FOLDERS: [&str; 2] = ["", "src/"];

/// Names of entries. `main` is what Nest calls it.
const NAMES: [&str; 4] = ["app", "index", "server", "main"];

/// The endings of entries.
const ENDINGS: [&str; 6] = ["js", "mjs", "cjs", "ts", "mts", "cts"];

/// What runs a file that asks for an interpreter by itself, or for none.
pub(crate) type InterpreterOf<'i> = &'i dyn Fn(&str, Option<FunctionRuntime>) -> FunctionRuntime;

/// The entry of the project's server: its path relative to `base`. What Bun or Deno runs needs neither a framework nor a package:
/// they serve what a file exports or asks them to.
pub(crate) fn find_server(base: &Path, interpreter: InterpreterOf<'_>) -> Option<String> {
    let package = read_package(base);
    let has_package = package.is_some();
    let package = package.unwrap_or_default();
    if OTHER_FRAMEWORKS.iter().any(|name| names(&package, name)) {
        return None;
    }
    let frameworks: Vec<&str> = FRAMEWORKS.into_iter().filter(|name| names(&package, name)).collect();
    let mut files = entries(base);
    files.find(|file| {
        let text = read(&base.join(file));
        let name = file.rsplit('/').next().unwrap_or_default();
        // `server.js` says by its name what it is, if it listens.
        let is_plain_server = has_package && name.starts_with("server.") && text.contains(".listen(");
        is_plain_server
            || frameworks.iter().any(|framework| imports(&text, framework))
            || is_served(file, &text, interpreter)
    })
}

/// The files in `base` that may be entries, in the order in which they are looked for.
fn entries(base: &Path) -> impl Iterator<Item = String> {
    let files = FOLDERS.iter().flat_map(|folder| {
        NAMES.iter().flat_map(move |name| ENDINGS.iter().map(move |ending| format!("{folder}{name}.{ending}")))
    });
    files.filter(|file| base.join(file).is_file())
}

/// A server that stands where servers are begun, in a folder whose package does not depend on its framework, or that is none.
pub(crate) fn near_server(base: &Path) -> Option<NearServer> {
    let has_package = read_package(base).is_some();
    entries(base).find_map(|file| {
        let text = read(&base.join(&file));
        let framework_of = |line: &str| FRAMEWORKS.into_iter().find(|framework| imports(line, framework));
        let listens = |line: &str| !has_package && file.contains("server.") && line.contains(".listen(");
        let lack = |line: &str| match framework_of(line) {
            Some(framework) => Some(ServerLack::Dependency(framework)),
            None => listens(line).then_some(ServerLack::PackageJson),
        };
        let (line, lack) = text.lines().enumerate().find_map(|(index, line)| Some((index + 1, lack(line)?)))?;
        Some(NearServer { file, line, lack })
    })
}

/// Whether Bun or Deno runs `file` and serves it.
fn is_served(file: &str, text: &str, interpreter: InterpreterOf<'_>) -> bool {
    let scan = scan(file, text);
    // What cannot be read may be a script for browsers, unless it says what runs it.
    let is_meant = scan.is_function && (!scan.is_broken || scan.interpreter.is_some());
    is_meant && interpreter(file, scan.interpreter) != FunctionRuntime::Node
}

fn read(file: &PathBuf) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

/// Whether the package in `folder` depends on `name`.
pub(crate) fn depends_on(folder: &Path, name: &str) -> bool {
    read_package(folder).is_some_and(|package| names(&package, name))
}

fn names(package: &Value, name: &str) -> bool {
    ["dependencies", "devDependencies"].iter().any(|key| package[key].get(name).is_some())
}

fn imports(text: &str, package: &str) -> bool {
    ["'", "\""].iter().any(|quote| {
        let named = format!("{quote}{package}{quote}");
        [format!("from {named}"), format!("from{named}"), format!("require({named})"), format!("import {named}")]
            .iter()
            .any(|import| text.contains(import))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        find_server(folder.path(), &|_, own| own.unwrap_or(FunctionRuntime::Node))
    }

    /// A server is a file of the usual names that imports the framework of the project.
    #[test]
    fn servers() {
        let express = ("package.json", r#"{"dependencies":{"express":"5"}}"#);
        let uses = "import express from 'express'";
        assert_eq!(found(&[express, ("src/index.ts", uses)]).as_deref(), Some("src/index.ts"));
        assert_eq!(
            found(&[express, ("app.js", "const e = require(\"express\")"), ("src/index.ts", uses)]).as_deref(),
            Some("app.js")
        );
        assert_eq!(found(&[express, ("index.js", "console.log('express')")]), None);
        assert_eq!(found(&[express, ("lib/express.js", uses)]), None);
        assert_eq!(found(&[("index.js", uses)]), None);
        assert_eq!(found(&[("server.js", "createServer(f).listen(80)")]), None);
        assert_eq!(found(&[("server.ts", "Bun.serve({ fetch ")]).as_deref(), Some("server.ts"));
        let deno = "const port = 8000;\nDeno.serve({ port }, () => new Response('deno'));";
        assert_eq!(found(&[("main.ts", deno)]).as_deref(), Some("main.ts"));
        assert_eq!(
            found(&[("package.json", "{}"), ("src/index.ts", "export default Bun.serve({ fetch })")]).as_deref(),
            Some("src/index.ts")
        );
        assert_eq!(found(&[("main.ts", "export default { fetch: () => new Response('') }")]), None);
        let vite = ("package.json", r#"{"dependencies":{"express":"5"},"devDependencies":{"vite":"7"}}"#);
        assert_eq!(found(&[vite, ("server.js", uses)]), None);
        let plain = ("package.json", "{}");
        assert_eq!(found(&[plain, ("server.js", "createServer(f).listen(80)")]).as_deref(), Some("server.js"));
        assert_eq!(found(&[plain, ("server.js", "module.exports = {}")]), None);
    }
}
