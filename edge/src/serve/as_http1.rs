//! A request of HTTP/2 or HTTP/3 as everybody behind the listener knows requests.

use http::header::{COOKIE, HOST};
use http::{HeaderValue, Request, Uri};

/// A request of HTTP/2 or HTTP/3 as it would have come in HTTP/1.1: with a `Host`, the path alone as its target, and one line of cookies
/// (RFC 9113, sections 8.3.1 and 8.2.3; RFC 9114, sections 4.3.1 and 4.2.1). One that names two hosts stays as it is, and is refused for that.
pub(super) fn as_http1<B>(mut request: Request<B>) -> Request<B> {
    let authority = request.uri().authority().and_then(|name| HeaderValue::from_str(name.as_str()).ok());
    if let Some(authority) = authority {
        let host = request.headers_mut().entry(HOST).or_insert_with(|| authority.clone());
        if host.as_bytes().eq_ignore_ascii_case(authority.as_bytes())
            && let Some(target) = request.uri().path_and_query().cloned()
        {
            *request.uri_mut() = Uri::from(target);
        }
    }
    let cookies: Vec<&[u8]> = request.headers().get_all(COOKIE).iter().map(HeaderValue::as_bytes).collect();
    if cookies.len() > 1
        && let Ok(cookie) = HeaderValue::from_bytes(&cookies.join(&b"; "[..]))
    {
        request.headers_mut().insert(COOKIE, cookie);
    }
    request
}
