//! The groups of routes, in the order in which a request meets them.

use ship_core::route::Phase;

use super::Site;
use super::row::Row;
use crate::output::{count, size};

/// Routes that are tried at the same moment.
pub(super) struct PhaseRows {
    pub(super) heading: String,
    pub(super) rows: Vec<Row>,
}

/// All that have any, and between them where files and functions are looked up.
pub(super) fn phases(site: &Site) -> Vec<PhaseRows> {
    let routes = |phase| site.routes.phase(phase).iter().map(|route| Row::of(route, site)).collect::<Vec<_>>();
    let in_order = [
        ("Before anything is looked up", routes(Phase::Null)),
        ("What stands at the path", vec![lookup(site)]),
        ("Where nothing stands there", routes(Phase::Filesystem)),
        ("Where still nothing was found", routes(Phase::Miss)),
        ("Last, dynamic paths", routes(Phase::Rewrite)),
    ];
    let in_order = in_order.into_iter().filter(|(_, rows)| !rows.is_empty()).enumerate();
    let in_order =
        in_order.map(|(place, (moment, rows))| PhaseRows { heading: format!("{}. {moment}", place + 1), rows });
    let besides = [("With what was found", Phase::Hit), ("For errors", Phase::Error)];
    let besides = besides.map(|(moment, phase)| PhaseRows { heading: moment.to_owned(), rows: routes(phase) });
    in_order.chain(besides.into_iter().filter(|phase| !phase.rows.is_empty())).collect()
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
