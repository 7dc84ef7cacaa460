//! Names that people give: projects and branches.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_through_text;

/// The longest DNS label (RFC 1035, section 2.3.4).
pub(crate) const MAX_LABEL_BYTES: usize = 63;

/// The name of a project: one DNS label, because it becomes the host name of the project's production site.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProjectName(Box<str>);

impl ProjectName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The nearest valid name to `text`, or `None` if nothing of it can stand in a DNS label. A folder `My Site_2` becomes
    /// `my-site-2`.
    pub fn from_folder_name(text: &str) -> Option<Self> {
        let slug = crate::label::slug(text);
        let cut = slug.get(..slug.len().min(MAX_LABEL_BYTES))?.trim_end_matches('-');
        wrong_in_label(cut).is_none().then(|| Self(cut.into()))
    }
}

/// What keeps `text` from being a DNS label, if anything does.
fn wrong_in_label(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("it is empty")
    } else if text.len() > MAX_LABEL_BYTES {
        Some("it is longer than 63 characters")
    } else if !text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
        Some("only a to z, 0 to 9 and `-` may stand in it")
    } else if text.starts_with('-') || text.ends_with('-') {
        Some("it may not start or end with `-`")
    } else {
        None
    }
}

impl FromStr for ProjectName {
    type Err = ParseProjectNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(reason) = wrong_in_label(text) else { return Ok(Self(text.into())) };
        let nearest = Self::from_folder_name(text).map(|name| name.to_string());
        Err(ParseProjectNameError { found: text.to_owned(), reason, nearest })
    }
}

impl fmt::Display for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ProjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProjectName({})", self.0)
    }
}

serde_through_text!(ProjectName);

/// The text cannot name a project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` cannot name a project: {reason}")]
pub struct ParseProjectNameError {
    found: String,
    reason: &'static str,
    nearest: Option<String>,
}

impl ParseProjectNameError {
    /// A valid name that is close to what was written, for a hint.
    pub fn nearest(&self) -> Option<&str> {
        self.nearest.as_deref()
    }
}

/// The name of a branch as version control gives it, `feature/new-map` for example.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BranchName(Box<str>);

impl BranchName {
    /// The longest accepted name, in bytes: what a path, and so a git ref, can hold. Each part between two `/` may be 255
    /// bytes long.
    pub const MAX_BYTES: usize = 4096;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for BranchName {
    type Err = ParseBranchNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.len() > Self::MAX_BYTES {
            "it is longer than 4096 bytes"
        } else if text.chars().any(|character| character.is_control() || character.is_whitespace()) {
            "it contains white space or a control character"
        } else {
            return Ok(Self(text.into()));
        };
        Err(ParseBranchNameError { found: text.to_owned(), reason })
    }
}

impl fmt::Display for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for BranchName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BranchName({})", self.0)
    }
}

serde_through_text!(BranchName);

/// The text cannot name a branch.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} cannot name a branch: {reason}")]
pub struct ParseBranchNameError {
    found: String,
    reason: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A wrong name says why, and proposes the nearest right one.
    #[test]
    fn project_name_errors() {
        let error = "My_Site".parse::<ProjectName>().unwrap_err();
        assert_eq!(error.to_string(), "`My_Site` cannot name a project: only a to z, 0 to 9 and `-` may stand in it");
        assert_eq!(error.nearest(), Some("my-site"));
        assert_eq!("".parse::<ProjectName>().unwrap_err().nearest(), None);
        assert_eq!("-a".parse::<ProjectName>().unwrap_err().nearest(), Some("a"));
        assert!("a".repeat(64).parse::<ProjectName>().is_err());
        assert!("a".repeat(63).parse::<ProjectName>().is_ok());
    }

    /// A branch may be as long as git's own can be.
    #[test]
    fn long_branch_names() {
        let longest = "a".repeat(BranchName::MAX_BYTES);
        assert_eq!(longest.parse::<BranchName>().map(|name| name.to_string()), Ok(longest.clone()));
        assert_eq!(
            format!("{longest}a").parse::<BranchName>().map_err(|error| error.reason),
            Err("it is longer than 4096 bytes")
        );
    }
}
