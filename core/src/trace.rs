//! W3C Trace Context: which trace a request belongs to, in the header `traceparent`.

use std::fmt;

use crate::request_id::RequestId;

/// A request's place in a trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
pub struct TraceContext {
    /// The trace.
    #[serde(with = "hexadecimal")]
    pub trace_id: u128,
    /// The part of it that this request is.
    #[serde(with = "hexadecimal")]
    pub span_id: u64,
    /// The part that caused it, if it came with one.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "hexadecimal::option")]
    pub parent_id: Option<u64>,
    /// Whether the trace is recorded.
    pub sampled: bool,
}

/// What a `traceparent` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Parent {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

impl TraceContext {
    /// The place of a request that came with `traceparent`: a new part of that trace, or where the header is missing or wrong, the first
    /// part of a new one. A request's id is a time and 80 random bits, so no others are drawn: a new trace has the id of its request.
    pub fn of_request(id: RequestId, traceparent: Option<&str>) -> Self {
        let number = id.to_u128();
        #[expect(clippy::cast_possible_truncation, reason = "the random half is wanted")]
        let span_id = (number as u64).max(1);
        match traceparent.and_then(parse) {
            Some(Parent { trace_id, span_id: parent, sampled }) => {
                Self { trace_id, span_id, parent_id: Some(parent), sampled }
            }
            None => Self { trace_id: number.max(1), span_id, parent_id: None, sampled: true },
        }
    }
}

/// The `traceparent` for whoever is asked on behalf of the request.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

/// Reads a `traceparent`, also one of a later version, which may go on behind what is known.
fn parse(text: &str) -> Option<Parent> {
    let mut parts = text.trim().splitn(5, '-');
    let mut hexadecimal = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        part.bytes().all(is_digit).then(|| u128::from_str_radix(part, 16).ok()).flatten()
    };
    let version = hexadecimal(2).filter(|version| *version != 0xff)?;
    let trace_id = hexadecimal(32).filter(|id| *id != 0)?;
    let span_id = u64::try_from(hexadecimal(16)?).ok().filter(|id| *id != 0)?;
    let flags = hexadecimal(2)?;
    let ends_here = parts.next().is_none();
    (ends_here || version != 0).then_some(Parent { trace_id, span_id, sampled: flags & 1 == 1 })
}

/// Ids are written as the header writes them.
mod hexadecimal {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// A number with so many digits.
    pub(super) trait Id: Sized {
        fn to_text(&self) -> String;
        fn of_text(text: &str) -> Option<Self>;
    }

    impl Id for u128 {
        fn to_text(&self) -> String {
            format!("{self:032x}")
        }
        fn of_text(text: &str) -> Option<Self> {
            Self::from_str_radix(text, 16).ok()
        }
    }

    impl Id for u64 {
        fn to_text(&self) -> String {
            format!("{self:016x}")
        }
        fn of_text(text: &str) -> Option<Self> {
            Self::from_str_radix(text, 16).ok()
        }
    }

    pub(super) fn serialize<I: Id, S: Serializer>(id: &I, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&id.to_text())
    }

    pub(super) fn deserialize<'de, I: Id, D: Deserializer<'de>>(deserializer: D) -> Result<I, D::Error> {
        let text = String::deserialize(deserializer)?;
        I::of_text(&text).ok_or_else(|| D::Error::custom("an id is hexadecimal"))
    }

    pub(super) mod option {
        use super::{Deserializer, Id, Serializer};

        #[expect(clippy::ref_option, reason = "the signature serde asks for")]
        pub(in super::super) fn serialize<I: Id, S: Serializer>(
            id: &Option<I>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match id {
                Some(id) => super::serialize(id, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, I: Id, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<I>, D::Error> {
            super::deserialize(deserializer).map(Some)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    /// A request that comes with a trace is a part of it; one that comes with none, or with what is none, begins one.
    #[test]
    fn contexts() {
        let id = RequestId::from_parts(1, [0xab; 10]);
        let part = TraceContext::of_request(id, Some(PARENT));
        assert_eq!(part.to_string(), "00-0af7651916cd43dd8448eb211c80319c-abababababababab-01");
        assert_eq!(part.parent_id, Some(0xb7ad_6b71_6920_3331));
        let json = serde_json::to_string(&part).unwrap();
        assert_eq!(
            json,
            r#"{"trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"abababababababab","parent_id":"b7ad6b7169203331","sampled":true}"#
        );
        assert_eq!(serde_json::from_str::<TraceContext>(&json).unwrap(), part);
        let unsampled = TraceContext::of_request(id, Some(&PARENT.replace("-01", "-00")));
        assert!(!unsampled.sampled && unsampled.to_string().ends_with("-00"));
        let later = PARENT.replace("00-0", "01-0") + "-more";
        assert_eq!(TraceContext::of_request(id, Some(&later)).trace_id, part.trace_id);
        let first = TraceContext::of_request(id, None);
        assert_eq!(first.to_string(), "00-000000000001abababababababababab-abababababababab-01");
        assert_eq!(serde_json::from_str::<TraceContext>(&serde_json::to_string(&first).unwrap()).unwrap(), first);
        for wrong in [
            "",
            "00",
            &PARENT.replace("00-0", "ff-0"),
            &PARENT.to_uppercase(),
            &format!("{PARENT}-more"),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-0af7651916cd43dd8448eb211c80319c-+7ad6b7169203331-01",
        ] {
            assert_eq!(TraceContext::of_request(id, Some(wrong)), first, "{wrong}");
        }
    }
}
