//! Which jobs are trusted.

use super::claims::JobClaims;
use super::issuer::{Issuer, Platform};
use super::repository::RepositoryName;
use super::subject::SubjectPattern;
use crate::name::BranchName;

/// The longest name of an environment, in characters: GitHub's limit.
const ENVIRONMENT_CHARACTERS: usize = 255;

/// What has to hold of a job, all of it. Whatever is absent may be anything.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct JobConditions {
    /// Its subject.
    pub subject: Option<SubjectPattern>,
    /// Its repository.
    pub repository: Option<RepositoryName>,
    /// The branch of that repository whose own job it is.
    pub branch: Option<BranchName>,
    /// The environment that it deploys to.
    pub environment: Option<String>,
}

/// Nobody can be trusted on such conditions.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConditionsError {
    /// They hold for everybody whom the issuer vouches for.
    #[error("neither a subject nor a repository is named, so everybody would be trusted whom the issuer vouches for")]
    Everybody,
    /// They hold for repositories of strangers.
    #[error("the subject `{subject}` does not say which repository it is: {expected}")]
    ManyRepositories {
        /// The pattern.
        subject: SubjectPattern,
        /// What it should look like.
        expected: &'static str,
    },
    /// The issuer has other words for where code is kept, if any.
    #[error("what the issuer says of repositories is not known: only subjects can be trusted of `{issuer}`")]
    UnknownWords {
        /// The issuer.
        issuer: Issuer,
    },
    /// GitHub's repositories have an owner and a name.
    #[error("`{repository}` is no repository at GitHub: expected its owner and its name, `acme/blue`")]
    TooDeep {
        /// The repository.
        repository: RepositoryName,
    },
    /// It is said where in a repository, but not in which.
    #[error("a branch or an environment says nothing without the repository")]
    NoRepository,
    /// No environment is called like this.
    #[error("this names no environment: expected 1 to 255 characters, none of them a control character")]
    Environment,
}

impl JobConditions {
    /// Whether an admin may trust an issuer on these conditions: they hold for the jobs of one repository, whoever else the issuer
    /// vouches for.
    pub fn check(&self, issuer: &Issuer) -> Result<(), ConditionsError> {
        if self.subject.is_none() && self.repository.is_none() {
            return Err(ConditionsError::Everybody);
        }
        if let Some(subject) = self.subject.as_ref().filter(|subject| !subject.fixes_repository(issuer.platform())) {
            return Err(ConditionsError::ManyRepositories { subject: subject.clone(), expected: expected(issuer) });
        }
        if self.repository.is_none() && (self.branch.is_some() || self.environment.is_some()) {
            return Err(ConditionsError::NoRepository);
        }
        match (&self.repository, issuer.platform()) {
            (Some(_), Platform::Other) => return Err(ConditionsError::UnknownWords { issuer: issuer.clone() }),
            (Some(repository), Platform::GitHub) if repository.depth() != 2 => {
                return Err(ConditionsError::TooDeep { repository: repository.clone() });
            }
            _ => {}
        }
        let is_name = |name: &String| {
            !name.is_empty() && name.chars().count() <= ENVIRONMENT_CHARACTERS && !name.chars().any(char::is_control)
        };
        if self.environment.as_ref().is_none_or(is_name) { Ok(()) } else { Err(ConditionsError::Environment) }
    }

    /// Whether they hold for a job.
    pub fn hold(&self, platform: Platform, claims: &JobClaims) -> bool {
        let Some(subject) = claims.subject() else { return false };
        let is = |wanted: Option<&str>, found: Option<&str>| wanted.is_none_or(|wanted| found == Some(wanted));
        (self.subject.is_some() || self.repository.is_some())
            && self.subject.as_ref().is_none_or(|pattern| pattern.fits(subject))
            && is(self.repository.as_ref().map(RepositoryName::as_str), claims.repository(platform))
            && is(self.branch.as_ref().map(BranchName::as_str), claims.branch(platform))
            && is(self.environment.as_deref(), claims.environment(platform))
    }
}

fn expected(issuer: &Issuer) -> &'static str {
    match issuer.platform() {
        Platform::GitHub => "expected `repo:OWNER/NAME:` and then what you like",
        Platform::GitLab => "expected `project_path:GROUP/NAME:` and then what you like",
        Platform::Other => "expected a whole subject, without a `*`",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn repository(branch: Option<&str>, environment: Option<&str>) -> JobConditions {
        JobConditions {
            subject: None,
            repository: Some("acme/blue".parse().unwrap()),
            branch: branch.map(|name| name.parse().unwrap()),
            environment: environment.map(str::to_owned),
        }
    }

    fn subject(text: &str) -> JobConditions {
        JobConditions { subject: Some(text.parse().unwrap()), ..JobConditions::default() }
    }

    /// What would trust strangers is refused.
    #[test]
    fn strangers() {
        let check = |issuer: &str, conditions: &JobConditions| conditions.check(&issuer.parse().unwrap());
        assert_eq!(check("github", &JobConditions::default()), Err(ConditionsError::Everybody));
        let branch_alone = JobConditions { repository: None, ..repository(Some("main"), None) };
        assert_eq!(check("github", &branch_alone), Err(ConditionsError::Everybody));
        let no_repository = JobConditions { branch: branch_alone.branch, ..subject("repo:acme/blue:*") };
        assert_eq!(check("github", &no_repository), Err(ConditionsError::NoRepository));
        assert!(matches!(check("github", &subject("repo:acme/*")), Err(ConditionsError::ManyRepositories { .. })));
        let elsewhere = check("https://ci.example", &repository(None, None));
        assert!(matches!(elsewhere, Err(ConditionsError::UnknownWords { .. })), "{elsewhere:?}");
        let deep = JobConditions { repository: Some("a/b/c".parse().unwrap()), ..JobConditions::default() };
        assert!(matches!(check("github", &deep), Err(ConditionsError::TooDeep { .. })));
        assert_eq!(check("github", &repository(None, Some(""))), Err(ConditionsError::Environment));
        for (issuer, conditions) in [
            ("github", repository(Some("main"), Some("production"))),
            ("gitlab", deep),
            ("gitlab=https://git.example", subject("project_path:acme/blue:*")),
            ("https://ci.example", subject("the one job")),
        ] {
            assert_eq!(check(issuer, &conditions), Ok(()), "{issuer}");
        }
    }

    /// Of what GitHub says, each condition looks at its own word, and a pull request never passes for its base branch.
    #[test]
    fn github() {
        let claims = |change: serde_json::Value| -> JobClaims {
            let mut claims = json!({ "sub": "repo:acme/blue:ref:refs/heads/main", "repository": "acme/blue", "ref": "refs/heads/main", "event_name": "push" });
            claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            serde_json::from_value(claims).unwrap()
        };
        let main = repository(Some("main"), None);
        let holds = |conditions: &JobConditions, change| conditions.hold(Platform::GitHub, &claims(change));
        assert!(holds(&main, json!({})));
        for change in [
            json!({ "repository": "acme/blue2" }),
            json!({ "repository": ["acme/blue"] }),
            json!({ "ref": "refs/heads/main2" }),
            json!({ "ref": "refs/tags/main" }),
            json!({ "event_name": "pull_request_target" }),
            json!({ "event_name": null }),
            json!({ "sub": null }),
        ] {
            assert!(!holds(&main, change.clone()), "{change}");
        }
        assert!(holds(&repository(None, None), json!({ "ref": "refs/tags/v1" })));
        let production = repository(None, Some("production"));
        assert!(holds(&production, json!({ "environment": "production" })));
        assert!(!holds(&production, json!({})) && !holds(&production, json!({ "environment": "staging" })));
        assert!(holds(&subject("repo:acme/blue:ref:refs/heads/m*"), json!({})));
        assert!(!holds(&JobConditions::default(), json!({})));
    }

    /// GitLab has other words for the same, and merge requests do not pass for branches.
    #[test]
    fn gitlab() {
        let claims = |path: &str, source: &str| -> JobClaims {
            let claims = json!({ "sub": "project_path:acme/blue:ref_type:branch:ref:main", "project_path": "acme/blue", "ref": "main", "ref_path": path, "pipeline_source": source });
            serde_json::from_value(claims).unwrap()
        };
        let main = repository(Some("main"), None);
        assert!(main.hold(Platform::GitLab, &claims("refs/heads/main", "push")));
        assert!(!main.hold(Platform::GitLab, &claims("refs/merge-requests/1/head", "merge_request_event")));
        assert!(!main.hold(Platform::GitLab, &claims("refs/heads/main", "merge_request_event")));
        assert!(!main.hold(Platform::GitHub, &claims("refs/heads/main", "push")));
        assert!(!main.hold(Platform::Other, &claims("refs/heads/main", "push")));
    }

    /// An identity that somebody else may use as well is for nobody here.
    #[test]
    fn audiences() {
        let is_ours = |audience: serde_json::Value| {
            serde_json::from_value::<JobClaims>(json!({ "aud": audience })).unwrap().is_only_for("ship://a.example")
        };
        assert!(is_ours(json!("ship://a.example")) && is_ours(json!(["ship://a.example"])));
        for other in [json!("ship://b.example"), json!(["ship://a.example", "x"]), json!([]), json!(null), json!(["x"])]
        {
            assert!(!is_ours(other.clone()), "{other}");
        }
    }
}
