//! `has` and `missing`: conditions on the host, a header, a cookie or a query parameter.

use super::pattern::{CaseRule, Pattern, PatternExhausted};
use super::resolve::RouteRequest;
use super::substitution::Groups;

/// One condition of a route.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "ConditionFields", into = "ConditionFields")]
pub struct Condition {
    /// What is looked at.
    pub subject: ConditionSubject,
    /// What its value must be; its mere presence is enough when absent.
    pub value: Option<ConditionValue>,
}

/// What a condition looks at.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ConditionSubject {
    /// The host name, without a port.
    Host,
    /// A request header, by its lower-case name.
    Header(String),
    /// A cookie.
    Cookie(String),
    /// A query parameter.
    Query(String),
}

/// What a value must be: a regular expression that matches it as a whole. Named groups can be used in `dest`.
pub type ConditionValue = Pattern;

#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionFields {
    r#type: ConditionKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<String>,
}

#[derive(Clone, Copy, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum ConditionKind {
    Host,
    Header,
    Cookie,
    Query,
}

impl TryFrom<ConditionFields> for Condition {
    type Error = String;

    fn try_from(fields: ConditionFields) -> Result<Self, Self::Error> {
        let key = || fields.key.clone().ok_or_else(|| "this condition needs a `key`".to_owned());
        let subject = match fields.r#type {
            ConditionKind::Host => ConditionSubject::Host,
            ConditionKind::Header => ConditionSubject::Header(key()?.to_ascii_lowercase()),
            ConditionKind::Cookie => ConditionSubject::Cookie(key()?),
            ConditionKind::Query => ConditionSubject::Query(key()?),
        };
        let pattern = |text: String| Pattern::anchored(&text, CaseRule::Sensitive).map_err(|error| error.to_string());
        Ok(Self { subject, value: fields.value.map(pattern).transpose()? })
    }
}

impl From<Condition> for ConditionFields {
    fn from(condition: Condition) -> Self {
        let (r#type, key) = match condition.subject {
            ConditionSubject::Host => (ConditionKind::Host, None),
            ConditionSubject::Header(name) => (ConditionKind::Header, Some(name)),
            ConditionSubject::Cookie(name) => (ConditionKind::Cookie, Some(name)),
            ConditionSubject::Query(name) => (ConditionKind::Query, Some(name)),
        };
        Self { r#type, key, value: condition.value.map(|pattern| pattern.as_str().to_owned()) }
    }
}

impl Condition {
    /// The names of the groups that its value catches.
    pub fn group_names(&self) -> Vec<String> {
        self.value.iter().flat_map(Pattern::group_names).flatten().map(str::to_owned).collect()
    }

    /// Whether its value may take many steps to match.
    pub(super) fn is_hard(&self) -> bool {
        self.value.as_ref().is_some_and(Pattern::is_hard)
    }

    /// Whether the condition holds; what its named groups caught is added to `groups`.
    pub(super) fn holds(&self, request: &RouteRequest<'_>, groups: &mut Groups) -> Result<bool, PatternExhausted> {
        let Some(found) = self.subject.find(request) else { return Ok(false) };
        match &self.value {
            None => Ok(true),
            Some(pattern) => groups.capture(pattern, &found),
        }
    }
}

impl ConditionSubject {
    fn find(&self, request: &RouteRequest<'_>) -> Option<String> {
        match self {
            Self::Host => Some(request.host.to_owned()),
            Self::Header(name) => (request.header)(name),
            Self::Cookie(name) => cookie(&(request.header)("cookie")?, name),
            Self::Query(name) => query_value(request.query.unwrap_or_default(), name),
        }
    }
}

fn cookie(header: &str, name: &str) -> Option<String> {
    let pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
    pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

fn query_value(query: &str, name: &str) -> Option<String> {
    let decode =
        |text: &str| percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    pairs.into_iter().find(|(key, _)| decode(key) == name).map(|(_, value)| decode(value))
}
