//! Host labels: the first label of a site's host name, made of a project and what of it is meant.

use std::fmt;
use std::str::FromStr;

use crate::DeploymentId;
use crate::digest::Digest;
use crate::name::{BranchName, MAX_LABEL_BYTES, ProjectName};
use crate::text::serde_through_text;

/// One DNS label that names a site on a host: `date-weather`, `date-weather-git-main` or `date-weather-k3v9x2ab`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostLabel(Box<str>);

impl HostLabel {
    /// The label of a project's production site.
    pub fn production(project: &ProjectName) -> Self {
        Self(project.as_str().into())
    }

    /// The label of the newest deployment on a branch.
    ///
    /// The branch is lowered, every run of other characters becomes one `-`, and a label over 63 characters is cut and ends
    /// in `-` and six hexadecimal digits of a digest of the full name.
    pub fn branch(project: &ProjectName, branch: &BranchName) -> Self {
        let label = format!("{project}-git-{}", slug(branch.as_str()));
        if label.len() <= MAX_LABEL_BYTES && !label.ends_with('-') {
            return Self(label.into());
        }
        Self::branch_with_digest(project, branch)
    }

    /// The label of a branch whose plain label already belongs to another name: always with the digest.
    pub fn branch_with_digest(project: &ProjectName, branch: &BranchName) -> Self {
        let label = format!("{project}-git-{}", slug(branch.as_str()));
        Self::cut(&label, &format!("git\0{project}\0{branch}"))
    }

    /// The label of one very deployment, with the first `id_chars` characters of its id.
    pub fn deployment(project: &ProjectName, id: &DeploymentId, id_chars: usize) -> Self {
        let short = id.prefix(id_chars);
        let room = MAX_LABEL_BYTES - short.len() - 1;
        if project.as_str().len() <= room {
            return Self(format!("{project}-{short}").into());
        }
        let cut = Self::cut_to(project.as_str(), &format!("project\0{project}"), room);
        Self(format!("{cut}-{short}").into())
    }

    /// The label as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn cut(label: &str, full_name: &str) -> Self {
        Self(Self::cut_to(label, full_name, MAX_LABEL_BYTES).into())
    }

    fn cut_to(label: &str, full_name: &str, room: usize) -> String {
        let digest = &Digest::of(full_name.as_bytes()).to_hex()[..6];
        let kept = &label[..label.len().min(room - digest.len() - 1)];
        format!("{}-{digest}", kept.trim_end_matches('-'))
    }
}

/// Lower case, every run of other characters than `a-z0-9` one `-`, trimmed.
pub(crate) fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for character in text.chars().flat_map(char::to_lowercase) {
        if character.is_ascii_alphanumeric() {
            slug.push(character);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

impl FromStr for HostLabel {
    type Err = ParseHostLabelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let valid = !text.is_empty()
            && text.len() <= MAX_LABEL_BYTES
            && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !text.starts_with('-')
            && !text.ends_with('-');
        if valid { Ok(Self(text.into())) } else { Err(ParseHostLabelError { found: text.to_owned() }) }
    }
}

impl fmt::Display for HostLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for HostLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostLabel({})", self.0)
    }
}

impl std::borrow::Borrow<str> for HostLabel {
    fn borrow(&self) -> &str {
        &self.0
    }
}

serde_through_text!(HostLabel);

/// The text is not one DNS label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a host label: expected 1 to 63 of a to z, 0 to 9 and `-`, not starting or ending with `-`")]
pub struct ParseHostLabelError {
    found: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn project(text: &str) -> ProjectName {
        text.parse().unwrap()
    }

    fn branch(text: &str) -> BranchName {
        text.parse().unwrap()
    }

    /// The examples of the contract.
    #[test]
    fn branch_labels() {
        let site = project("date-weather");
        assert_eq!(HostLabel::branch(&site, &branch("feature/new-map")).as_str(), "date-weather-git-feature-new-map");
        assert_eq!(HostLabel::branch(&site, &branch("Fix__UTF-8!")).as_str(), "date-weather-git-fix-utf-8");
        assert_eq!(
            HostLabel::branch_with_digest(&site, &branch("feature/new/map")).as_str(),
            "date-weather-git-feature-new-map-89c72c"
        );
    }

    /// A branch that has no character a label can hold still gets a label, by its digest.
    #[test]
    fn unspeakable_branch() {
        let site = project("a");
        let label = HostLabel::branch(&site, &branch("日本"));
        assert!(label.as_str().starts_with("a-git-"), "{label}");
        assert_ne!(label, HostLabel::branch(&site, &branch("中国")));
    }

    proptest! {
        /// Whatever the names, the label is one that DNS takes.
        #[test]
        fn labels_are_dns_labels(name in "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", text in "[^\\s\\p{C}]{1,80}") {
            let site = project(&name);
            let Ok(branch) = text.parse::<BranchName>() else { return Ok(()) };
            let id = DeploymentId::of_bytes(text.as_bytes());
            for label in [
                HostLabel::branch(&site, &branch),
                HostLabel::branch_with_digest(&site, &branch),
                HostLabel::deployment(&site, &id, 8),
                HostLabel::production(&site),
            ] {
                prop_assert!(label.as_str().parse::<HostLabel>().is_ok(), "{}", label);
            }
        }

        /// Two long branches that share their beginning never meet.
        #[test]
        fn long_branches_stay_apart(left in "[a-z]{1,20}", right in "[a-z]{1,20}") {
            prop_assume!(left != right);
            let site = project("site");
            let long = "x".repeat(70);
            let of = |end: &str| HostLabel::branch(&site, &branch(&format!("{long}{end}")));
            prop_assert_ne!(of(&left), of(&right));
        }
    }
}
