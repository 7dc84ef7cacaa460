//! `If-Match`, `If-None-Match` and `If-Range`: whether a visitor has already, or still wants, what would be sent.

use http::{HeaderMap, HeaderValue, header};

/// Whether an `If-None-Match` header names `etag`, so that a 304 is enough. Weak tags match, as they do for reading.
pub(crate) fn is_unchanged(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let mut values = headers.get_all(header::IF_NONE_MATCH).iter();
    values.any(|value| value == "*" || lists(value.as_bytes(), etag.as_bytes(), Comparison::Weak))
}

/// Whether an `If-Match` header names other tags alone: what it is about is gone, and a 412 says so. Weak tags never match (RFC 9110,
/// section 13.1.1).
pub(crate) fn is_another(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    let mut values = headers.get_all(header::IF_MATCH).iter().peekable();
    values.peek().is_some()
        && !values.any(|value| value == "*" || lists(value.as_bytes(), etag.as_bytes(), Comparison::Strong))
}

/// Whether a `Range` header still applies: there is no `If-Range`, or it names `etag` strongly.
pub(crate) fn range_applies(headers: &HeaderMap, etag: &HeaderValue) -> bool {
    headers.get(header::IF_RANGE).is_none_or(|value| value == etag)
}

/// Whether a weak tag stands for the strong one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

/// Walks a list of entity tags. A tag may hold commas, so it ends at its second quote; a list that is not one ends the walk.
fn lists(list: &[u8], etag: &[u8], comparison: Comparison) -> bool {
    let mut rest = list;
    loop {
        rest = rest.trim_ascii_start();
        rest = rest.strip_prefix(b",").unwrap_or(rest).trim_ascii_start();
        let (opaque, is_weak) = rest.strip_prefix(b"W/").map_or((rest, false), |opaque| (opaque, true));
        if opaque.first() != Some(&b'"') {
            return false;
        }
        let Some(length) = opaque[1..].iter().position(|byte| *byte == b'"') else { return false };
        let (tag, behind) = opaque.split_at(length + 2);
        let behind = behind.trim_ascii_start();
        if !(behind.is_empty() || behind.starts_with(b",")) {
            return false;
        }
        if tag == etag && !(is_weak && comparison == Comparison::Strong) {
            return true;
        }
        rest = behind;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unchanged(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::IF_NONE_MATCH, value.parse().unwrap());
        }
        is_unchanged(&headers, &HeaderValue::from_static("\"abc\""))
    }

    /// Lists, weak tags, tags with commas and the star, and what only looks like them.
    #[test]
    fn if_none_match() {
        for values in [
            &["\"abc\""][..],
            &["W/\"abc\""],
            &["\"x\", \"abc\""],
            &["\"x,y\" ,W/\"abc\", \"z\""],
            &["\"x\"", "\"abc\""],
            &["*"],
        ] {
            assert!(unchanged(values), "{values:?}");
        }
        for values in [
            &[][..],
            &[""],
            &["abc"],
            &["\"abc"],
            &["\"abcd\""],
            &["\"x\" garbage \"abc\""],
            &["\"abc\"x"],
            &["\"abc\" \"x\""],
            &["w/\"abc\""],
        ] {
            assert!(!unchanged(values), "{values:?}");
        }
    }

    /// Who names the tag, or any, gets the answer; who names others, or the weak one, does not.
    #[test]
    fn if_match() {
        let another = |values: &[&'static str]| {
            let lines = values.iter().map(|value| (header::IF_MATCH, HeaderValue::from_static(value)));
            is_another(&lines.collect(), &HeaderValue::from_static("\"abc\""))
        };
        for values in
            [&[][..], &["*"], &["\"abc\""], &["\"x\", \"abc\""], &["\"x\"", "\"abc\""], &["W/\"abc\", \"abc\""]]
        {
            assert!(!another(values), "{values:?}");
        }
        for values in [&["\"x\""][..], &["W/\"abc\""], &[""], &["abc"]] {
            assert!(another(values), "{values:?}");
        }
    }

    /// A range of a file that has changed since would join two files: only the very same tag lets it through.
    #[test]
    fn if_range() {
        let etag = HeaderValue::from_static("\"abc\"");
        let applies = |value: &'static str| {
            let headers = HeaderMap::from_iter([(header::IF_RANGE, HeaderValue::from_static(value))]);
            range_applies(&headers, &etag)
        };
        assert!(range_applies(&HeaderMap::new(), &etag));
        assert!(applies("\"abc\""));
        assert!(!applies("W/\"abc\""));
        assert!(!applies("\"other\""));
        assert!(!applies("Wed, 21 Oct 2015 07:28:00 GMT"));
    }
}
