//! A data directory from a backup. Everything is read into a folder of its own and checked; only when all of it is right and durable does
//! it get the names that a host looks for.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufReader, Read, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use ship_core::{Digest, DigestHasher, SiteLimits};
use tar::{Archive, EntryType};

use super::entries::{
    DESCRIPTION, DESCRIPTION_BYTES, Description, FORMAT_VERSION, STATE, blob_entry, parse_blob_entry,
};
use super::error::{Fault, RestoreError};
use super::snapshot::Snapshot;
use crate::blobs::nanoseconds;
use crate::data_dir::{DataDir, HOST_KEY, LAYOUT_VERSION, remove_all};
use crate::database::{StateError, migrations};
use crate::disk::{Disk, Durability, FileSystem as _};
use crate::lock::LOCK_NAME;

/// Where a backup is read into, below the data directory: on the same disk, and whoever finds it there knows that a restore was cut off.
const UNFINISHED: &str = "restoring";

/// What may stand in an empty data directory: the key of sealed secrets, which no backup holds (`docs/backup.md`), and what an earlier
/// attempt has left.
const MAY_BE_THERE: [&str; 3] = [HOST_KEY, UNFINISHED, LOCK_NAME];

/// How much is copied at once.
const COPIED_BYTES: usize = 256 * 1024;

/// What was restored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Restored {
    /// How many deployments.
    pub deployments: u64,
    /// How many blobs.
    pub blobs: u64,
    /// Their sizes together, in bytes.
    pub blob_bytes: u64,
    /// How many values of variables, which are sealed with a key that no backup holds.
    pub sealed_values: u64,
}

/// Makes `data`, which is empty or not there, the data directory that was saved in `archive`. If it fails, `data` is as it was but for
/// its lock's file.
pub fn restore(data: &Path, archive: &Path) -> Result<Restored, RestoreError> {
    let disk = Disk { durability: Durability::Durable };
    let file = File::open(archive).map_err(|source| io_error("open", archive, source))?;
    // Looked at before anything is made in it, and again when nobody else can.
    see_that_it_is_empty(data)?;
    let (data_dir, _lock) = DataDir::lock_new(data, &disk)?;
    see_that_it_is_empty(data)?;
    let unfinished = data.join(UNFINISHED);
    let clear = || match remove_all(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error("remove", &unfinished, error)),
        _ => Ok(()),
    };
    clear()?;
    let restored = read(file, archive, &unfinished, disk).and_then(|restored| {
        place(&data_dir, &unfinished, disk)?;
        Ok(restored)
    });
    clear()?;
    restored
}

/// A data directory with anything in it is somebody's.
fn see_that_it_is_empty(data: &Path) -> Result<(), RestoreError> {
    let unreadable = |source| io_error("read", data, source);
    let entries = match fs::read_dir(data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(unreadable)?,
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name())).collect::<Result<BTreeSet<_>, _>>();
    for name in names.map_err(unreadable)? {
        // An earlier attempt may have been cut off while its pieces got their names; its folder goes last.
        let is_of_cut_off = data.join(UNFINISHED).exists() && !data.join("VERSION").exists();
        let is_piece = name == "blobs" || name == STATE;
        if MAY_BE_THERE.iter().any(|known| name == *known) || (is_of_cut_off && is_piece) {
            continue;
        }
        return Err(RestoreError::NotEmpty { path: data.to_owned(), found: name.to_string_lossy().into_owned() });
    }
    Ok(())
}

/// Reads an archive into a new folder, and checks all of it.
fn read(file: File, archive: &Path, folder: &Path, disk: Disk) -> Result<Restored, RestoreError> {
    let make = |folder: &Path| {
        DirBuilder::new().mode(0o700).create(folder).map_err(|source| io_error("create", folder, source))
    };
    make(folder)?;
    make(&folder.join("blobs"))?;
    let mut reading = Reading { archive, folder, disk, blobs: BTreeMap::new() };
    let mut tar = Archive::new(BufReader::with_capacity(COPIED_BYTES, file));
    // Raw: a header that gives the next entry another name or size is an entry that does not belong there.
    let mut entries = tar.entries().map_err(|_| reading.fault(Fault::NoBackup))?.raw(true);
    let description = reading.description(entries.next())?;
    reading.state(entries.next(), &description)?;
    for _ in 0..description.blobs {
        reading.blob(entries.next())?;
    }
    if let Some(more) = entries.next() {
        let fault = more.map_or(Fault::CutOff, |entry| Fault::UnexpectedEntry { name: name_of(&entry) });
        return Err(reading.fault(fault));
    }
    if reading.blobs.values().sum::<u64>() != description.blob_bytes {
        return Err(reading.fault(Fault::Damaged { name: DESCRIPTION.to_owned() }));
    }
    let (deployments, sealed_values) = reading.check_state(&description)?;
    Ok(Restored { deployments, blobs: description.blobs, blob_bytes: description.blob_bytes, sealed_values })
}

/// Gives what was read the names that a host looks for, the one that makes it a data directory last.
fn place(data_dir: &DataDir, unfinished: &Path, disk: Disk) -> Result<(), RestoreError> {
    let root = data_dir.root();
    let handle = File::open(unfinished).map_err(|source| io_error("open", unfinished, source))?;
    disk.sync_everything(&handle).map_err(|source| io_error("sync", unfinished, source))?;
    for name in ["blobs", STATE] {
        let place = root.join(name);
        match remove_all(&place) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error("remove", &place, error)),
            _ => {}
        }
        fs::rename(unfinished.join(name), &place).map_err(|source| io_error("name", &place, source))?;
    }
    disk.sync_folder(root).map_err(|source| io_error("sync", root, source))?;
    Ok(data_dir.write_version(&disk)?)
}

/// An archive that is being read.
struct Reading<'r> {
    archive: &'r Path,
    folder: &'r Path,
    disk: Disk,
    /// What was read, with the sizes.
    blobs: BTreeMap<Digest, u64>,
}

type Entry<'a, R> = Option<io::Result<tar::Entry<'a, R>>>;

impl Reading<'_> {
    fn fault(&self, fault: Fault) -> RestoreError {
        RestoreError::Archive { archive: self.archive.to_owned(), fault }
    }

    /// The next entry, which is a plain file.
    fn next<'a, R: Read>(&self, entry: Entry<'a, R>) -> Result<(tar::Entry<'a, R>, String), RestoreError> {
        let entry = entry.and_then(Result::ok).ok_or_else(|| self.fault(Fault::CutOff))?;
        let name = name_of(&entry);
        if entry.header().entry_type() != EntryType::Regular {
            return Err(self.fault(Fault::UnexpectedEntry { name }));
        }
        Ok((entry, name))
    }

    fn description<R: Read>(&self, entry: Entry<'_, R>) -> Result<Description, RestoreError> {
        let no_backup = || self.fault(Fault::NoBackup);
        let (entry, name) = self.next(entry).map_err(|_| no_backup())?;
        if name != DESCRIPTION || entry.size() > DESCRIPTION_BYTES {
            return Err(no_backup());
        }
        let mut json = Vec::new();
        entry.take(DESCRIPTION_BYTES).read_to_end(&mut json).map_err(|_| self.fault(Fault::CutOff))?;
        let versions: Versions = serde_json::from_slice(&json).map_err(|_| no_backup())?;
        let known_schema = migrations::known();
        let all =
            [(versions.format, FORMAT_VERSION), (versions.layout, LAYOUT_VERSION), (versions.schema, known_schema)];
        if let Some((found, known)) = all.into_iter().find(|(found, known)| found > known) {
            return Err(self.fault(Fault::Newer { found, known }));
        }
        serde_json::from_slice(&json).map_err(|_| no_backup())
    }

    fn state<R: Read>(&self, entry: Entry<'_, R>, description: &Description) -> Result<(), RestoreError> {
        let (entry, name) = self.next(entry)?;
        if name != STATE {
            return Err(self.fault(Fault::UnexpectedEntry { name }));
        }
        if entry.size() != description.state_bytes {
            return Err(self.fault(Fault::Damaged { name }));
        }
        self.copy(entry, &self.folder.join(STATE), description.state, &name).map(drop)
    }

    fn blob<R: Read>(&mut self, entry: Entry<'_, R>) -> Result<(), RestoreError> {
        let (entry, name) = self.next(entry)?;
        // In their order, so each comes once.
        let digest =
            parse_blob_entry(&name).filter(|digest| self.blobs.last_key_value().is_none_or(|(last, _)| last < digest));
        let Some(digest) = digest else { return Err(self.fault(Fault::UnexpectedEntry { name })) };
        let size_bytes = entry.size();
        if size_bytes > SiteLimits::DEFAULT.blob_bytes {
            return Err(self.fault(Fault::TooLarge { name, size_bytes }));
        }
        let path = self.folder.join(blob_entry(&digest));
        let shard = path.parent().unwrap_or(self.folder);
        if !shard.exists() {
            DirBuilder::new().mode(0o700).create(shard).map_err(|source| io_error("create", shard, source))?;
        }
        let file = self.copy(entry, &path, digest, &name)?;
        self.disk.mark(&file, nanoseconds(&digest)).map_err(|source| io_error("mark", &path, source))?;
        self.blobs.insert(digest, size_bytes);
        Ok(())
    }

    /// Copies an entry to a new file, which it gives, and checks it on the way.
    fn copy<R: Read>(
        &self,
        mut entry: tar::Entry<'_, R>,
        path: &Path,
        expected: Digest,
        name: &str,
    ) -> Result<File, RestoreError> {
        let unwritable = |source| io_error("write", path, source);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(unwritable)?;
        let (mut hasher, mut buffer, mut left) = (DigestHasher::new(), vec![0; COPIED_BYTES], entry.size());
        while left > 0 {
            let count = match entry.read(&mut buffer) {
                Ok(0) | Err(_) => return Err(self.fault(Fault::CutOff)),
                Ok(count) => count,
            };
            hasher.update(&buffer[..count]);
            file.write_all(&buffer[..count]).map_err(unwritable)?;
            left -= (count as u64).min(left);
        }
        if hasher.finish() == expected { Ok(file) } else { Err(self.fault(Fault::Damaged { name: name.to_owned() })) }
    }

    /// Sees that the state is one of ship's own, and that all it needs is there. How many deployments it has.
    fn check_state(&self, description: &Description) -> Result<(u64, u64), RestoreError> {
        let foreign = |reason: String| self.fault(Fault::ForeignState { reason });
        let unreadable = |error: StateError| foreign(with_cause(&error));
        let snapshot = Snapshot::open(&self.folder.join(STATE)).map_err(unreadable)?;
        let version = snapshot.schema_version().map_err(unreadable)?;
        if version != description.schema {
            return Err(foreign(format!("its schema has version {version}")));
        }
        // Triggers and views of a stranger would run in the host.
        if snapshot.schema().map_err(unreadable)? != migrations::schema_at(version).map_err(unreadable)? {
            return Err(foreign("its schema is another".to_owned()));
        }
        // A host that cannot read its state does not start, and what it was restored to would be all that there is.
        if let Some(problem) = snapshot.problems().map_err(unreadable)?.into_iter().next() {
            return Err(foreign(problem));
        }
        let manifest = |id: &_, digest: &Digest| {
            let path = self.folder.join(blob_entry(digest));
            fs::read(&path).map_err(|source| match source.kind() {
                io::ErrorKind::NotFound => self.fault(Fault::MissingBlob { deployment: *id, digest: *digest }),
                _ => io_error("read", &path, source),
            })
        };
        let needed = snapshot.needed(|id, digest| manifest(id, digest).map_err(Trouble::Restore));
        let needed = needed.map_err(|trouble| match trouble {
            Trouble::Restore(error) => error,
            Trouble::State(error) => unreadable(error),
        })?;
        for (digest, (deployment, size_bytes)) in &needed {
            if self.blobs.get(digest) != Some(size_bytes) {
                return Err(self.fault(Fault::MissingBlob { deployment: *deployment, digest: *digest }));
            }
        }
        let deployments = snapshot.deployments().map_err(unreadable)?.len() as u64;
        Ok((deployments, snapshot.sealed_values().map_err(unreadable)?))
    }
}

/// The versions alone: what else a newer description says may have another form.
#[derive(serde::Deserialize)]
struct Versions {
    format: u32,
    layout: u32,
    schema: u32,
}

/// What goes wrong while the needs of the state are read.
enum Trouble {
    Restore(RestoreError),
    State(StateError),
}

impl From<StateError> for Trouble {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

fn name_of(entry: &tar::Entry<'_, impl Read>) -> String {
    String::from_utf8_lossy(&entry.path_bytes()).into_owned()
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> RestoreError {
    RestoreError::Io { action, path: path.to_owned(), source }
}
