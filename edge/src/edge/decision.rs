//! From a path to what answers it: the one question to the route table.

use http::request;
use ship_core::route::{Heading, Outcome, Pause, Resolution, RouteRequest, resolve, resume};
use ship_core::{Found, UrlPath, UrlPathError};

use crate::live_deployment::LiveDeployment;
use crate::protocol::authority::host_name;

/// A normalised path. Nearly all are normalised as they come, and then cost nothing.
pub(super) enum NormalPath<'r> {
    /// As it came.
    AsSent(&'r str),
    /// After decoding and resolving.
    Normalised(UrlPath),
}

impl<'r> NormalPath<'r> {
    pub(super) fn parse(raw: &'r str) -> Result<Self, UrlPathError> {
        if is_normal(raw) { Ok(Self::AsSent(raw)) } else { UrlPath::parse(raw).map(Self::Normalised) }
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::AsSent(path) => path,
            Self::Normalised(path) => path.as_str(),
        }
    }

    fn into_url_path(self) -> Result<UrlPath, UrlPathError> {
        match self {
            Self::AsSent(path) => UrlPath::parse(path),
            Self::Normalised(path) => Ok(path),
        }
    }
}

/// Whether normalising would change nothing: no escapes, no empty segment, none that begins with a dot.
fn is_normal(path: &str) -> bool {
    let is_plain =
        |byte: u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~');
    path.starts_with('/')
        && path.bytes().all(is_plain)
        && !path.as_bytes().windows(2).any(|pair| pair[0] == b'/' && matches!(pair[1], b'/' | b'.'))
}

/// Decides what answers a request.
pub(super) fn decide(deployment: &LiveDeployment, path: NormalPath<'_>, parts: &request::Parts) -> Resolution {
    if deployment.has_direct_paths()
        && let Some(found @ Found::Asset(_)) = deployment.index().find(path.as_str())
    {
        return Resolution { outcome: Outcome::Found { found, query: None, status: None }, headers: Vec::new() };
    }
    let Ok(path) = path.into_url_path() else {
        return Resolution { outcome: Outcome::NotFound, headers: Vec::new() };
    };
    with_request(&path, parts, |request| resolve(deployment.manifest().routes(), deployment.index(), request))
}

/// Decides what answers a request that a middleware has let pass, as it is now.
pub(super) fn decide_again(
    deployment: &LiveDeployment,
    parts: &request::Parts,
    pause: Pause,
    heading: Heading,
) -> Resolution {
    let Ok(path) = UrlPath::parse(parts.uri.path()) else {
        return Resolution { outcome: Outcome::NotFound, headers: pause.into_headers() };
    };
    let (routes, index) = (deployment.manifest().routes(), deployment.index());
    with_request(&path, parts, |request| resume(routes, index, request, pause, heading))
}

/// Calls `decide` with what routing looks at.
fn with_request<D>(path: &UrlPath, parts: &request::Parts, decide: impl FnOnce(&RouteRequest<'_>) -> D) -> D {
    let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    let authority = text("host").unwrap_or_default();
    let host = host_name(authority).unwrap_or(authority.into());
    decide(&RouteRequest {
        method: parts.method.as_str(),
        host: &host,
        path,
        query: parts.uri.query(),
        header: &|name| text(name).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The short way and the long way give the same path.
        #[test]
        fn same_as_parsed(raw in "/([a-c./~%-]|%2e|//|\\.\\./){0,20}") {
            let short = NormalPath::parse(&raw).map(|path| path.as_str().to_owned());
            let long = UrlPath::parse(&raw).map(|path| path.as_str().to_owned());
            prop_assert_eq!(short, long);
        }
    }
}
