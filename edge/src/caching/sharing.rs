//! Which requests may be answered with what others were told, and what tells their answers apart.
//!
//! A function sees all of a request, and only a part of it is in the key. What is not must not have a say in what others get: a request
//! that holds anything of that kind is answered by the function alone.

use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{ACCEPT, AUTHORIZATION, COOKIE, EXPECT, HOST, RANGE, UPGRADE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, Uri, request};
use http_body::Body;
use ship_core::FunctionIndex;

use crate::kept::AnswerKey;
use crate::live_deployment::LiveDeployment;
use crate::protocol::cache_control::forbids_to_keep;
use crate::visitor::Scheme;

/// Whether a request may be answered with what others were told, as far as the site decides.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sharing {
    /// It may.
    Allowed,
    /// It may not: not everybody may see the site, or a middleware has told the function something of this visitor.
    Forbidden,
}

/// How long a key may be, in bytes: a longer one is not worth its memory.
const MAX_KEY_BYTES: usize = 4096;

/// What belongs to one visitor, or to one request: an answer to it is nobody else's.
const PERSONAL: [HeaderName; 5] = [COOKIE, AUTHORIZATION, RANGE, UPGRADE, EXPECT];

/// What has some frameworks take a request for another one, with a method, path, host or answer of its own. None of it is in the key, and
/// browsers send none of it. (Ship drops `forwarded`, all of `x-forwarded-` and others before anybody sees them.)
const MASKS: [&str; 14] = [
    "x-forwarded",
    "x-host",
    "x-http-destinationurl",
    "x-http-host-override",
    "x-http-method",
    "x-http-method-override",
    "x-invoke-path",
    "x-invoke-query",
    "x-invoke-status",
    "x-method-override",
    "x-nextjs-data",
    "x-original-host",
    "x-original-url",
    "x-rewrite-url",
];

/// Whether a request may be answered with what others were told, as far as it says itself.
pub(super) fn is_for_all(parts: &request::Parts, body: &impl Body) -> bool {
    let reads = parts.method == Method::GET || parts.method == Method::HEAD;
    // A body that comes with a question is no part of the key either.
    reads
        && body.is_end_stream()
        && !parts.headers.keys().any(is_personal)
        && !forbids_to_keep(&parts.headers)
        && !waits_for_events(&parts.headers)
}

fn is_personal(name: &HeaderName) -> bool {
    PERSONAL.contains(name) || (name.as_str().starts_with("x-") && MASKS.contains(&name.as_str()))
}

/// Whether a request is for a stream of events, which has no end (HTML, section 9.2).
fn waits_for_events(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"text/event-stream"))
}

/// The key of a function's answers, before it is known which headers tell them apart: how the host was reached, by which name, and what the function
/// is asked. `None` where that is too long.
pub(super) fn key(
    deployment: &LiveDeployment,
    function: FunctionIndex,
    parts: &request::Parts,
    target: &PathAndQuery,
    scheme: Scheme,
) -> Option<AnswerKey> {
    // As the function sees it, to the letter: it may write it into its answer.
    let host = parts.headers.get(HOST)?.to_str().ok()?;
    let (scheme, target) = (scheme.as_str(), target.as_str());
    let is_short = host.len() + target.len() <= MAX_KEY_BYTES;
    is_short.then(|| AnswerKey {
        deployment: *deployment.id(),
        environment: deployment.environment_edition(),
        function,
        asked: format!("{scheme}\n{host}\n{target}").into(),
    })
}

/// The key of an answer that differs by these headers of a request. `None` where it is too long.
pub(super) fn key_of_variant(key: &AnswerKey, names: &[HeaderName], headers: &HeaderMap) -> Option<AnswerKey> {
    let mut asked = key.asked.to_string();
    for name in names {
        write!(asked, "\n{name}:").expect("text can always grow");
        for (at, value) in headers.get_all(name).iter().enumerate() {
            let value = value.to_str().ok()?;
            // Lines that follow each other are one list (RFC 9110, section 5.3); what stands in one is not read.
            let comma = if at == 0 { "" } else { "," };
            write!(asked, "{comma}{}", value.trim()).expect("text can always grow");
        }
    }
    let is_short = asked.len() <= 2 * MAX_KEY_BYTES;
    is_short.then(|| AnswerKey { asked: Arc::from(asked), ..key.clone() })
}

/// The path and query that a function is asked for.
pub(super) fn target_of(uri: &Uri) -> PathAndQuery {
    uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"))
}

#[cfg(test)]
mod tests {
    use http::Request;
    use http_body_util::{Empty, Full};

    use super::*;

    fn parts(method: &str, headers: &[(&str, &str)]) -> request::Parts {
        let request = headers
            .iter()
            .fold(Request::builder().method(method), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    fn is_shared(method: &str, headers: &[(&str, &str)]) -> bool {
        is_for_all(&parts(method, headers), &Empty::<bytes::Bytes>::new())
    }

    /// Only questions that hold nothing of one visitor are answered with what others were told.
    #[test]
    fn requests_for_all() {
        assert!(is_shared("GET", &[("accept", "text/html"), ("cache-control", "no-cache"), ("x-mine", "1")]));
        assert!(is_shared("HEAD", &[("if-none-match", "\"a\""), ("origin", "https://a.test"), ("pragma", "no-cache")]));
        assert!(!is_shared("POST", &[]) && !is_shared("OPTIONS", &[]) && !is_shared("QUERY", &[]));
        for (name, value) in [
            ("cookie", "a=b"),
            ("cookie", ""),
            ("authorization", "Basic eA=="),
            ("range", "bytes=0-1"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("cache-control", "max-age=0, No-Store"),
            ("accept", "text/event-stream"),
            ("X-HTTP-Method-Override", "DELETE"),
            ("x-original-url", "/admin"),
            ("x-forwarded", "for=1"),
        ] {
            assert!(!is_shared("GET", &[(name, value)]), "{name}: {value}");
        }
        assert!(!is_for_all(&parts("GET", &[]), &Full::new(bytes::Bytes::from_static(b"x"))));
    }

    /// Two requests have the same key only if all that is named is the same, wherever a value ends.
    #[test]
    fn variants() {
        let key = |names: &[&str], headers: &[(&str, &str)]| {
            let base = AnswerKey {
                deployment: ship_core::DeploymentId::of_bytes(b""),
                environment: ship_core::Digest::of(b""),
                function: FunctionIndex(0),
                asked: "http\na\n/".into(),
            };
            let names: Vec<HeaderName> = names.iter().map(|name| name.parse().unwrap()).collect();
            key_of_variant(&base, &names, &parts("GET", headers).headers).map(|key| key.asked.to_string())
        };
        assert_eq!(key(&["a", "b"], &[("a", " 1 "), ("c", "2")]).unwrap(), "http\na\n/\na:1\nb:");
        assert_eq!(key(&["a"], &[("a", "1"), ("a", "2")]), key(&["a"], &[("a", "1,2")]));
        assert_ne!(key(&["a", "b"], &[("a", "1")]), key(&["a", "b"], &[("b", "1")]));
        assert_ne!(key(&["a"], &[]), key(&["b"], &[]));
        assert_eq!(key(&["a"], &[("a", &"x".repeat(2 * MAX_KEY_BYTES))]), None);
        assert_eq!(key(&["a"], &[("a", "\u{e4}")]), None);
    }
}
