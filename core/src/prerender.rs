//! Prerendered pages: answers of functions that are kept, and served until a newer one is there.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use percent_encoding::{AsciiSet, percent_decode_str, utf8_percent_encode};
use serde::de::Unexpected;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;
use crate::path::{FunctionName, IN_URL};

/// What is escaped where a function's name becomes the path of a request: also `%`, which is one of its characters.
const IN_PATH: &AsciiSet = &IN_URL.add(b'%');

/// A function whose answers are kept.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prerender {
    /// The function.
    pub function: FunctionName,
    /// How long an answer is fresh.
    pub expiration: Expiration,
    /// The query parameters that tell one answer from another; all of them where this is absent. The function sees no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_query: Option<Vec<String>>,
    /// Where the function finds them.
    #[serde(default, skip_serializing_if = "QueryPlace::is_default")]
    pub query_place: QueryPlace,
    /// What opens drafts, and has an answer made anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bypass_token: Option<BypassToken>,
    /// The answer that was made when the site was built.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<Fallback>,
}

impl Prerender {
    /// The parameters of `query` that tell one answer from another, sorted by name. What is said twice stays in its order: the
    /// first is what most programs take.
    pub fn telling_query(&self, query: Option<&str>) -> String {
        let pairs = query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let named = pairs.map(|pair| (decoded(pair.split('=').next().unwrap_or_default()), pair));
        let is_allowed = |name: &str| self.allow_query.as_ref().is_none_or(|names| names.iter().any(|one| one == name));
        let mut telling: Vec<(String, &str)> = named.filter(|(name, _)| is_allowed(name)).collect();
        telling.sort_by(|(left, _), (right, _)| left.cmp(right));
        telling.into_iter().map(|(_, pair)| pair).collect::<Vec<_>>().join("&")
    }

    /// The path that the function is asked with, whatever path a route led from: its own, as a URL has it.
    pub fn path(&self) -> String {
        utf8_percent_encode(&self.function.route(), IN_PATH).to_string()
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// How long an answer is fresh. Written as seconds, or `false` for always.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiration {
    /// As long as nobody has it made anew.
    Never,
    /// So many seconds.
    AfterSecs(NonZeroU32),
}

impl Serialize for Expiration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Never => serializer.serialize_bool(false),
            Self::AfterSecs(seconds) => serializer.serialize_u32(seconds.get()),
        }
    }
}

impl<'de> Deserialize<'de> for Expiration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;

        impl serde::de::Visitor<'_> for Either {
            type Value = Expiration;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of seconds from 1 on, or `false` for never")
            }

            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
                if value { Err(E::invalid_value(Unexpected::Bool(value), &self)) } else { Ok(Expiration::Never) }
            }

            fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
                // A century is as good as a longer time.
                let seconds = u32::try_from(value).unwrap_or(u32::MAX);
                let seconds = NonZeroU32::new(seconds).ok_or_else(|| E::invalid_value(Unexpected::Unsigned(0), &self));
                seconds.map(Expiration::AfterSecs)
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Where a function finds the parameters that tell one answer from another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum QueryPlace {
    /// In the header `x-now-route-matches`.
    #[default]
    Header,
    /// In its URL.
    Url,
}

impl QueryPlace {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The answer that was made when a site was built.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fallback {
    /// The digest of its body.
    pub digest: Digest,
    /// The size of its body in bytes.
    pub size_bytes: u64,
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// A secret that opens drafts. It is compared without telling how much of it was right.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BypassToken(String);

impl BypassToken {
    /// Whether a visitor has sent it. Takes as long whatever of it is right.
    pub fn is(&self, sent: &[u8]) -> bool {
        let own = self.0.as_bytes();
        own.len() == sent.len() && own.iter().zip(sent).fold(0, |differs, (own, sent)| differs | (own ^ sent)) == 0
    }
}

impl TryFrom<String> for BypassToken {
    type Error = EmptyTokenError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() { Err(EmptyTokenError) } else { Ok(Self(text)) }
    }
}

impl From<BypassToken> for String {
    fn from(token: BypassToken) -> Self {
        token.0
    }
}

impl fmt::Debug for BypassToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BypassToken")
    }
}

/// A token that everybody would have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bypass token is not empty")]
pub struct EmptyTokenError;

#[cfg(test)]
mod tests {
    use super::*;

    fn prerender(json: &str) -> Prerender {
        serde_json::from_str(&format!(r#"{{"function": "a b/[id]", {json}}}"#)).unwrap()
    }

    /// Only what is allowed tells answers apart, by its name after decoding, in one order; what is said twice keeps its own.
    #[test]
    fn telling_queries() {
        let some = prerender(r#""expiration": 60, "allow_query": ["q", "__pathname"]"#);
        let telling = |query: &str| some.telling_query(Some(query));
        assert_eq!(telling("utm=1&q=b&__pathname=/x&&q=a&%71=c&q"), "__pathname=/x&q=b&q=a&%71=c&q");
        assert_eq!(telling("Q=1&qq=2"), "");
        assert_eq!(some.telling_query(None), "");
        let all = prerender(r#""expiration": false"#);
        assert_eq!(all.telling_query(Some("b=2&a=1&b=1")), "a=1&b=2&b=1");
        let none = prerender(r#""expiration": false, "allow_query": []"#);
        assert_eq!(none.telling_query(Some("a=1")), "");
    }

    /// A function is asked with its own path.
    #[test]
    fn paths() {
        assert_eq!(prerender(r#""expiration": 1"#).path(), "/a%20b/[id]");
    }

    /// Times are whole seconds or never; nothing else is a time.
    #[test]
    fn expirations() {
        let read = |text: &str| serde_json::from_str::<Expiration>(text).map_err(|error| error.to_string());
        assert_eq!(read("false"), Ok(Expiration::Never));
        assert_eq!(read("60"), Ok(Expiration::AfterSecs(NonZeroU32::new(60).unwrap())));
        assert_eq!(read("31536000000"), Ok(Expiration::AfterSecs(NonZeroU32::MAX)));
        for wrong in ["true", "0", "-1", "1.5", "\"60\"", "null"] {
            let said = read(wrong).unwrap_err();
            assert!(said.contains("a number of seconds from 1 on, or `false` for never"), "{wrong}: {said}");
        }
    }

    /// A token is that one alone, is never empty, and is not shown.
    #[test]
    fn tokens() {
        let token = BypassToken::try_from("secret".to_owned()).unwrap();
        assert!(token.is(b"secret"));
        for wrong in ["", "secre", "secret1", "Secret"] {
            assert!(!token.is(wrong.as_bytes()), "{wrong}");
        }
        assert_eq!(format!("{token:?}"), "BypassToken");
        assert!(BypassToken::try_from(String::new()).is_err());
    }

    /// A manifest keeps answers of functions that it has, says how once, and needs the bodies of their fallbacks.
    #[test]
    fn manifests() {
        let manifest = |prerenders: &[&str]| {
            let digest = Digest::of(b"");
            let function = format!(
                r#"{{"name": "page", "runtime": "go", "digest": "{digest}", "size_bytes": 0, "limits": {}}}"#,
                serde_json::to_string(&crate::FunctionLimits::default()).unwrap()
            );
            let json = format!(
                r#"{{"version": 1, "assets": [], "functions": [{function}], "routes": [], "cors": [], "prerenders": [{}]}}"#,
                prerenders.join(",")
            );
            crate::Manifest::from_json(json.as_bytes()).map_err(|error| error.to_string())
        };
        let body = Digest::of(b"page");
        let page = |status| {
            let head = format!(r#""status": {status}, "headers": {{"x-a": "1"}}"#);
            let fallback = format!(r#"{{"digest": "{body}", "size_bytes": 4, {head}}}"#);
            format!(r#"{{"function": "page", "expiration": 60, "fallback": {fallback}}}"#)
        };
        let good = manifest(&[&page(404)]).unwrap();
        assert_eq!(crate::Manifest::from_json(&good.to_canonical_json()).unwrap(), good);
        assert_eq!(good.blobs(), [(Digest::of(b""), 0), (body, 4)]);
        for (prerenders, expected) in [
            (vec![page(404), page(404)], "it is said twice how answers of `page` are kept"),
            (vec![page(99)], "the fallback of `page` has a status or a header that cannot stand in a response"),
            (
                vec![r#"{"function": "other", "expiration": false}"#.to_owned()],
                "answers of `other` are to be kept, and there is no such function",
            ),
        ] {
            let prerenders: Vec<&str> = prerenders.iter().map(String::as_str).collect();
            assert_eq!(manifest(&prerenders).unwrap_err(), expected);
        }
    }
}
