//! An answer that is kept, and how a visitor gets it.

use bytes::Bytes;
use http::header::{AGE, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, response};
use jiff::Timestamp;
use ship_core::{CacheState, Digest};

use crate::assets::REVALIDATE;
use crate::body::EdgeBody;
use crate::protocol::cache_control::is_about_shared_caches;
use crate::protocol::conditional::is_unchanged;
use crate::protocol::headers::{SHIP_CACHE, VERCEL_CACHE};

/// How many digits of a digest make an entity tag: 128 bits.
const ETAG_DIGITS: usize = 32;

/// What a header takes in memory besides its text.
const HEADER_BYTES: usize = 64;

/// Says in a response where it came from.
pub(crate) fn tell(state: CacheState, headers: &mut HeaderMap) {
    let word = HeaderValue::from_static(state.as_str());
    headers.insert(VERCEL_CACHE, word.clone());
    headers.insert(SHIP_CACHE, word);
}

/// A whole answer in memory.
#[derive(Debug)]
pub(crate) struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    made_at: Timestamp,
}

impl Answer {
    pub(crate) fn new(head: response::Parts, body: Bytes, made_at: Timestamp) -> Self {
        let response::Parts { status, mut headers, .. } = head;
        headers.remove(CONTENT_LENGTH);
        if is_about_shared_caches(&headers) {
            headers.insert(CACHE_CONTROL, REVALIDATE);
        }
        if status == StatusCode::OK && !headers.contains_key(ETAG) {
            let tag = format!("\"{}\"", &Digest::of(&body).to_hex()[..ETAG_DIGITS]);
            headers.insert(ETAG, HeaderValue::from_str(&tag).expect("an entity tag is quotes and digits"));
        }
        Self { status, headers, body, made_at }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + HEADER_BYTES);
        self.body.len() + headers.sum::<usize>()
    }

    /// What a visitor gets who asked with this method and these headers.
    pub(crate) fn respond(&self, method: &Method, asked: &HeaderMap) -> Response<EdgeBody> {
        let mut headers = self.headers.clone();
        let age_secs = (Timestamp::now().as_second() - self.made_at.as_second()).max(0);
        headers.insert(AGE, HeaderValue::from(age_secs));
        let is_known = |tag: &HeaderValue| is_unchanged(asked, tag);
        let is_known = self.status == StatusCode::OK && self.headers.get(ETAG).is_some_and(is_known);
        let mut response = Response::new(EdgeBody::empty());
        if is_known {
            headers.remove(CONTENT_TYPE);
            headers.remove(CONTENT_ENCODING);
        } else if *method == Method::HEAD {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        } else {
            *response.body_mut() = EdgeBody::full(self.body.clone());
        }
        *response.status_mut() = if is_known { StatusCode::NOT_MODIFIED } else { self.status };
        *response.headers_mut() = headers;
        response
    }
}

#[cfg(test)]
mod tests {
    use http::{Request, header};
    use http_body::Body as _;

    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)]) -> Answer {
        let mut response = Response::builder().status(status).header("content-length", "99");
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let made_at = Timestamp::now() - jiff::SignedDuration::from_secs(100);
        Answer::new(response.body(()).unwrap().into_parts().0, Bytes::from_static(b"page"), made_at)
    }

    fn ask(answer: &Answer, method: &str, headers: &[(&str, &str)]) -> Response<EdgeBody> {
        let mut request = Request::builder().method(method);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let asked = request.body(()).unwrap().into_parts().0;
        answer.respond(&asked.method, &asked.headers)
    }

    /// Whole for who asks, without its body for `HEAD`, and not again for who has it.
    #[test]
    fn forms() {
        let page = answer(200, &[("content-type", "text/html")]);
        let whole = ask(&page, "GET", &[]);
        let age: u64 = whole.headers()[header::AGE].to_str().unwrap().parse().unwrap();
        assert!((100..110).contains(&age), "{age}");
        assert_eq!((whole.status(), whole.body().size_hint().exact()), (StatusCode::OK, Some(4)));
        assert_eq!(whole.headers()["cache-control"], "public, max-age=0, must-revalidate");
        assert!(!whole.headers().contains_key("content-length"));
        let head = ask(&page, "HEAD", &[]);
        assert_eq!(
            (head.body().size_hint().exact(), &head.headers()["content-length"]),
            (Some(0), &"4".parse().unwrap())
        );
        let tag = whole.headers()["etag"].to_str().unwrap();
        let known = ask(&page, "GET", &[("if-none-match", tag)]);
        assert_eq!((known.status(), known.body().size_hint().exact()), (StatusCode::NOT_MODIFIED, Some(0)));
        assert_eq!((known.headers().get("content-type"), &known.headers()["etag"]), (None, &tag.parse().unwrap()));
    }

    /// A function's own tag and its word to browsers stay; a missing page is never "not changed".
    #[test]
    fn own_words() {
        let own = answer(200, &[("etag", "\"own\""), ("cache-control", "max-age=5")]);
        let whole = ask(&own, "GET", &[]);
        assert_eq!(
            (&whole.headers()["etag"], &whole.headers()["cache-control"]),
            (&"\"own\"".parse().unwrap(), &"max-age=5".parse().unwrap())
        );
        assert_eq!(
            ask(&answer(404, &[("etag", "\"x\"")]), "GET", &[("if-none-match", "*")]).status(),
            StatusCode::NOT_FOUND
        );
    }
}
