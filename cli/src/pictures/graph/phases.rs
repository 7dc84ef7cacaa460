//! The groups of routes, in the order in which a request meets them.

use ship_core::route::Phase;

use super::Site;
use super::row::Row;
use crate::output::{count, size};

/// Routes that are tried at the same moment.
pub(super) struct PhaseRows {
    pub(super) heading: &'static str,
    pub(super) rows: Vec<Row>,
}

/// All that have any, and between them where files and functions are looked up.
pub(super) fn phases(site: &Site) -> Vec<PhaseRows> {
    let routes = |phase, heading| {
        let rows = site.routes.phase(phase).iter().map(|route| Row::of(route, site)).collect();
        PhaseRows { heading, rows }
    };
    let lookup = PhaseRows { heading: "2. What stands at the path", rows: vec![lookup(site)] };
    let all = [
        routes(Phase::Null, "1. Before anything is looked up"),
        lookup,
        routes(Phase::Filesystem, "3. Where nothing stands there"),
        routes(Phase::Miss, "4. Where still nothing was found"),
        routes(Phase::Rewrite, "5. Last: dynamic paths"),
        routes(Phase::Hit, "With what was found"),
        routes(Phase::Error, "For errors"),
    ];
    all.into_iter().filter(|phase| !phase.rows.is_empty()).collect()
}

/// Where files and functions answer at their own paths.
fn lookup(site: &Site) -> Row {
    let asked_first: Vec<_> = site.routes.middleware().collect();
    let own = site.functions.iter().map(|function| &function.name).filter(|name| !asked_first.contains(name));
    let leads_to: Vec<_> = own.cloned().collect();
    let files = format!("{}, {}", count(site.files.files, "file"), size(site.files.bytes));
    let functions = count(leads_to.len() as u64, "function");
    Row {
        kind: "static",
        pattern: "files and functions".to_owned(),
        does: format!("{files}; {functions}, each at its own path"),
        conditions: String::new(),
        leads_to,
        edge: "own",
    }
}
