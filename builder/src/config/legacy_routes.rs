//! `routes` of `vercel.json`: the routes of the Build Output API, written by hand.

use std::collections::BTreeMap;

use serde::Deserialize;
use ship_core::route::{CaseRule, Condition, Pattern, Phase, Route, RouteTable};
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};
use super::routes::{check_header, check_status, refuse_many_conditions};

/// One element: a route, or the mark of a phase.
#[derive(Deserialize, Debug, Default)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase", expecting = "a table")]
pub(crate) struct RouteItem {
    handle: Option<Spanned<String>>,
    #[serde(alias = "source")]
    src: Option<Spanned<String>>,
    #[serde(alias = "destination")]
    dest: Option<Spanned<String>>,
    headers: BTreeMap<String, Spanned<String>>,
    methods: Vec<String>,
    #[serde(rename = "continue")]
    continues: bool,
    case_sensitive: bool,
    check: bool,
    #[serde(alias = "statusCode")]
    status: Option<Spanned<i64>>,
    has: Vec<Condition>,
    missing: Vec<Condition>,
}

/// Adds the routes to a table, each to the phase that was opened last.
pub(super) fn push(
    text: ConfigText<'_>,
    items: &[Spanned<RouteItem>],
    table: &mut RouteTable,
) -> Result<(), ConfigError> {
    let mut phase = Phase::Null;
    let mut opened = Vec::new();
    for item in items {
        let place = item.span();
        match (&item.get_ref().handle, &item.get_ref().src) {
            (Some(handle), None) => {
                phase = phase_of(text, handle)?;
                if opened.contains(&phase) {
                    return Err(
                        text.error(handle.span(), format!("the phase `{}` was opened before", handle.get_ref()))
                    );
                }
                opened.push(phase);
            }
            (None, Some(src)) => table.push(phase, route(text, place, item.get_ref(), src, phase)?),
            (Some(handle), Some(_)) => return Err(text.error(handle.span(), "beside `handle` stands no other key")),
            (None, None) => return Err(text.error(place, "a route has a `src`, or is a `handle`")),
        }
    }
    Ok(())
}

fn phase_of(text: ConfigText<'_>, handle: &Spanned<String>) -> Result<Phase, ConfigError> {
    match handle.get_ref().as_str() {
        "filesystem" => Ok(Phase::Filesystem),
        "hit" => Ok(Phase::Hit),
        "miss" => Ok(Phase::Miss),
        "rewrite" => Ok(Phase::Rewrite),
        "error" => Ok(Phase::Error),
        other => {
            let message = format!("`{other}` is no phase: there are filesystem, hit, miss, rewrite and error");
            Err(text.error(handle.span(), message))
        }
    }
}

/// A destination as a path from the site's root: people leave out its `/`.
fn absolute(dest: &str) -> String {
    let is_url =
        dest.split_once("://").is_some_and(|(scheme, _)| scheme.bytes().all(|byte| byte.is_ascii_alphabetic()));
    if is_url || dest.starts_with(['/', '$', '#', '?']) { dest.to_owned() } else { format!("/{dest}") }
}

fn route(
    text: ConfigText<'_>,
    place: std::ops::Range<usize>,
    item: &RouteItem,
    src: &Spanned<String>,
    phase: Phase,
) -> Result<Route, ConfigError> {
    let not_here = |reason: &str| Err(text.error(place.clone(), reason));
    match phase {
        Phase::Hit if item.dest.is_some() => return not_here("after `handle: hit` a route has no `dest`"),
        Phase::Hit if item.status.is_some() => return not_here("after `handle: hit` a route has no `status`"),
        Phase::Hit if !item.continues => return not_here("after `handle: hit` a route says `\"continue\": true`"),
        Phase::Miss if item.dest.is_some() && !item.check => {
            return not_here("after `handle: miss` a route with `dest` says `\"check\": true`");
        }
        Phase::Miss if item.dest.is_none() && !item.continues => {
            return not_here("after `handle: miss` a route without `dest` says `\"continue\": true`");
        }
        _ => {}
    }
    refuse_many_conditions(text, src.span(), &item.has, &item.missing)?;
    let case = if item.case_sensitive { CaseRule::Sensitive } else { CaseRule::Insensitive };
    let pattern = Pattern::anchored(src.get_ref(), case).map_err(|error| text.error(src.span(), error.to_string()))?;
    let mut route = Route::new(pattern);
    for (name, value) in &item.headers {
        check_header(text, name, value.span(), value)?;
        route.headers.insert(name.clone(), value.get_ref().clone());
    }
    if let Some(dest) = &item.dest {
        super::destination::check_host(text, dest)?;
    }
    route.dest = item.dest.as_ref().map(|dest| absolute(dest.get_ref()));
    route.status = item.status.as_ref().map(|status| check_status(text, status, 200..=599)).transpose()?;
    route.methods = item.methods.iter().map(|method| method.to_ascii_uppercase()).collect();
    route.continues = item.continues;
    // Both together have a meaning of their own in ship's tables (see `Route::check`), which was not meant here.
    route.check = item.check && !item.continues;
    route.has.clone_from(&item.has);
    route.missing.clone_from(&item.missing);
    Ok(route)
}
