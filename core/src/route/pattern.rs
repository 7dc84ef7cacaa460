//! Patterns over paths: regular expressions with lookaheads, bounded in the steps they may take.

use std::fmt;

use fancy_regex::{Captures, Regex, RegexBuilder};

/// How many steps a pattern with lookaheads or backreferences may take on one path. A hostile path makes such a pattern take
/// exponentially many; at this bound it has cost about a millisecond and the request is refused.
const BACKTRACK_LIMIT: usize = 20_000;

/// The longest pattern, in bytes: what `vercel.json` accepts for a source.
const MAX_PATTERN_BYTES: usize = 4096;

/// The largest compiled program, in bytes: `(a{1000}){1000}` is short to write and enormous to hold.
const MAX_PROGRAM_BYTES: usize = 1 << 20;

/// Whether upper and lower case differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CaseRule {
    /// They differ.
    Sensitive,
    /// They do not: the default of the Build Output API.
    Insensitive,
}

/// A compiled pattern, anchored at both ends.
#[derive(Clone)]
pub struct Pattern {
    regex: Regex,
    case: CaseRule,
    written: Box<str>,
}

impl Pattern {
    /// Compiles `written`, adding `^` and `$` where they are missing.
    pub fn anchored(written: &str, case: CaseRule) -> Result<Self, PatternError> {
        let error = |reason: String| PatternError { pattern: written.chars().take(200).collect(), reason };
        if written.len() > MAX_PATTERN_BYTES {
            return Err(error(format!("it is longer than {MAX_PATTERN_BYTES} bytes")));
        }
        let inner = written.strip_prefix('^').unwrap_or(written);
        let inner = if inner.ends_with("\\$") { inner } else { inner.strip_suffix('$').unwrap_or(inner) };
        let flags = if case == CaseRule::Insensitive { "(?i)" } else { "" };
        let regex = RegexBuilder::new(&format!("{flags}^(?:{inner})$"))
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(MAX_PROGRAM_BYTES)
            .build()
            .map_err(|cause| error(cause.to_string()))?;
        Ok(Self { regex, case, written: written.into() })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// Whether upper and lower case differ.
    pub fn case(&self) -> CaseRule {
        self.case
    }

    /// Whether `text` matches as a whole.
    pub fn is_match(&self, text: &str) -> Result<bool, PatternExhausted> {
        self.regex.is_match(text).map_err(|_| PatternExhausted)
    }

    /// The groups of `text`, if it matches as a whole.
    pub(crate) fn captures<'t>(&self, text: &'t str) -> Result<Option<Captures<'t, str>>, PatternExhausted> {
        self.regex.captures(text).map_err(|_| PatternExhausted)
    }

    /// The names of the pattern's groups, in order, `None` for one without a name.
    pub(crate) fn group_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.regex.capture_names()
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.written == other.written && self.case == other.case
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.written)
    }
}

/// The text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` does not compile: {reason}")]
pub struct PatternError {
    pattern: String,
    reason: String,
}

/// The pattern took more steps than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pattern took more than {BACKTRACK_LIMIT} steps")]
pub struct PatternExhausted;

#[cfg(test)]
mod tests {
    use super::*;

    /// Anchors are added once, and an escaped dollar stays a dollar.
    #[test]
    fn anchors() {
        let matches =
            |pattern: &str, text: &str| Pattern::anchored(pattern, CaseRule::Sensitive).unwrap().is_match(text);
        assert_eq!(matches("/a", "/ab"), Ok(false));
        assert_eq!(matches("^/a$", "/a"), Ok(true));
        assert_eq!(matches("/a|/b", "/bc"), Ok(false));
        assert_eq!(matches("/cost\\$", "/cost$"), Ok(true));
        assert_eq!(matches("^(?!/api).*$", "/api/x"), Ok(false));
        assert_eq!(matches("^(?!/api).*$", "/x"), Ok(true));
    }

    /// A pattern that explodes on a path is stopped, not waited for.
    #[test]
    fn exhaustion() {
        let pattern = Pattern::anchored("(?=(a+)+$)(a|a)*b", CaseRule::Sensitive).unwrap();
        assert_eq!(pattern.is_match(&"a".repeat(64)), Err(PatternExhausted));
    }

    /// A pattern that is short to write and enormous to hold does not compile.
    #[test]
    fn enormous_program() {
        assert!(Pattern::anchored("((a{500}){500}){500}", CaseRule::Sensitive).is_err());
    }
}
