//! Cross-origin rules: which other origins may call a site's functions.

use std::fmt;
use std::str::FromStr;

use crate::route::{CaseRule, Pattern, PatternError};
use crate::text::serde_through_text;

/// One `[[cors]]` entry, checked: its patterns compile, and `*` never goes with credentials.
#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "CorsRuleFields", into = "CorsRuleFields")]
pub struct CorsRule {
    fields: CorsRuleFields,
    pattern: Pattern,
}

#[derive(Clone, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CorsRuleFields {
    src: String,
    origins: Vec<OriginPattern>,
    methods: Vec<String>,
    headers: Vec<String>,
    credentials: bool,
    max_age_secs: u32,
}

impl CorsRule {
    /// A rule from its parts.
    ///
    /// `src` is a regular expression over normalised paths, anchored at both ends; `methods` are upper-case method names;
    /// `headers` are lower-case header names.
    pub fn new(
        src: &str,
        origins: Vec<OriginPattern>,
        methods: Vec<String>,
        headers: Vec<String>,
        credentials: Credentials,
        max_age_secs: u32,
    ) -> Result<Self, CorsRuleError> {
        let credentials = credentials == Credentials::Allowed;
        CorsRuleFields { src: src.to_owned(), origins, methods, headers, credentials, max_age_secs }.try_into()
    }

    /// Whether the rule speaks about this normalised path. A pattern that exhausts its steps matches nothing.
    pub fn matches_path(&self, path: &str) -> bool {
        self.pattern.is_match(path).unwrap_or(false)
    }

    /// Says whether the pattern compiles within its bounds.
    pub fn check_size(&self) -> Result<(), PatternError> {
        self.pattern.check_size()
    }

    /// The pattern as it was written.
    pub fn src(&self) -> &str {
        &self.fields.src
    }

    /// Whether `origin`, the exact value of an `Origin` header, may read responses. `is_own` says whether an origin is one
    /// of the project's own URLs.
    pub fn allows_origin(&self, origin: &str, is_own: impl Fn(&str) -> bool) -> bool {
        origin != "null" && self.fields.origins.iter().any(|pattern| pattern.matches(origin, &is_own))
    }

    /// Whether every origin is allowed, so that the response may say `*`.
    pub fn allows_any_origin(&self) -> bool {
        self.fields.origins.contains(&OriginPattern::Any)
    }

    /// The methods a preflight allows, in upper case.
    pub fn methods(&self) -> &[String] {
        &self.fields.methods
    }

    /// The request headers a preflight allows, in lower case.
    pub fn headers(&self) -> &[String] {
        &self.fields.headers
    }

    /// Whether cookies and authorization may be sent along.
    pub fn allows_credentials(&self) -> bool {
        self.fields.credentials
    }

    /// How long a browser may keep a preflight's answer, in seconds.
    pub fn max_age_secs(&self) -> u32 {
        self.fields.max_age_secs
    }
}

/// Whether a cross-origin request may carry cookies and authorization.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Credentials {
    /// They may be sent.
    Allowed,
    /// They are not sent.
    Omitted,
}

impl TryFrom<CorsRuleFields> for CorsRule {
    type Error = CorsRuleError;

    fn try_from(fields: CorsRuleFields) -> Result<Self, Self::Error> {
        if fields.credentials && fields.origins.contains(&OriginPattern::Any) {
            return Err(CorsRuleError::AnyOriginWithCredentials { src: fields.src });
        }
        let is_token = |text: &String| {
            !text.is_empty()
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
        };
        if let Some(name) = fields.methods.iter().chain(&fields.headers).find(|name| !is_token(name)) {
            return Err(CorsRuleError::NotAToken { found: name.clone() });
        }
        let pattern = Pattern::anchored(&fields.src, CaseRule::Sensitive)?;
        Ok(Self { fields, pattern })
    }
}

impl From<CorsRule> for CorsRuleFields {
    fn from(rule: CorsRule) -> Self {
        rule.fields
    }
}

/// A `[[cors]]` entry contradicts itself.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CorsRuleError {
    /// `origins = ["*"]` with `credentials = true`: browsers refuse it, and it would open the site to every page.
    #[error("the cors entry for `{src}` allows every origin and credentials: name the origins, or drop credentials")]
    AnyOriginWithCredentials {
        /// The entry's pattern.
        src: String,
    },
    /// A method or header name holds a character that none can hold.
    #[error("`{found}` is neither a method nor a header name")]
    NotAToken {
        /// What was written.
        found: String,
    },
    /// The `src` is not a pattern.
    #[error(transparent)]
    Pattern(#[from] PatternError),
}

/// An entry of `origins`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum OriginPattern {
    /// `*`: every origin.
    Any,
    /// `self`: every URL of this project.
    Own,
    /// One origin, `https://app.example.com`.
    Exact(String),
    /// `https://*.example.com`: every host one or more labels below, not the domain itself.
    Subdomains {
        /// `https://`
        scheme: String,
        /// `.example.com`, with a port if one was written.
        suffix: String,
    },
}

impl OriginPattern {
    fn matches(&self, origin: &str, is_own: &impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Own => is_own(origin),
            Self::Exact(exact) => origin == exact,
            Self::Subdomains { scheme, suffix } => {
                let label = origin.strip_prefix(scheme.as_str()).and_then(|host| host.strip_suffix(suffix.as_str()));
                label.is_some_and(|label| {
                    label.split('.').all(|part| {
                        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                    })
                })
            }
        }
    }
}

impl FromStr for OriginPattern {
    type Err = OriginPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || OriginPatternError { found: text.to_owned() };
        match text {
            "*" => return Ok(Self::Any),
            "self" => return Ok(Self::Own),
            _ => {}
        }
        let (scheme, authority) = text.split_once("://").ok_or_else(wrong)?;
        let suffix = authority.strip_prefix('*');
        let host = suffix.map_or(authority, |suffix| suffix.strip_prefix('.').unwrap_or(""));
        let valid = matches!(scheme, "http" | "https")
            && !host.is_empty()
            && host.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b':' | b'[' | b']'));
        match (valid, suffix) {
            (false, _) => Err(wrong()),
            (true, Some(suffix)) => Ok(Self::Subdomains { scheme: format!("{scheme}://"), suffix: suffix.to_owned() }),
            (true, None) => Ok(Self::Exact(text.to_owned())),
        }
    }
}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Own => f.write_str("self"),
            Self::Exact(exact) => f.write_str(exact),
            Self::Subdomains { scheme, suffix } => write!(f, "{scheme}*{suffix}"),
        }
    }
}

serde_through_text!(OriginPattern);

/// The text is not an origin pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not an origin: expected `https://app.example.com`, `https://*.example.com`, `self` or `*`, in lower case and without a path"
)]
pub struct OriginPatternError {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(origins: &[&str], credentials: Credentials) -> Result<CorsRule, CorsRuleError> {
        let origins = origins.iter().map(|origin| origin.parse().unwrap()).collect();
        CorsRule::new("/api/(.*)", origins, vec!["GET".into()], vec![], credentials, 7200)
    }

    /// Only exact matches are allowed: no prefix, suffix, `null` or sibling domain slips through.
    #[test]
    fn origins() {
        let rule = rule(&["https://app.example.com", "https://*.example.org"], Credentials::Omitted).unwrap();
        let allows = |origin: &str| rule.allows_origin(origin, |_| false);
        assert!(allows("https://app.example.com"));
        assert!(allows("https://a.b.example.org"));
        for origin in [
            "null",
            "http://app.example.com",
            "https://app.example.com.evil.test",
            "https://app.example.com:8443",
            "https://example.org",
            "https://evil.test/.example.org",
            "https://evil.test#.example.org",
            "https://.example.org",
            "https://evilexample.org",
        ] {
            assert!(!allows(origin), "{origin}");
        }
    }

    /// The combination that would open a site to every page is a configuration error.
    #[test]
    fn any_origin_with_credentials() {
        assert!(rule(&["*"], Credentials::Omitted).unwrap().allows_any_origin());
        let error = rule(&["self", "*"], Credentials::Allowed).unwrap_err();
        assert!(matches!(error, CorsRuleError::AnyOriginWithCredentials { .. }));
    }
}
