//! The environment variables that ship reads: one documented registry, and the one place that reads them.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// An environment variable that ship reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it means, in one line.
    pub(crate) meaning: &'static str,
}

/// Declares the variables, each with the sentence that documents it, and the list of all of them.
macro_rules! variables {
    ($(#[doc = $meaning:literal] $constant:ident = $name:literal;)+) => {
        $(#[doc = $meaning] pub(crate) const $constant: Variable = Variable { name: $name, meaning: $meaning };)+

        /// Every variable that ship reads, besides further settings of the tools that build. What is neither is never looked at.
        pub(crate) const REGISTRY: &[Variable] = &[$($constant),+];
    };
}

variables! {
    /// The folder that holds everything ship keeps (default: `$XDG_DATA_HOME/ship`)
    SHIP_HOME = "SHIP_HOME";
    /// The control address of the host to talk to, as `--host`
    SHIP_HOST = "SHIP_HOST";
    /// The token for that host, as `--token`
    SHIP_TOKEN = "SHIP_TOKEN";
    /// The identity of a CI job, which its platform signs: it is exchanged for a token where there is none
    SHIP_ID_TOKEN = "SHIP_ID_TOKEN";
    /// Whom the identity of a CI job is for (default: `ship://` and the name in the host's address)
    SHIP_AUDIENCE = "SHIP_AUDIENCE";
    /// The shell that asks what can be typed next: the scripts of `ship completions` set it
    SHIP_COMPLETE = "SHIP_COMPLETE";
    /// Where `ship upgrade` finds releases, as `--from`
    SHIP_RELEASES = "SHIP_RELEASES";
    /// Which diagnostics are written, as in `ship_host=debug,info`
    SHIP_LOG = "SHIP_LOG";
    /// OpenTelemetry: the collector that a host sends telemetry to, over OTLP/HTTP
    OTEL_EXPORTER_OTLP_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT";
    /// OpenTelemetry: headers for the collector, `key=value` with commas between them
    OTEL_EXPORTER_OTLP_HEADERS = "OTEL_EXPORTER_OTLP_HEADERS";
    /// OpenTelemetry: the encoding; ship sends `http/json`
    OTEL_EXPORTER_OTLP_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL";
    /// OpenTelemetry: what telemetry is about (default: `ship`)
    OTEL_SERVICE_NAME = "OTEL_SERVICE_NAME";
    /// OpenTelemetry: more of what telemetry is about, `key=value` with commas between them
    OTEL_RESOURCE_ATTRIBUTES = "OTEL_RESOURCE_ATTRIBUTES";
    /// OpenTelemetry: how long spans are gathered, in milliseconds
    OTEL_BSP_SCHEDULE_DELAY = "OTEL_BSP_SCHEDULE_DELAY";
    /// OpenTelemetry: how often metrics are sent, in milliseconds
    OTEL_METRIC_EXPORT_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL";
    /// OpenTelemetry: nothing is sent if it is `true`
    OTEL_SDK_DISABLED = "OTEL_SDK_DISABLED";
    /// Where a service manager is told how a host is doing (`sd_notify`)
    NOTIFY_SOCKET = "NOTIFY_SOCKET";
    /// How many sockets a service manager listens at for a host (`sd_listen_fds`)
    LISTEN_FDS = "LISTEN_FDS";
    /// The process that they are for
    LISTEN_PID = "LISTEN_PID";
    /// What they are called: `sites` and `control`
    LISTEN_FDNAMES = "LISTEN_FDNAMES";
    /// Where programs keep a user's data (default: `~/.local/share`)
    XDG_DATA_HOME = "XDG_DATA_HOME";
    /// The user's home folder
    HOME = "HOME";
    /// The folders in which `go`, `cargo`, `git` and `xdg-open` are looked for
    PATH = "PATH";
    /// The folder for temporary files
    TMPDIR = "TMPDIR";
    /// No colours if it is set to anything
    NO_COLOR = "NO_COLOR";
    /// What the terminal can do; `dumb` means no colours and no bars
    TERM = "TERM";
    /// The folder in which systemd gives a service its credentials; `ship-host-key` in it is the key of a host's variables
    CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY";
    /// The X display: without a display, `ship open` only prints
    DISPLAY = "DISPLAY";
    /// The Wayland display
    WAYLAND_DISPLAY = "WAYLAND_DISPLAY";
    /// The browser that `ship open` starts, with or without a display; of several with colons between them, the first there is
    BROWSER = "BROWSER";
    /// The system's language settings, passed on to an embedded host
    LANG = "LANG";
    /// Where Go modules and Go toolchains are fetched from
    GOPROXY = "GOPROXY";
    /// The folder of Go's compiler cache
    GOCACHE = "GOCACHE";
    /// The folder of Go's downloaded modules
    GOMODCACHE = "GOMODCACHE";
    /// The folder below which Go keeps what it downloads
    GOPATH = "GOPATH";
    /// Which Go modules are private
    GOPRIVATE = "GOPRIVATE";
    /// Which Go modules are fetched without a proxy
    GONOPROXY = "GONOPROXY";
    /// Which Go modules are not looked up in the checksum database
    GONOSUMDB = "GONOSUMDB";
    /// The checksum database of Go modules
    GOSUMDB = "GOSUMDB";
    /// How Go authenticates to module servers
    GOAUTH = "GOAUTH";
    /// Which Go modules are fetched without encryption
    GOINSECURE = "GOINSECURE";
    /// The folder of Go's temporary files
    GOTMPDIR = "GOTMPDIR";
    /// Which Go toolchain is used
    GOTOOLCHAIN = "GOTOOLCHAIN";
    /// Which version control systems Go may use for modules
    GOVCS = "GOVCS";
    /// More arguments of `go build`, separated by spaces, quoted where they hold one
    GO_BUILD_FLAGS = "GO_BUILD_FLAGS";
    /// The folder in which cargo keeps its settings and what it downloads
    CARGO_HOME = "CARGO_HOME";
    /// A file of certificates that cargo trusts
    CARGO_HTTP_CAINFO = "CARGO_HTTP_CAINFO";
    /// Whether cargo fetches with the `git` program
    CARGO_NET_GIT_FETCH_WITH_CLI = "CARGO_NET_GIT_FETCH_WITH_CLI";
    /// Whether cargo keeps off the network
    CARGO_NET_OFFLINE = "CARGO_NET_OFFLINE";
    /// The folder in which rustup keeps toolchains
    RUSTUP_HOME = "RUSTUP_HOME";
    /// Which Rust toolchain rustup uses
    RUSTUP_TOOLCHAIN = "RUSTUP_TOOLCHAIN";
    /// Flags for the Rust compiler, in place of those that ship would give it
    RUSTFLAGS = "RUSTFLAGS";
    /// The package index that Python packages are installed from
    UV_DEFAULT_INDEX = "UV_DEFAULT_INDEX";
    /// Further package indexes; `UV_INDEX_<NAME>_USERNAME` and `UV_INDEX_<NAME>_PASSWORD` open them
    UV_INDEX = "UV_INDEX";
    /// The folder of the Python packages that were downloaded
    UV_CACHE_DIR = "UV_CACHE_DIR";
    /// The package index, as pip is told of it
    PIP_INDEX_URL = "PIP_INDEX_URL";
    /// Further package indexes, as pip is told of them
    PIP_EXTRA_INDEX_URL = "PIP_EXTRA_INDEX_URL";
    /// The file of pip's settings
    PIP_CONFIG_FILE = "PIP_CONFIG_FILE";
    /// The file of passwords for servers of packages and modules
    NETRC = "NETRC";
    /// The file of git's settings
    GIT_CONFIG_GLOBAL = "GIT_CONFIG_GLOBAL";
    /// The program git reaches SSH servers with
    GIT_SSH = "GIT_SSH";
    /// The same, with its arguments
    GIT_SSH_COMMAND = "GIT_SSH_COMMAND";
    /// The socket of the user's SSH agent
    SSH_AUTH_SOCK = "SSH_AUTH_SOCK";
    /// Where programs keep what they can make again
    XDG_CACHE_HOME = "XDG_CACHE_HOME";
    /// Where programs keep a user's settings
    XDG_CONFIG_HOME = "XDG_CONFIG_HOME";
    /// The proxy for all addresses
    ALL_PROXY = "ALL_PROXY";
    /// The proxy for `http` addresses
    HTTP_PROXY = "HTTP_PROXY";
    /// The proxy for `https` addresses
    HTTPS_PROXY = "HTTPS_PROXY";
    /// The addresses that are reached without a proxy
    NO_PROXY = "NO_PROXY";
    /// The proxy for `http` addresses
    HTTP_PROXY_LOWER = "http_proxy";
    /// The proxy for `https` addresses
    HTTPS_PROXY_LOWER = "https_proxy";
    /// The addresses that are reached without a proxy
    NO_PROXY_LOWER = "no_proxy";
    /// A file of trusted certificates
    SSL_CERT_FILE = "SSL_CERT_FILE";
    /// A folder of trusted certificates
    SSL_CERT_DIR = "SSL_CERT_DIR";
    /// Whether a CI system runs this
    CI = "CI";
    /// Options of every Node that builds a frontend
    NODE_OPTIONS = "NODE_OPTIONS";
    /// A file of certificates that Node trusts besides its own
    NODE_EXTRA_CA_CERTS = "NODE_EXTRA_CA_CERTS";
    /// The token of package registries, as `.npmrc` files name it
    NPM_TOKEN = "NPM_TOKEN";
    /// The same, as GitHub's actions name it
    NODE_AUTH_TOKEN = "NODE_AUTH_TOKEN";
    /// Where pnpm keeps its programs
    PNPM_HOME = "PNPM_HOME";
    /// Where Bun keeps its programs
    BUN_INSTALL = "BUN_INSTALL";
    /// Where corepack keeps package managers
    COREPACK_HOME = "COREPACK_HOME";
    /// Turborepo: the team whose cache is used
    TURBO_TEAM = "TURBO_TEAM";
    /// Turborepo: the token for that cache
    TURBO_TOKEN = "TURBO_TOKEN";
    /// The time zone of builds
    TZ = "TZ";
    /// The name of the user
    USER = "USER";
    /// The user's shell
    SHELL = "SHELL";
    /// GitHub Actions: where a job asks for its identity
    ACTIONS_ID_TOKEN_REQUEST_URL = "ACTIONS_ID_TOKEN_REQUEST_URL";
    /// GitHub Actions: what a job asks for its identity with
    ACTIONS_ID_TOKEN_REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
    /// GitHub Actions: the branch a pull request comes from
    GITHUB_HEAD_REF = "GITHUB_HEAD_REF";
    /// GitHub Actions: the branch or tag that is built
    GITHUB_REF_NAME = "GITHUB_REF_NAME";
    /// GitHub Actions: whether that is a branch or a tag
    GITHUB_REF_TYPE = "GITHUB_REF_TYPE";
    /// GitHub Actions: the commit that is built
    GITHUB_SHA = "GITHUB_SHA";
    /// GitLab CI: the branch a merge request comes from
    CI_MERGE_REQUEST_SOURCE_BRANCH_NAME = "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME";
    /// GitLab CI and Woodpecker: the branch that is built
    CI_COMMIT_BRANCH = "CI_COMMIT_BRANCH";
    /// GitLab CI: the branch or tag that is built
    CI_COMMIT_REF_NAME = "CI_COMMIT_REF_NAME";
    /// GitLab CI: the tag that is built, if it is one
    CI_COMMIT_TAG = "CI_COMMIT_TAG";
    /// GitLab CI and Woodpecker: the commit that is built
    CI_COMMIT_SHA = "CI_COMMIT_SHA";
    /// Vercel: the branch that is built
    VERCEL_GIT_COMMIT_REF = "VERCEL_GIT_COMMIT_REF";
    /// Vercel: the commit that is built
    VERCEL_GIT_COMMIT_SHA = "VERCEL_GIT_COMMIT_SHA";
    /// Cloudflare Pages: the branch that is built
    CF_PAGES_BRANCH = "CF_PAGES_BRANCH";
    /// Cloudflare Pages: the commit that is built
    CF_PAGES_COMMIT_SHA = "CF_PAGES_COMMIT_SHA";
    /// Circle CI: the branch that is built
    CIRCLE_BRANCH = "CIRCLE_BRANCH";
    /// Circle CI: the commit that is built
    CIRCLE_SHA1 = "CIRCLE_SHA1";
    /// Buildkite: the branch that is built
    BUILDKITE_BRANCH = "BUILDKITE_BRANCH";
    /// Buildkite: the commit that is built
    BUILDKITE_COMMIT = "BUILDKITE_COMMIT";
    /// Bitbucket Pipelines: the branch that is built
    BITBUCKET_BRANCH = "BITBUCKET_BRANCH";
    /// Bitbucket Pipelines: the commit that is built
    BITBUCKET_COMMIT = "BITBUCKET_COMMIT";
    /// Drone: the branch that is built
    DRONE_BRANCH = "DRONE_BRANCH";
    /// Drone: the commit that is built
    DRONE_COMMIT_SHA = "DRONE_COMMIT_SHA";
    /// Jenkins: the branch a pull request comes from
    CHANGE_BRANCH = "CHANGE_BRANCH";
    /// Jenkins and others: the branch that is built
    BRANCH_NAME = "BRANCH_NAME";
    /// Jenkins: the commit that is built
    GIT_COMMIT = "GIT_COMMIT";
}

/// The values of the registered variables, read once. An empty value counts as none, as POSIX tools have it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    values: HashMap<&'static str, OsString>,
    /// Variables that frontends are made of, and settings of the tools that build: the builder knows their names, some of which
    /// hold the name of an index or a registry.
    of_builds: Vec<(String, OsString)>,
}

impl Environment {
    /// The environment of this process.
    pub(crate) fn of_process() -> Self {
        let named = std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let is_of_frontend = |name: &str| ship_builder::frontend_prefixes().any(|prefix| name.starts_with(prefix));
        let is_registered = |name: &str| REGISTRY.iter().any(|variable| variable.name == name);
        let is_of_build =
            |name: &str| !is_registered(name) && (is_of_frontend(name) || ship_builder::reaches_builds(name));
        let of_builds = named.filter(|(name, value)| !value.is_empty() && is_of_build(name)).collect();
        Self { of_builds, ..Self::from_lookup(|name| std::env::var_os(name)) }
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<OsString>) -> Self {
        let value =
            |variable: &Variable| Some((variable.name, lookup(variable.name).filter(|value| !value.is_empty())?));
        Self { values: REGISTRY.iter().filter_map(value).collect(), of_builds: Vec::new() }
    }

    /// The value, whatever its bytes.
    pub(crate) fn raw(&self, variable: Variable) -> Option<&OsStr> {
        self.values.get(variable.name).map(OsString::as_os_str)
    }

    /// The value, if it is text.
    pub(crate) fn text(&self, variable: Variable) -> Option<&str> {
        self.raw(variable)?.to_str()
    }

    /// The value as a path.
    pub(crate) fn path(&self, variable: Variable) -> Option<PathBuf> {
        self.raw(variable).map(PathBuf::from)
    }

    /// All that are set, with their values.
    pub(crate) fn all_pairs(&self) -> impl Iterator<Item = (OsString, OsString)> {
        let of_builds = self.of_builds.iter().map(|(name, value)| (name.into(), value.clone()));
        self.values.iter().map(|(name, value)| ((*name).into(), value.clone())).chain(of_builds)
    }

    /// Those of `variables` that are set, with their values.
    pub(crate) fn pairs(&self, variables: &[Variable]) -> Vec<(OsString, OsString)> {
        let pair = |variable: &Variable| Some((variable.name.into(), self.raw(*variable)?.to_owned()));
        variables.iter().filter_map(pair).collect()
    }
}

#[cfg(test)]
impl<const N: usize> From<[(Variable, &str); N]> for Environment {
    fn from(pairs: [(Variable, &str); N]) -> Self {
        let value =
            |name: &str| pairs.iter().find(|(variable, _)| variable.name == name).map(|(_, value)| value.into());
        Self::from_lookup(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each variable is registered once, and an empty one is as good as none.
    #[test]
    fn registry() {
        let mut names: Vec<&str> = REGISTRY.iter().map(|variable| variable.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), REGISTRY.len());
        assert!(REGISTRY.iter().all(|variable| !variable.meaning.is_empty()));
        let environment = Environment::from([(SHIP_HOST, ""), (SHIP_HOME, "/srv/ship")]);
        assert_eq!(environment.text(SHIP_HOST), None);
        assert_eq!(environment.path(SHIP_HOME), Some(PathBuf::from("/srv/ship")));
    }
}
