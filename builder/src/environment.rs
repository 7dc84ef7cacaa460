//! What a build takes from the world around it. Nothing else in this crate looks at an environment variable.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::frontend::reaches_frontends;
use crate::interrupt::Interrupt;

/// The variables that reach the compiler and the toolchain download, as far as they are set.
const PASSED_ON: [&str; 55] = [
    "ALL_PROXY",
    "CARGO_BUILD_RUSTFLAGS",
    "CARGO_HOME",
    "GIT_CONFIG_GLOBAL",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
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
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NETRC",
    "NO_PROXY",
    "NPM_CONFIG_REGISTRY",
    "PATH",
    "PIP_CONFIG_FILE",
    "PIP_INDEX_URL",
    "RUSTFLAGS",
    "RUSTUP_AUTO_INSTALL",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
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
    "UV_NATIVE_TLS",
    "UV_NO_CACHE",
    "UV_OFFLINE",
    "UV_SYSTEM_CERTS",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// How the names of further such variables begin: cargo's settings of registries and of the network.
const PASSED_ON_PREFIXES: [&str; 5] =
    ["CARGO_HTTP_", "CARGO_NET_", "CARGO_REGISTRIES_", "CARGO_REGISTRY_", "CARGO_SOURCE_"];

/// Where a build keeps things, and the few variables that its compiler may see.
#[derive(Clone, Debug)]
pub struct BuildEnvironment {
    /// Where caches live: build cache, stat cache. Everything below it can be deleted at any time.
    pub(crate) cache_dir: PathBuf,
    /// Where toolchains that ship fetched itself live.
    pub(crate) toolchains_dir: PathBuf,
    variables: BTreeMap<String, OsString>,
    /// Further variables, which only what builds a frontend may see.
    of_frontends: BTreeMap<String, OsString>,
    /// Ends what was started for a build that nobody wants any more.
    pub(crate) interrupt: Interrupt,
}

impl BuildEnvironment {
    /// An environment that takes from `variables` (a process's environment, for example) what a compiler needs: search path,
    /// home, proxies, certificates and the settings of Go's module download. The rest is dropped, so that no secret of the
    /// caller and no stray compiler flag reaches a build.
    pub fn new(
        cache_dir: PathBuf,
        toolchains_dir: PathBuf,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let named = variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let (variables, others): (BTreeMap<_, _>, BTreeMap<_, _>) = named
            .filter(|(_, value)| !value.is_empty())
            .partition(|(name, _)| is_passed_on(&name.to_ascii_uppercase()));
        let of_frontends = others.into_iter().filter(|(name, _)| reaches_frontends(name)).collect();
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
        self.variables.iter().chain(&self.of_frontends).map(|(name, value)| (name.as_str(), value.as_os_str()))
    }

    /// The variables that the compiler sees.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_str(), value.as_os_str()))
    }

    /// One variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(name).map(OsString::as_os_str)
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

/// Whether a variable reaches compilers and installers. uv takes the credentials of indexes from variables with their names.
fn is_passed_on(name: &str) -> bool {
    let is_credential = name.starts_with("UV_INDEX_") && (name.ends_with("_USERNAME") || name.ends_with("_PASSWORD"));
    is_credential || PASSED_ON.contains(&name) || PASSED_ON_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// What a caller decides about a build.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BuildOptions {
    /// The processor that functions are compiled for.
    pub arch: Architecture,
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
