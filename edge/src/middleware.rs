//! What a middleware answers: that the request goes on, elsewhere or changed, or a response for the visitor.

use http::header::{CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, DATE, HOST, SET_COOKIE};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::protocol::headers::{self, MIDDLEWARE_PREFIX};

/// Says that the request goes on.
const NEXT: &str = "x-middleware-next";

/// Says where it goes on.
const REWRITE: &str = "x-middleware-rewrite";

/// The names of all headers that the request has from now on, each with its value in a header that begins with [`REQUEST`].
const OVERRIDE: &str = "x-middleware-override-headers";

/// What stands before the name of a header that the request has from now on.
const REQUEST: &str = "x-middleware-request-";

/// What a middleware has decided.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// Its answer is the response.
    Answer,
    /// The request goes on.
    Continue(Continuation),
}

/// How a request goes on.
#[derive(Debug)]
pub(crate) struct Continuation {
    /// Where, if not where it was going.
    pub(crate) rewrite: Option<Rewrite>,
    /// What its headers are from now on, if not what they were.
    overridden: Option<Vec<(HeaderName, Option<HeaderValue>)>>,
    /// What is added to the response.
    pub(crate) added: HeaderMap,
}

/// Where a request goes on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Rewrite {
    /// At another path of this site.
    Here(PathAndQuery),
    /// At another host.
    Elsewhere(String),
}

/// What a middleware says cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the middleware names {found:?}, which is no URL, as the place where the request goes on")]
pub(crate) struct NoUrlError {
    found: String,
}

impl Verdict {
    /// Reads the headers of a middleware's answer, and leaves in `headers` what a visitor may see. `host` is the name that the
    /// visitor has asked for.
    pub(crate) fn take(headers: &mut HeaderMap, host: Option<&HeaderValue>) -> Result<Self, NoUrlError> {
        let said = take_said(headers);
        let rewrite = said.get(REWRITE).map(|value| Rewrite::read(value, host)).transpose()?;
        if rewrite.is_none() && !said.contains_key(NEXT) {
            return Ok(Self::Answer);
        }
        let mut added = std::mem::take(headers);
        // What is about the middleware's own answer, which nobody gets.
        for name in [CONTENT_LENGTH, CONTENT_TYPE, CONTENT_ENCODING, DATE] {
            added.remove(name);
        }
        Ok(Self::Continue(Continuation { rewrite, overridden: overridden(&said), added }))
    }
}

/// Takes out what a middleware says to the platform.
fn take_said(headers: &mut HeaderMap) -> HeaderMap {
    let names: Vec<HeaderName> =
        headers.keys().filter(|name| name.as_str().starts_with(MIDDLEWARE_PREFIX)).cloned().collect();
    names.into_iter().filter_map(|name| headers.remove(&name).map(|value| (name, value))).collect()
}

fn overridden(said: &HeaderMap) -> Option<Vec<(HeaderName, Option<HeaderValue>)>> {
    let names = said.get(OVERRIDE)?.to_str().ok()?;
    let value = |name: &HeaderName| said.get(format!("{REQUEST}{name}")).cloned();
    let names = names.split(',').filter_map(|name| name.trim().parse::<HeaderName>().ok());
    Some(names.map(|name| (name.clone(), value(&name))).collect())
}

impl Rewrite {
    fn read(value: &HeaderValue, host: Option<&HeaderValue>) -> Result<Self, NoUrlError> {
        let wrong = || NoUrlError { found: String::from_utf8_lossy(value.as_bytes()).chars().take(200).collect() };
        let text = value.to_str().map_err(|_| wrong())?;
        let text = text.split('#').next().unwrap_or_default();
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let path = || uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
        match (uri.scheme_str(), uri.authority()) {
            (None, None) if text.starts_with('/') => Ok(Self::Here(path())),
            (Some("http" | "https"), Some(authority)) => {
                let is_here =
                    host.is_some_and(|host| authority.as_str().as_bytes().eq_ignore_ascii_case(host.as_bytes()));
                Ok(if is_here { Self::Here(path()) } else { Self::Elsewhere(text.to_owned()) })
            }
            _ => Err(wrong()),
        }
    }
}

impl Continuation {
    /// Whether a request has other headers from now on.
    pub(crate) const fn changes_headers(&self) -> bool {
        self.overridden.is_some()
    }

    /// Gives a request the headers that it has from now on. What addresses and frames it, and what only the platform may say,
    /// stays as it is.
    pub(crate) fn change(&self, request: &mut HeaderMap) {
        let Some(overridden) = &self.overridden else { return };
        let names: Vec<HeaderName> = request.keys().filter(|name| !is_fixed(name)).cloned().collect();
        for name in names {
            request.remove(name);
        }
        for (name, value) in overridden.iter().filter(|(name, _)| !is_fixed(name)) {
            if let Some(value) = value {
                request.insert(name.clone(), value.clone());
            }
        }
        headers::drop_forged(request);
    }

    /// Adds to a response what the middleware has added.
    pub(crate) fn add_to(self, response: &mut HeaderMap) {
        let mut last = None;
        for (name, value) in self.added {
            let name = name.or(last).unwrap_or(CONNECTION);
            last = Some(name.clone());
            match &name {
                name if headers::belongs_to_platform(name) => {}
                &SET_COOKIE => {
                    response.append(SET_COOKIE, value);
                }
                &http::header::VARY => headers::add_vary(response, &[value.to_str().unwrap_or_default()]),
                _ => {
                    response.insert(name, value);
                }
            }
        }
    }
}

/// Whether a header of a request is none of a middleware's.
fn is_fixed(name: &HeaderName) -> bool {
    *name == HOST || *name == headers::CDN_LOOP || headers::belongs_to_platform(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap())).collect()
    }

    fn text(headers: &HeaderMap) -> String {
        let mut lines: Vec<String> =
            headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        lines.sort();
        lines.join(", ")
    }

    fn rewritten(to: &str) -> Option<Rewrite> {
        let host = HeaderValue::from_static("Site.test:80");
        match Verdict::take(&mut map(&[("x-middleware-rewrite", to)]), Some(&host)) {
            Ok(Verdict::Continue(continuation)) => continuation.rewrite,
            _ => None,
        }
    }

    /// A URL of the same host is a path of the site; any other host is another host; what is no URL is followed nowhere.
    #[test]
    fn rewrites() {
        let here = |path: &'static str| Some(Rewrite::Here(PathAndQuery::from_static(path)));
        assert_eq!(rewritten("http://site.test:80/a?b=1#c"), here("/a?b=1"));
        assert_eq!(rewritten("https://SITE.test:80"), here("/"));
        assert_eq!(rewritten("/a"), here("/a"));
        for elsewhere in ["http://site.test/a", "http://other.test/a", "http://user@site.test:80/"] {
            assert_eq!(rewritten(elsewhere), Some(Rewrite::Elsewhere(elsewhere.to_owned())), "{elsewhere}");
        }
        for wrong in ["a/b", "ftp://site.test:80/", "", "*", "site.test:80"] {
            assert_eq!(rewritten(wrong), None, "{wrong}");
        }
    }

    /// Without a word to the platform an answer is the response, and no such word reaches a visitor.
    #[test]
    fn answers() {
        let mut headers = map(&[("location", "/login"), ("x-middleware-set-cookie", "a=b")]);
        assert!(matches!(Verdict::take(&mut headers, None), Ok(Verdict::Answer)));
        assert_eq!(text(&headers), "location: /login");
    }

    /// A request that goes on has exactly the headers that are listed, but for what addresses and frames it; the response gets
    /// what else the middleware said.
    #[test]
    fn going_on() {
        let mut answer = map(&[
            ("x-middleware-next", "1"),
            ("x-middleware-override-headers", "x-user, accept,host,x-ship-id, x-forwarded-for,cookie"),
            ("x-middleware-request-x-user", "ada"),
            ("x-middleware-request-accept", "*/*"),
            ("x-middleware-request-host", "evil.test"),
            ("x-middleware-request-x-ship-id", "forged"),
            ("x-middleware-request-x-forwarded-for", "1.2.3.4"),
            ("x-seen", "1"),
            ("set-cookie", "a=b"),
            ("content-length", "0"),
        ]);
        answer.append(SET_COOKIE, HeaderValue::from_static("c=d"));
        let Ok(Verdict::Continue(continuation)) = Verdict::take(&mut answer, None) else { panic!("it goes on") };
        let mut request =
            map(&[("host", "site.test"), ("cookie", "s=1"), ("accept", "text/html"), ("content-length", "3")]);
        continuation.change(&mut request);
        assert_eq!(text(&request), "accept: */*, content-length: 3, host: site.test, x-user: ada");
        let mut response = map(&[("x-seen", "0"), ("set-cookie", "own=1"), ("content-length", "5")]);
        continuation.add_to(&mut response);
        assert_eq!(
            text(&response),
            "content-length: 5, set-cookie: a=b, set-cookie: c=d, set-cookie: own=1, x-seen: 1"
        );
    }
}
