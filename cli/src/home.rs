//! Where ship keeps things: the folder that `SHIP_HOME` names, and what stands where in it.

use std::path::{Path, PathBuf};

use ship_core::Digest;

/// How many hexadecimal digits of a digest name a folder: enough that two paths of one account never meet.
const KEY_DIGITS: usize = 12;

/// The folder of everything that ship keeps for a user:
///
/// ```text
/// $SHIP_HOME
/// ├── config.toml            the host that commands talk to, and which folder is which project
/// ├── credentials.toml       tokens by host, 0600
/// ├── cache/                 what was built, by the digest of its inputs
/// │   └── dev/<key>/         what `ship dev` serves, removed when it ends
/// ├── toolchains/            toolchains that ship fetched itself
/// ├── local-ca/              the authority of `ship dev --https`, 0600
/// ├── host/                  the data directory of the embedded host
/// └── hosts/<key>/           one per data directory that was ever served from this account
///     ├── endpoint.json      where its host listens; locked by that host for as long as it lives
///     ├── start.lock         held while an embedded host is being started
///     ├── token              the admin token, 0600
///     └── host.log           what an embedded host says, bounded
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ShipHome(PathBuf);

impl ShipHome {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// What commands do unless they are told otherwise.
    pub(crate) fn config_file(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The tokens for hosts.
    pub(crate) fn credentials_file(&self) -> PathBuf {
        self.0.join("credentials.toml")
    }

    /// What builds leave for later builds.
    pub(crate) fn cache(&self) -> PathBuf {
        self.0.join("cache")
    }

    /// Toolchains that ship fetched.
    pub(crate) fn toolchains(&self) -> PathBuf {
        self.0.join("toolchains")
    }

    /// What `ship dev` keeps for the project at `root` while it runs.
    pub(crate) fn dev(&self, root: &Path) -> PathBuf {
        self.cache().join("dev").join(key(root))
    }

    /// The certificate authority of this machine alone.
    pub(crate) fn local_authority(&self) -> PathBuf {
        self.0.join("local-ca")
    }

    /// Where this `ship doctor` tries what the machine allows.
    pub(crate) fn doctor(&self) -> PathBuf {
        self.cache().join(format!("doctor-{}", std::process::id()))
    }

    /// The data directory of the embedded host.
    pub(crate) fn host_data(&self) -> PathBuf {
        self.0.join("host")
    }

    /// All host folders.
    pub(crate) fn hosts(&self) -> PathBuf {
        self.0.join("hosts")
    }

    /// What is known of the host that serves `data`, an absolute path without symbolic links.
    pub(crate) fn host(&self, data: &Path) -> HostFolder {
        HostFolder(self.hosts().join(key(data)))
    }
}

/// The folder of what is known of one host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HostFolder(PathBuf);

impl HostFolder {
    /// A folder that is known to be one.
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self(folder)
    }

    /// The folder itself.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// Where its host listens.
    pub(crate) fn endpoint_file(&self) -> PathBuf {
        self.0.join("endpoint.json")
    }

    /// The lock for starting it.
    pub(crate) fn start_lock(&self) -> PathBuf {
        self.0.join("start.lock")
    }

    /// Its admin token.
    pub(crate) fn token_file(&self) -> PathBuf {
        self.0.join("token")
    }

    /// What it says when nobody listens.
    pub(crate) fn log_file(&self) -> PathBuf {
        self.0.join("host.log")
    }
}

fn key(path: &Path) -> String {
    Digest::of(path.as_os_str().as_encoded_bytes()).to_hex()[..KEY_DIGITS].to_owned()
}
