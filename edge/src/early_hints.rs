//! Early hints: what a page will need, for a visitor who waits for a function (103, RFC 8297).
//!
//! They are told to those who come in HTTP/2 and HTTP/3, as browsers take them nowhere else, and to older programs in HTTP/1.1 they are one
//! answer too many. A static page needs none: it is there at once.

use http::header::LINK;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, request};
use ship_runtime::{EarlyHints, Links, hint};

/// Why a browser asks: only the page that a person goes to has hints, and whatever is no browser does not say.
const FETCH_MODE: &str = "sec-fetch-mode";
const NAVIGATE: &str = "navigate";

/// What may be told ahead of its answer: what the browser does nothing with but fetch or connect (HTML, section 4.6.7, and RFC 8297,
/// section 2).
const RELATIONS: [&str; 3] = ["preload", "preconnect", "modulepreload"];

/// Listens for hints of the answer to this request, if its visitor can do something with them.
pub(crate) fn listen_for_hints<B>(request: &mut Request<B>) -> EarlyHints {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let goes_there = request.headers().get(FETCH_MODE).is_none_or(|mode| mode == NAVIGATE);
    if reads && goes_there { EarlyHints::listen(request.extensions_mut()) } else { EarlyHints::deaf() }
}

/// Tells the visitor what the headers that routes set say of the page.
pub(crate) fn hint_by_routes(parts: &request::Parts, headers: &[(String, String)]) {
    hint(&parts.extensions, || {
        let links = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(LINK.as_str()));
        links.filter(|(_, value)| is_hint(value)).filter_map(|(_, value)| HeaderValue::try_from(value).ok()).collect()
    });
}

/// The head that tells a hint.
pub(crate) fn head_of(links: Links) -> Response<()> {
    let mut headers = HeaderMap::new();
    for link in links {
        headers.append(LINK, link);
    }
    let mut head = Response::new(());
    *head.status_mut() = StatusCode::EARLY_HINTS;
    *head.headers_mut() = headers;
    head
}

/// Whether a value of `Link` has something that is fetched ahead. One that has other links beside it is told as a whole.
fn is_hint(value: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let mut relations = value.split([',', ';']).filter_map(|part| part.trim().strip_prefix("rel="));
    relations.any(|relation| {
        let mut words = relation.trim().trim_matches('"').split_ascii_whitespace();
        words.any(|word| RELATIONS.contains(&word))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is fetched ahead is told, what only describes the page is not.
    #[test]
    fn relations() {
        let told = |value| is_hint(value);
        assert!(told("</style.css>; rel=preload; as=style"));
        assert!(told("</style.css>; as=style; rel=\"preload\", </other>; rel=next"));
        assert!(told("<https://cdn.example>; REL=preconnect"));
        assert!(told("</app.js>; rel=\"modulepreload nofollow\""));
        assert!(!told("</page/2>; rel=next"));
        assert!(!told("</preload>; rel=canonical"));
        assert!(!told(""));
    }

    /// Those who fetch what belongs to a page, or send something, are not told.
    #[test]
    fn listeners() {
        let listens = |request: request::Builder| {
            let mut request = request.body(()).expect("it is a request");
            listen_for_hints(&mut request);
            !request.extensions().is_empty()
        };
        assert!(listens(Request::get("/")));
        assert!(listens(Request::get("/").header(FETCH_MODE, NAVIGATE)));
        assert!(!listens(Request::get("/").header(FETCH_MODE, "no-cors")));
        assert!(!listens(Request::post("/")));
    }
}
