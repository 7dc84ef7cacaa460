//! Which hosts this account logged in at: `config.toml` names the one that commands talk to, and which folder belongs to which project
//! where; `credentials.toml` holds a token for each host.
//!
//! None of it stands in a project's folder: whoever wrote a project that somebody clones does not say where its code, and a token, is sent.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ship_core::{Digest, ProjectName};

use crate::home::ShipHome;

/// A file of accounts cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountsError {
    /// It cannot be read or written.
    #[error("{} cannot be {action}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// It is not what it should be.
    #[error("{} cannot be understood", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Others can read it.
    #[error("{} can be read by other users of this machine", path.display())]
    Readable {
        /// The file.
        path: PathBuf,
    },
}

/// What commands do unless they are told otherwise.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    /// The control address of the host that commands talk to.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Folders that belong to a project on a host.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    links: BTreeMap<PathBuf, Link>,
}

/// Where a folder belongs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Link {
    /// The control address of the host, if not the one that commands talk to otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) host: Option<String>,
    /// The project, if not the one that the folder says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<ProjectName>,
}

/// Tokens by the control address of their host.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Credentials {
    hosts: BTreeMap<String, Credential>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Credential {
    token: String,
    /// The job of continuous integration that it is for. Another on the same machine has nothing to do with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    job: Option<OfJob>,
}

/// For which job a token is kept, and for how long.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfJob {
    /// What tells the job from others.
    pub(crate) mark: Digest,
    /// When the token ends.
    pub(crate) until: Timestamp,
}

/// The host that commands talk to, if this account logged in at one.
pub(crate) fn default_host(home: &ShipHome) -> Result<Option<String>, AccountsError> {
    Ok(read::<Config>(&home.config_file())?.host)
}

/// Where a folder belongs, if that was said.
pub(crate) fn link_of(home: &ShipHome, folder: &Path) -> Result<Option<Link>, AccountsError> {
    Ok(read::<Config>(&home.config_file())?.links.remove(folder))
}

/// Remembers where a folder belongs, or forgets it.
pub(crate) fn link(home: &ShipHome, folder: &Path, link: Option<Link>) -> Result<(), AccountsError> {
    let path = home.config_file();
    let mut config: Config = read(&path)?;
    match link {
        Some(link) => config.links.insert(folder.to_owned(), link),
        None => config.links.remove(folder),
    };
    write(&path, &config)
}

/// The token for a host, if there is one; one of a job only while that is `job`.
pub(crate) fn token_for(home: &ShipHome, url: &str, job: Option<Digest>) -> Result<Option<String>, AccountsError> {
    let path = home.credentials_file();
    if std::fs::metadata(&path).is_ok_and(|found| found.permissions().mode() & 0o077 != 0) {
        return Err(AccountsError::Readable { path });
    }
    let credential = read::<Credentials>(&path)?.hosts.remove(&name_of(url));
    let is_ours = |of: OfJob| Some(of.mark) == job && of.until > Timestamp::now();
    Ok(credential.filter(|credential| credential.job.is_none_or(is_ours)).map(|credential| credential.token))
}

/// Keeps a token, and has commands talk to its host from now on.
pub(crate) fn log_in(home: &ShipHome, url: &str, token: String) -> Result<(), AccountsError> {
    keep(home, url, Credential { token, job: None })?;
    set_default_host(home, url)
}

/// Keeps a token for the other commands of a job.
pub(crate) fn keep_for_job(home: &ShipHome, url: &str, token: String, job: OfJob) -> Result<(), AccountsError> {
    keep(home, url, Credential { token, job: Some(job) })
}

fn keep(home: &ShipHome, url: &str, credential: Credential) -> Result<(), AccountsError> {
    let path = home.credentials_file();
    let mut credentials: Credentials = read(&path)?;
    credentials.hosts.insert(name_of(url), credential);
    write(&path, &credentials)
}

/// Has commands talk to a host from now on.
pub(crate) fn set_default_host(home: &ShipHome, url: &str) -> Result<(), AccountsError> {
    change_default_host(home, Some(name_of(url)))
}

/// Forgets the token for a host, and that commands talk to it. Whether there was one.
pub(crate) fn log_out(home: &ShipHome, url: &str) -> Result<bool, AccountsError> {
    let path = home.credentials_file();
    let mut credentials: Credentials = read(&path)?;
    let was_there = credentials.hosts.remove(&name_of(url)).is_some();
    if was_there {
        write(&path, &credentials)?;
    }
    if default_host(home)?.is_some_and(|host| name_of(&host) == name_of(url)) {
        change_default_host(home, None)?;
    }
    Ok(was_there)
}

fn change_default_host(home: &ShipHome, host: Option<String>) -> Result<(), AccountsError> {
    let config: Config = read(&home.config_file())?;
    write(&home.config_file(), &Config { host, ..config })
}

/// One name for one address.
fn name_of(url: &str) -> String {
    url.trim_end_matches('/').to_ascii_lowercase()
}

fn read<T: DeserializeOwned + Default>(path: &Path) -> Result<T, AccountsError> {
    match std::fs::read_to_string(path) {
        Ok(text) => toml::from_str(&text)
            .map_err(|source| AccountsError::Format { path: path.to_owned(), source: Box::new(source) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(T::default()),
        Err(source) => Err(AccountsError::File { path: path.to_owned(), action: "read", source }),
    }
}

/// Writes a file that nobody else can read, completely or not at all.
fn write<T: Serialize>(path: &Path, value: &T) -> Result<(), AccountsError> {
    let write = || -> io::Result<()> {
        let text = toml::to_string(value).map_err(io::Error::other)?;
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let beside = path.with_extension("new");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|source| AccountsError::File { path: path.to_owned(), action: "written", source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A login is remembered in files that nobody else can read, and a file that others can read is not used.
    #[test]
    fn logging_in_and_out() {
        let folder = tempfile::tempdir().unwrap();
        let home = ShipHome::new(folder.path().join("ship"));
        assert_eq!(default_host(&home).unwrap(), None);
        log_in(&home, "https://One.example/", "ship_one".into()).unwrap();
        log_in(&home, "https://two.example", "ship_two".into()).unwrap();
        assert_eq!(default_host(&home).unwrap().as_deref(), Some("https://two.example"));
        assert_eq!(token_for(&home, "https://one.example", None).unwrap().as_deref(), Some("ship_one"));
        for file in [home.credentials_file(), home.config_file()] {
            assert_eq!(std::fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(log_out(&home, "https://two.example/").unwrap());
        assert!(!log_out(&home, "https://two.example/").unwrap());
        assert_eq!(
            (default_host(&home).unwrap(), token_for(&home, "https://two.example", None).unwrap()),
            (None, None)
        );
        let (here, there) = (folder.path(), Path::new("/elsewhere"));
        let linked = Link { host: Some("https://one.example".into()), project: Some("blue".parse().unwrap()) };
        link(&home, here, Some(linked.clone())).unwrap();
        log_in(&home, "https://two.example", "ship_two".into()).unwrap();
        assert_eq!((link_of(&home, here).unwrap(), link_of(&home, there).unwrap()), (Some(linked), None));
        link(&home, here, None).unwrap();
        assert_eq!(link_of(&home, here).unwrap(), None);
        std::fs::set_permissions(home.credentials_file(), std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(token_for(&home, "https://one.example", None), Err(AccountsError::Readable { .. })));
    }

    /// What is kept for a job is neither for another job on the same machine nor for people, and not for longer than it is good.
    #[test]
    fn of_one_job() {
        let folder = tempfile::tempdir().unwrap();
        let home = ShipHome::new(folder.path().join("home"));
        let (mine, other) = (Digest::of(b"mine"), Digest::of(b"other"));
        let keep =
            |until| keep_for_job(&home, "https://a.example", "ship_a".into(), OfJob { mark: mine, until }).unwrap();
        let found = |job| token_for(&home, "https://a.example/", job).unwrap();
        keep(Timestamp::MAX);
        assert_eq!((found(Some(mine)).as_deref(), found(Some(other)), found(None)), (Some("ship_a"), None, None));
        assert_eq!(default_host(&home).unwrap(), None);
        keep(Timestamp::UNIX_EPOCH);
        assert_eq!(found(Some(mine)), None);
    }
}
