//! Headers that belong to one connection, to the platform, or to a proxy that nobody vouches for.

use std::io::Write as _;

use http::{HeaderMap, HeaderName, HeaderValue, header};

/// The prefix of the platform's own headers: a visitor and a function can neither send nor forge them.
pub(crate) const PLATFORM_PREFIX: &str = "x-ship-";

/// The id of a request, on every response.
pub(crate) const SHIP_ID: HeaderName = HeaderName::from_static("x-ship-id");

/// The code of a platform error.
pub(crate) const SHIP_ERROR: HeaderName = HeaderName::from_static("x-ship-error");

/// Where an answer that is kept came from, under the name that Vercel's clients look for.
pub(crate) const VERCEL_CACHE: HeaderName = HeaderName::from_static("x-vercel-cache");

/// The same under ship's own name.
pub(crate) const SHIP_CACHE: HeaderName = HeaderName::from_static("x-ship-cache");

/// The parameters that tell one prerendered page from another, where its function does not find them in its URL.
pub(crate) const ROUTE_MATCHES: HeaderName = HeaderName::from_static("x-now-route-matches");

/// Has a prerendered page made anew, for who knows its token.
pub(crate) const PRERENDER_REVALIDATE: HeaderName = HeaderName::from_static("x-prerender-revalidate");

/// What middleware says to the platform.
pub(crate) const MIDDLEWARE_PREFIX: &str = "x-middleware-";

/// The path that a function answers at, for frameworks that look for it.
const MATCHED_PATH: HeaderName = HeaderName::from_static("x-matched-path");

/// Counts how often a request passed this platform (RFC 8586).
pub(crate) const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// What Vercel says of a visitor: where from, through what, and with which of the project's rights. Functions written for it
/// trust these, and what opens a gate is none of theirs. Others that begin alike come from outside there too, such as a webhook's `x-vercel-signature`.
const VERCEL_SAYS: [&str; 13] = [
    "x-vercel-cron-",
    "x-vercel-deployment-url",
    "x-vercel-forwarded-for",
    "x-vercel-id",
    "x-vercel-internal-",
    "x-vercel-ip-",
    "x-vercel-ja",
    "x-vercel-oidc-token",
    "x-vercel-protection-bypass",
    "x-vercel-proxied-for",
    "x-vercel-proxy-",
    "x-vercel-sc-",
    "x-vercel-set-bypass-cookie",
];

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Headers that mean something to the next hop only (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Drops what a visitor may not say: the platform's headers, what routing and middleware found, and where a request came from,
/// since no proxy before ship is trusted.
pub(crate) fn drop_forged(headers: &mut HeaderMap) {
    drop_where(headers, |name| is_forged(name.as_str()));
}

/// Whether a visitor may not say what stands under this name, which is in small letters.
pub(crate) fn is_forged(name: &str) -> bool {
    let prefixes = [PLATFORM_PREFIX, "x-forwarded-", MIDDLEWARE_PREFIX];
    let names = [X_REAL_IP, ROUTE_MATCHES, MATCHED_PATH];
    let mut prefixes = prefixes.iter().chain(&VERCEL_SAYS);
    name.starts_with('x')
        && (prefixes.any(|prefix| name.starts_with(prefix)) || names.iter().any(|known| known == name))
        || name == "forwarded"
}

/// Drops the platform's headers from a function's response.
pub(crate) fn drop_platform(headers: &mut HeaderMap) {
    drop_where(headers, |name| name.as_str().starts_with(PLATFORM_PREFIX));
}

fn drop_where(headers: &mut HeaderMap, unwanted: impl Fn(&HeaderName) -> bool) {
    // Nearly no request has any: a first look without an allocation.
    if headers.keys().any(&unwanted) {
        let names: Vec<HeaderName> = headers.keys().filter(|name| unwanted(name)).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
}

/// Drops the headers of this hop: the known ones, and those that `Connection` names. What frames and addresses a message
/// cannot be named away.
pub(crate) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    // Most messages have none: a look at the names costs less than nine removals.
    if !headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        return;
    }
    let listed: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH)
        .collect();
    for name in listed.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// The same on the way to a function and back, where fields behind a body are passed on: whether the other side takes them, and which
/// there will be, is told too.
pub(crate) fn drop_hop_by_hop_but_trailers(headers: &mut HeaderMap) {
    let takes_trailers = headers.get_all(header::TE).iter().any(|value| {
        let listed = value.to_str().unwrap_or_default().split(',');
        listed.map(str::trim).any(|coding| coding.eq_ignore_ascii_case("trailers"))
    });
    let announced: Vec<HeaderValue> = headers.get_all(header::TRAILER).iter().cloned().collect();
    drop_hop_by_hop(headers);
    if takes_trailers {
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
    }
    for names in announced {
        headers.append(header::TRAILER, names);
    }
}

/// Whether a header is none of a site's configuration: what frames the message, and the platform's own.
pub(crate) fn belongs_to_platform(name: &HeaderName) -> bool {
    *name == header::CONTENT_LENGTH || HOP_BY_HOP.contains(name) || name.as_str().starts_with(PLATFORM_PREFIX)
}

/// Says by which name and how the host was reached.
pub(crate) fn set_forwarded_host(headers: &mut HeaderMap, scheme: &'static str) {
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert(X_FORWARDED_HOST, host);
    }
    headers.insert(X_FORWARDED_PROTO, HeaderValue::from_static(scheme));
}

/// Says where a request came from.
pub(crate) fn set_forwarded(headers: &mut HeaderMap, peer: std::net::IpAddr, scheme: &'static str) {
    set_forwarded_host(headers, scheme);
    if let Ok(address) = HeaderValue::from_str(&peer.to_canonical().to_string()) {
        headers.insert(X_FORWARDED_FOR, address.clone());
        headers.insert(X_REAL_IP, address);
    }
}

/// Writes the same for a visitor who asked for `authority`, each a line.
pub(crate) fn write_forwarded(head: &mut Vec<u8>, authority: &str, peer: std::net::IpAddr, scheme: &'static str) {
    let peer = peer.to_canonical();
    let written = write!(
        head,
        "{X_FORWARDED_HOST}: {authority}\r\n{X_FORWARDED_PROTO}: {scheme}\r\n\
         {X_FORWARDED_FOR}: {peer}\r\n{X_REAL_IP}: {peer}\r\n"
    );
    written.expect("memory takes whatever is written");
}

/// How often `cdn-loop` names this platform.
pub(crate) fn times_through(headers: &HeaderMap, platform: &str) -> usize {
    let values = headers.get_all(CDN_LOOP).iter().filter_map(|value| value.to_str().ok());
    let entries = values.flat_map(|value| value.split(','));
    entries
        .filter(|entry| entry.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case(platform)))
        .count()
}

/// Drops the conditions under which a request is to be answered with a whole answer: what the visitor has already.
pub(crate) fn drop_conditions(headers: &mut HeaderMap) {
    for name in [
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::IF_MATCH,
        header::IF_UNMODIFIED_SINCE,
        header::IF_RANGE,
    ] {
        headers.remove(name);
    }
}

/// Adds names to `vary` that are not there yet, in one line.
pub(crate) fn add_vary(headers: &mut HeaderMap, names: &[&str]) {
    let mut known: Vec<String> = headers
        .get_all(header::VARY)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if known.iter().any(|name| name == "*") {
        return;
    }
    for name in names {
        if !known.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            known.push((*name).to_owned());
        }
    }
    if let Ok(value) = HeaderValue::from_str(&known.join(", ")) {
        headers.insert(header::VARY, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn names(headers: &HeaderMap) -> Vec<&str> {
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        names
    }

    /// What belongs to the hop goes, also what `Connection` names; what frames and addresses the message stays.
    #[test]
    fn hop_by_hop() {
        let mut headers = map(&[
            ("connection", "close, X-Secret"),
            ("connection", "host, content-length"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("proxy-authorization", "Basic x"),
            ("x-secret", "1"),
            ("host", "a.test"),
            ("content-length", "3"),
            ("cookie", "a=b"),
        ]);
        drop_hop_by_hop(&mut headers);
        assert_eq!(names(&headers), ["content-length", "cookie", "host"]);
    }

    /// What is said about fields behind a body stays where they are passed on, and other codings go.
    #[test]
    fn hop_by_hop_with_trailers() {
        let mut headers =
            map(&[("te", "gzip, Trailers"), ("trailer", "x-sum"), ("connection", "te, trailer"), ("a", "b")]);
        drop_hop_by_hop_but_trailers(&mut headers);
        assert_eq!(headers, map(&[("a", "b"), ("te", "trailers"), ("trailer", "x-sum")]));
        let mut headers = map(&[("te", "gzip")]);
        drop_hop_by_hop_but_trailers(&mut headers);
        assert_eq!(headers, map(&[]));
    }

    /// A visitor's word on the platform's headers or on its own address counts for nothing.
    #[test]
    fn forged() {
        let mut headers = map(&[
            ("x-ship-id", "1"),
            ("x-ship-anything", "1"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-host", "evil.test"),
            ("x-real-ip", "1.2.3.4"),
            ("forwarded", "for=1.2.3.4"),
            ("x-middleware-subrequest", "middleware:middleware"),
            ("x-middleware-next", "1"),
            ("x-now-route-matches", "1=admin"),
            ("x-matched-path", "/admin"),
            ("x-vercel-ip-country", "XX"),
            ("x-vercel-forwarded-for", "1.2.3.4"),
            ("x-vercel-oidc-token", "forged"),
            ("x-vercel-id", "forged"),
            ("x-vercel-cron-schedule", "forged"),
            ("x-vercel-signature", "of a webhook"),
            ("x-shipping", "kept"),
            ("accept", "*/*"),
        ]);
        drop_forged(&mut headers);
        assert_eq!(names(&headers), ["accept", "x-shipping", "x-vercel-signature"]);
    }

    /// An IPv4 address that arrived over an IPv6 socket is said as what it is.
    #[test]
    fn forwarded() {
        let mut headers = map(&[("host", "a.test:7700")]);
        set_forwarded(&mut headers, "::ffff:192.0.2.7".parse().unwrap(), "http");
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-real-ip"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-host"], "a.test:7700");
        assert_eq!(headers["x-forwarded-proto"], "http");
    }

    /// Our own name is counted over all lines, with parameters and in any case; others are not.
    #[test]
    fn loops() {
        let headers = map(&[("cdn-loop", "ship, other; a=b, SHIP;x=1"), ("cdn-loop", "shipyard,ship")]);
        assert_eq!(times_through(&headers, "ship"), 3);
    }

    /// `vary` grows by what is missing, in one line, and `*` says it all.
    #[test]
    fn vary() {
        let mut headers = map(&[("vary", "accept-encoding"), ("vary", "ORIGIN")]);
        add_vary(&mut headers, &["Origin", "Cookie"]);
        assert_eq!(headers.get_all("vary").iter().collect::<Vec<_>>(), ["accept-encoding, ORIGIN, Cookie"]);
        let mut headers = map(&[("vary", "*")]);
        add_vary(&mut headers, &["Origin"]);
        assert_eq!(headers["vary"], "*");
    }
}
