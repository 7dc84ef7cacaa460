//! What the value of a condition must be: a regular expression, or comparisons that must all hold.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize as _, Deserializer};
use serde_json::Number;

use super::super::pattern::{CaseRule, Pattern, PatternExhausted};
use super::super::substitution::Groups;

/// What a value must be.
#[derive(Clone, PartialEq, Debug, serde::Serialize)]
#[serde(untagged)]
pub enum ConditionValue {
    /// A regular expression that matches it as a whole. Named groups can be used in `dest`.
    Matches(#[serde(serialize_with = "whole::serialize")] Pattern),
    /// Comparisons.
    Compared(Box<Comparison>),
}

/// Comparisons that must all hold. Those of size are of numbers: what is not a number is neither larger nor smaller.
#[derive(Clone, PartialEq, Debug, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Comparison {
    /// It is this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eq: Option<Scalar>,
    /// It is not this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub neq: Option<Scalar>,
    /// It is one of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inc: Option<Vec<Scalar>>,
    /// It is none of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ninc: Option<Vec<Scalar>>,
    /// It begins with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pre: Option<String>,
    /// It ends with this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suf: Option<String>,
    /// It matches this regular expression as a whole.
    #[serde(skip_serializing_if = "Option::is_none", with = "whole_if_any")]
    pub re: Option<Pattern>,
    /// It is larger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gt: Option<Number>,
    /// It is larger or equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gte: Option<Number>,
    /// It is smaller.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lt: Option<Number>,
    /// It is smaller or equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lte: Option<Number>,
}

/// Something to be equal to.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(untagged, expecting = "a string or a number")]
pub enum Scalar {
    /// A text.
    Text(String),
    /// A number: `2` is equal to `2.0`.
    Number(Number),
}

impl<'de> serde::Deserialize<'de> for ConditionValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EitherForm)
    }
}

/// Reads either form. An untagged enum would not say what is wrong with the one that was meant.
struct EitherForm;

impl<'de> Visitor<'de> for EitherForm {
    type Value = ConditionValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a table of comparisons")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Pattern::anchored(text, CaseRule::Sensitive).map(ConditionValue::Matches).map_err(E::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        Comparison::deserialize(MapAccessDeserializer::new(map)).map(Box::new).map(ConditionValue::Compared)
    }
}

impl ConditionValue {
    /// The regular expression in it.
    pub fn pattern(&self) -> Option<&Pattern> {
        match self {
            Self::Matches(pattern) => Some(pattern),
            Self::Compared(comparison) => comparison.re.as_ref(),
        }
    }

    /// Whether `found` is what it must be; what named groups caught is added to `groups`.
    pub(super) fn is_met_by(&self, found: &str, groups: &mut Groups) -> Result<bool, PatternExhausted> {
        if let Self::Compared(comparison) = self
            && !comparison.holds(found)
        {
            return Ok(false);
        }
        self.pattern().map_or(Ok(true), |pattern| groups.capture(pattern, found))
    }
}

impl Comparison {
    /// Whether all but the regular expression hold.
    fn holds(&self, found: &str) -> bool {
        let size = |bound: &Option<Number>, holds: fn(f64, f64) -> bool| match bound.as_ref().map(Number::as_f64) {
            None => true,
            Some(bound) => number(found).zip(bound).is_some_and(|(found, bound)| holds(found, bound)),
        };
        let is_one_of = |list: &Vec<Scalar>| list.iter().any(|scalar| scalar.is_equal(found));
        self.eq.as_ref().is_none_or(|scalar| scalar.is_equal(found))
            && self.neq.as_ref().is_none_or(|scalar| !scalar.is_equal(found))
            && self.inc.as_ref().is_none_or(is_one_of)
            && !self.ninc.as_ref().is_some_and(is_one_of)
            && self.pre.as_ref().is_none_or(|start| found.starts_with(start.as_str()))
            && self.suf.as_ref().is_none_or(|end| found.ends_with(end.as_str()))
            && size(&self.gt, |found, bound| found > bound)
            && size(&self.gte, |found, bound| found >= bound)
            && size(&self.lt, |found, bound| found < bound)
            && size(&self.lte, |found, bound| found <= bound)
    }
}

impl Scalar {
    #[expect(clippy::float_cmp, reason = "two texts that say the same number are what is looked for")]
    fn is_equal(&self, found: &str) -> bool {
        match self {
            Self::Text(text) => text == found,
            Self::Number(wanted) => number(found).zip(wanted.as_f64()).is_some_and(|(found, wanted)| found == wanted),
        }
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// A pattern as its text.
mod whole {
    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer, Serializer};

    use super::{CaseRule, Pattern};

    pub(super) fn serialize<S: Serializer>(pattern: &Pattern, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(pattern.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pattern, D::Error> {
        let text = String::deserialize(deserializer)?;
        Pattern::anchored(&text, CaseRule::Sensitive).map_err(D::Error::custom)
    }
}

/// The same, where there may be none.
mod whole_if_any {
    use serde::{Deserializer, Serializer};

    use super::{Pattern, whole};

    #[expect(clippy::ref_option, reason = "serde asks for it")]
    pub(super) fn serialize<S: Serializer>(pattern: &Option<Pattern>, serializer: S) -> Result<S::Ok, S::Error> {
        match pattern {
            None => serializer.serialize_none(),
            Some(pattern) => whole::serialize(pattern, serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Pattern>, D::Error> {
        whole::deserialize(deserializer).map(Some)
    }
}
