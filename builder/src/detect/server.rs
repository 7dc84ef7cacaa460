//! Servers: programs with routes of their own, which answer wherever nothing else stands.

use std::path::Path;

use ship_core::{FunctionName, FunctionRuntime};

use super::functions::{DetectedFunction, Reach};
use super::{DetectError, TreeError};
use crate::config::FunctionRules;
use crate::go;

/// The function of a server.
const NAME: &str = "index";

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
    let limits = rules.limits(NAME, file)?;
    let inclusion = rules.inclusion(NAME, file);
    let name: FunctionName = NAME.parse().map_err(|source| TreeError::Name { path: NAME.into(), source })?;
    let function = DetectedFunction {
        name,
        file: (*file).to_owned(),
        runtime: FunctionRuntime::Go,
        limits,
        reach: Reach::Site,
        inclusion,
    };
    Ok(Some(function))
}
