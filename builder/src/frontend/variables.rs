//! The environment of what builds a frontend.

use std::collections::{BTreeMap, HashMap};
use std::ffi::OsString;
use std::path::Path;

use ship_core::{ProjectName, SystemVariables};

use super::presets::PRESETS;
use crate::env_files::BuildTarget;

/// Variables of the caller that tools of frontends look at, besides those that every build sees.
const OF_TOOLS: [&str; 21] = [
    "BUN_INSTALL",
    "CI",
    "COREPACK_HOME",
    "FORCE_COLOR",
    "LANG",
    "LC_ALL",
    "LOGNAME",
    "NODE_AUTH_TOKEN",
    "NODE_EXTRA_CA_CERTS",
    "NODE_OPTIONS",
    "NO_COLOR",
    "NPM_TOKEN",
    "NVM_DIR",
    "PNPM_HOME",
    "SHELL",
    "TERM",
    "TURBO_TEAM",
    "TURBO_TOKEN",
    "TZ",
    "USER",
    "VOLTA_HOME",
];

/// How the names of further ones begin: settings of package managers.
const FAMILIES_OF_TOOLS: [&str; 3] = ["npm_config_", "NPM_CONFIG_", "YARN_"];

/// How names begin of variables that a frontend may be made of, whatever its framework: those that the presets name.
pub fn frontend_prefixes() -> impl Iterator<Item = &'static str> {
    let of_presets = PRESETS.iter().filter_map(|preset| preset.env_prefix);
    of_presets.chain(FAMILIES_OF_TOOLS)
}

/// Whether what builds a frontend may see a variable of the caller.
pub(crate) fn reaches_frontends(name: &str) -> bool {
    OF_TOOLS.binary_search(&name).is_ok() || frontend_prefixes().any(|prefix| name.starts_with(prefix))
}

/// Whether a variable of the caller may change what a frontend becomes, and is not only about where tools find things.
fn is_content(name: &str) -> bool {
    name == "NODE_OPTIONS"
        || name == "CI"
        || name == "TZ"
        || PRESETS.iter().any(|preset| preset.env_prefix.is_some_and(|prefix| name.starts_with(prefix)))
}

/// What a build is for, as its caller knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BuildContext {
    /// The project.
    pub project: ProjectName,
    /// What it is built for.
    pub target: BuildTarget,
    /// The branch it is built from.
    pub branch: Option<String>,
    /// The commit it is built from.
    pub commit: Option<String>,
    /// What is set for it elsewhere, and goes before the project's files: variables that the host keeps and that may be read.
    pub variables: Vec<(String, String)>,
}

impl BuildContext {
    /// What a build is told of itself: the names that Vercel gives these things, and ship's own.
    pub(crate) fn system_variables(&self) -> Vec<(String, String)> {
        // No URL: a deployment's is a digest of what comes out.
        let variables = SystemVariables {
            environment: self.target.as_str(),
            branch: self.branch.as_deref(),
            commit: self.commit.as_deref(),
            ..SystemVariables::default()
        };
        let mut pairs = variables.pairs();
        pairs.push(("SHIP_PROJECT".to_owned(), self.project.to_string()));
        pairs
    }
}

/// The variables of one build.
#[derive(Debug)]
pub(super) struct Variables {
    /// All that the commands see.
    pub(super) all: Vec<(OsString, OsString)>,
    /// Those that decide what comes out.
    pub(super) content: BTreeMap<String, String>,
}

impl Variables {
    /// Adds a variable that nobody has set.
    pub(super) fn add_missing(&mut self, variable: Option<(&'static str, &'static str)>) {
        if let Some((name, value)) = variable.filter(|(name, _)| self.all.iter().all(|(known, _)| known != name)) {
            self.all.push((name.into(), value.into()));
        }
    }
}

/// Puts together what a build sees: over the caller's variables those of environment files, over them what is
/// set elsewhere, and over all what the build is told
/// of itself. Client code sees only what begins with the framework's prefix, so that is told under such names too.
pub(super) fn assemble(
    of_caller: &BTreeMap<String, OsString>,
    of_files: Vec<(String, String)>,
    of_build: &BuildContext,
    prefix: Option<&str>,
) -> Variables {
    let mut content: BTreeMap<String, String> = of_caller
        .iter()
        .filter(|(name, _)| is_content(name))
        .map(|(name, value)| (name.clone(), value.to_string_lossy().into_owned()))
        .collect();
    content.extend(of_files);
    content.extend(of_build.variables.iter().cloned());
    for (name, value) in of_build.system_variables() {
        if let Some(prefix) = prefix.filter(|_| name.starts_with("VERCEL_")) {
            content.insert(format!("{prefix}{name}"), value.clone());
        }
        content.insert(name, value);
    }
    let mut all: BTreeMap<OsString, OsString> =
        of_caller.iter().map(|(name, value)| (OsString::from(name), value.clone())).collect();
    all.extend(content.iter().map(|(name, value)| (name.into(), value.into())));
    Variables { all: all.into_iter().collect(), content }
}

/// What `next build` is asked for besides: a server that needs nothing but its own folder, with what it reads below `root`.
/// It changes no lock file for that, and tells nobody.
pub(super) fn of_next(root: &Path) -> [(OsString, OsString); 4] {
    [
        ("NEXT_PRIVATE_STANDALONE".into(), "true".into()),
        ("NEXT_PRIVATE_OUTPUT_TRACE_ROOT".into(), root.into()),
        ("NEXT_IGNORE_INCORRECT_LOCKFILE".into(), "1".into()),
        ("NEXT_TELEMETRY_DISABLED".into(), "1".into()),
    ]
}

/// The caller's variables as text, for what environment files refer to.
pub(super) fn as_text(of_caller: &BTreeMap<String, OsString>) -> HashMap<String, String> {
    let text = |(name, value): (&String, &OsString)| Some((name.clone(), value.to_str()?.to_owned()));
    of_caller.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a build sees: the caller's variables as far as they are meant for it, files over them, and what it is told of
    /// itself over all; and which of that decides about its result.
    #[test]
    fn assembled() {
        let caller = BTreeMap::from([
            ("PATH".to_owned(), "/bin".into()),
            ("VITE_A".to_owned(), "caller".into()),
            ("NODE_OPTIONS".to_owned(), "--x".into()),
        ]);
        let files = vec![("SECRET".to_owned(), "s".to_owned()), ("VERCEL_ENV".to_owned(), "mine".to_owned())];
        let of_build = BuildContext {
            project: "site".parse().unwrap(),
            target: BuildTarget::Preview,
            branch: Some("main".into()),
            commit: None,
            variables: vec![("KEPT".to_owned(), "k".to_owned()), ("SECRET".to_owned(), "kept".to_owned())],
        };
        let variables = assemble(&caller, files, &of_build, Some("VITE_"));
        let content: Vec<String> = variables.content.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(
            content,
            [
                "KEPT=k",
                "NODE_OPTIONS=--x",
                "SECRET=kept",
                "SHIP=1",
                "SHIP_ENV=preview",
                "SHIP_GIT_BRANCH=main",
                "SHIP_PROJECT=site",
                "VERCEL=1",
                "VERCEL_ENV=preview",
                "VERCEL_GIT_COMMIT_REF=main",
                "VERCEL_TARGET_ENV=preview",
                "VITE_A=caller",
                "VITE_VERCEL_ENV=preview",
                "VITE_VERCEL_GIT_COMMIT_REF=main",
                "VITE_VERCEL_TARGET_ENV=preview",
            ]
        );
        let all: Vec<&str> = variables.all.iter().filter_map(|(name, _)| name.to_str()).collect();
        assert_eq!(all.len(), content.len() + 1);
        assert!(all.contains(&"PATH"));
    }

    /// Settings of tools and a framework's own variables reach a build; what else the caller has does not.
    #[test]
    fn passed_on() {
        for name in ["VITE_API", "NEXT_PUBLIC_X", "npm_config_cache", "NODE_OPTIONS", "CI", "PUBLIC_URL"] {
            assert!(reaches_frontends(name), "{name}");
        }
        for name in ["AWS_SECRET_ACCESS_KEY", "NODE_ENV", "SHIP_TOKEN", "GITHUB_TOKEN", "DATABASE_URL"] {
            assert!(!reaches_frontends(name), "{name}");
        }
        assert!(OF_TOOLS.is_sorted());
    }
}
