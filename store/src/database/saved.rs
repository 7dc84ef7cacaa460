//! Copies of the state: one before each change of the schema, kept beside it, and those that backups are made of.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::{StateError, migrations};

/// How many copies from before changes of the schema are kept: with each, an operator can go back one release further.
const COPIES_KEPT: usize = 3;

/// How many pages are put back in one step. All of them: nobody else writes meanwhile.
const PAGES_AT_ONCE: std::ffi::c_int = std::ffi::c_int::MAX;

/// Copies the database as it is now to a new file, in one read transaction. Others read and write meanwhile.
pub(super) fn copy(connection: &Connection, path: &Path) -> Result<(), StateError> {
    let path = path
        .to_str()
        .ok_or_else(|| StateError::Save { path: path.to_owned(), source: io::ErrorKind::InvalidFilename.into() })?;
    connection.execute("VACUUM INTO ?1", [path])?;
    Ok(())
}

/// Copies the database beside itself if migrations are due. The copy is durable, under a name that says which version of the schema it
/// has, before anything is changed.
pub(super) fn save_before_migrations(connection: &Connection, path: &Path) -> Result<(), StateError> {
    save_before(connection, path, migrations::known())
}

/// The same, before the schema becomes that of `version`.
pub(super) fn save_before(connection: &Connection, path: &Path, version: u32) -> Result<(), StateError> {
    let found = version_of(connection)?;
    // An empty database has nothing to be saved; a newer one is refused.
    if found == 0 || found >= version {
        return Ok(());
    }
    let (copy_path, unfinished) = (saved_path(path, found), with_suffix(path, ".saving"));
    let saved = |source| StateError::Save { path: copy_path.clone(), source };
    remove_if_there(&unfinished).map_err(saved)?;
    copy(connection, &unfinished)?;
    let placed = File::open(&unfinished).and_then(|file| {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        file.sync_all()?;
        fs::rename(&unfinished, &copy_path)?;
        File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    });
    placed.map_err(saved)?;
    tracing::info!(path = %copy_path.display(), "the state was copied before its schema changes");
    remove_old_copies(path, version);
    Ok(())
}

/// Removes an older copy of the version that is in use, so that one which is found later was made after this.
pub(super) fn expect_migrations(path: &Path) -> Result<(), StateError> {
    let path = saved_path(path, migrations::known());
    remove_if_there(&path).map_err(|source| StateError::Save { path, source })
}

/// Puts the copy back that was made before a newer ship changed the schema, if one did since [`expect_migrations`].
pub(super) fn undo_migrations(connection: &mut Connection, path: &Path) -> Result<(), StateError> {
    let (known, copy_path) = (migrations::known(), saved_path(path, migrations::known()));
    if version_of(connection)? <= known || !copy_path.exists() {
        return Ok(());
    }
    let saved = Connection::open_with_flags(&copy_path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let found = version_of(&saved)?;
    if found != known {
        return Err(StateError::NewerSchema { found, known });
    }
    tracing::warn!(schema = known, "the schema is put back to what this version knows");
    let backup = rusqlite::backup::Backup::new(&saved, connection)?;
    Ok(backup.run_to_completion(PAGES_AT_ONCE, Duration::from_millis(50), None)?)
}

pub(super) fn version_of(connection: &Connection) -> Result<u32, StateError> {
    Ok(connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
}

fn saved_path(path: &Path, version: u32) -> PathBuf {
    with_suffix(path, &format!(".schema-{version}"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes the oldest copies. One that stays does no harm.
fn remove_old_copies(path: &Path, version: u32) {
    let copies = (1..version).rev().map(|version| saved_path(path, version)).filter(|copy| copy.exists());
    for copy in copies.skip(COPIES_KEPT) {
        if let Err(error) = fs::remove_file(&copy) {
            tracing::debug!(path = %copy.display(), %error, "an old copy of the state stays");
        }
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
