//! From a path to what answers it: the one question to the route table.

use http::request;
use ship_core::route::{Heading, Outcome, Pause, Resolution, RouteRequest, resolve, resume};
use ship_core::{Found, UrlPath};

use crate::live_deployment::LiveDeployment;
use crate::protocol::authority::host_name;
use crate::protocol::normal_path::NormalPath;

/// What stands at a normalised path where no route could say anything else.
pub(super) fn direct(deployment: &LiveDeployment, path: &str) -> Option<Found> {
    deployment.index().find(path).filter(|_| deployment.has_direct_paths())
}

/// Decides what answers a request.
pub(super) fn decide(deployment: &LiveDeployment, path: NormalPath<'_>, parts: &request::Parts) -> Resolution {
    if let Some(found @ Found::Asset(_)) = direct(deployment, path.as_str()) {
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
