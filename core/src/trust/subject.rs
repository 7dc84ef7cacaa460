//! Patterns of subjects.

use std::fmt;
use std::str::FromStr;

use super::issuer::Platform;
use super::repository::RepositoryName;
use crate::text::serde_through_text;

/// The longest pattern, in bytes.
const MAX_BYTES: usize = 500;

/// What the subject of an identity has to be: a text, or with a `*` at the end of the pattern what it begins with.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct SubjectPattern {
    text: Box<str>,
}

impl SubjectPattern {
    /// Whether a subject fits.
    pub fn fits(&self, subject: &str) -> bool {
        match self.text.strip_suffix('*') {
            Some(beginning) => subject.starts_with(beginning),
            None => *self.text == *subject,
        }
    }

    /// Whether everybody whom it fits is of one repository, as far as the platform's words for subjects say. Where the words are not
    /// known, only a pattern without a `*` is sure of that.
    pub(super) fn fixes_repository(&self, platform: Platform) -> bool {
        let (beginning, is_depth) = match platform {
            Platform::GitHub => ("repo:", (|depth| depth == 2) as fn(usize) -> bool),
            Platform::GitLab => ("project_path:", (|depth| depth >= 2) as fn(usize) -> bool),
            Platform::Other => return !self.text.ends_with('*'),
        };
        let named = self.text.strip_prefix(beginning).and_then(|rest| rest.split_once(':'));
        let repository = named.and_then(|(name, _)| name.parse::<RepositoryName>().ok());
        repository.is_some_and(|repository| is_depth(repository.depth()))
    }
}

impl FromStr for SubjectPattern {
    type Err = ParseSubjectPatternError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let beginning = text.strip_suffix('*').unwrap_or(text);
        let is_plain = !beginning.contains('*') && !text.chars().any(char::is_control);
        if !beginning.trim().is_empty() && text.len() <= MAX_BYTES && is_plain {
            return Ok(Self { text: text.into() });
        }
        Err(ParseSubjectPatternError { found: text.chars().take(100).collect() })
    }
}

impl fmt::Display for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for SubjectPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubjectPattern({})", self.text)
    }
}

serde_through_text!(SubjectPattern);

/// The text is no pattern of subjects.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no pattern of subjects: expected a subject, or the beginning of one and a `*` at the end")]
pub struct ParseSubjectPatternError {
    found: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> SubjectPattern {
        text.parse().unwrap()
    }

    /// A pattern that fits everybody is none; a `*` stands at the end alone.
    #[test]
    fn patterns() {
        for text in ["", "*", " *", "**", "a*b", "repo:*/blue:*", "a\nb"] {
            assert!(text.parse::<SubjectPattern>().is_err(), "{text}");
        }
        assert!(pattern("repo:acme/blue:*").fits("repo:acme/blue:ref:refs/heads/main"));
        assert!(!pattern("repo:acme/blue:*").fits("repo:acme/blue-evil:ref:refs/heads/main"));
        assert!(pattern("job").fits("job") && !pattern("job").fits("job2") && !pattern("job").fits("Job"));
    }

    /// Whoever may choose an owner or a repository may not choose one that fits.
    #[test]
    fn one_repository() {
        use Platform::{GitHub, GitLab, Other};
        for (text, platform, fixes) in [
            ("repo:acme/blue:*", GitHub, true),
            ("repo:acme/blue:ref:refs/heads/main", GitHub, true),
            ("repo:acme/blue*", GitHub, false),
            ("repo:acme/*", GitHub, false),
            ("repo:*", GitHub, false),
            ("repo:acme/blue", GitHub, false),
            ("repo:acme/blue/x:*", GitHub, false),
            ("environment:production", GitHub, false),
            ("project_path:acme/blue:*", GitHub, false),
            ("project_path:acme/blue:*", GitLab, true),
            ("project_path:acme/teams/blue:ref_type:branch:ref:main", GitLab, true),
            ("project_path:acme/*", GitLab, false),
            ("repo:acme/blue:*", GitLab, false),
            ("repo:acme/blue:*", Other, false),
            ("system:serviceaccount:ci:deployer", Other, true),
        ] {
            assert_eq!(pattern(text).fixes_repository(platform), fixes, "{text}");
        }
    }

    proptest! {
        /// A pattern that is taken for GitHub fits no subject of another repository.
        #[test]
        fn no_other_repository(text in "repo:[a-b*/:]{1,8}", subject in "repo:[a-b]{1,2}/[a-b]{1,2}:[a-b]{0,2}") {
            let Ok(pattern) = text.parse::<SubjectPattern>() else { return Ok(()) };
            if pattern.fixes_repository(Platform::GitHub) && pattern.fits(&subject) {
                let name = |text: &str| text.split(':').nth(1).map(str::to_owned);
                prop_assert_eq!(name(&text), name(&subject));
            }
        }
    }
}
