//! What a route says, in words.

use serde::Serialize;
use ship_core::FunctionName;
use ship_core::route::{Condition, ConditionSubject, ConditionValue, Route};

use super::{Site, functions_at};

/// A route as it is drawn.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Row {
    /// What it does, in a word that also chooses the colour.
    pub(super) kind: &'static str,
    pub(super) pattern: String,
    /// What follows from a match.
    pub(super) does: String,
    /// Which requests it is about besides.
    pub(super) conditions: String,
    #[serde(skip)]
    pub(super) leads_to: Vec<FunctionName>,
    /// How the line to its functions is drawn.
    #[serde(skip)]
    pub(super) edge: &'static str,
}

impl Row {
    pub(super) fn of(route: &Route, site: &Site) -> Self {
        let destination = route.dest.as_deref().unwrap_or_default();
        let leads_to = match &route.middleware {
            Some(middleware) => vec![middleware.clone()],
            None => functions_at(site, destination),
        };
        let (kind, does) = what_follows(route, leads_to.first());
        let edge = if is_open(destination) && kind == "rewrite" { "perhaps" } else { "sure" };
        let conditions = conditions(route);
        Self { kind, pattern: route.src.as_str().to_owned(), does, conditions, leads_to, edge }
    }
}

fn what_follows(route: &Route, function: Option<&FunctionName>) -> (&'static str, String) {
    let headers: Vec<&str> = route.headers.keys().map(String::as_str).collect();
    let headers = headers.join(", ");
    let also = if headers.is_empty() { String::new() } else { format!("; sets {headers}") };
    let status = route.status.map(|status| format!("{status} ")).unwrap_or_default();
    let location = route.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("location"));
    match (&route.middleware, location, route.dest.as_deref()) {
        (Some(middleware), ..) => ("middleware", format!("asks {middleware} first{also}")),
        (_, Some((_, location)), _) if route.status.is_some() => ("redirect", format!("{status}→ {location}")),
        (.., Some(to)) if to.contains("://") => ("proxy", format!("{status}→ {to}{also}")),
        (.., Some(to)) if function.is_some() && !is_open(to) => ("function", format!("{status}→ {to}{also}")),
        (.., Some(to)) => ("rewrite", format!("{status}→ {to}{also}")),
        (.., None) if route.status.is_some() => ("status", format!("answers {}{also}", status.trim_end())),
        (.., None) if headers.is_empty() => ("nothing", "goes on".to_owned()),
        (.., None) => ("header", format!("sets {headers}")),
    }
}

/// Whether the path of a destination is only known with a request.
fn is_open(destination: &str) -> bool {
    destination.split('?').next().is_some_and(|path| path.contains('$'))
}

fn conditions(route: &Route) -> String {
    let methods = (!route.methods.is_empty()).then(|| format!("only {}", route.methods.join(", ")));
    let has = route.has.iter().map(|condition| format!("if {}", words(condition)));
    let missing = route.missing.iter().map(|condition| format!("unless {}", words(condition)));
    methods.into_iter().chain(has).chain(missing).collect::<Vec<_>>().join("; ")
}

fn words(condition: &Condition) -> String {
    let subject = match &condition.subject {
        ConditionSubject::Host => "the host".to_owned(),
        ConditionSubject::Header(name) => format!("header {name}"),
        ConditionSubject::Cookie(name) => format!("cookie {name}"),
        ConditionSubject::Query(name) => format!("parameter {name}"),
    };
    match &condition.value {
        None => format!("{subject} is there"),
        Some(ConditionValue::Matches(pattern)) => format!("{subject} is {}", pattern.as_str()),
        Some(ConditionValue::Compared(comparison)) => {
            format!("{subject} {}", serde_json::to_string(comparison).unwrap_or_default())
        }
    }
}
