//! What was committed, in the words of who did.

use std::fmt;
use std::str::FromStr;

use crate::text::{serde_through_text, words};

/// The first line of a commit's message.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CommitSubject(Box<str>);

impl CommitSubject {
    /// The longest subject, in characters. Git has no bound; what is longer is cut.
    pub const CHARACTERS: usize = 200;

    /// The subject as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CommitSubject {
    type Err = ParseCommitSubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let line = text.trim().lines().next().unwrap_or_default();
        words(line, Self::CHARACTERS).map(Self).ok_or(ParseCommitSubjectError)
    }
}

impl fmt::Display for CommitSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CommitSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommitSubject({})", self.0)
    }
}

serde_through_text!(CommitSubject);

/// The text says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this says nothing of a commit: expected at least one character")]
pub struct ParseCommitSubjectError;

#[cfg(test)]
mod tests {
    use super::*;

    /// One line without what a terminal would obey, and no longer than a person reads in a list.
    #[test]
    fn subjects() {
        let subject = |text: &str| text.parse::<CommitSubject>().map(|subject| subject.to_string());
        assert_eq!(subject("\nA larger garden\n\nWith roses.\n"), Ok("A larger garden".to_owned()));
        assert_eq!(subject("Größer\u{1b}[2J"), Ok("Größer[2J".to_owned()));
        assert_eq!(subject(&"x".repeat(1_000)).unwrap().len(), CommitSubject::CHARACTERS);
        let nothing = Err(ParseCommitSubjectError);
        assert_eq!((subject(""), subject(" \u{7}")), (nothing.clone(), nothing));
    }
}
