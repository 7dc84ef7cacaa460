//! The store: one handle on one data directory.

use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::audit::Audit;
use crate::blobs::{BegunFolder, Blobs};
use crate::certificates::Certificates;
use crate::data_dir::DataDir;
use crate::database::{Database, StateError};
use crate::deployments::Deployments;
use crate::disk::{Disk, Durability, FileSystem, MakingRoom, is_storage_full};
use crate::domains::Domains;
use crate::functions::Functions;
use crate::history::History;
use crate::keeping::{Clearing, Keeping, KeptBlobs};
use crate::lock::DataDirLock;
use crate::logs::Logs;
use crate::project_blobs::ProjectBlobs;
use crate::protection::Protections;
use crate::sessions::Sessions;
use crate::tokens::Tokens;
use crate::trusts::Trusts;
use crate::variables::Variables;

/// An open data directory. Cheap to clone; the last clone to go closes it and gives up its lock.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

/// The lock is the last field, and so the last to be dropped: the database is closed before another host may open it.
#[derive(Debug)]
struct Inner {
    data_dir: DataDir,
    audit: Audit,
    blobs: Blobs,
    database: Arc<Database>,
    deployments: Deployments,
    project_blobs: ProjectBlobs,
    tokens: Tokens,
    trusts: Trusts,
    sessions: Sessions,
    certificates: Certificates,
    domains: Domains,
    variables: Variables,
    protections: Protections,
    logs: Logs,
    history: History,
    functions: Functions,
    /// Whose turn it is to collect garbage.
    collecting: Mutex<()>,
    keeping: Keeping,
    lock: DataDirLock,
}

impl Store {
    /// Opens the data directory `data`, making it if it does not exist.
    pub fn open(data: &Path, durability: Durability) -> Result<Self, OpenError> {
        Self::open_on(data, durability, Arc::new(Disk { durability }))
    }

    /// Opens a data directory that is there. Nothing is made where there is none.
    pub fn open_existing(data: &Path) -> Result<Self, OpenError> {
        if !data.join("VERSION").exists() {
            let reason = "there is no VERSION in it";
            return Err(OpenError::NotADataDirectory { path: data.to_owned(), reason });
        }
        Self::open(data, Durability::Durable)
    }

    /// Opens the data directory `data` beside the process that has it open and that handed over `lock`, a copy of its
    /// [`Store::lock_handle`]. That one must have ended all its changes, and may go on to read, to take blobs and to append to logs.
    pub fn inherit(data: &Path, durability: Durability, lock: OwnedFd) -> Result<Self, OpenError> {
        let disk = Arc::new(Disk { durability });
        let (data_dir, lock) = DataDir::inherit(data, lock)?;
        Self::open_in(data_dir, lock, durability, disk)
    }

    pub(crate) fn open_on(data: &Path, durability: Durability, disk: Arc<dyn FileSystem>) -> Result<Self, OpenError> {
        let (data_dir, lock) = DataDir::prepare(data, &*disk)?;
        Database::refuse_newer(&data_dir.database())?;
        data_dir.clear_temporary(&*disk)?;
        Self::open_in(data_dir, lock, durability, disk)
    }

    fn open_in(
        data_dir: DataDir,
        lock: DataDirLock,
        durability: Durability,
        disk: Arc<dyn FileSystem>,
    ) -> Result<Self, OpenError> {
        if holds_blobs(&data_dir.blobs()) && !Database::has_begun(&data_dir.database())? {
            return Err(OpenError::StateLost { path: data_dir.database() });
        }
        let disk: Arc<dyn FileSystem> = Arc::new(MakingRoom::new(disk, BegunFolder::new(data_dir.begun())));
        let database = Arc::new(Database::open(&data_dir.database(), durability)?);
        data_dir.sync(&*disk)?;
        let blobs = Blobs::new(&data_dir, Arc::clone(&disk), Arc::clone(&database))
            .map_err(|source| OpenError::io("open", &data_dir.blobs(), source))?;
        let inner = Inner {
            audit: Audit::new(Arc::clone(&database)),
            deployments: Deployments::new(Arc::clone(&database), blobs.clone()),
            project_blobs: ProjectBlobs::new(Arc::clone(&database)),
            certificates: Certificates::new(Arc::clone(&database)),
            domains: Domains::new(Arc::clone(&database)),
            tokens: Tokens::new(Arc::clone(&database)),
            trusts: Trusts::new(Arc::clone(&database)),
            sessions: Sessions::new(Arc::clone(&database)),
            variables: Variables::new(Arc::clone(&database), data_dir.host_key()),
            protections: Protections::new(Arc::clone(&database)),
            database,
            keeping: Keeping::default(),
            logs: Logs::new(data_dir.logs()),
            history: History::new(data_dir.history()),
            functions: Functions::new(&data_dir, disk, blobs.clone()),
            blobs,
            data_dir,
            collecting: Mutex::default(),
            lock,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// A copy of the handle that holds the lock, for the process that takes the data directory over. `None` if this one has let go of
    /// it.
    pub fn lock_handle(&self) -> io::Result<Option<OwnedFd>> {
        self.inner.lock.handle()
    }

    /// Says that this process has the data directory now: whoever finds it locked is told so.
    pub fn claim_lock(&self) -> io::Result<()> {
        self.inner.lock.claim()
    }

    /// Lets go of the lock: the data directory is another process's, and this one changes nothing in it any more.
    pub fn release_lock(&self) {
        self.inner.lock.release();
    }

    /// Keeps every blob for as long as the answer lives. Blocks while some are being removed.
    pub fn keep_blobs(&self) -> KeptBlobs {
        self.inner.keeping.keep()
    }

    /// The right to remove blobs that nobody needs, for as long as the answer lives; `None` while somebody keeps all of them. Whoever
    /// removes blobs has to have it.
    pub(crate) fn clear_blobs(&self) -> Option<Clearing> {
        self.inner.keeping.clear()
    }

    /// To be called before a successor opens the data directory: it may be newer and change the schema, which
    /// [`Store::undo_migrations`] takes back.
    pub fn expect_migrations(&self) -> Result<(), StateError> {
        self.inner.database.expect_migrations()
    }

    /// Takes back what a successor has made of the schema that did not come to serve, so that this process understands the state. Nothing
    /// may have changed it otherwise since.
    pub fn undo_migrations(&self) -> Result<(), StateError> {
        self.inner.database.undo_migrations()
    }

    pub(crate) fn database(&self) -> &Database {
        &self.inner.database
    }

    /// Where everything is written before it gets its name.
    pub(crate) fn temporary(&self) -> PathBuf {
        self.inner.data_dir.temporary()
    }

    /// The data directory.
    pub fn data_dir(&self) -> &Path {
        self.inner.data_dir.root()
    }

    /// What was done here, by whom and from where.
    pub fn audit(&self) -> &Audit {
        &self.inner.audit
    }

    /// Content by digest.
    pub fn blobs(&self) -> &Blobs {
        &self.inner.blobs
    }

    /// Deployments and the aliases that point to them.
    pub fn deployments(&self) -> &Deployments {
        &self.inner.deployments
    }

    /// Which blobs were sent for which project.
    pub fn project_blobs(&self) -> &ProjectBlobs {
        &self.inner.project_blobs
    }

    /// Names of the world that lead to projects.
    pub fn domains(&self) -> &Domains {
        &self.inner.domains
    }

    /// The certificates that the host got for itself.
    pub fn certificates(&self) -> &Certificates {
        &self.inner.certificates
    }

    /// Who may use the control API.
    pub fn tokens(&self) -> &Tokens {
        &self.inner.tokens
    }

    /// What was counted over time.
    pub fn history(&self) -> &History {
        &self.inner.history
    }

    /// Who is logged in to the dashboard.
    pub fn sessions(&self) -> &Sessions {
        &self.inner.sessions
    }

    /// Which jobs are trusted.
    pub fn trusts(&self) -> &Trusts {
        &self.inner.trusts
    }

    /// Variables of projects, sealed.
    pub fn variables(&self) -> &Variables {
        &self.inner.variables
    }

    /// Who may see the sites of projects.
    pub fn protections(&self) -> &Protections {
        &self.inner.protections
    }

    /// What requests and functions said.
    pub fn logs(&self) -> &Logs {
        &self.inner.logs
    }

    /// Waits until nobody else collects garbage.
    pub(crate) fn take_collecting_turn(&self) -> MutexGuard<'_, ()> {
        self.inner.collecting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Artifacts, unpacked and ready to be started.
    pub fn functions(&self) -> &Functions {
        &self.inner.functions
    }
}

/// Whether any blob is stored. Without the state that names it, nobody could find it again.
fn holds_blobs(folder: &Path) -> bool {
    let entries = |folder: &Path| std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    entries(folder).any(|shard| entries(&shard.path()).next().is_some())
}

/// A data directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error(
        "the data directory {} is in use by {}",
        path.display(),
        pid.map_or_else(|| "another process".to_owned(), |pid| format!("process {pid}"))
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process that has it open, if it said so.
        pid: Option<u32>,
    },
    /// A newer ship wrote it. Nothing in it was touched.
    #[error("the data directory {} was written by a newer ship: version {found}, this one knows {known}", path.display())]
    NewerVersion {
        /// The directory.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The highest version that this code knows.
        known: u32,
    },
    /// The state database is gone, or is one in which nothing ever was, although blobs are there. To go on with it would forget every
    /// deployment.
    #[error("{} is missing or empty although deployments were stored beside it", path.display())]
    StateLost {
        /// Where the database should be.
        path: PathBuf,
    },
    /// The folder is something else, so the store keeps away from it.
    #[error("{} is not a data directory of ship: {reason}", path.display())]
    NotADataDirectory {
        /// The folder or the file in it that says so.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A file or folder cannot be used.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The state database cannot be opened or brought up to date.
    #[error("the state database {} cannot be opened", path.display())]
    Database {
        /// The database.
        path: PathBuf,
        /// Why not.
        #[source]
        source: StateError,
    },
}

impl OpenError {
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// Whether there is no room left for the data directory.
    pub fn is_full_disk(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_storage_full(source),
            Self::Database { source, .. } => matches!(source, StateError::StorageFull(_)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests;
