//! Servers: programs with routes of their own, which answer wherever nothing else stands.

use std::path::Path;

use ship_core::FunctionRuntime;
use ship_core::route::RouteTable;

use super::functions::{DetectedFunction, Reach};
use super::route::{self, FileNames};
use super::{DetectError, NearServer, ServerLack, TreeError};
use crate::config::{Allowance, FunctionRules, OwnLimits};
use crate::{go, rust};

/// The name of the function that is a server of its own.
pub(super) const NAME: &str = "index";

/// The function that is the server in `file`. Its limits are set under the name of its file or under its own.
pub(super) fn function(
    file: &str,
    runtime: FunctionRuntime,
    rules: &mut FunctionRules<'_>,
) -> Result<DetectedFunction, DetectError> {
    let Allowance { limits, warm } = rules.allowance(NAME, file, OwnLimits::default())?;
    let inclusion = rules.inclusion(NAME, file);
    let name = NAME.parse().map_err(|source| TreeError::Name { path: NAME.into(), source })?;
    Ok(DetectedFunction { name, file: file.to_owned(), runtime, limits, warm, reach: Reach::Site, inclusion })
}

/// The server that a framework may leave when it is built, and the routes that lead to it.
#[derive(Debug)]
pub(crate) struct ExpectedServer {
    pub(crate) function: DetectedFunction,
    /// All routes of the site, if it is there.
    pub(crate) routes: RouteTable,
}

/// The server that a framework may leave beside `functions`, of a site that has `routes` by itself.
pub(super) fn expected(
    functions: &[DetectedFunction],
    mut routes: RouteTable,
    rules: &mut FunctionRules<'_>,
    names: FileNames,
) -> Result<ExpectedServer, DetectError> {
    let (Allowance { limits, warm }, inclusion) = rules.of_server(NAME, NAME)?;
    let name = NAME.parse().map_err(|source| TreeError::Name { path: NAME.into(), source })?;
    let (file, runtime, reach) = (NAME.to_owned(), FunctionRuntime::Node, Reach::Site);
    let function = DetectedFunction { name, file, runtime, limits, warm, reach, inclusion };
    let all: Vec<DetectedFunction> = functions.iter().chain([&function]).cloned().collect();
    route::push_function_routes(&mut routes, &all, names)?;
    Ok(ExpectedServer { function, routes })
}

/// Where the program of a Go project stands.
const GO_PROGRAMS: [&str; 3] = ["main.go", "cmd/api/main.go", "cmd/server/main.go"];

/// The Go server of the project in `base`, if it is one.
pub(super) fn find_go(base: &Path, rules: &mut FunctionRules<'_>) -> Result<Option<DetectedFunction>, DetectError> {
    if !base.join("go.mod").is_file() {
        return Ok(None);
    }
    let is_program = |file: &&&str| {
        let scan = std::fs::read_to_string(base.join(file)).map(|text| go::scan(&text));
        scan.is_ok_and(|scan| scan.package == "main" && scan.main_place.is_some())
    };
    let Some(file) = GO_PROGRAMS.iter().find(is_program) else { return Ok(None) };
    function(file, FunctionRuntime::Go, rules).map(Some)
}

/// A program in Go that serves, in a folder without `go.mod`.
pub(super) fn near_go(base: &Path) -> Option<NearServer> {
    if base.join("go.mod").is_file() {
        return None;
    }
    GO_PROGRAMS.iter().find_map(|file| {
        let text = std::fs::read_to_string(base.join(file)).ok()?;
        let scan = go::scan(&text);
        let line = text.lines().position(|line| line.contains("\"net/http\""))? + 1;
        let is_program = scan.package == "main" && scan.main_place.is_some();
        is_program.then(|| NearServer { file: (*file).to_owned(), line, lack: ServerLack::GoMod })
    })
}

/// Where the program of a Rust project stands.
pub(super) const RUST_PROGRAM: &str = "src/main.rs";

/// Frameworks that `framework` may name and that are servers in Rust.
const RUST_FRAMEWORKS: [&str; 3] = ["actix-web", "axum", "rust"];

/// What else a folder with a Rust program may be: a site whose pages stand beside it, or one with functions.
const OTHER_CLAIMS: [&str; 3] = ["api", "index.html", "public"];

/// Whether the project in `base` is a Rust server. Many programs in Rust are none, so that has to be said, or the program has to
/// depend on a server's crate and stand alone.
pub(super) fn is_rust(base: &Path, framework: Option<&str>) -> bool {
    if !base.join(RUST_PROGRAM).is_file() {
        return false;
    }
    match framework {
        Some(named) => RUST_FRAMEWORKS.contains(&named),
        None => rust::is_server(base) && !OTHER_CLAIMS.iter().any(|name| base.join(name).exists()),
    }
}
