//! What CI systems say in environment variables.

use crate::settings::environment::{
    BITBUCKET_BRANCH, BITBUCKET_COMMIT, BRANCH_NAME, BUILDKITE_BRANCH, BUILDKITE_COMMIT, CF_PAGES_BRANCH,
    CF_PAGES_COMMIT_SHA, CHANGE_BRANCH, CI_COMMIT_BRANCH, CI_COMMIT_REF_NAME, CI_COMMIT_SHA, CI_COMMIT_TAG,
    CI_MERGE_REQUEST_SOURCE_BRANCH_NAME, CIRCLE_BRANCH, CIRCLE_SHA1, DRONE_BRANCH, DRONE_COMMIT_SHA, Environment,
    GIT_COMMIT, GITHUB_HEAD_REF, GITHUB_REF_NAME, GITHUB_REF_TYPE, GITHUB_SHA, VERCEL_GIT_COMMIT_REF,
    VERCEL_GIT_COMMIT_SHA, Variable,
};

/// Variables that hold a branch, those of a pull request's own branch before those of what it is merged into.
const BRANCHES: [Variable; 13] = [
    GITHUB_HEAD_REF,
    GITHUB_REF_NAME,
    CI_MERGE_REQUEST_SOURCE_BRANCH_NAME,
    CI_COMMIT_BRANCH,
    CI_COMMIT_REF_NAME,
    VERCEL_GIT_COMMIT_REF,
    CF_PAGES_BRANCH,
    CIRCLE_BRANCH,
    BUILDKITE_BRANCH,
    BITBUCKET_BRANCH,
    DRONE_BRANCH,
    CHANGE_BRANCH,
    BRANCH_NAME,
];

const COMMITS: [Variable; 9] = [
    GITHUB_SHA,
    CI_COMMIT_SHA,
    VERCEL_GIT_COMMIT_SHA,
    CF_PAGES_COMMIT_SHA,
    CIRCLE_SHA1,
    BUILDKITE_COMMIT,
    BITBUCKET_COMMIT,
    DRONE_COMMIT_SHA,
    GIT_COMMIT,
];

/// What a CI system says about the branch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum CiBranch {
    /// This branch is built.
    Branch(String),
    /// A tag is built, and no branch.
    Tag,
    /// No CI system runs here.
    NoCi,
}

pub(super) fn branch(environment: &Environment) -> CiBranch {
    let tag_on_github = environment.text(GITHUB_REF_TYPE) == Some("tag");
    if tag_on_github || environment.raw(CI_COMMIT_TAG).is_some() {
        return CiBranch::Tag;
    }
    let branch = BRANCHES.iter().find_map(|variable| environment.text(*variable));
    branch.map_or(CiBranch::NoCi, |branch| CiBranch::Branch(branch.to_owned()))
}

pub(super) fn commit(environment: &Environment) -> Option<String> {
    COMMITS.iter().find_map(|variable| environment.text(*variable)).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each variable is heard where it is the only one.
    #[test]
    fn every_variable_counts() {
        for variable in BRANCHES {
            let environment = Environment::from([(variable, "feature/new-map")]);
            assert_eq!(branch(&environment), CiBranch::Branch("feature/new-map".into()), "{}", variable.name);
        }
        for variable in COMMITS {
            assert_eq!(commit(&Environment::from([(variable, "abc")])).as_deref(), Some("abc"), "{}", variable.name);
        }
        let gitlab_tag = Environment::from([(CI_COMMIT_REF_NAME, "v1"), (CI_COMMIT_TAG, "v1")]);
        assert_eq!((branch(&gitlab_tag), branch(&Environment::default())), (CiBranch::Tag, CiBranch::NoCi));
    }
}
