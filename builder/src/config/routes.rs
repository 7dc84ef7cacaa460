//! `redirects`, `headers` and `rewrites`, as routes.
//!
//! The order is that of `vercel.json`: clean URLs, trailing slash, legacy routes, redirects, headers, then the files, then
//! rewrites.

use std::ops::{Range, RangeInclusive};

use ship_core::route::{Condition, Phase, Route, RouteTable};
use toml::Spanned;

use super::clean_urls::{TrailingSlash, push_clean_urls, push_trailing_slash};
use super::destination::{check_redirect, check_rewrite, names_caught, translated, with_unused_parameters};
use super::diagnostic::{ConfigError, ConfigText};
use super::functions::in_range;
use super::legacy_routes;
use super::model::{Configuration, HeadersEntry, RedirectEntry, RewriteEntry};
use super::source::source_pattern;

/// How many conditions of one kind a route may have: as many as Vercel takes.
const MAX_CONDITIONS: usize = 16;

/// The routes that a file asks for.
pub(crate) fn site_routes(text: ConfigText<'_>, file: &Configuration) -> Result<RouteTable, ConfigError> {
    let mut table = RouteTable::new();
    let slash = TrailingSlash::wanted_by(file);
    if file.clean_urls {
        push_clean_urls(&mut table, slash);
    }
    if let Some(slash) = slash {
        push_trailing_slash(&mut table, slash);
    }
    legacy_routes::push(text, &file.routes, &mut table).map_err(|error| error.coded("invalid_route"))?;
    for entry in &file.redirects {
        table.push(Phase::Null, redirect(text, entry).map_err(|error| error.coded("invalid_redirect"))?);
    }
    for entry in &file.headers {
        table.push(Phase::Null, headers(text, entry).map_err(|error| error.coded("invalid_header"))?);
    }
    for entry in &file.rewrites {
        table.push(Phase::Filesystem, rewrite(text, entry).map_err(|error| error.coded("invalid_rewrite"))?);
    }
    Ok(table)
}

fn redirect(text: ConfigText<'_>, entry: &RedirectEntry) -> Result<Route, ConfigError> {
    let (source, src) = source_pattern(text, &entry.source)?;
    check_redirect(text, &entry.destination)?;
    refuse_many_conditions(text, entry.source.span(), &entry.has, &entry.missing)?;
    let location = translated(text, &source, &entry.destination, &entry.has)?;
    let status = match (&entry.status, &entry.permanent) {
        (Some(status), Some(_)) => {
            let key = text.key("status", "statusCode");
            return Err(text.error(status.span(), format!("a redirect says `{key}` or `permanent`, not both")));
        }
        (Some(status), None) => check_status(text, status, 300..=399)?,
        (None, Some(permanent)) if !permanent.get_ref() => 307,
        (None, _) => 308,
    };
    let mut route = Route::new(src);
    route.headers.insert("location".to_owned(), location);
    route.status = Some(status);
    route.has.clone_from(&entry.has);
    route.missing.clone_from(&entry.missing);
    Ok(route)
}

fn headers(text: ConfigText<'_>, entry: &HeadersEntry) -> Result<Route, ConfigError> {
    let (source, src) = source_pattern(text, &entry.source)?;
    refuse_many_conditions(text, entry.source.span(), &entry.has, &entry.missing)?;
    let mut route = Route::new(src);
    let caught = names_caught(&entry.has);
    for header in &entry.headers {
        check_header(text, header.key.get_ref(), header.key.span(), &header.value)?;
        // `{"include_subdomains":true}` is a value like any other: a colon names a parameter only where there is one.
        let value = source.destination(header.value.get_ref(), &caught);
        route.headers.insert(header.key.get_ref().clone(), value.unwrap_or_else(|_| header.value.get_ref().clone()));
    }
    route.continues = true;
    route.has.clone_from(&entry.has);
    route.missing.clone_from(&entry.missing);
    Ok(route)
}

fn rewrite(text: ConfigText<'_>, entry: &RewriteEntry) -> Result<Route, ConfigError> {
    let (source, src) = source_pattern(text, &entry.source)?;
    check_rewrite(text, &entry.destination)?;
    refuse_many_conditions(text, entry.source.span(), &entry.has, &entry.missing)?;
    let destination = translated(text, &source, &entry.destination, &entry.has)?;
    let mut route = Route::new(src);
    route.dest = Some(with_unused_parameters(&source, &entry.has, entry.destination.get_ref(), destination));
    route.check = true;
    route.status = entry.status.as_ref().map(|status| check_status(text, status, 200..=599)).transpose()?;
    route.has.clone_from(&entry.has);
    route.missing.clone_from(&entry.missing);
    Ok(route)
}

/// A status that is one of `allowed`.
pub(super) fn check_status(
    text: ConfigText<'_>,
    status: &Spanned<i64>,
    allowed: RangeInclusive<u16>,
) -> Result<u16, ConfigError> {
    let key = text.key("status", "statusCode");
    in_range(text, key, status, i64::from(*allowed.start()), i64::from(*allowed.end()))?;
    Ok(u16::try_from(*status.get_ref()).unwrap_or(*allowed.end()))
}

/// Refuses a header that cannot stand in a response.
pub(super) fn check_header(
    text: ConfigText<'_>,
    name: &str,
    name_place: Range<usize>,
    value: &Spanned<String>,
) -> Result<(), ConfigError> {
    if !is_token(name) {
        return Err(text.error(name_place, format!("{name:?} is not a header name")));
    }
    if value.get_ref().chars().any(char::is_control) {
        return Err(text.error(value.span(), "a header's value holds no line break or control character"));
    }
    Ok(())
}

/// Refuses more conditions than are looked at for one request.
pub(super) fn refuse_many_conditions(
    text: ConfigText<'_>,
    place: Range<usize>,
    has: &[Condition],
    missing: &[Condition],
) -> Result<(), ConfigError> {
    let most = has.len().max(missing.len());
    if most > MAX_CONDITIONS {
        return Err(text.error(place, format!("{most} conditions are more than the {MAX_CONDITIONS} there may be")));
    }
    Ok(())
}

/// Whether a word can be the name of a header or of a method (RFC 9110, section 5.6.2).
pub(super) fn is_token(word: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !word.is_empty() && word.bytes().all(is_token)
}
