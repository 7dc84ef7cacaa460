//! Which answers may be kept for all, and which headers of a request tell them apart (RFC 9111, sections 3 and 4.1).

use std::time::Duration;

use http::header::{
    ACCEPT_ENCODING, ACCESS_CONTROL_ALLOW_ORIGIN, AGE, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, ORIGIN,
    SET_COOKIE, TE, TRAILER, VARY,
};
use http::{HeaderMap, HeaderName, response};

use crate::protocol::cache_control::{Freshness, is_of_a_page};

/// How many headers may tell answers apart. An answer that differs by more differs for nearly everybody.
const MAX_VARYING: usize = 8;

/// What each visitor has of its own, and functions hear of it from ship: answers that differ by it are nobody else's.
const VISITORS_OWN: [&str; 7] =
    ["cdn-loop", "connection", "forwarded", "traceparent", "tracestate", "x-forwarded-for", "x-real-ip"];

/// What says that a framework's server has the answer from a cache of its own. It empties that when something changes, and nobody else's: its pages
/// may say that they are good for a year.
const OWN_CACHES: [&str; 2] = ["x-nextjs-cache", "x-nextjs-prerender"];

/// How an answer may be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Storable {
    pub(super) freshness: Freshness,
    /// How old it was when it came: its function may have it from a cache of its own.
    pub(super) age: Duration,
    /// The headers of a request that tell such answers apart, sorted.
    pub(super) varies_by: Vec<HeaderName>,
}

/// How an answer may be kept that begins so, where its function wishes for `freshness`.
pub(super) fn storable(head: &response::Parts, freshness: Freshness) -> Option<Storable> {
    let headers = &head.headers;
    let is_one_visitors = [SET_COOKIE, CONTENT_RANGE, TRAILER].iter().any(|name| headers.contains_key(name));
    let has_no_end = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream"));
    let has_own_cache = OWN_CACHES.iter().any(|name| headers.contains_key(*name));
    if !is_of_a_page(head.status) || is_one_visitors || has_no_end || has_own_cache {
        return None;
    }
    let age = headers.get(AGE).and_then(|age| age.to_str().ok()?.parse().ok()).unwrap_or(0);
    let storable = Storable { freshness, age: Duration::from_secs(age), varies_by: varies_by(headers)? };
    (storable.age < freshness.fresh + freshness.stale).then_some(storable)
}

/// The headers that tell answers apart, also where the function forgot to say so: an answer in a content coding is for who takes it, and
/// one that names an origin is for that origin.
fn varies_by(headers: &HeaderMap) -> Option<Vec<HeaderName>> {
    let mut names = Vec::new();
    for value in headers.get_all(VARY) {
        for name in value.to_str().ok()?.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            names.push(name.parse::<HeaderName>().ok().filter(|name| name.as_str() != "*")?);
        }
    }
    if headers.contains_key(CONTENT_ENCODING) {
        names.push(ACCEPT_ENCODING);
    }
    if headers.get(ACCESS_CONTROL_ALLOW_ORIGIN).is_some_and(|origin| origin != "*") {
        names.push(ORIGIN);
    }
    names.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
    names.dedup();
    let is_visitors_own = |name: &HeaderName| {
        *name == TE || VISITORS_OWN.contains(&name.as_str()) || name.as_str().starts_with("x-ship-")
    };
    (names.len() <= MAX_VARYING && !names.iter().any(is_visitors_own)).then_some(names)
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    const MINUTE: Freshness =
        Freshness { fresh: Duration::from_mins(1), stale: Duration::ZERO, on_error: Duration::ZERO };

    /// Whether an answer may be kept, and what tells it apart.
    fn kept(status: u16, headers: &[(&str, &str)]) -> Option<String> {
        let response = Response::builder().status(status);
        let response = headers.iter().fold(response, |response, (name, value)| response.header(*name, *value));
        let Storable { varies_by, age, .. } = storable(&response.body(()).unwrap().into_parts().0, MINUTE)?;
        let names: Vec<&str> = varies_by.iter().map(HeaderName::as_str).collect();
        Some(format!("{} {}", age.as_secs(), names.join(" ")))
    }

    /// Whole answers that are for everybody are kept, by what they say they differ by, and by what they differ by without saying.
    #[test]
    fn what_is_kept() {
        for (status, headers, expected) in [
            (200, &[][..], Some("0 ")),
            (308, &[("location", "/b")], Some("0 ")),
            (404, &[("age", "59")], Some("59 ")),
            (200, &[("age", "60")], None),
            (200, &[("vary", "Accept-Language , accept"), ("vary", "ACCEPT")], Some("0 accept accept-language")),
            (200, &[("content-encoding", "br")], Some("0 accept-encoding")),
            (200, &[("content-encoding", "br"), ("vary", "accept-encoding")], Some("0 accept-encoding")),
            (200, &[("access-control-allow-origin", "*")], Some("0 ")),
            (200, &[("access-control-allow-origin", "https://a.test")], Some("0 origin")),
            (200, &[("vary", "*")], None),
            (200, &[("vary", "accept, *")], None),
            (200, &[("vary", "a b")], None),
            (200, &[("vary", "X-Forwarded-For")], None),
            (200, &[("vary", "x-ship-id")], None),
            (200, &[("vary", "a,b,c,d,e,f,g,h,i")], None),
            (200, &[("set-cookie", "a=b")], None),
            (200, &[("trailer", "x")], None),
            (200, &[("x-nextjs-cache", "HIT")], None),
            (200, &[("content-type", "text/event-stream; charset=utf-8")], None),
            (206, &[("content-range", "bytes 0-1/2")], None),
            (204, &[], None),
            (304, &[], None),
            (400, &[], None),
            (405, &[], None),
            (414, &[], None),
            (431, &[], None),
            (500, &[], None),
            (503, &[], None),
        ] {
            assert_eq!(kept(status, headers).as_deref(), expected, "{status} {headers:?}");
        }
    }
}
