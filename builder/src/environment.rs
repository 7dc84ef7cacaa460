//! What a build takes from the world around it. Nothing else in this crate looks at an environment variable.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// The variables that reach the compiler and the toolchain download, as far as they are set.
const PASSED_ON: [&str; 37] = [
    "ALL_PROXY",
    "CARGO_HOME",
    "CARGO_HTTP_CAINFO",
    "CARGO_NET_GIT_FETCH_WITH_CLI",
    "CARGO_NET_OFFLINE",
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
    "PATH",
    "RUSTFLAGS",
    "RUSTUP_HOME",
    "RUSTUP_TOOLCHAIN",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TMPDIR",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// Where a build keeps things, and the few variables that its compiler may see.
#[derive(Clone, Debug)]
pub struct BuildEnvironment {
    /// Where caches live: build cache, stat cache. Everything below it can be deleted at any time.
    pub(crate) cache_dir: PathBuf,
    /// Where toolchains that ship fetched itself live.
    pub(crate) toolchains_dir: PathBuf,
    variables: BTreeMap<String, OsString>,
}

impl BuildEnvironment {
    /// An environment that takes from `variables` (a process's environment, for example) what a compiler needs: search path,
    /// home, proxies, certificates and the settings of Go's and cargo's downloads. The rest is dropped, so that no secret of the
    /// caller and no stray compiler flag reaches a build.
    pub fn new(
        cache_dir: PathBuf,
        toolchains_dir: PathBuf,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .filter(|(name, value)| !value.is_empty() && PASSED_ON.contains(&name.to_ascii_uppercase().as_str()))
            .collect();
        // The compiler runs in another folder, where a relative path would mean another place.
        let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
        Self { cache_dir: absolute(cache_dir), toolchains_dir: absolute(toolchains_dir), variables }
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
