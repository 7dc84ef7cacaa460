//! Where requests come from: what changes something is taken from the dashboard's own pages alone.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method, StatusCode, Uri};

/// What a browser says of who began a request (Fetch Metadata).
const SEC_FETCH_SITE: &str = "sec-fetch-site";

/// Refuses what changes something and does not come from a page of the dashboard. A form of another site, which the browser would send
/// a session along with, ends here; that each form shows its session's proof as well is a second lock on the same door.
pub(super) async fn require_own(request: Request, next: Next) -> Response {
    let is_safe = matches!(*request.method(), Method::GET | Method::HEAD);
    if is_safe || is_own(request.headers(), request.uri()) {
        return next.run(request).await;
    }
    (StatusCode::FORBIDDEN, "This was not sent by a page of the dashboard itself.\n").into_response()
}

/// Whether a request says that it comes from the origin that it is sent to. One that says nothing does not.
fn is_own(headers: &HeaderMap, uri: &Uri) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text(SEC_FETCH_SITE) {
        return site == "same-origin";
    }
    let own = uri.authority().map(http::uri::Authority::as_str).or_else(|| text(HOST.as_str()));
    let from = text(ORIGIN.as_str()).and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    own.is_some() && own == from
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only a request that says that it is from here is; where a browser says both, what no page can forge counts.
    #[test]
    fn own_and_not() {
        let is_own = |pairs: &[(&'static str, &'static str)]| {
            let headers = pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
            is_own(&headers, &Uri::from_static("/login"))
        };
        assert!(is_own(&[("sec-fetch-site", "same-origin")]));
        assert!(is_own(&[("host", "localhost:7701"), ("origin", "http://localhost:7701")]));
        for others in [
            &[][..],
            &[("host", "localhost:7701")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("host", "a:1"), ("origin", "http://a:1")],
            &[("host", "localhost:7701"), ("origin", "http://localhost:7700")],
            &[("host", "localhost:7701"), ("origin", "null")],
            &[("origin", "http://localhost:7701")],
        ] {
            assert!(!is_own(others), "{others:?}");
        }
    }
}
