//! `Cache-Control` of answers: what functions say to caches that are shared, and what browsers hear of it.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::assets::REVALIDATE;

/// What is said to caches like ship, for who writes for Vercel, and to any cache that is shared (RFC 9213, section 3). The first of these
/// that is there counts, and `Cache-Control` where neither is.
static TARGETED: [HeaderName; 2] =
    [HeaderName::from_static("vercel-cdn-cache-control"), HeaderName::from_static("cdn-cache-control")];

/// The longest time that is listened to: what Vercel keeps answers at most.
const MOST_SECS: u32 = 365 * 24 * 60 * 60;

/// What is said to caches that are shared alone.
const SHARED_WORDS: [&str; 3] = ["s-maxage", "stale-while-revalidate", "stale-if-error"];

/// For how long an answer may be kept for everybody, as its function wishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Freshness {
    /// It is as good as new, from when it was made.
    pub(crate) fresh: Duration,
    /// After that: it may be served while a newer one is made.
    pub(crate) stale: Duration,
    /// After `fresh`: it may be served where its function fails.
    pub(crate) on_error: Duration,
}

/// Whether a status is one that a page has: those that Vercel keeps.
pub(crate) fn is_of_a_page(status: StatusCode) -> bool {
    matches!(status.as_u16(), 200 | 301 | 302 | 307 | 308 | 404 | 410)
}

/// Whether an answer says that nobody but who asked may have it.
pub(crate) fn is_private(headers: &HeaderMap) -> bool {
    let mut directives = directives(headers, &header::CACHE_CONTROL);
    directives.any(|(name, _)| is_any_of(name, &["private", "no-store"]))
}

/// Whether an answer leaves it to ship how long browsers keep it: it says nothing, or speaks of caches that are shared, which is
/// what ship is.
pub(crate) fn is_about_shared_caches(headers: &HeaderMap) -> bool {
    let mut directives = directives(headers, &header::CACHE_CONTROL).peekable();
    directives.peek().is_none() || directives.any(|(name, _)| is_any_of(name, &SHARED_WORDS[..2]))
}

/// Whether a visitor says that nothing of this request may be kept (RFC 9111, section 5.2.1.5). What else visitors say to caches is
/// not listened to: a reload would be a way to have the function asked.
pub(crate) fn forbids_to_keep(request: &HeaderMap) -> bool {
    directives(request, &header::CACHE_CONTROL).any(|(name, _)| is_any_of(name, &["no-store"]))
}

/// How long an answer may be kept for everybody. `None` where its function does not ask for that, or not clearly.
///
/// `Cache-Control` asks by `s-maxage`, so that what is meant for browsers is not kept by accident; in the two that speak to shared caches
/// alone `max-age` asks as well.
pub(crate) fn wished(headers: &HeaderMap) -> Option<Freshness> {
    let field = TARGETED.iter().find(|name| directives(headers, name).next().is_some());
    let is_targeted = field.is_some();
    let mut wish = Wish::default();
    for (name, value) in directives(headers, field.unwrap_or(&header::CACHE_CONTROL)) {
        wish.hear(name, value)?;
    }
    let fresh = wish.s_maxage.or(wish.max_age.filter(|_| is_targeted))?;
    let (stale, on_error) = if wish.must_revalidate { (0, 0) } else { (wish.stale, wish.on_error) };
    let seconds = |number: u32| Duration::from_secs(number.into());
    let freshness = Freshness { fresh: seconds(fresh), stale: seconds(stale), on_error: seconds(on_error) };
    (fresh > 0 || stale > 0).then_some(freshness)
}

/// Leaves to browsers what is theirs: what was said to shared caches has been heard. Where nothing is left, they ask each time.
pub(crate) fn leave_to_browsers(headers: &mut HeaderMap) {
    headers.remove(&TARGETED[0]);
    let words = directives(headers, &header::CACHE_CONTROL).filter(|(name, _)| !is_any_of(name, &SHARED_WORDS));
    let words: Vec<String> =
        words.map(|(name, value)| value.map_or(name.into(), |value| format!("{name}={value}"))).collect();
    // That everybody may keep it says nothing of how long.
    let says_something = words.iter().any(|word| !word.eq_ignore_ascii_case("public"));
    let left = HeaderValue::from_str(&words.join(", ")).ok().filter(|_| says_something);
    headers.insert(header::CACHE_CONTROL, left.unwrap_or(REVALIDATE));
}

/// What was heard of a field so far.
#[derive(Default)]
struct Wish {
    s_maxage: Option<u32>,
    max_age: Option<u32>,
    stale: u32,
    on_error: u32,
    must_revalidate: bool,
}

impl Wish {
    /// Hears a directive. `None` where the answer may not be kept, or where two directives contradict each other.
    fn hear(&mut self, name: &str, value: Option<&str>) -> Option<()> {
        // A quote that nobody closes hides what stands behind it.
        let quotes = name.bytes().chain(value.unwrap_or_default().bytes()).filter(|byte| *byte == b'"').count();
        if quotes % 2 == 1 {
            return None;
        }
        let number = || value.and_then(seconds);
        match name.to_ascii_lowercase().as_str() {
            "private" | "no-store" | "no-cache" => return None,
            "s-maxage" => self.s_maxage = Some(once(self.s_maxage, number()?)?),
            "max-age" => self.max_age = Some(once(self.max_age, number()?)?),
            // Without a number it is what frameworks wrote for "for ever".
            "stale-while-revalidate" => self.stale = if value.is_none() { MOST_SECS } else { number()? },
            "stale-if-error" => self.on_error = number()?,
            "must-revalidate" | "proxy-revalidate" => self.must_revalidate = true,
            _ => {}
        }
        Some(())
    }
}

fn once(before: Option<u32>, now: u32) -> Option<u32> {
    before.is_none_or(|before| before == now).then_some(now)
}

/// A number of seconds (RFC 9111, section 1.2.2), quoted or not. One that is too large is the largest there is.
fn seconds(text: &str) -> Option<u32> {
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse::<u32>().map_or(MOST_SECS, |number| number.min(MOST_SECS)))
}

fn is_any_of(name: &str, names: &[&str]) -> bool {
    names.iter().any(|one| name.eq_ignore_ascii_case(one))
}

/// The directives of a field, in the order in which they stand there. A value keeps its quotes.
fn directives<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = (&'h str, Option<&'h str>)> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let parts = values.flat_map(|mut rest| {
        std::iter::from_fn(move || {
            let (part, behind) = split_part(rest)?;
            rest = behind;
            Some(part)
        })
    });
    parts.filter(|part| !part.is_empty()).map(|part| match part.split_once('=') {
        Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
        None => (part, None),
    })
}

/// The text in front of the first comma that no quotes enclose, and what follows it.
fn split_part(text: &str) -> Option<(&str, &str)> {
    if text.is_empty() {
        return None;
    }
    let mut is_quoted = false;
    let comma = text.bytes().position(|byte| {
        is_quoted ^= byte == b'"';
        byte == b',' && !is_quoted
    });
    let (part, rest) = comma.map_or((text, ""), |at| (&text[..at], &text[at + 1..]));
    Some((part.trim(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        headers
    }

    /// The seconds that an answer with this `Cache-Control` is fresh, may be stale, and may be served after an error.
    fn heard(pairs: &[(&str, &str)]) -> Option<(u64, u64, u64)> {
        let Freshness { fresh, stale, on_error } = wished(&map(pairs))?;
        Some((fresh.as_secs(), stale.as_secs(), on_error.as_secs()))
    }

    /// What is said to shared caches is not passed on to browsers; what is said to browsers is.
    #[test]
    fn what_browsers_are_told() {
        let is_ours = |headers: &[(&str, &str)]| is_about_shared_caches(&map(headers));
        assert!(is_ours(&[]));
        assert!(is_ours(&[("cache-control", "s-maxage=60, stale-while-revalidate")]));
        assert!(!is_ours(&[("cache-control", "max-age=60")]));
        for (said, left) in [
            ("s-maxage=60, stale-while-revalidate", "public, max-age=0, must-revalidate"),
            ("public, s-maxage=60", "public, max-age=0, must-revalidate"),
            ("public, max-age=5, s-maxage=60, stale-if-error=9", "public, max-age=5"),
            ("S-MaxAge=1, x=\"a, s-maxage=2\"", "x=\"a, s-maxage=2\""),
        ] {
            let mut headers = map(&[("cache-control", said), ("vercel-cdn-cache-control", "max-age=1")]);
            leave_to_browsers(&mut headers);
            assert_eq!(headers, map(&[("cache-control", left)]), "{said}");
        }
    }

    /// A function asks by `s-maxage`, and what it forbids, says twice or does not say clearly is not kept.
    #[test]
    fn what_a_function_asks_for() {
        let always = u64::from(MOST_SECS);
        for (said, expected) in [
            ("s-maxage=60", Some((60, 0, 0))),
            ("public, max-age=0, S-MaxAge=\"60\" , stale-while-revalidate=30", Some((60, 30, 0))),
            ("s-maxage=1,stale-while-revalidate", Some((1, always, 0))),
            ("s-maxage=1, stale-if-error=9", Some((1, 0, 9))),
            ("s-maxage=99999999999999999999", Some((always, 0, 0))),
            ("s-maxage=0, stale-while-revalidate=5", Some((0, 5, 0))),
            ("s-maxage=5, s-maxage=5", Some((5, 0, 0))),
            ("s-maxage=5, stale-while-revalidate=5, must-revalidate", Some((5, 0, 0))),
            ("s-maxage=5, x=\"private, no-store\"", Some((5, 0, 0))),
            ("", None),
            ("max-age=60, public", None),
            ("s-maxage=0", None),
            ("s-maxage=0, stale-if-error=5", None),
            ("s-maxage=5, s-maxage=6", None),
            ("s-maxage", None),
            ("s-maxage=", None),
            ("s-maxage=-1", None),
            ("s-maxage=1.5", None),
            ("s-maxage=+5", None),
            ("s-maxage=5, stale-while-revalidate=x", None),
            ("s-maxage=5, private", None),
            ("s-maxage=5, Private=\"set-cookie\"", None),
            ("s-maxage=5, no-cache", None),
            ("s-maxage=5, no-cache=\"x\"", None),
            ("no-store,s-maxage=5", None),
            ("s-maxage=5, x=\"a, private", None),
            ("s-maxage=5, x=\"a\\\", private", None),
        ] {
            assert_eq!(heard(&[("cache-control", said)]), expected, "{said}");
        }
        assert_eq!(heard(&[("cache-control", "s-maxage=5"), ("cache-control", "private")]), None);
    }

    /// What is said to shared caches by name goes before what is said to all, in both directions.
    #[test]
    fn targeted() {
        let (all, cdn, vercel) = ("cache-control", "cdn-cache-control", "vercel-cdn-cache-control");
        assert_eq!(heard(&[(all, "private"), (cdn, "max-age=5")]), Some((5, 0, 0)));
        assert_eq!(heard(&[(all, "s-maxage=9"), (cdn, "no-store")]), None);
        assert_eq!(heard(&[(cdn, "s-maxage=9, max-age=1"), (vercel, "max-age=3")]), Some((3, 0, 0)));
        assert_eq!(heard(&[(cdn, "s-maxage=9, max-age=1"), (vercel, " ")]), Some((9, 0, 0)));
        assert_eq!(heard(&[(all, "s-maxage=9"), (cdn, "public")]), None);
    }

    proptest! {
        /// Whatever a function sends is read to its end, and no time is longer than the longest.
        #[test]
        fn total(value in "[ -~]{0,80}|(s-maxage|max-age|stale-while-revalidate|private|,|=|\"|[0-9]{1,12}){0,12}") {
            if let Ok(value) = HeaderValue::from_str(&value) {
                let mut headers = HeaderMap::new();
                headers.insert(header::CACHE_CONTROL, value);
                if let Some(freshness) = wished(&headers) {
                    prop_assert!(freshness.fresh.max(freshness.stale).as_secs() <= u64::from(MOST_SECS));
                }
                leave_to_browsers(&mut headers);
                prop_assert!(!directives(&headers, &header::CACHE_CONTROL).any(|(name, _)| is_any_of(name, &SHARED_WORDS)));
            }
        }
    }
}
