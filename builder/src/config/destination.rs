//! `destination`: a path of the site or a URL, with parameters of its source.

use std::fmt::Write as _;
use std::ops::Range;

use ship_core::route::{Condition, SourcePattern};
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};

/// Ports below which only those of the web can be asked: what else listens there is no web server, and must not be sent what a
/// visitor wrote.
const FIRST_FREE_PORT: u16 = 1024;

/// What was written with `:name`, in the groups of the route.
pub(super) fn translated(
    text: ConfigText<'_>,
    source: &SourcePattern,
    written: &Spanned<String>,
    has: &[Condition],
) -> Result<String, ConfigError> {
    source
        .destination(written.get_ref(), &names_caught(has))
        .map_err(|error| text.error(written.span(), error.to_string()))
}

/// The names that conditions catch.
pub(super) fn names_caught(has: &[Condition]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in has.iter().flat_map(Condition::group_names) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What arrives in the query of a rewrite: where the destination's path uses no parameter, all that its query does not name.
pub(super) fn with_unused_parameters(
    source: &SourcePattern,
    has: &[Condition],
    destination: &str,
    translated: String,
) -> String {
    let caught = names_caught(has);
    let (path, query) = destination.split_once('?').unwrap_or((destination, ""));
    let is_known =
        |name: &str| source.parameters().any(|(known, _)| known == name) || caught.iter().any(|known| known == name);
    if SourcePattern::names_in(path).any(is_known) {
        return translated;
    }
    let keys: Vec<&str> = query.split('&').map(|pair| pair.split('=').next().unwrap_or(pair)).collect();
    let parameters = source.parameters().map(|(name, group)| (name, group.to_string()));
    let conditions = caught.iter().map(|name| (name.as_str(), name.clone()));
    // The hash of a destination never reaches a server.
    let mut translated = translated.split('#').next().unwrap_or_default().to_owned();
    for (name, group) in parameters.chain(conditions).filter(|(name, _)| !keys.contains(name)) {
        let separator = if translated.contains('?') { '&' } else { '?' };
        let _ = write!(translated, "{separator}{name}=${group}");
    }
    translated
}

/// Refuses what a redirect cannot lead to.
pub(super) fn check_redirect(text: ConfigText<'_>, written: &Spanned<String>) -> Result<(), ConfigError> {
    if !written.get_ref().starts_with('/') && scheme(written.get_ref()).is_none() {
        return Err(wrong(text, written, "starts neither with `/` nor with `https://`"));
    }
    check_characters(text, written)
}

/// Refuses what a rewrite cannot lead to: anything but a path of the site, or a URL of a web server that is known beforehand.
pub(super) fn check_rewrite(text: ConfigText<'_>, written: &Spanned<String>) -> Result<(), ConfigError> {
    let has_place = ["/", "http://", "https://"].iter().any(|start| written.get_ref().starts_with(start));
    if !has_place && written.get_ref().contains("://") {
        return Err(wrong(text, written, "starts neither with `/` nor with `https://`"));
    }
    check_characters(text, written)?;
    check_host(text, written)
}

fn check_characters(text: ConfigText<'_>, written: &Spanned<String>) -> Result<(), ConfigError> {
    if written.get_ref().chars().any(char::is_control) {
        return Err(wrong(text, written, "holds a control character"));
    }
    Ok(())
}

/// The scheme that a URL begins with.
fn scheme(destination: &str) -> Option<&str> {
    let (scheme, _) = destination.split_once(':')?;
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    (is_scheme && scheme.starts_with(|first: char| first.is_ascii_alphabetic())).then_some(scheme)
}

/// Refuses URLs whose host a visitor would choose, with a user in them, or of ports that no web server listens on. A parameter
/// can be part of a host name in front of a domain: `https://:tenant.example.com`.
pub(super) fn check_host(text: ConfigText<'_>, written: &Spanned<String>) -> Result<(), ConfigError> {
    let destination = written.get_ref();
    let Some(rest) = destination.strip_prefix("https://").or_else(|| destination.strip_prefix("http://")) else {
        return Ok(());
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(wrong(text, written, "holds a user: the other server gets the visitor's own headers"));
    }
    let (host, port) = split_port(authority);
    if let Some(port) = port {
        let is_web = port.parse().is_ok_and(|port: u16| port == 80 || port == 443 || port >= FIRST_FREE_PORT);
        if !is_web {
            return Err(wrong(text, written, "names a port that is none of the web: 80, 443 and those from 1024 are"));
        }
    }
    let own = host.rfind([':', '$']).filter(|_| !host.starts_with('[')).map_or(host, |at| {
        let name = host[at + 1..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_').count();
        &host[at + 1 + name..]
    });
    let is_whole = own.len() == host.len();
    // `https://example.com$1` with a group that begins with `/`: any other beginning is refused when it is asked for.
    let is_before_path = own.is_empty() && host.rfind('$').is_some_and(|at| at > 0 && !host[..at].contains([':', '$']));
    let is_below_domain = own.starts_with('.') && own.matches('.').count() >= 2 && !own.ends_with('.');
    if host.is_empty() || !(is_whole || is_below_domain || is_before_path) {
        let reason = "lets whoever asks choose the host: a parameter can only stand in front of a domain, as in \
                      `https://:tenant.example.com/`";
        return Err(wrong(text, written, reason));
    }
    Ok(())
}

/// The host and the port of an authority; a colon in front of a name is a parameter's.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    }
}

fn wrong(text: ConfigText<'_>, written: &Spanned<String>, reason: &str) -> ConfigError {
    let span: Range<usize> = written.span();
    text.error(span, format!("the destination `{}` {reason}", written.get_ref()))
}
