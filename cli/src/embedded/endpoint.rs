//! The endpoint file: where a host listens, and whether it lives.
//!
//! A host writes the file and keeps it locked for as long as it lives. The kernel drops the lock with the process, however
//! that ends, so a file that can be locked is one that a host left behind: it still says which ports to use again.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::mem::ManuallyDrop;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use fs_err::os::unix::fs::OpenOptionsExt as _;
use serde::{Deserialize, Serialize};

use crate::home::{HostFolder, ShipHome};

/// The most that is read of an endpoint file.
const MAX_BYTES: u64 = 64 * 1024;

/// Where a host listens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// Its process id.
    pub(crate) pid: u32,
    /// The URL at which visitors are served.
    pub(crate) sites: String,
    /// The URL of the control API.
    pub(crate) control: String,
    /// The domain below which sites stand.
    pub(crate) domain: String,
    /// The data directory.
    pub(crate) data: String,
    /// The version of ship that runs.
    pub(crate) version: String,
}

/// Whether a host lives.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    /// It does, and listens here.
    Running(Endpoint),
    /// It listened here when it last lived.
    Stopped(Endpoint),
    /// None was ever started.
    Unknown,
}

impl Presence {
    /// Looks at what is known of a host.
    pub(crate) fn of(folder: &HostFolder) -> io::Result<Self> {
        let file = match File::open(folder.endpoint_file()) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Unknown),
            Err(error) => return Err(error),
        };
        let lives = match file.try_lock_shared() {
            Ok(()) => false,
            Err(TryLockError::WouldBlock) => true,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let mut text = String::new();
        file.take(MAX_BYTES).read_to_string(&mut text)?;
        // A file that cannot be read was written by another version, which remembers other things.
        let Ok(endpoint) = serde_json::from_str(&text) else { return Ok(Self::Unknown) };
        Ok(if lives { Self::Running(endpoint) } else { Self::Stopped(endpoint) })
    }
}

/// The hosts of this account that live now, each with what is known of it.
pub(crate) fn running_hosts(home: &ShipHome) -> Vec<(HostFolder, Endpoint)> {
    let Ok(folders) = fs_err::read_dir(home.hosts()) else { return Vec::new() };
    let folders = folders.filter_map(Result::ok).map(|entry| HostFolder::at(entry.path()));
    let running = folders.filter_map(|folder| match Presence::of(&folder) {
        Ok(Presence::Running(endpoint)) => Some((folder, endpoint)),
        _ => None,
    });
    running.collect()
}

/// Says where this process serves, until it ends.
///
/// The lock is left to the kernel on purpose: whoever waits for it waits for the end of the process.
pub(crate) fn announce(folder: &HostFolder, endpoint: &Endpoint) -> io::Result<()> {
    create_private(folder.folder())?;
    let beside = folder.endpoint_file().with_extension("new");
    let mut file = fs_err::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    serde_json::to_writer(&mut file, endpoint)?;
    file.flush()?;
    let file = file.into_file();
    // Locked before it can be seen: nobody ever finds the file of a living host unlocked.
    file.lock()?;
    fs_err::rename(&beside, folder.endpoint_file())?;
    let _held_until_the_process_ends = ManuallyDrop::new(file);
    Ok(())
}

/// Creates a folder that only its owner may look into.
pub(crate) fn create_private(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> Endpoint {
        Endpoint {
            pid: 42,
            sites: "http://127.0.0.1:7700".into(),
            control: "http://127.0.0.1:7701".into(),
            domain: "localhost".into(),
            data: "/data".into(),
            version: "1.2.3".into(),
        }
    }

    /// A host that announced itself is found running; what a dead one left is told from it at once.
    #[test]
    fn presence() {
        let folder = tempfile::tempdir().unwrap();
        let home = ShipHome::new(folder.path().to_owned());
        let host = home.host(Path::new("/data"));
        assert_eq!(Presence::of(&host).unwrap(), Presence::Unknown);
        assert!(running_hosts(&home).is_empty());

        announce(&host, &endpoint()).unwrap();
        assert_eq!(Presence::of(&host).unwrap(), Presence::Running(endpoint()));
        assert_eq!(running_hosts(&home), [(host.clone(), endpoint())]);

        // A copy has the same text and no lock, as after `kill -9`.
        let text = fs_err::read(host.endpoint_file()).unwrap();
        fs_err::remove_file(host.endpoint_file()).unwrap();
        fs_err::write(host.endpoint_file(), text).unwrap();
        assert_eq!(Presence::of(&host).unwrap(), Presence::Stopped(endpoint()));
    }

    /// What cannot be read is as good as nothing.
    #[test]
    fn unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let host = ShipHome::new(folder.path().to_owned()).host(Path::new("/data"));
        create_private(host.folder()).unwrap();
        fs_err::write(host.endpoint_file(), "{").unwrap();
        assert_eq!(Presence::of(&host).unwrap(), Presence::Unknown);
    }
}
