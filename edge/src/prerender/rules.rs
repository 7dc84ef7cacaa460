//! What of a function's answers may be kept, and for whom an answer is.

use http::{header, response};

use crate::protocol::cache_control::{is_of_a_page, is_private};

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
}
