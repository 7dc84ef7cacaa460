//! What builds and functions are told about the deployment that they belong to: under the names that Vercel gives these things,
//! so that projects written for it find them, and under ship's own.

/// The facts. None of them is ever part of an artifact.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SystemVariables<'s> {
    /// `production`, `preview` or `development`.
    pub environment: &'s str,
    /// The host name of this very deployment, with its port where it has one.
    pub url: Option<&'s str>,
    /// The host name of the project's production.
    pub production_url: Option<&'s str>,
    /// The branch.
    pub branch: Option<&'s str>,
    /// The commit.
    pub commit: Option<&'s str>,
    /// Where it runs.
    pub region: Option<&'s str>,
}

impl SystemVariables<'_> {
    /// Names and values.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let Self { environment, url, production_url, branch, commit, region } = *self;
        let facts: [(Option<&str>, &[&str]); 7] = [
            (Some("1"), &["VERCEL", "SHIP"]),
            (Some(environment), &["VERCEL_ENV", "VERCEL_TARGET_ENV", "SHIP_ENV"]),
            (url, &["VERCEL_URL", "SHIP_URL"]),
            (production_url, &["VERCEL_PROJECT_PRODUCTION_URL"]),
            (branch, &["VERCEL_GIT_COMMIT_REF", "SHIP_GIT_BRANCH"]),
            (commit, &["VERCEL_GIT_COMMIT_SHA", "SHIP_GIT_COMMIT"]),
            (region, &["VERCEL_REGION"]),
        ];
        let named = facts.into_iter().flat_map(|(value, names)| names.iter().map(move |name| (*name, value)));
        named.filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect()
    }
}

/// The host name that most visitors use for the deployment whose functions find `environment` set: that of production if it was
/// published for it, otherwise its own.
pub fn main_host(environment: &[(String, String)]) -> Option<&str> {
    let value = |wanted: &str| environment.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let production = value("VERCEL_PROJECT_PRODUCTION_URL").filter(|_| value("VERCEL_ENV") == Some("production"));
    production.or_else(|| value("VERCEL_URL"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is known is told under both kinds of names; what is not known is not told.
    #[test]
    fn names() {
        let variables = SystemVariables { environment: "preview", branch: Some("main"), ..SystemVariables::default() };
        let pairs: Vec<String> = variables.pairs().into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            pairs,
            [
                "VERCEL=1",
                "SHIP=1",
                "VERCEL_ENV=preview",
                "VERCEL_TARGET_ENV=preview",
                "SHIP_ENV=preview",
                "VERCEL_GIT_COMMIT_REF=main",
                "SHIP_GIT_BRANCH=main",
            ]
        );
    }

    /// The main host name of what is in production is production's; that of anything else is its own.
    #[test]
    fn main_hosts() {
        let facts = |environment| SystemVariables {
            environment,
            url: Some("own"),
            production_url: Some("production"),
            ..SystemVariables::default()
        };
        assert_eq!(main_host(&facts("production").pairs()), Some("production"));
        assert_eq!(main_host(&facts("preview").pairs()), Some("own"));
        assert_eq!(main_host(&[]), None);
    }
}
