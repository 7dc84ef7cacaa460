//! The state database: `SQLite` in write-ahead mode, one connection that writes, a few that read, so that no reader waits
//! for another's sync to disk.

use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};
use ship_core::DeploymentId;

use crate::blobs::BlobError;
use crate::disk::Durability;
use crate::reserve::Reserve;
use crate::store::OpenError;

pub(crate) mod column;
pub(crate) mod migrations;
mod saved;

/// Reading connections that are kept when nobody reads: one more than a small machine has cores.
const READERS_KEPT: usize = 3;

/// How long to wait for a lock that somebody outside holds, an operator's `sqlite3` or a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// No file is made by opening one, and each connection is used by one thread at a time.
const FLAGS: OpenFlags = OpenFlags::SQLITE_OPEN_READ_WRITE.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

/// Statements that a connection keeps prepared. There are about forty in this crate.
const STATEMENTS_KEPT: usize = 64;

/// The state database.
#[derive(Debug)]
pub(crate) struct Database {
    path: PathBuf,
    durability: Durability,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    reserve: Reserve,
}

impl Database {
    /// Opens the database, making it if need be, and brings its schema up to date.
    pub(crate) fn open(path: &Path, durability: Durability) -> Result<Self, OpenError> {
        // SQLite gives the files beside the database the mode of the database, which it would make readable for all.
        let mut options = std::fs::OpenOptions::new();
        options.append(true).create(true).mode(0o600);
        options.open(path).map_err(|source| OpenError::io("create", path, source))?;
        let open = || -> Result<Self, StateError> {
            let mut writer = connect(path, durability)?;
            saved::save_before_migrations(&writer, path)?;
            migrations::run(&mut writer)?;
            let readers = Mutex::new(Vec::new());
            let reserve = Reserve::beside(path);
            Ok(Self { path: path.to_owned(), durability, writer: Mutex::new(writer), readers, reserve })
        };
        // Only then: nothing of a newer ship's is given up for one that it refuses.
        let opened = open().or_else(|error| {
            if !error.is_storage_full() {
                return Err(error);
            }
            Reserve::beside(path).make_room();
            open()
        });
        let database = opened.map_err(|source| OpenError::Database { path: path.to_owned(), source })?;
        database.keep_room();
        Ok(database)
    }

    /// Whether there is a database at `path` that has a schema. One that was cut to nothing has none, nor has one that was copied
    /// without the log beside it before anything got from there into it. Nothing is made or changed.
    pub(crate) fn has_begun(path: &Path) -> Result<bool, OpenError> {
        if !path.exists() {
            return Ok(false);
        }
        match version_at(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX) {
            Ok(version) => Ok(version > 0),
            Err(source) => Err(OpenError::Database { path: path.to_owned(), source }),
        }
    }

    /// Fails if a newer ship has made the schema of the database at `path`. What else is wrong with it is said by whoever opens it.
    pub(crate) fn refuse_newer(path: &Path) -> Result<(), OpenError> {
        if !path.exists() {
            return Ok(());
        }
        // One that may only read would leave the files beside the database that it had to make.
        match version_at(path, FLAGS).and_then(migrations::expect_known) {
            Err(source @ StateError::NewerSchema { .. }) => Err(OpenError::Database { path: path.to_owned(), source }),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Reads in one snapshot.
    pub(crate) fn read<T, E: From<StateError>>(
        &self,
        query: impl FnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut connection = self.take_reader()?;
        let transaction = connection.transaction().map_err(StateError::from)?;
        let result = query(&transaction);
        drop(transaction);
        let mut readers = locked(&self.readers);
        if readers.len() < READERS_KEPT {
            readers.push(connection);
        }
        result
    }

    /// Writes in one transaction, which began before anything was read. An error undoes it; `Ok` comes when it is on disk.
    pub(crate) fn write<T, E: From<StateError>>(
        &self,
        change: impl FnOnce(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        self.reserve.make_room();
        let mut writer = locked(&self.writer);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate).map_err(StateError::from)?;
        let value = change(&transaction)?;
        transaction.commit().map_err(StateError::from)?;
        Ok(value)
    }

    /// The same for a change that removes something. On a full disk the room that was kept for that is given to it.
    pub(crate) fn write_making_room<T, E: From<StateError> + MayBeFull>(
        &self,
        change: impl Fn(&Transaction) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.write(&change) {
            Err(error) if error.is_storage_full() && self.reserve.release() => self.write(&change),
            written => written,
        }
    }

    /// Keeps room for the next removal on a full disk, if there is any. What need not survive a power cut is kept for no
    /// operator who could run out of room.
    pub(crate) fn keep_room(&self) {
        if self.durability == Durability::Durable {
            self.reserve.keep();
        }
    }

    /// Copies the database as it is now to a new file. Others read and write meanwhile.
    pub(crate) fn copy_to(&self, path: &Path) -> Result<(), StateError> {
        saved::copy(&connect(&self.path, self.durability)?, path)
    }

    /// To be called before a newer ship may change the schema.
    pub(crate) fn expect_migrations(&self) -> Result<(), StateError> {
        saved::expect_migrations(&self.path)
    }

    /// Puts the copy back that was made before a newer ship changed the schema, if one did.
    pub(crate) fn undo_migrations(&self) -> Result<(), StateError> {
        saved::undo_migrations(&mut locked(&self.writer), &self.path)
    }

    fn take_reader(&self) -> Result<Connection, StateError> {
        let kept = locked(&self.readers).pop();
        kept.map_or_else(|| connect(&self.path, self.durability), Ok)
    }
}

/// An error that may mean that there is no room left.
pub(crate) trait MayBeFull {
    /// Whether it does.
    fn is_storage_full(&self) -> bool;
}

impl MayBeFull for StateError {
    fn is_storage_full(&self) -> bool {
        matches!(self, Self::StorageFull(_))
    }
}

/// A panic while a connection was in use has rolled its transaction back, so the connection can be used further.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The version of the schema, 0 if there is none.
fn version_at(path: &Path, flags: OpenFlags) -> Result<u32, StateError> {
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    saved::version_of(&connection)
}

fn connect(path: &Path, durability: Durability) -> Result<Connection, StateError> {
    let connection = Connection::open_with_flags(path, FLAGS)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    connection.pragma_update(None, "journal_mode", "wal")?;
    let synchronous = match durability {
        Durability::Durable => "full",
        Durability::Relaxed => "off",
    };
    connection.pragma_update(None, "synchronous", synchronous)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // In KiB when negative: the operating system caches the file anyway, and a host at rest should be small.
    connection.pragma_update(None, "cache_size", -1024)?;
    Ok(connection)
}

/// The state of the host cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// There is no room left on the disk. Nothing was changed.
    #[error("no room is left for the state database")]
    StorageFull(rusqlite::Error),
    /// `SQLite` refused.
    #[error("the state database cannot be used")]
    Database(#[source] rusqlite::Error),
    /// A newer ship changed the schema. Nothing was touched.
    #[error("the schema has version {found}, newer than the {known} that this ship knows")]
    NewerSchema {
        /// Its version.
        found: u32,
        /// The highest version that this code knows.
        known: u32,
    },
    /// There is no such deployment.
    #[error("there is no deployment {id}")]
    UnknownDeployment {
        /// The id that was asked for.
        id: DeploymentId,
    },
    /// The manifest of a deployment is not there or damaged.
    #[error("the manifest of deployment {id} cannot be read")]
    ManifestBlob {
        /// The deployment.
        id: DeploymentId,
        /// Why not.
        #[source]
        source: Box<BlobError>,
    },
    /// The manifest of a deployment is not one that this version understands.
    #[error("the manifest of deployment {id} is not understood")]
    ManifestFormat {
        /// The deployment.
        id: DeploymentId,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The manifest that the state names for a deployment is not the one that its id was made of.
    #[error("the manifest of deployment {id} is another one's")]
    ManifestOfAnother {
        /// The deployment.
        id: DeploymentId,
    },
    /// The state cannot be copied before its schema changes. Nothing was changed.
    #[error("the state cannot be copied to {} before its schema changes", path.display())]
    Save {
        /// Where to.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What the build of a deployment said cannot be kept or read.
    #[error("the build log of deployment {id} cannot be used")]
    BuildLog {
        /// The deployment.
        id: DeploymentId,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What was counted over time cannot be read or written.
    #[error("cannot {action} the history {}", path.display())]
    History {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The log of a project cannot be read or written.
    #[error("cannot {action} the log {}", path.display())]
    Log {
        /// What was tried.
        action: &'static str,
        /// The folder of the log.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl StateError {
    /// Whether `SQLite` says that the file is damaged, or is no database.
    pub fn is_damage(&self) -> bool {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let Self::Database(error) = self else { return false };
        matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
    }
}

impl From<rusqlite::Error> for StateError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error().map(|error| (error.code, error.extended_code));
        match code {
            // The index of the log beside it could not grow, which `SQLite` calls an error of the disk.
            Some((rusqlite::ErrorCode::DiskFull, _) | (_, rusqlite::ffi::SQLITE_IOERR_SHMSIZE)) => {
                Self::StorageFull(error)
            }
            _ => Self::Database(error),
        }
    }
}

#[cfg(test)]
mod tests;
