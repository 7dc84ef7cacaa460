//! The gate of a site that not everybody may see: asked before anything of the site is looked at, with what a visitor shows it. What is
//! shown is taken out of the request first, so that no function ever sees it.

use std::pin::Pin;

use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, LOCATION, SET_COOKIE, UPGRADE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Uri};
use ship_core::{PlatformError, UrlPath};

use crate::body::EdgeBody;
use crate::visitor::{Scheme, Visitor};
use crate::visitor_body::VisitorBody;

/// Keeps a page out of search engines.
pub(crate) const ROBOTS_TAG: HeaderName = HeaderName::from_static("x-robots-tag");

/// The cookie of a visitor who was let in. Over TLS its name has browsers keep it to this very host name and to TLS (RFC 6265bis,
/// section 4.1.3); without TLS no browser would take such a name.
const COOKIE_NAME: &str = "ship-access";
const SECURE_COOKIE_NAME: &str = "__Host-ship-access";

/// Under which names a program shows the bypass secret, in a header or in the query: ship's own, and the one that programs written for
/// Vercel use.
const BYPASS: [&str; 2] = ["x-ship-protection-bypass", "x-vercel-protection-bypass"];

/// Asks for a cookie, so that what a page loads is let in, too.
const SET_BYPASS_COOKIE: [&str; 2] = ["x-ship-set-bypass-cookie", "x-vercel-set-bypass-cookie"];

/// What every parameter for a gate has in its name: a look for it costs less than taking a query apart.
const BYPASS_MARK: &str = "-bypass";

/// What the login page sends fits into this, in bytes.
pub const MAX_LOGIN_BYTES: usize = 4 * 1024;

/// Decides who may see a site.
pub trait Gate: Send + Sync {
    /// Decides about a request.
    fn judge<'k>(&'k self, knock: Knock<'k>) -> Pin<Box<dyn Future<Output = Verdict> + Send + 'k>>;
}

/// A request at a gate.
pub struct Knock<'k> {
    /// The method.
    pub method: &'k Method,
    /// The host name that was asked, with its port.
    pub host: &'k str,
    /// Its headers, without what was shown.
    pub headers: &'k HeaderMap,
    /// Who asks.
    pub visitor: &'k Visitor,
    /// What was shown.
    pub shown: &'k Shown,
    /// The body, which a gate may read where it is a login.
    pub body: &'k mut VisitorBody,
}

/// What a gate says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The request goes on.
    Pass,
    /// The visitor is let in from now on: by this value of the cookie, good for so many seconds.
    Admit {
        /// The value.
        cookie: String,
        /// Seconds.
        max_age_secs: u32,
    },
    /// The request ends here.
    Refuse(Refusal),
}

/// Why a request ends at a gate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// It shows nothing that opens, and there is nothing that could be asked.
    Closed,
    /// It shows nothing that opens; a person is asked for the password.
    AskPassword,
    /// The password is wrong.
    WrongPassword,
    /// There were too many wrong passwords.
    TooManyAttempts {
        /// When the next one is looked at, in seconds.
        retry_after_secs: u32,
    },
}

impl Refusal {
    pub(crate) const fn error(self) -> PlatformError {
        match self {
            Self::TooManyAttempts { .. } => PlatformError::TooManyAttempts,
            Self::Closed | Self::AskPassword | Self::WrongPassword => PlatformError::AuthenticationRequired,
        }
    }
}

/// What a visitor shows a gate.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Shown {
    /// What claim to be the bypass secret.
    pub bypass: Vec<String>,
    /// The values of the cookie.
    pub cookies: Vec<String>,
    /// Whether a cookie is wanted, because the secret stood in the query or the visitor says so.
    pub wants_cookie: bool,
}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shown").field("wants_cookie", &self.wants_cookie).finish_non_exhaustive()
    }
}

impl Shown {
    /// Takes what is shown out of a request's head.
    pub(crate) fn take(parts: &mut Parts) -> Self {
        let mut shown = Self::default();
        for name in BYPASS {
            while let Some(value) = parts.headers.remove(name) {
                shown.bypass.extend(value.to_str().ok().map(str::to_owned));
            }
        }
        for name in SET_BYPASS_COOKIE {
            shown.wants_cookie |= parts.headers.remove(name).is_some_and(|value| value == "true");
        }
        shown.take_cookies(&mut parts.headers);
        shown.take_query(&mut parts.uri);
        shown
    }

    fn take_cookies(&mut self, headers: &mut HeaderMap) {
        let is_own = |pair: &str| {
            let name = pair.split('=').next().unwrap_or_default().trim();
            name == COOKIE_NAME || name == SECURE_COOKIE_NAME
        };
        let lines: Vec<HeaderValue> = headers.get_all(COOKIE).iter().cloned().collect();
        if !lines.iter().filter_map(|line| line.to_str().ok()).any(|line| line.split(';').any(is_own)) {
            return;
        }
        headers.remove(COOKIE);
        for line in lines {
            let Ok(text) = line.to_str() else {
                headers.append(COOKIE, line);
                continue;
            };
            let (own, others): (Vec<&str>, Vec<&str>) = text.split(';').partition(|pair| is_own(pair));
            self.cookies.extend(own.iter().filter_map(|pair| Some(pair.split_once('=')?.1.trim().to_owned())));
            let others: Vec<&str> = others.iter().map(|pair| pair.trim()).filter(|pair| !pair.is_empty()).collect();
            if let (false, Ok(value)) = (others.is_empty(), HeaderValue::from_str(&others.join("; "))) {
                headers.append(COOKIE, value);
            }
        }
    }

    fn take_query(&mut self, uri: &mut Uri) {
        let Some(query) = uri.query().filter(|query| query.contains(BYPASS_MARK)) else { return };
        let mut others = Vec::new();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if BYPASS.contains(&name) {
                self.bypass.push(value.to_owned());
                self.wants_cookie = true;
            } else if !SET_BYPASS_COOKIE.contains(&name) {
                others.push(pair);
            }
        }
        let query = if others.is_empty() { String::new() } else { format!("?{}", others.join("&")) };
        if let Ok(rest) = format!("{}{query}", uri.path()).parse() {
            *uri = rest;
        }
    }
}

/// Whether a query holds what is for a gate, also where there is none: it belongs in no log and to no function.
pub(crate) fn has_shown(uri: &Uri) -> bool {
    uri.query().is_some_and(may_show)
}

/// Whether a query may hold something that is shown.
pub(crate) fn may_show(query: &str) -> bool {
    query.contains(BYPASS_MARK)
}

/// Has a visitor who was let in come back with the cookie. `None` where a request cannot be asked again: it is let through as it is.
pub(crate) fn come_back(
    parts: &Parts,
    scheme: Scheme,
    cookie: &str,
    max_age_secs: u32,
    is_login: bool,
) -> Option<Response<EdgeBody>> {
    let is_read = matches!(parts.method, Method::GET | Method::HEAD) && !parts.headers.contains_key(UPGRADE);
    if !is_read && !is_login {
        return None;
    }
    let mut response = Response::new(EdgeBody::empty());
    *response.status_mut() = if is_login { StatusCode::SEE_OTHER } else { StatusCode::TEMPORARY_REDIRECT };
    let headers = response.headers_mut();
    headers.insert(LOCATION, here(&parts.uri));
    headers.insert(SET_COOKIE, set_cookie(scheme, cookie, max_age_secs)?);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Some(response)
}

/// The same place again, on this very host: the path as routing reads it begins with one `/`, so it never names another host.
fn here(uri: &Uri) -> HeaderValue {
    let path = UrlPath::parse(uri.path()).map_or_else(|_| "/".to_owned(), |path| path.to_escaped());
    let target = uri.query().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    HeaderValue::try_from(target).unwrap_or(HeaderValue::from_static("/"))
}

fn set_cookie(scheme: Scheme, value: &str, max_age_secs: u32) -> Option<HeaderValue> {
    let (name, secure) = match scheme {
        Scheme::Http => (COOKIE_NAME, ""),
        Scheme::Https => (SECURE_COOKIE_NAME, "; Secure"),
    };
    let text = format!("{name}={value}; Path=/; Max-Age={max_age_secs}; HttpOnly; SameSite=Lax{secure}");
    HeaderValue::try_from(text).ok()
}

/// What every refusal says besides: nobody keeps it, no search engine shows it, and no other page frames it.
pub(crate) fn seal_off(headers: &mut HeaderMap) {
    headers.insert(ROBOTS_TAG, HeaderValue::from_static("noindex"));
    let policy =
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Ship-Protection"));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(uri: &str, headers: &[(&str, &str)]) -> Parts {
        let request =
            headers.iter().fold(http::Request::get(uri), |request, (name, value)| request.header(*name, *value));
        request.body(()).unwrap().into_parts().0
    }

    /// What is shown is known under both names and in every place, and nothing of it is left in the request.
    #[test]
    fn taken_out() {
        let mut head = parts(
            "/a?x=1&x-vercel-protection-bypass=of-query&y=%20&x-vercel-set-bypass-cookie=true",
            &[
                ("x-ship-protection-bypass", "of-header"),
                ("x-vercel-protection-bypass", "of-vercel"),
                ("x-vercel-set-bypass-cookie", "true"),
                ("cookie", "a=b; ship-access=one; c=d=e"),
                ("cookie", "__Host-ship-access=two"),
                ("cookie", "ship-accessory=kept"),
            ],
        );
        let shown = Shown::take(&mut head);
        assert_eq!(shown.bypass, ["of-header", "of-vercel", "of-query"]);
        assert_eq!(shown.cookies, ["one", "two"]);
        assert!(shown.wants_cookie);
        assert_eq!(head.uri, "/a?x=1&y=%20");
        let cookies: Vec<_> = head.headers.get_all(COOKIE).iter().collect();
        assert_eq!(cookies, ["a=b; c=d=e", "ship-accessory=kept"]);
        assert_eq!(head.headers.len(), 2);
        assert_eq!(format!("{shown:?}"), "Shown { wants_cookie: true, .. }");

        let mut plain = parts("/a?b=c", &[("cookie", "a=b;c=d")]);
        assert_eq!(Shown::take(&mut plain), Shown::default());
        assert_eq!(
            (plain.uri.to_string().as_str(), &plain.headers[COOKIE]),
            ("/a?b=c", &HeaderValue::from_static("a=b;c=d"))
        );
    }

    /// A visitor comes back to where it was on this host, whatever the path looks like.
    #[test]
    fn back_to_the_same_place() {
        let location = |uri: &str| {
            let back = come_back(&parts(uri, &[]), Scheme::Https, "v", 60, false).unwrap();
            assert_eq!(back.status(), 307);
            assert_eq!(
                back.headers()[SET_COOKIE],
                "__Host-ship-access=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
            );
            back.headers()[LOCATION].to_str().unwrap().to_owned()
        };
        assert_eq!(location("/a/b?c=//evil.test"), "/a/b?c=//evil.test");
        for uri in
            ["//evil.test/x", "///evil.test", "/.//evil.test", "/%2e%2e//evil.test", "/x/..//evil.test", r"/\evil.test"]
        {
            let location = location(uri);
            assert!(location.starts_with('/') && !location.starts_with("//") && !location.contains('\\'), "{location}");
        }
        let plain = come_back(&parts("/", &[]), Scheme::Http, "v", 60, true).unwrap();
        assert_eq!((plain.status().as_u16(), plain.headers()[LOCATION].to_str().unwrap()), (303, "/"));
        assert_eq!(plain.headers()[SET_COOKIE], "ship-access=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        let socket = parts("/", &[("upgrade", "websocket")]);
        assert!(come_back(&socket, Scheme::Http, "v", 60, false).is_none());
    }
}
