//! `has` and `missing`: conditions on the host, a header, a cookie or a query parameter.

mod value;

use super::pattern::PatternExhausted;
use super::resolve::RouteRequest;
use super::substitution::Groups;
pub use value::{Comparison, ConditionValue, Scalar};

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

#[derive(Clone, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct ConditionFields {
    r#type: ConditionKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    value: Option<ConditionValue>,
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
    type Error = &'static str;

    fn try_from(fields: ConditionFields) -> Result<Self, Self::Error> {
        let key = || fields.key.clone().ok_or("this condition needs a `key`");
        let subject = match fields.r#type {
            ConditionKind::Host if fields.value.is_none() => return Err("a condition on the host needs a `value`"),
            ConditionKind::Host => ConditionSubject::Host,
            ConditionKind::Header => ConditionSubject::Header(key()?.to_ascii_lowercase()),
            ConditionKind::Cookie => ConditionSubject::Cookie(key()?),
            ConditionKind::Query => ConditionSubject::Query(key()?),
        };
        Ok(Self { subject, value: fields.value })
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
        Self { r#type, key, value: condition.value }
    }
}

impl Condition {
    /// The names that a destination can use when the condition holds: those of the groups in its value; without a value the
    /// key; and `host` where the host is compared.
    pub fn group_names(&self) -> Vec<String> {
        let pattern = self.value.as_ref().and_then(ConditionValue::pattern);
        let groups = pattern.into_iter().flat_map(super::Pattern::group_names);
        let mut names: Vec<String> = groups.flatten().map(str::to_owned).collect();
        names.extend(self.name_of_whole().map(str::to_owned));
        names
    }

    /// The name under which a destination finds all of what the condition looked at.
    fn name_of_whole(&self) -> Option<&str> {
        match (&self.subject, &self.value) {
            (ConditionSubject::Host, Some(value)) => value.pattern().map(|_| "host"),
            (ConditionSubject::Header(key) | ConditionSubject::Cookie(key) | ConditionSubject::Query(key), None) => {
                Some(key).filter(|key| is_name(key)).map(String::as_str)
            }
            _ => None,
        }
    }

    /// Whether its value may take many steps to match.
    pub(super) fn is_hard(&self) -> bool {
        self.value.as_ref().and_then(ConditionValue::pattern).is_some_and(super::Pattern::is_hard)
    }

    /// Whether the condition holds; what it caught is added to `groups`.
    pub(super) fn holds(&self, request: &RouteRequest<'_>, groups: &mut Groups) -> Result<bool, PatternExhausted> {
        let Some(found) = self.subject.find(request) else { return Ok(false) };
        let holds = match &self.value {
            None => true,
            Some(value) => value.is_met_by(&found, groups)?,
        };
        if let (true, Some(name)) = (holds, self.name_of_whole()) {
            groups.name(name, &found);
        }
        Ok(holds)
    }
}

/// Whether a destination can use a key as a name.
fn is_name(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
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
