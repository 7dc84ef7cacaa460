//! Where a deployment comes from: the branch and the commit, as the command line, the CI system or git say.

mod ci;
mod git;

use std::path::Path;

use ship_core::{AuthorName, BranchName, CommitSubject, ParseBranchNameError};

use crate::settings::environment::Environment;

/// The branch and the commit of a project folder.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Source {
    /// The branch, none if no branch is checked out.
    pub(crate) branch: Option<BranchName>,
    /// The commit, as git names it.
    pub(crate) commit: Option<String>,
}

/// Whether git would leave a file out of a commit.
pub(crate) fn is_ignored_by_git(file: &Path, environment: &Environment) -> bool {
    git::is_ignored(file, environment)
}

/// Who wrote a commit of the project at `root`, and the first line of its message. Git is started for it, so it is for deployments that
/// are new.
pub(crate) fn said_of(
    root: &Path,
    commit: &str,
    environment: &Environment,
) -> (Option<AuthorName>, Option<CommitSubject>) {
    git::said_of(root, commit, environment)
}

impl Source {
    /// The source of the project at `root`: the branch is `given`, else the CI system's, else git's; the commit is git's,
    /// else the CI system's.
    pub(crate) fn detect(
        root: &Path,
        given: Option<BranchName>,
        environment: &Environment,
    ) -> Result<Self, ParseBranchNameError> {
        let git = git::head(root, environment);
        let commit = git.commit.or_else(|| ci::commit(environment));
        let branch = match given {
            Some(branch) => Some(branch),
            None => match ci::branch(environment) {
                ci::CiBranch::Branch(name) => Some(name.parse()?),
                ci::CiBranch::Tag => None,
                ci::CiBranch::NoCi => git.branch.map(|name| name.parse()).transpose()?,
            },
        };
        Ok(Self { branch, commit })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::environment::{CI_COMMIT_SHA, GITHUB_HEAD_REF, GITHUB_REF_NAME, GITHUB_REF_TYPE};

    fn project_on(branch: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join(".git")).unwrap();
        fs_err::write(folder.path().join(".git/HEAD"), format!("ref: refs/heads/{branch}\n")).unwrap();
        folder
    }

    fn branch(given: Option<&str>, environment: &Environment) -> Option<String> {
        let folder = project_on("from-git");
        let given = given.map(|name| name.parse().unwrap());
        Source::detect(folder.path(), given, environment).unwrap().branch.map(|branch| branch.to_string())
    }

    /// `--branch` wins over the CI system, which wins over git; a tag that is built is no branch.
    #[test]
    fn precedence() {
        let pull_request = Environment::from([(GITHUB_HEAD_REF, "from-ci"), (GITHUB_REF_NAME, "7/merge")]);
        let tag = Environment::from([(GITHUB_REF_NAME, "v1.0.0"), (GITHUB_REF_TYPE, "tag")]);
        assert_eq!(branch(Some("given"), &pull_request).as_deref(), Some("given"));
        assert_eq!(branch(None, &pull_request).as_deref(), Some("from-ci"));
        assert_eq!(branch(None, &tag), None);
        assert_eq!(branch(None, &Environment::default()).as_deref(), Some("from-git"));
    }

    /// Without git, the CI system still knows the commit.
    #[test]
    fn commit_from_ci() {
        let folder = tempfile::tempdir().unwrap();
        let environment = Environment::from([(CI_COMMIT_SHA, "0123abc")]);
        let source = Source::detect(folder.path(), None, &environment).unwrap();
        assert_eq!(source, Source { branch: None, commit: Some("0123abc".into()) });
    }

    /// A branch below long folders has the name that git gives it, which is cut only where it becomes a label.
    #[test]
    fn long_branch() {
        let long = ["feature"; 60].join("/");
        let folder = project_on(&long);
        let source = Source::detect(folder.path(), None, &Environment::default()).unwrap();
        assert_eq!(source.branch.map(|branch| branch.to_string()), Some(long));
    }

    /// A name that no branch can have is refused rather than cut.
    #[test]
    fn impossible_branch() {
        let environment = Environment::from([(GITHUB_REF_NAME, "two words")]);
        let folder = tempfile::tempdir().unwrap();
        assert!(Source::detect(folder.path(), None, &environment).is_err());
    }
}
