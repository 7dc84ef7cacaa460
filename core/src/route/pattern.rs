//! Patterns over paths: regular expressions with lookaheads, bounded in the steps they may take.

use std::fmt;
use std::sync::{Arc, OnceLock};

use fancy_regex::{Captures, Regex, RegexBuilder};

/// How many steps a pattern with lookaheads or backreferences may take on one path. A hostile path makes such a pattern take
/// exponentially many; at this bound it has cost about a millisecond and the request is refused.
const BACKTRACK_LIMIT: usize = 20_000;

/// The longest pattern, in bytes: what `vercel.json` accepts for a source.
const MAX_PATTERN_BYTES: usize = 4096;

/// The largest compiled program, in bytes: `(a{1000}){1000}` is short to write and enormous to hold.
const MAX_PROGRAM_BYTES: usize = 1 << 20;

/// What only a backtracking matcher can decide. The first two characters of each are enough to tell.
const HARD_PARTS: [&str; 8] = ["(?=", "(?!", "(?<=", "(?<!", "(?>", "\\k", "++", "*+"];

/// Whether upper and lower case differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CaseRule {
    /// They differ.
    Sensitive,
    /// They do not: the default of the Build Output API.
    Insensitive,
}

/// A pattern, anchored at both ends.
///
/// Its program is compiled when a text first gets past its literal beginning, so a table of ten thousand routes costs what its
/// text takes until somebody asks for them.
#[derive(Clone)]
pub struct Pattern {
    shared: Arc<Shared>,
}

struct Shared {
    written: Box<str>,
    case: CaseRule,
    /// What every matching text begins with, in lower case where case does not matter.
    beginning: Box<str>,
    /// What follows the beginning, where no program is needed to match it.
    plain_rest: Option<PlainRest>,
    is_hard: bool,
    program: OnceLock<Option<Regex>>,
}

/// What most patterns have after their literal beginning. It is matched without a program: compiling one takes half a
/// millisecond, a fifth of what it takes to wake a function.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PlainRest {
    /// Nothing.
    Nothing,
    /// `(.*)`.
    Anything,
    /// `(?:/(.*))`, as path-to-regexp writes `/(.*)`.
    BelowFolder,
}

impl PlainRest {
    fn of(pattern: &str, beginning: &str, case: CaseRule) -> Option<Self> {
        match (case, pattern.strip_prefix(beginning)?) {
            (CaseRule::Sensitive, "") => Some(Self::Nothing),
            (CaseRule::Sensitive, "(.*)") => Some(Self::Anything),
            (CaseRule::Sensitive, "(?:/(.*))") => Some(Self::BelowFolder),
            _ => None,
        }
    }

    fn matches(self, rest: &str) -> bool {
        // A dot matches no line feed.
        let is_line = |text: &str| !text.contains('\n');
        match self {
            Self::Nothing => rest.is_empty(),
            Self::Anything => is_line(rest),
            Self::BelowFolder => rest.strip_prefix('/').is_some_and(is_line),
        }
    }
}

impl Pattern {
    /// Reads `written`, adding `^` and `$` where they are missing. Its syntax is checked, its size is not: see
    /// [`Pattern::check_size`].
    pub fn anchored(written: &str, case: CaseRule) -> Result<Self, PatternError> {
        if written.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::new(written, format!("it is longer than {MAX_PATTERN_BYTES} bytes")));
        }
        fancy_regex::Expr::parse_tree(inner(written)).map_err(|cause| PatternError::new(written, cause.to_string()))?;
        let beginning = literal_beginning(inner(written), case);
        let shared = Shared {
            written: written.into(),
            case,
            plain_rest: PlainRest::of(inner(written), &beginning, case),
            beginning: beginning.into(),
            is_hard: is_hard(written),
            program: OnceLock::new(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Says whether the pattern compiles within its bounds, and keeps nothing of it. To be asked once, where a pattern enters
    /// the system.
    pub fn check_size(&self) -> Result<(), PatternError> {
        self.shared.compile().map(drop).map_err(|cause| PatternError::new(self.as_str(), cause.to_string()))
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.shared.written
    }

    /// Whether upper and lower case differ.
    pub fn case(&self) -> CaseRule {
        self.shared.case
    }

    /// Whether the pattern may take many steps on a short text.
    pub(crate) fn is_hard(&self) -> bool {
        self.shared.is_hard
    }

    /// Whether `text` matches as a whole.
    pub fn is_match(&self, text: &str) -> Result<bool, PatternExhausted> {
        match self.shared.plain_rest {
            Some(plain) => Ok(text.strip_prefix(&*self.shared.beginning).is_some_and(|rest| plain.matches(rest))),
            None => Ok(self.captures(text)?.is_some()),
        }
    }

    /// The groups of `text`, if it matches as a whole.
    pub(crate) fn captures<'t>(&self, text: &'t str) -> Result<Option<Captures<'t, str>>, PatternExhausted> {
        if !self.may_match(text) {
            return Ok(None);
        }
        let program = self.shared.program().ok_or(PatternExhausted)?;
        program.captures(text).map_err(|_| PatternExhausted)
    }

    /// Whether `text` begins as every match does.
    pub(crate) fn may_match(&self, text: &str) -> bool {
        let beginning = self.shared.beginning.as_bytes();
        text.as_bytes().get(..beginning.len()).is_some_and(|start| match self.shared.case {
            CaseRule::Sensitive => start == beginning,
            CaseRule::Insensitive => start.eq_ignore_ascii_case(beginning),
        })
    }

    /// The names of the pattern's groups, in order, `None` for one without a name.
    pub(crate) fn group_names(&self) -> impl Iterator<Item = Option<&str>> {
        self.shared.program().into_iter().flat_map(Regex::capture_names)
    }
}

impl Shared {
    fn program(&self) -> Option<&Regex> {
        self.program.get_or_init(|| self.compile().ok()).as_ref()
    }

    fn compile(&self) -> Result<Regex, fancy_regex::Error> {
        let flags = if self.case == CaseRule::Insensitive { "(?i)" } else { "" };
        RegexBuilder::new(&format!("{flags}^(?:{})$", inner(&self.written)))
            .backtrack_limit(BACKTRACK_LIMIT)
            .delegate_size_limit(MAX_PROGRAM_BYTES)
            .build()
    }
}

/// The pattern without the anchors at its ends.
fn inner(written: &str) -> &str {
    let inner = written.strip_prefix('^').unwrap_or(written);
    if inner.ends_with("\\$") { inner } else { inner.strip_suffix('$').unwrap_or(inner) }
}

/// The literal text that every match of `pattern` begins with; nothing where the pattern has alternatives or is unclear.
fn literal_beginning(pattern: &str, case: CaseRule) -> String {
    if pattern.contains('|') || (case == CaseRule::Insensitive && !pattern.is_ascii()) {
        return String::new();
    }
    let is_literal =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'_' | b'%' | b'~' | b',');
    let mut length = pattern.bytes().take_while(|byte| is_literal(byte)).count();
    // What follows the last character may make it optional or repeat it.
    if matches!(pattern.as_bytes().get(length), Some(b'*' | b'+' | b'?' | b'{')) {
        length = length.saturating_sub(1);
    }
    // `k` and `s` have relatives outside of ASCII that match them where case does not matter.
    let kept = &pattern[..length];
    match kept.find(|character| case == CaseRule::Insensitive && matches!(character, 'k' | 'K' | 's' | 'S')) {
        Some(at) => kept[..at].to_owned(),
        None => kept.to_owned(),
    }
}

fn is_hard(pattern: &str) -> bool {
    let has_backreference =
        pattern.as_bytes().windows(2).any(|pair| pair[0] == b'\\' && matches!(pair[1], b'1'..=b'9'));
    has_backreference || HARD_PARTS.iter().any(|part| pattern.contains(part))
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.shared.written == other.shared.written && self.shared.case == other.shared.case
    }
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pattern({})", self.as_str())
    }
}

/// The text is not a pattern, or is one that takes too much to match.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the pattern `{pattern}` does not compile: {reason}")]
pub struct PatternError {
    pattern: String,
    reason: String,
}

impl PatternError {
    fn new(written: &str, reason: String) -> Self {
        Self { pattern: written.chars().take(200).collect(), reason }
    }
}

/// The pattern took more steps than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pattern took more than {BACKTRACK_LIMIT} steps")]
pub struct PatternExhausted;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(written: &str) -> Pattern {
        Pattern::anchored(written, CaseRule::Sensitive).unwrap()
    }

    /// Anchors are added once, and an escaped dollar stays a dollar.
    #[test]
    fn anchors() {
        let matches = |written: &str, text: &str| pattern(written).is_match(text);
        assert_eq!(matches("/a", "/ab"), Ok(false));
        assert_eq!(matches("^/a$", "/a"), Ok(true));
        assert_eq!(matches("/a|/b", "/bc"), Ok(false));
        assert_eq!(matches("/cost\\$", "/cost$"), Ok(true));
        assert_eq!(matches("^(?!/api).*$", "/api/x"), Ok(false));
        assert_eq!(matches("^(?!/api).*$", "/x"), Ok(true));
    }

    /// A pattern that explodes on a path is stopped, not waited for, and known as one that might.
    #[test]
    fn exhaustion() {
        let pattern = pattern("(?=(a+)+$)(a|a)*b");
        assert!(pattern.is_hard());
        assert_eq!(pattern.is_match(&"a".repeat(64)), Err(PatternExhausted));
    }

    /// A pattern that is short to write and enormous to hold is refused where it enters, and matches nothing if it did not.
    #[test]
    fn enormous_program() {
        let pattern = pattern("((a{500}){500}){500}");
        assert!(pattern.check_size().is_err());
        assert_eq!(pattern.is_match("a"), Err(PatternExhausted));
    }

    /// What a pattern surely begins with is never more than that.
    #[test]
    fn beginnings() {
        let beginning = |written: &str, case| literal_beginning(inner(written), case);
        assert_eq!(beginning("^/api/users/([^/]+)$", CaseRule::Sensitive), "/api/users/");
        assert_eq!(beginning("/docs?", CaseRule::Sensitive), "/doc");
        assert_eq!(beginning("/a|/b", CaseRule::Sensitive), "");
        assert_eq!(beginning("/tasks", CaseRule::Insensitive), "/ta");
        assert_eq!(beginning("(?:/a)?", CaseRule::Sensitive), "");
    }

    /// What is matched without a program is matched as with one.
    #[test]
    fn without_a_program() {
        for written in ["/a", "^/a$", "/a(.*)", "^/a(?:/(.*))$", "(.*)", "(?:/(.*))", ""] {
            let pattern = pattern(written);
            assert!(pattern.shared.plain_rest.is_some(), "{written}");
            for text in ["", "/", "/a", "/A", "/ab", "/a/", "/a/b", "/a/b/", "/a\n", "/a/\n", "/a/b\nc", "/b", "a"] {
                let with_program = pattern.shared.compile().unwrap().is_match(text).unwrap();
                assert_eq!(pattern.is_match(text), Ok(with_program), "{written:?} on {text:?}");
            }
        }
        for written in ["/a.*", "/a?", "/a.b", "/a(.*)x", "/(a)"] {
            assert_eq!(pattern(written).shared.plain_rest, None, "{written}");
        }
        assert_eq!(Pattern::anchored("/a(.*)", CaseRule::Insensitive).unwrap().shared.plain_rest, None);
    }

    proptest! {
        /// The literal beginning never turns a match into none.
        #[test]
        fn beginnings_lose_nothing(written in "(/|[a-ck]|[a-ck]\\*|b\\?|\\(a\\)|\\.|K){1,8}", text in "[/a-cKk\u{212a}]{0,8}") {
            for case in [CaseRule::Sensitive, CaseRule::Insensitive] {
                let Ok(pattern) = Pattern::anchored(&written, case) else { continue };
                let plain = pattern.shared.compile().unwrap().is_match(&text).unwrap();
                prop_assert_eq!(pattern.is_match(&text), Ok(plain), "{} on {}", written, text);
            }
        }
    }
}
