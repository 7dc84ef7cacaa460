//! What of a function's answers may be kept, and for whom an answer is.

use http::{HeaderMap, StatusCode, header, response};

/// What becomes of an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Keeping {
    /// It is kept for everybody.
    Kept,
    /// It is told to those who wait for it, and what was kept before stays: an error says nothing of a page.
    Told,
    /// It is for one visitor.
    Private,
}

/// What becomes of an answer that begins so.
pub(super) fn keeping(head: &response::Parts) -> Keeping {
    if head.headers.contains_key(header::SET_COOKIE) {
        return Keeping::Private;
    }
    match head.status {
        status if !is_of_a_page(status) => Keeping::Told,
        _ if is_private(&head.headers) => Keeping::Private,
        _ => Keeping::Kept,
    }
}

/// Whether a status is one that a page has: those that Vercel keeps.
pub(super) fn is_of_a_page(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 301 | 302 | 307 | 308 | 404 | 410)
}

/// Whether an answer says that nobody but who asked may have it.
fn is_private(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = values.flat_map(|value| value.split(',')).map(name_of);
    directives.any(|name| name.eq_ignore_ascii_case("private") || name.eq_ignore_ascii_case("no-store"))
}

/// Whether an answer leaves it to ship how long browsers keep it: it says nothing, or speaks of caches that are shared, which is
/// what ship is.
pub(super) fn is_about_shared_caches(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut names = values.flat_map(|value| value.split(',')).map(name_of).peekable();
    names.peek().is_none()
        || names.any(|name| ["s-maxage", "stale-while-revalidate"].iter().any(|one| name.eq_ignore_ascii_case(one)))
}

fn name_of(directive: &str) -> &str {
    directive.split('=').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;

    fn head(status: u16, headers: &[(&str, &str)]) -> response::Parts {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        response.body(()).unwrap().into_parts().0
    }

    /// Pages, redirects and missing pages are kept; errors are told; what is for one visitor is neither.
    #[test]
    fn what_is_kept() {
        for (status, headers, expected) in [
            (200, &[][..], Keeping::Kept),
            (308, &[("location", "/b")], Keeping::Kept),
            (404, &[("cache-control", "no-cache, max-age=0")], Keeping::Kept),
            (200, &[("cache-control", "public"), ("cache-control", "max-age=1, No-Store")], Keeping::Private),
            (200, &[("cache-control", "private=\"x\"")], Keeping::Private),
            (200, &[("set-cookie", "a=b")], Keeping::Private),
            (500, &[("set-cookie", "a=b")], Keeping::Private),
            (500, &[("cache-control", "no-store")], Keeping::Told),
            (206, &[], Keeping::Told),
            (304, &[], Keeping::Told),
            (401, &[], Keeping::Told),
            (429, &[], Keeping::Told),
        ] {
            assert_eq!(keeping(&head(status, headers)), expected, "{status} {headers:?}");
        }
    }

    /// What is said to shared caches is not passed on to browsers; what is said to browsers is.
    #[test]
    fn what_browsers_are_told() {
        let is_ours = |headers: &[(&str, &str)]| is_about_shared_caches(&head(200, headers).headers);
        assert!(is_ours(&[]));
        assert!(is_ours(&[("cache-control", "s-maxage=60, stale-while-revalidate")]));
        assert!(!is_ours(&[("cache-control", "max-age=60")]));
    }
}
