//! What a build takes from the world around it. Nothing else in this crate looks at an environment variable.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::frontend::reaches_frontends;
use crate::interrupt::Interrupt;

/// Whose programs may see a variable of the caller. Settings of downloads hold passwords, and whoever installs the packages of
/// one language runs programs of strangers: those have no business with the passwords of another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Audience {
    /// Every program that a build starts.
    Everyone,
    /// The Go toolchain.
    Go,
    /// Node, and what builds a frontend.
    Node,
    /// uv and Python.
    Python,
    /// cargo and what it runs.
    Rust,
}

/// Where things are on this machine, how the network is reached, and how git is: packages of every language may come from there.
const OF_EVERYONE: [&str; 22] = [
    "ALL_PROXY",
    "CARGO_HOME",
    "GIT_ASKPASS",
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_GLOBAL",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NETRC",
    "NO_PROXY",
    "PATH",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// The settings of Go's downloads and caches. None of them changes what is compiled but the last, which is part of keys.
const OF_GO: [&str; 14] = [
    "GOAUTH",
    "GOCACHE",
    "GOINSECURE",
    "GOMODCACHE",
    "GONOPROXY",
    "GONOSUMDB",
    "GOPATH",
    "GOPRIVATE",
    "GOPROXY",
    "GOSUMDB",
    "GOTMPDIR",
    "GOTOOLCHAIN",
    "GOVCS",
    "GO_BUILD_FLAGS",
];

const OF_NODE: [&str; 1] = ["NPM_CONFIG_REGISTRY"];

/// The settings of uv's downloads, and those of pip that it is told of.
const OF_PYTHON: [&str; 21] = [
    "PIP_CONFIG_FILE",
    "PIP_EXTRA_INDEX_URL",
    "PIP_INDEX_URL",
    "UV_CACHE_DIR",
    "UV_CONFIG_FILE",
    "UV_CREDENTIALS_DIR",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_HTTP_TIMEOUT",
    "UV_INDEX",
    "UV_INDEX_STRATEGY",
    "UV_INDEX_URL",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_LINK_MODE",
    "UV_NATIVE_TLS",
    "UV_NO_CACHE",
    "UV_OFFLINE",
    "UV_SYSTEM_CERTS",
    "XDG_DATA_HOME",
];

/// The settings of cargo's downloads, and the flags that are part of keys.
const OF_RUST: [&str; 4] = ["CARGO_HTTP_CAINFO", "CARGO_NET_GIT_FETCH_WITH_CLI", "CARGO_NET_OFFLINE", "RUSTFLAGS"];

/// Whose a variable is, by its name in capitals; `None` if no program of a build sees it.
fn audience(name: &str) -> Option<Audience> {
    // uv and cargo take the credentials of an index from variables with its name.
    let is_of_index =
        |prefix: &str, ends: &[&str]| name.starts_with(prefix) && ends.iter().any(|end| name.ends_with(end));
    let is_git = ["GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_"].iter().any(|prefix| name.starts_with(prefix));
    let is_python = is_of_index("UV_INDEX_", &["_USERNAME", "_PASSWORD"]);
    let is_rust = is_of_index("CARGO_REGISTRIES_", &["_INDEX", "_TOKEN", "_CREDENTIAL_PROVIDER"]);
    match name {
        name if is_git || OF_EVERYONE.binary_search(&name).is_ok() => Some(Audience::Everyone),
        name if OF_GO.binary_search(&name).is_ok() => Some(Audience::Go),
        name if OF_NODE.binary_search(&name).is_ok() => Some(Audience::Node),
        name if is_python || OF_PYTHON.binary_search(&name).is_ok() => Some(Audience::Python),
        name if is_rust || OF_RUST.binary_search(&name).is_ok() => Some(Audience::Rust),
        _ => None,
    }
}

/// Whether any program of a build sees a variable of the caller, besides those that frontends are made of.
pub fn reaches_builds(name: &str) -> bool {
    audience(&name.to_ascii_uppercase()).is_some()
}

/// Where a build keeps things, and the few variables that its compiler may see.
#[derive(Clone, Debug)]
pub struct BuildEnvironment {
    /// Where caches live: build cache, stat cache. Everything below it can be deleted at any time.
    pub(crate) cache_dir: PathBuf,
    /// Where toolchains that ship fetched itself live.
    pub(crate) toolchains_dir: PathBuf,
    variables: BTreeMap<String, (Audience, OsString)>,
    /// Further variables, which only what builds a frontend may see.
    of_frontends: BTreeMap<String, OsString>,
    /// Ends what was started for a build that nobody wants any more.
    pub(crate) interrupt: Interrupt,
}

impl BuildEnvironment {
    /// An environment that takes from `variables` (a process's environment, for example) what a compiler needs: search path,
    /// home, proxies, certificates and the settings of each language's downloads, which only that language's programs see. The
    /// rest is dropped, so that no secret of the caller and no stray compiler flag reaches a build.
    pub fn new(
        cache_dir: PathBuf,
        toolchains_dir: PathBuf,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let named = variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let (mut variables, mut of_frontends) = (BTreeMap::new(), BTreeMap::new());
        for (name, value) in named.filter(|(_, value)| !value.is_empty()) {
            if let Some(audience) = audience(&name.to_ascii_uppercase()) {
                variables.insert(name, (audience, value));
            } else if reaches_frontends(&name) {
                of_frontends.insert(name, value);
            }
        }
        // The compiler runs in another folder, where a relative path would mean another place.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Self {
            cache_dir: absolute(cache_dir),
            toolchains_dir: absolute(toolchains_dir),
            variables,
            of_frontends,
            interrupt: Interrupt::default(),
        }
    }

    /// The same, ended by `interrupt`.
    #[must_use]
    pub fn interrupted_by(self, interrupt: Interrupt) -> Self {
        Self { interrupt, ..self }
    }

    /// The variables of the caller that what builds a frontend sees.
    pub(crate) fn frontend_variables(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        let further = self.of_frontends.iter().map(|(name, value)| (name.as_str(), value.as_os_str()));
        self.variables(Audience::Node).chain(further)
    }

    /// The variables that the programs of `audience` see.
    pub(crate) fn variables(&self, audience: Audience) -> impl Iterator<Item = (&str, &OsStr)> {
        let seen = self.variables.iter().filter(move |(_, (of, _))| *of == Audience::Everyone || *of == audience);
        seen.map(|(name, (_, value))| (name.as_str(), value.as_os_str()))
    }

    /// One variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(|(_, value)| value.as_os_str())
    }

    /// The folders in which programs are searched.
    pub(crate) fn search_path(&self) -> impl Iterator<Item = PathBuf> {
        self.variable("PATH").into_iter().flat_map(std::env::split_paths).filter(|folder| folder.is_absolute())
    }

    /// The file in which `go env -w` keeps a person's settings.
    pub(crate) fn go_settings_file(&self) -> Option<PathBuf> {
        let home = || self.variable("HOME").map(Path::new);
        let folder = if cfg!(target_os = "macos") {
            home()?.join("Library/Application Support")
        } else {
            self.variable("XDG_CONFIG_HOME").map(PathBuf::from).or_else(|| Some(home()?.join(".config")))?
        };
        Some(folder.join("go/env"))
    }
}

/// What a caller decides about a build.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BuildOptions {
    /// The processor that functions are compiled for.
    pub arch: Architecture,
    /// The machines that they run on.
    pub runs_on: RunsOn,
}

/// The machines that compiled functions run on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RunsOn {
    /// The one that they are compiled on.
    #[default]
    ThisMachine,
    /// Any Linux with the processor that they are compiled for, however old its C library is.
    AnyMachine,
}

/// A processor that functions are compiled for. The default is that of the machine ship runs on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Architecture {
    /// 64-bit x86.
    Amd64,
    /// 64-bit ARM.
    Arm64,
}

impl Default for Architecture {
    fn default() -> Self {
        if cfg!(target_arch = "aarch64") { Self::Arm64 } else { Self::Amd64 }
    }
}

impl Architecture {
    /// The name that Go and container images use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Amd64 => "amd64",
            Self::Arm64 => "arm64",
        }
    }

    /// The name that the Build Output API uses.
    pub(crate) const fn build_output_name(self) -> &'static str {
        match self {
            Self::Amd64 => "x86_64",
            Self::Arm64 => "arm64",
        }
    }
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Architecture {
    type Err = UnknownArchitecture;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "amd64" | "x86_64" => Ok(Self::Amd64),
            "arm64" | "aarch64" => Ok(Self::Arm64),
            _ => Err(UnknownArchitecture { found: text.to_owned() }),
        }
    }
}

/// The text names no architecture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an architecture: expected `amd64` or `arm64`")]
pub struct UnknownArchitecture {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What one language's downloads are told, passwords among it, no other language's programs see.
    #[test]
    fn audiences() {
        for names in [&OF_EVERYONE[..], &OF_GO, &OF_NODE, &OF_PYTHON, &OF_RUST] {
            assert!(names.is_sorted());
        }
        let names = [
            "PATH",
            "https_proxy",
            "GOPRIVATE",
            "npm_config_registry",
            "NPM_TOKEN",
            "PIP_INDEX_URL",
            "UV_INDEX_OURS_PASSWORD",
            "CARGO_REGISTRIES_OURS_TOKEN",
            "CARGO_NET_OFFLINE",
            "AWS_SECRET_ACCESS_KEY",
        ];
        let environment =
            BuildEnvironment::new("/cache".into(), "/tools".into(), names.map(|name| (name.into(), "x".into())));
        let seen = |audience| environment.variables(audience).map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(seen(Audience::Go), ["GOPRIVATE", "PATH", "https_proxy"]);
        assert_eq!(seen(Audience::Node), ["PATH", "https_proxy", "npm_config_registry"]);
        assert_eq!(seen(Audience::Python), ["PATH", "PIP_INDEX_URL", "UV_INDEX_OURS_PASSWORD", "https_proxy"]);
        let of_rust = ["CARGO_NET_OFFLINE", "CARGO_REGISTRIES_OURS_TOKEN", "PATH", "https_proxy"];
        assert_eq!(seen(Audience::Rust), of_rust);
        let of_frontends: Vec<&str> = environment.frontend_variables().map(|(name, _)| name).collect();
        assert_eq!(of_frontends, ["PATH", "https_proxy", "npm_config_registry", "NPM_TOKEN"]);
    }
}
