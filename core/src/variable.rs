//! Variables that a host keeps for a project: their names, what they are for, and their values, which nobody shows by accident.

use std::fmt;
use std::str::FromStr;

use crate::deployment::Target;
use crate::environment::{EnvironmentError, MAX_BYTES, MAX_PAIR_BYTES, is_variable_name};
use crate::name::BranchName;
use crate::text::serde_through_text;

/// Names that the platform sets itself, or that decide which code other programs load: where a build or an interpreter runs, whoever
/// may set one of these runs programs as somebody else. What a function needs of them stands in `env` of `vercel.json`, in plain sight.
const RESERVED: [&str; 18] = [
    "BASH_ENV",
    "ENV",
    "GIT_SSH_COMMAND",
    "HOME",
    "IFS",
    "JAVA_TOOL_OPTIONS",
    "NODE_OPTIONS",
    "NOW_REGION",
    "PATH",
    "PERL5OPT",
    "PORT",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "RUBYOPT",
    "SHELL",
    "SHIP",
    "TMPDIR",
    "VERCEL",
];

/// Beginnings of such names: the platform's own, as on Vercel, and those that the system's loaders look for.
const RESERVED_PREFIXES: [&str; 5] = ["SHIP_", "VERCEL_", "LD_", "DYLD_", "NPM_CONFIG_"];

/// Names whose values are commands, or options that hold one, for tools that builds run, or that say which code these load, from where, and whom
/// they believe on the way. Functions may have them; a build that got one from its host would run what somebody else wrote, on a machine that is
/// not theirs.
const COMMANDS: [&str; 59] = [
    "ALL_PROXY",
    "BASHOPTS",
    "BROWSER",
    "BUN_OPTIONS",
    "CC",
    "CLASSPATH",
    "CXX",
    "EDITOR",
    "GCONV_PATH",
    "GETCONF_DIR",
    "GIT_ASKPASS",
    "GIT_EDITOR",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GLIBC_TUNABLES",
    "GOENV",
    "GOFLAGS",
    "GOINSECURE",
    "GONOSUMDB",
    "GOPATH",
    "GOPRIVATE",
    "GOPROXY",
    "GOROOT",
    "GOSUMDB",
    "GOTOOLCHAIN",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "JDK_JAVA_OPTIONS",
    "LESSOPEN",
    "LOCPATH",
    "MAKEFLAGS",
    "NLSPATH",
    "NODE_EXTRA_CA_CERTS",
    "NODE_PATH",
    "NODE_TLS_REJECT_UNAUTHORIZED",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "PAGER",
    "PERL5DB",
    "PERL5LIB",
    "PERLLIB",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONBREAKPOINT",
    "PYTHONPATH",
    "PYTHONUSERBASE",
    "PYTHONWARNINGS",
    "RUBYLIB",
    "RUSTFLAGS",
    "SHELLOPTS",
    "SSLKEYLOGFILE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "VISUAL",
    "_JAVA_OPTIONS",
];

/// Beginnings of such names. Settings of package managers are among them: they say where programs are fetched from.
const COMMAND_PREFIXES: [&str; 11] = [
    "BUN_CONFIG_",
    "CARGO_",
    "CGO_",
    "COREPACK_",
    "GIT_CONFIG",
    "PIP_",
    "PNPM_CONFIG_",
    "POETRY_",
    "RUSTC",
    "UV_",
    "YARN_",
];

/// The fewest characters of a value that are hidden where a function prints them: shorter ones would take words out of every line.
pub const MASKED_FROM_CHARS: usize = 6;

/// The name of a variable that a host keeps for a project.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariableName(Box<str>);

impl VariableName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a build that finds it set may run another program for it. No build gets such a one from a host.
    pub fn chooses_programs(&self) -> bool {
        let upper = self.0.to_ascii_uppercase();
        COMMANDS.binary_search(&upper.as_str()).is_ok()
            || COMMAND_PREFIXES.iter().any(|prefix| upper.starts_with(prefix))
    }
}

impl FromStr for VariableName {
    type Err = VariableNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !is_variable_name(text) || text.len() > MAX_NAME_BYTES {
            return Err(VariableNameError::Malformed { found: text.to_owned() });
        }
        let upper = text.to_ascii_uppercase();
        let is_reserved =
            RESERVED.contains(&upper.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| upper.starts_with(prefix));
        if is_reserved { Err(VariableNameError::Reserved { found: text.to_owned() }) } else { Ok(Self(text.into())) }
    }
}

/// The longest name, in bytes. Vercel's bound.
const MAX_NAME_BYTES: usize = 256;

impl fmt::Display for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for VariableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VariableName({})", self.0)
    }
}

serde_through_text!(VariableName);

/// The text cannot name a variable of a project.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableNameError {
    /// No variable can be called so.
    #[error(
        "{found:?} cannot name a variable: letters, digits and `_` can stand in it, no digit first, 256 characters at the most"
    )]
    Malformed {
        /// What was found.
        found: String,
    },
    /// It belongs to the platform, or to the system.
    #[error("`{found}` is reserved: the platform sets it, or it decides which programs and libraries are loaded")]
    Reserved {
        /// What was found.
        found: String,
    },
}

/// A value of a variable. It is never shown by `Debug`, and what shows it says so (`expose`).
#[derive(Clone, PartialEq, Eq)]
pub struct VariableValue(Box<str>);

impl VariableValue {
    /// The value itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for VariableValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VariableValue({} bytes)", self.0.len())
    }
}

impl TryFrom<String> for VariableValue {
    type Error = VariableValueError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.contains('\0') {
            return Err(VariableValueError::Nul);
        }
        if text.len() > MAX_PAIR_BYTES {
            return Err(VariableValueError::TooLong { bytes: text.len() });
        }
        Ok(Self(text.into()))
    }
}

impl serde::Serialize for VariableValue {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for VariableValue {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.try_into().map_err(serde::de::Error::custom)
    }
}

/// No program can be given the value. The value itself is not part of this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VariableValueError {
    /// It holds a NUL.
    #[error("the value has a NUL in it, which no environment can hold")]
    Nul,
    /// It is too long.
    #[error("the value has {bytes} bytes, more than the {MAX_PAIR_BYTES} that a variable may have with its name")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
}

/// Whether a name and a value fit together, and how many bytes they are.
pub fn variable_bytes(name: &VariableName, value: &VariableValue) -> Result<usize, EnvironmentError> {
    let bytes = name.as_str().len() + value.expose().len();
    if bytes > MAX_PAIR_BYTES { Err(EnvironmentError::Value { name: name.to_string() }) } else { Ok(bytes) }
}

/// Whether variables of so many bytes can be an environment together.
pub fn check_environment_bytes(bytes: usize) -> Result<(), EnvironmentError> {
    if bytes > MAX_BYTES { Err(EnvironmentError::TooLarge { bytes }) } else { Ok(()) }
}

/// Which deployments a variable is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VariableTarget {
    /// Those that production was aimed at.
    Production,
    /// All others.
    Preview,
    /// None: `ship dev` and who pulls it.
    Development,
}

impl VariableTarget {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Production, Self::Preview, Self::Development];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Preview => "preview",
            Self::Development => "development",
        }
    }
}

impl From<Target> for VariableTarget {
    fn from(target: Target) -> Self {
        match target {
            Target::Production => Self::Production,
            Target::Preview => Self::Preview,
        }
    }
}

impl fmt::Display for VariableTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for VariableTarget {
    type Err = UnknownVariableTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|target| target.as_str() == text);
        known.ok_or_else(|| UnknownVariableTarget { found: text.to_owned() })
    }
}

/// The text names no target of a variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a target: expected `production`, `preview` or `development`")]
pub struct UnknownVariableTarget {
    found: String,
}

/// What a variable is for: a target, and of previews perhaps those of one branch alone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct VariableScope {
    target: VariableTarget,
    branch: Option<BranchName>,
}

impl VariableScope {
    /// A target, and a branch if it is previews.
    pub fn new(target: VariableTarget, branch: Option<BranchName>) -> Result<Self, BranchWithoutPreview> {
        if branch.is_some() && target != VariableTarget::Preview {
            return Err(BranchWithoutPreview { target });
        }
        Ok(Self { target, branch })
    }

    /// The target.
    pub const fn target(&self) -> VariableTarget {
        self.target
    }

    /// The only branch that it is for, if it is for one.
    pub const fn branch(&self) -> Option<&BranchName> {
        self.branch.as_ref()
    }
}

impl fmt::Display for VariableScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.branch {
            Some(branch) => write!(f, "{} ({branch})", self.target),
            None => write!(f, "{}", self.target),
        }
    }
}

/// A branch was named for what has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a variable for one branch is for previews, not for {target}")]
pub struct BranchWithoutPreview {
    target: VariableTarget,
}

/// Who may read a value once it is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VariableKind {
    /// Only the functions that it is for.
    Secret,
    /// Builds and people as well: it was set as plain, or for development, where nobody else could use it.
    Plain,
}

impl VariableKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Plain => "plain",
        }
    }
}

impl fmt::Display for VariableKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for VariableKind {
    type Err = UnknownVariableKind;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "secret" => Ok(Self::Secret),
            "plain" => Ok(Self::Plain),
            _ => Err(UnknownVariableKind { found: text.to_owned() }),
        }
    }
}

/// The text names no kind of variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a kind of variable: expected `secret` or `plain`")]
pub struct UnknownVariableKind {
    found: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(text: &str) -> Result<VariableName, VariableNameError> {
        text.parse()
    }

    /// What belongs to the platform or loads code into programs is refused in any case of letters; what only looks like it is not.
    #[test]
    fn names() {
        for good in ["A", "_x", "DATABASE_URL", "SHIPPING", "LDAP_URL", "TZ", "NEXT_PUBLIC_SHIP_URL", "paths"] {
            assert!(name(good).is_ok(), "{good}");
        }
        for reserved in [
            "SHIP_TOKEN",
            "ship_x",
            "VERCEL_ENV",
            "VERCEL",
            "PATH",
            "Path",
            "NODE_OPTIONS",
            "LD_PRELOAD",
            "DYLD_X",
            "PORT",
        ] {
            assert_eq!(name(reserved), Err(VariableNameError::Reserved { found: reserved.to_owned() }));
        }
        for malformed in ["", "1A", "A-B", "A B", "A=B", "A\0", "Ä", &"A".repeat(257)] {
            assert_eq!(name(malformed), Err(VariableNameError::Malformed { found: (*malformed).to_owned() }));
        }
    }

    /// What names a command for some tool is known in any case of letters; what only looks like it is not.
    #[test]
    fn commands() {
        assert!(COMMANDS.is_sorted());
        for command in ["GIT_SSH", "git_config_key_0", "GOFLAGS", "RUSTC_WRAPPER", "CARGO_BUILD_RUSTC", "PS4"] {
            assert!(name(command).unwrap().chooses_programs(), "{command}");
        }
        let loaded = [
            "NODE_PATH",
            "PYTHONPATH",
            "GCONV_PATH",
            "OPENSSL_CONF",
            "GLIBC_TUNABLES",
            "PIP_INDEX_URL",
            "UV_INDEX_URL",
        ];
        let believed = ["https_proxy", "NODE_EXTRA_CA_CERTS", "NODE_TLS_REJECT_UNAUTHORIZED", "SSLKEYLOGFILE"];
        for command in loaded.into_iter().chain(believed) {
            assert!(name(command).unwrap().chooses_programs(), "{command}");
        }
        for other in [
            "GIT_COMMIT",
            "UVICORN_PORT",
            "PYTHONUNBUFFERED",
            "PIPELINE",
            "CC_NUMBER",
            "EDITOR_URL",
            "DATABASE_URL",
            "NODE_ENV",
        ] {
            assert!(!name(other).unwrap().chooses_programs(), "{other}");
        }
    }

    /// A value is any text but NUL, of a bounded size, and no way of printing it by accident shows it.
    #[test]
    fn values() {
        let value = VariableValue::try_from("line one\nline two ü\r\n".to_owned()).unwrap();
        assert_eq!(format!("{value:?}"), "VariableValue(22 bytes)");
        assert_eq!(VariableValue::try_from("a\0b".to_owned()), Err(VariableValueError::Nul));
        let long = "x".repeat(MAX_PAIR_BYTES + 1);
        assert_eq!(VariableValue::try_from(long), Err(VariableValueError::TooLong { bytes: MAX_PAIR_BYTES + 1 }));
        let longest = VariableValue::try_from("x".repeat(MAX_PAIR_BYTES)).unwrap();
        assert!(variable_bytes(&name("A").unwrap(), &longest).is_err(), "the name counts, too");
    }

    /// Only previews have branches.
    #[test]
    fn scopes() {
        let branch = || Some("feature/a".parse().unwrap());
        assert_eq!(VariableScope::new(VariableTarget::Preview, branch()).unwrap().to_string(), "preview (feature/a)");
        for target in [VariableTarget::Production, VariableTarget::Development] {
            assert_eq!(VariableScope::new(target, branch()), Err(BranchWithoutPreview { target }));
        }
    }

    proptest! {
        /// A name that is taken can stand in an environment as it is.
        #[test]
        fn taken_names_are_names(text in "\\PC{0,12}|[A-Za-z0-9_]{1,12}") {
            if let Ok(name) = name(&text) {
                prop_assert!(is_variable_name(name.as_str()));
                prop_assert_eq!(name.as_str(), text);
            }
        }
    }
}
