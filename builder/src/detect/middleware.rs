//! The middleware of a project: `middleware.ts` beside `api/`, asked before anything is looked up.

use std::path::Path;

use ship_core::route::{Phase, Route, RouteTable};

use super::DetectError;
use super::functions::{self, Found};
use crate::config::FunctionRules;
use crate::node::{self, NodeSource};
use crate::project::ProjectDir;

/// Where it may stand.
pub(super) const FILES: [&str; 2] = ["middleware.ts", "middleware.js"];

/// The framework whose middleware is none of these: it compiles its own.
const NEXT: &str = "next";

/// Adds the middleware to the functions of the project and to its routes, if it has one.
pub(super) fn add(
    project: &ProjectDir,
    base: &Path,
    rules: &mut FunctionRules<'_>,
    found: &mut Found,
    routes: &mut RouteTable,
) -> Result<(), DetectError> {
    let Some(file) = FILES.into_iter().find(|file| base.join(file).is_file()) else { return Ok(()) };
    if node::depends_on(base, NEXT) {
        return Ok(());
    }
    let text = functions::read_text(project, base, file)?;
    let matched = node::matched_routes(file, &text)?;
    let source = NodeSource::middleware(base, file, text);
    let function = functions::javascript_function(&source, rules)?;
    let middleware = Some(function.name.clone());
    let matched: Vec<Route> =
        matched.into_iter().map(|route| Route { middleware: middleware.clone(), ..route }).collect();
    *routes = with_middleware(routes, &matched);
    found.functions.push(function);
    found.functions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    found.node_sources.push(source);
    Ok(())
}

/// The table with `middleware` before the first route that leads somewhere: nothing is reached without it. Redirects and
/// headers before that route stay before it, as on Vercel.
fn with_middleware(table: &RouteTable, middleware: &[Route]) -> RouteTable {
    let leads =
        |route: &Route| route.dest.is_some() || route.status.is_some_and(|status| !(300..400).contains(&status));
    let before = table.phase(Phase::Null).iter().take_while(|route| !leads(route)).count();
    let mut with = RouteTable::new();
    for phase in Phase::ALL {
        let (before, added) = if phase == Phase::Null { (before, middleware) } else { (0, &[][..]) };
        let (first, rest) = table.phase(phase).split_at(before);
        for route in first.iter().chain(added).chain(rest) {
            with.push(phase, route.clone());
        }
    }
    with
}
