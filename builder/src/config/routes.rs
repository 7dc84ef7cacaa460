//! `[[redirects]]`, `[[headers]]`, `[[rewrites]]`, `[[cors]]`, `clean_urls` and `trailing_slash`, as routes.
//!
//! The order is that of `vercel.json`: clean URLs, trailing slash, redirects, headers, then the files, then rewrites.

use std::ops::Range;

use ship_core::route::{CaseRule, Condition, Pattern, Phase, Route, RouteTable, SourcePattern};
use ship_core::{CorsRule, CorsRuleError, Credentials, OriginPattern};
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};
use super::file::{CorsEntry, HeadersEntry, RedirectEntry, RewriteEntry, ShipToml};
use super::functions::in_range;

/// What a preflight allows when an entry names no methods: what pages do, without the methods that no page needs.
const DEFAULT_CORS_METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

/// How long a browser keeps a preflight's answer: two hours, the most that Chromium honours.
const DEFAULT_CORS_MAX_AGE_SECS: i64 = 7200;

/// The longest that any browser keeps a preflight's answer: a day.
const MAX_CORS_MAX_AGE_SECS: i64 = 86_400;

/// The routes that a file asks for.
pub(crate) fn site_routes(text: ConfigText<'_>, file: &ShipToml) -> Result<RouteTable, ConfigError> {
    let mut table = RouteTable::new();
    let slash = TrailingSlash::wanted_by(file);
    if file.clean_urls {
        push_clean_urls(&mut table, slash);
    }
    if let Some(slash) = slash {
        push_trailing_slash(&mut table, slash);
    }
    for entry in &file.redirects {
        table.push(Phase::Null, redirect(text, entry)?);
    }
    for entry in &file.headers {
        table.push(Phase::Null, headers(text, entry)?);
    }
    for entry in &file.rewrites {
        table.push(Phase::Filesystem, rewrite(text, entry)?);
    }
    Ok(table)
}

/// The cross-origin rules that a file asks for.
pub(crate) fn cors_rules(text: ConfigText<'_>, file: &ShipToml) -> Result<Vec<CorsRule>, ConfigError> {
    file.cors.iter().map(|entry| cors_rule(text, entry)).collect()
}

fn redirect(text: ConfigText<'_>, entry: &RedirectEntry) -> Result<Route, ConfigError> {
    let (source, src) = source_pattern(text, &entry.source)?;
    check_destination(text, &entry.destination)?;
    let location = destination(text, &source, &entry.destination, &entry.has)?;
    let status = match (&entry.status, &entry.permanent) {
        (Some(status), Some(_)) => {
            return Err(text.error(status.span(), "a redirect says `status` or `permanent`, not both"));
        }
        (Some(status), None) => {
            in_range(text, "status", status, 300, 399)?;
            u16::try_from(*status.get_ref()).unwrap_or(308)
        }
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
    let mut route = Route::new(src);
    for header in &entry.headers {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if header.key.get_ref().is_empty() || !header.key.get_ref().bytes().all(is_token) {
            return Err(text.error(header.key.span(), format!("{:?} is not a header name", header.key.get_ref())));
        }
        if header.value.get_ref().chars().any(char::is_control) {
            return Err(text.error(header.value.span(), "a header's value holds no line break or control character"));
        }
        let caught = names_caught(&entry.has);
        // `{"include_subdomains":true}` is a value like any other: a colon names a parameter only where there is one.
        let value =
            source.destination(header.value.get_ref(), &caught).unwrap_or_else(|_| header.value.get_ref().clone());
        route.headers.insert(header.key.get_ref().clone(), value);
    }
    route.continues = true;
    route.has.clone_from(&entry.has);
    route.missing.clone_from(&entry.missing);
    Ok(route)
}

fn rewrite(text: ConfigText<'_>, entry: &RewriteEntry) -> Result<Route, ConfigError> {
    let (source, src) = source_pattern(text, &entry.source)?;
    check_destination(text, &entry.destination)?;
    if !entry.destination.get_ref().starts_with('/') {
        let message = "this version of ship rewrites to paths of the site itself, not to other hosts: use a redirect, or a \
                       function that asks the other host";
        return Err(text.error(entry.destination.span(), message));
    }
    let translated = destination(text, &source, &entry.destination, &entry.has)?;
    let mut route = Route::new(src);
    route.dest = Some(with_unused_parameters(&source, entry.destination.get_ref(), translated));
    route.check = true;
    route.has.clone_from(&entry.has);
    route.missing.clone_from(&entry.missing);
    Ok(route)
}

/// What was written with `:name`, in the groups of the route.
fn destination(
    text: ConfigText<'_>,
    source: &SourcePattern,
    written: &Spanned<String>,
    has: &[Condition],
) -> Result<String, ConfigError> {
    source
        .destination(written.get_ref(), &names_caught(has))
        .map_err(|error| text.error(written.span(), error.to_string()))
}

/// The names of the groups that conditions catch.
fn names_caught(has: &[Condition]) -> Vec<String> {
    has.iter().flat_map(Condition::group_names).collect()
}

/// Parameters of the source that the destination does not use arrive in its query.
fn with_unused_parameters(source: &SourcePattern, destination: &str, translated: String) -> String {
    let named =
        || source.names().iter().enumerate().filter(|(_, name)| !name.starts_with(|c: char| c.is_ascii_digit()));
    let path = destination.split('?').next().unwrap_or(destination);
    if named().any(|(_, name)| path.contains(&format!(":{name}"))) {
        return translated;
    }
    let unused = named().filter(|(_, name)| !destination.contains(&format!(":{name}")));
    let query: Vec<String> = unused.map(|(index, name)| format!("{name}=${}", index + 1)).collect();
    match (query.is_empty(), translated.contains('?')) {
        (true, _) => translated,
        (false, true) => format!("{translated}&{}", query.join("&")),
        (false, false) => format!("{translated}?{}", query.join("&")),
    }
}

fn cors_rule(text: ConfigText<'_>, entry: &CorsEntry) -> Result<CorsRule, ConfigError> {
    let (source, _) = source_pattern(text, &entry.source)?;
    let origin = |written: &Spanned<String>| {
        written.get_ref().parse::<OriginPattern>().map_err(|error| text.error(written.span(), error.to_string()))
    };
    let origins = entry.origins.get_ref().iter().map(origin).collect::<Result<Vec<_>, _>>()?;
    if origins.is_empty() {
        return Err(text.error(entry.origins.span(), "`origins` names no origin"));
    }
    let max_age = match &entry.max_age_secs {
        None => DEFAULT_CORS_MAX_AGE_SECS,
        Some(written) => {
            in_range(text, "max_age_secs", written, 0, MAX_CORS_MAX_AGE_SECS)?;
            *written.get_ref()
        }
    };
    let methods = match &entry.methods {
        None => DEFAULT_CORS_METHODS.map(str::to_owned).to_vec(),
        Some(written) => tokens(text, written, str::to_ascii_uppercase)?,
    };
    let headers = tokens(text, &entry.headers, str::to_ascii_lowercase)?;
    let (credentials, place) = match &entry.credentials {
        Some(written) if *written.get_ref() => (Credentials::Allowed, written.span()),
        _ => (Credentials::Omitted, entry.source.span()),
    };
    CorsRule::new(source.regex(), origins, methods, headers, credentials, u32::try_from(max_age).unwrap_or(0)).map_err(
        |error| match error {
            CorsRuleError::AnyOriginWithCredentials { .. } => text.error(
                place,
                "`*` among the origins allows every page to read answers, which cannot go with credentials: name the \
                 origins, or drop `credentials`",
            ),
            other => text.error(place, other.to_string()),
        },
    )
}

/// Method or header names, in the case in which they are compared.
fn tokens(
    text: ConfigText<'_>,
    written: &[Spanned<String>],
    normal: fn(&str) -> String,
) -> Result<Vec<String>, ConfigError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let token = |word: &Spanned<String>| {
        if word.get_ref().is_empty() || !word.get_ref().bytes().all(is_token) {
            return Err(text.error(word.span(), format!("{:?} is neither a method nor a header name", word.get_ref())));
        }
        Ok(normal(word.get_ref()))
    };
    written.iter().map(token).collect()
}

fn source_pattern(text: ConfigText<'_>, written: &Spanned<String>) -> Result<(SourcePattern, Pattern), ConfigError> {
    let wrong = |message: String| text.error(written.span(), message);
    if !written.get_ref().starts_with('/') {
        return Err(wrong(format!("the source `{}` does not start with `/`", written.get_ref())));
    }
    let source = SourcePattern::parse(written.get_ref()).map_err(|error| wrong(error.to_string()))?;
    let pattern = Pattern::anchored(source.regex(), CaseRule::Sensitive).map_err(|error| wrong(error.to_string()))?;
    Ok((source, pattern))
}

fn check_destination(text: ConfigText<'_>, written: &Spanned<String>) -> Result<(), ConfigError> {
    let destination = written.get_ref();
    let has_place = ["/", "http://", "https://"].iter().any(|start| destination.starts_with(start));
    let wrong =
        |span: Range<usize>, reason: &str| Err(text.error(span, format!("the destination `{destination}` {reason}")));
    if !has_place {
        return wrong(written.span(), "starts neither with `/` nor with `https://`");
    }
    if destination.chars().any(char::is_control) {
        return wrong(written.span(), "holds a control character");
    }
    Ok(())
}

fn push_clean_urls(table: &mut RouteTable, slash: Option<TrailingSlash>) {
    let end = if slash == Some(TrailingSlash::Added) { "/" } else { "" };
    push_redirect(table, r"^/index(?:\.html)?/?$", "/");
    push_redirect(table, r"^/(.+)/index(?:\.html)?/?$", &format!("/$1{end}"));
    push_redirect(table, r"^/(.+)\.html/?$", &format!("/$1{end}"));
    let mut route = Route::new(known_pattern(r"^/(.+?)/?$"));
    route.dest = Some("/$1.html".to_owned());
    route.check = true;
    table.push(Phase::Filesystem, route);
}

/// What `trailing_slash` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TrailingSlash {
    Added,
    Removed,
}

impl TrailingSlash {
    fn wanted_by(file: &ShipToml) -> Option<Self> {
        file.trailing_slash.map(|wanted| if wanted { Self::Added } else { Self::Removed })
    }
}

fn push_trailing_slash(table: &mut RouteTable, slash: TrailingSlash) {
    match slash {
        TrailingSlash::Added => {
            push_redirect(table, r"^/((?!\.well-known(?:/|$))(?:[^/]+/)*[^/.]+)$", "/$1/");
            push_redirect(table, r"^/((?!\.well-known(?:/|$))(?:[^/]+/)*[^/]+\.\w+)/$", "/$1");
        }
        TrailingSlash::Removed => push_redirect(table, r"^/(.+)/$", "/$1"),
    }
}

fn push_redirect(table: &mut RouteTable, src: &str, location: &str) {
    let mut route = Route::new(known_pattern(src));
    route.headers.insert("location".to_owned(), location.to_owned());
    route.status = Some(308);
    table.push(Phase::Null, route);
}

/// A pattern that this file itself holds.
fn known_pattern(src: &str) -> Pattern {
    Pattern::anchored(src, CaseRule::Sensitive).expect("a pattern written in this file compiles")
}
