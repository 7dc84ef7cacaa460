//! The place of the program that runs: one takes it in a single step, or nothing happens.

use std::fs::{File, Permissions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::{NamedTempFile, TempPath};

use super::archive;
use super::error::ReleaseError;
use super::listing::Release;

/// How the names of programs begin that have not taken their place yet. What one left that was killed is removed by the next.
const ARRIVING: &str = ".ship-upgrade-";

/// The place of a program, held against others who would replace it, too.
#[derive(Debug)]
pub(crate) struct Place {
    program: PathBuf,
    folder: PathBuf,
    /// The folder itself is what is locked, so that no file of a lock stays beside programs.
    turn: File,
}

impl Place {
    /// Takes a program's place, which is tried by writing there.
    pub(crate) fn take(program: &Path) -> Result<Self, ReleaseError> {
        let unusable = |source| ReleaseError::Place { program: program.to_owned(), source };
        let folder = program.parent().unwrap_or(Path::new("/")).to_owned();
        let turn = File::open(&folder).map_err(unusable)?;
        match turn.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(ReleaseError::UnderWay { program: program.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(unusable(source)),
        }
        let place = Self { program: program.to_owned(), folder, turn };
        place.sweep().map_err(unusable)?;
        Ok(place)
    }

    /// The program that stands there.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// A file without a name on the same disk, which is gone with whoever holds it.
    pub(super) fn scratch(&self) -> Result<File, ReleaseError> {
        tempfile::tempfile_in(&self.folder).map_err(|source| self.unusable(source))
    }

    /// Puts the program of a release there, once it has said itself that it is that.
    pub(crate) fn put(&self, release: &Release, packed: &File) -> Result<(), ReleaseError> {
        let arrived = self.unpack(release, packed)?;
        runs(&arrived, release)?;
        arrived.persist(&self.program).map_err(|error| self.unusable(error.error))?;
        // Only now is the name as durable as what it leads to.
        self.turn.sync_all().map_err(|source| self.unusable(source))
    }

    /// The program of a release beside the one that stands there, with the same permissions, and durable.
    fn unpack(&self, release: &Release, packed: &File) -> Result<TempPath, ReleaseError> {
        let mut arriving = self.arriving().map_err(|source| self.unusable(source))?;
        archive::unpack(packed, &release.program(), arriving.as_file_mut()).map_err(|error| match error {
            ReleaseError::Archive(source) if crate::error::is_full_disk(&source) => self.unusable(source),
            other => other,
        })?;
        let finished = arriving.flush().and_then(|()| arriving.as_file().sync_all());
        finished.map_err(|source| self.unusable(source))?;
        // Nobody can start what somebody else has open for writing.
        Ok(arriving.into_temp_path())
    }

    fn arriving(&self) -> io::Result<NamedTempFile> {
        let arriving = tempfile::Builder::new().prefix(ARRIVING).tempfile_in(&self.folder)?;
        let before = std::fs::metadata(&self.program)?;
        give_owner(arriving.as_file(), &before);
        arriving.as_file().set_permissions(mode_of(&before))?;
        Ok(arriving)
    }

    /// Removes what an upgrade left that was killed. Whoever holds the place is alone with it.
    fn sweep(&self) -> io::Result<()> {
        for entry in std::fs::read_dir(&self.folder)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with(ARRIVING) {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    pub(super) fn unusable(&self, source: io::Error) -> ReleaseError {
        ReleaseError::Place { program: self.program.clone(), source }
    }
}

/// Gives a file the owner of another, where this account may: root replaces programs of others.
fn give_owner(file: &File, like: &std::fs::Metadata) {
    use std::os::unix::fs::MetadataExt as _;
    let _ = std::os::unix::fs::fchown(file, Some(like.uid()), Some(like.gid()));
}

fn mode_of(metadata: &std::fs::Metadata) -> Permissions {
    use std::os::unix::fs::PermissionsExt as _;
    // Bits that change whom a program runs as are not passed on to another program.
    Permissions::from_mode(metadata.permissions().mode() & 0o777)
}

/// Asks a program for its version: one for another machine does not start.
fn runs(program: &Path, release: &Release) -> Result<(), ReleaseError> {
    let asked = Command::new(program).arg("--version").stdin(Stdio::null()).output();
    let said = match asked {
        Ok(output) => String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    if said == format!("ship {}", release.version) {
        return Ok(());
    }
    Err(ReleaseError::DoesNotRun { said, version: release.version.clone() })
}
