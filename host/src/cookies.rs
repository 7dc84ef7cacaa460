//! Cookies that a site would set for its neighbours: below one domain there are many sites, of many people.

use std::borrow::Cow;

use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue};

/// Takes `Domain` out of cookies that would be sent to all sites below `domain`: they are the site's own then.
pub(crate) fn keep_own(headers: &mut HeaderMap, domain: &str) {
    if !headers.get_all(SET_COOKIE).iter().any(|cookie| is_shared(cookie.as_bytes(), domain)) {
        return;
    }
    let cookies: Vec<HeaderValue> = headers.get_all(SET_COOKIE).iter().cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in cookies {
        let own = without_domain(cookie.as_bytes(), domain);
        if let Ok(own) = HeaderValue::from_bytes(&own) {
            headers.append(SET_COOKIE, own);
        }
    }
}

fn is_shared(cookie: &[u8], domain: &str) -> bool {
    cookie.split(|byte| *byte == b';').skip(1).any(|attribute| names(attribute, domain))
}

fn without_domain<'c>(cookie: &'c [u8], domain: &str) -> Cow<'c, [u8]> {
    if !is_shared(cookie, domain) {
        return Cow::Borrowed(cookie);
    }
    let mut parts = cookie.split(|byte| *byte == b';');
    let first = parts.next();
    let kept: Vec<&[u8]> = first.into_iter().chain(parts.filter(|attribute| !names(attribute, domain))).collect();
    Cow::Owned(kept.join(&b';'))
}

/// Whether an attribute of a cookie says that it is for `domain` or what stands above it (RFC 6265, section 5.2.3).
fn names(attribute: &[u8], domain: &str) -> bool {
    let Some((name, value)) = std::str::from_utf8(attribute).ok().and_then(|text| text.split_once('=')) else {
        return false;
    };
    // Quotes and a dot at the end are no part of a name to some who keep cookies.
    let value = value.trim().trim_matches('"').to_ascii_lowercase();
    let named = value.strip_prefix('.').unwrap_or(&value);
    let named = named.strip_suffix('.').unwrap_or(named);
    let is_above = domain.strip_suffix(named).is_some_and(|below| below.is_empty() || below.ends_with('.'));
    name.trim().eq_ignore_ascii_case("domain") && !named.is_empty() && is_above
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Cookies for the domain itself and what is above it lose the attribute; others stay as they are, to the byte.
    #[test]
    fn shared() {
        for (cookie, kept) in [
            ("a=b; Domain=ship.example; Path=/", "a=b; Path=/"),
            ("a=b;domain=.SHIP.Example", "a=b"),
            ("a=b; Domain=example", "a=b"),
            ("a=b; Domain=ship.example.", "a=b"),
            ("a=b; Domain=\".ship.example\"", "a=b"),
            ("a=b; Secure; Domain = ship.example ; Domain=.example", "a=b; Secure"),
            ("a=b; Domain=site.ship.example", "a=b; Domain=site.ship.example"),
            ("a=b; Domain=hip.example", "a=b; Domain=hip.example"),
            ("a=b; Domain=", "a=b; Domain="),
            ("domain=ship.example", "domain=ship.example"),
            ("a=b;  HttpOnly;;", "a=b;  HttpOnly;;"),
        ] {
            let mut headers = HeaderMap::new();
            headers.append(SET_COOKIE, HeaderValue::from_str(cookie).unwrap());
            headers.append(SET_COOKIE, HeaderValue::from_static("other=1"));
            keep_own(&mut headers, "ship.example");
            let cookies: Vec<&str> =
                headers.get_all(SET_COOKIE).iter().map(|cookie| cookie.to_str().unwrap()).collect();
            assert_eq!(cookies, [kept, "other=1"], "{cookie}");
        }
    }
}
