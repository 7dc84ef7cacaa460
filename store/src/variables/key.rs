//! The host's key: a file of its own, which nobody else may read, so that the database alone gives nothing away.
//!
//! The file holds lines of 64 hexadecimal digits. The first is the key that seals, all of them open: a key is changed by writing a
//! new one above the old, and the old line can go once the host has started with both.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER_PERMISSIVE;
use ship_core::DigestHasher;

use super::error::VariablesError;
use super::seal::KeyBytes;

/// Where the key is.
#[derive(Clone, Debug)]
pub(super) enum KeyFile {
    /// The host's own file, made when it is first needed.
    OfHost(PathBuf),
    /// Somebody else's, which is only read.
    Given(PathBuf),
}

/// The keys that a host has, the one that seals first.
#[derive(Debug)]
pub(super) struct HostKey {
    pub(super) keys: Vec<NamedKey>,
}

/// A key and the name that stands beside what it seals.
#[derive(Debug)]
pub(super) struct NamedKey {
    pub(super) id: String,
    pub(super) bytes: KeyBytes,
}

impl NamedKey {
    fn new(bytes: [u8; 32]) -> Self {
        let mut hasher = DigestHasher::new();
        hasher.update_field(b"the name of a ship host key");
        hasher.update_field(&bytes);
        Self { id: hasher.finish().to_hex()[..16].to_owned(), bytes: KeyBytes(bytes) }
    }
}

impl HostKey {
    /// The name of the key that seals.
    pub(super) fn id(&self) -> &str {
        &self.first().id
    }

    pub(super) fn first(&self) -> &NamedKey {
        self.keys.first().expect("a key file without a key is refused when it is read")
    }
}

impl KeyFile {
    fn path(&self) -> &Path {
        match self {
            Self::OfHost(path) | Self::Given(path) => path,
        }
    }

    /// Reads the keys, unless others can.
    pub(super) fn read(&self) -> Result<HostKey, VariablesError> {
        let path = self.path();
        let text = self.read_text().map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => VariablesError::KeyMissing { path: path.to_owned() },
            _ => VariablesError::KeyFile { path: path.to_owned(), source },
        })??;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let parse = |line: &str| HEXLOWER_PERMISSIVE.decode(line.as_bytes()).ok()?.try_into().ok().map(NamedKey::new);
        match lines.map(parse).collect::<Option<Vec<_>>>() {
            Some(keys) if !keys.is_empty() => Ok(HostKey { keys }),
            _ => Err(VariablesError::KeyMalformed { path: path.to_owned() }),
        }
    }

    /// The file's text. What others can read is known by looking at the open file, so it cannot change in between.
    fn read_text(&self) -> io::Result<Result<String, VariablesError>> {
        let file = File::open(self.path())?;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        // systemd gives a service its credentials by an access list, which shows as the group's rights.
        let forbidden = match self {
            Self::OfHost(_) => 0o077,
            Self::Given(_) => 0o007,
        };
        if mode & forbidden != 0 {
            return Ok(Err(VariablesError::KeyOpenToOthers { path: self.path().to_owned(), mode }));
        }
        io::read_to_string(file).map(Ok)
    }

    /// Makes a key: complete or not at all, durable, and readable by its owner alone from its first byte on.
    pub(super) fn make(&self) -> Result<HostKey, VariablesError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|reason| VariablesError::Random { reason })?;
        let path = self.path();
        let beside = path.with_extension("new");
        let write = || -> io::Result<()> {
            match fs::remove_file(&beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            writeln!(file, "{}", HEXLOWER_PERMISSIVE.encode(&bytes))?;
            file.sync_all()?;
            // Never over a key that is there.
            fs::hard_link(&beside, path)?;
            fs::remove_file(&beside)?;
            File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
        };
        write().map_err(|source| VariablesError::KeyFile { path: path.to_owned(), source })?;
        Ok(HostKey { keys: vec![NamedKey::new(bytes)] })
    }
}
