//! Laws of header values that hold for whatever a visitor sends. Property tests and fuzzing ask for them.

use http::{HeaderMap, HeaderName, HeaderValue, Uri, header};

use super::accept_encoding::{AcceptedCodings, Coding};
use super::accept_page::ErrorForm;
use super::authority::{host_label, host_name, request_authority};
use super::conditional::{is_unchanged, range_applies};
use super::headers::{add_vary, drop_forged, drop_hop_by_hop, drop_hop_by_hop_but_trailers, times_through};
use super::range::ByteRange;

/// What one value means, whichever header it stands in.
///
/// # Panics
///
/// If the law is broken.
pub fn header_value(value: &HeaderValue, size_bytes: u64) {
    let only = |name: HeaderName| HeaderMap::from_iter([(name, value.clone())]);
    if let ByteRange::Part { first, last } = ByteRange::parse(value.to_str().unwrap_or_default(), size_bytes) {
        assert!(first <= last && last < size_bytes, "{first} to {last} of {size_bytes}");
    }
    let accepted = AcceptedCodings::of(&only(header::ACCEPT_ENCODING));
    for only in [Coding::Identity, Coding::Gzip, Coding::Zstd, Coding::Brotli] {
        let best = accepted.best(|coding| coding == only);
        assert!(best == only || best == Coding::Identity, "{best:?} where there is {only:?}");
    }
    ErrorForm::of(&only(header::ACCEPT), ErrorForm::Text);
    let etag = HeaderValue::from_static("\"abc\"");
    if is_unchanged(&only(header::IF_NONE_MATCH), &etag) {
        assert!(value == "*" || value.as_bytes().windows(5).any(|tag| tag == b"\"abc\""), "{value:?}");
    }
    assert_eq!(range_applies(&only(header::IF_RANGE), &etag), *value == etag);
    host(&only(header::HOST));
}

/// The host that a request is for is a name and a port, and its label is one.
fn host(headers: &HeaderMap) {
    let target = Uri::from_static("/");
    let Some(authority) = request_authority(&target, headers) else { return };
    assert!(!authority.contains(['/', '\\', '@', '?', '#', ' ', '\t']), "{authority:?}");
    if let Some(name) = host_name(authority) {
        let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
        assert!(name.bytes().all(is_name), "{name:?}");
    }
    if let Some(label) = host_label(authority, "sites.test") {
        let below = format!("{label}.sites.test");
        assert!(authority.to_ascii_lowercase().starts_with(&below), "{authority:?}");
    }
}

/// What is left of a visitor's headers on their way to a function.
///
/// # Panics
///
/// If the law is broken.
pub fn header_map(headers: &HeaderMap) {
    let mut passed = headers.clone();
    drop_forged(&mut passed);
    let is_forged =
        |name: &HeaderName| name.as_str().starts_with("x-ship-") || name.as_str().starts_with("x-forwarded-");
    assert!(!passed.keys().any(is_forged), "{passed:?}");
    drop_hop_by_hop_but_trailers(&mut passed);
    assert!(passed.get(header::TE).is_none_or(|value| value == "trailers"));
    drop_hop_by_hop(&mut passed);
    for name in [header::CONNECTION, header::TE, header::TRANSFER_ENCODING, header::UPGRADE] {
        assert!(!passed.contains_key(&name), "{name} is a word between neighbours");
    }
    for name in [header::HOST, header::CONTENT_LENGTH] {
        assert!(passed.get_all(&name).iter().eq(headers.get_all(&name)), "nobody can name {name} away");
    }
    assert!(times_through(&passed, "ship") <= passed.values().map(HeaderValue::len).sum());
    add_vary(&mut passed, &["Origin"]);
    let varied = passed.clone();
    add_vary(&mut passed, &["origin"]);
    assert_eq!(passed, varied, "what is said need not be said again");
}
