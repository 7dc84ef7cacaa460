//! The one door into the store: temporary files, checked while they are written, made durable together, and only then
//! given their names.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};

use ship_core::{Digest, DigestHasher, ProjectName, SiteLimits};

use super::begun::begun_name;
use super::{Begun, BlobError, Blobs, READ_BYTES, bucket_of, nanoseconds};

/// Up to this many files and folders are synced one by one, which costs a third of a millisecond each and waits for nobody
/// else's data. Beyond it one sync of the whole file system is cheaper: 10,000 files take 0.15 s instead of 4 s.
const SYNCED_ONE_BY_ONE: usize = 16;

/// An upload of blobs that become visible together, or not at all.
#[derive(Debug)]
#[must_use = "an upload that is not committed is dropped with all its bytes"]
pub struct BlobBatch {
    blobs: Blobs,
    number: u64,
    begun: u64,
    /// Opened before anything is written, so that a failed write-back of any of our files is reported on it.
    temporary_folder: File,
    complete: Vec<Temporary>,
    contained: HashSet<Digest>,
    reused_blobs: u64,
    stay: Stay,
}

/// Why the blobs of a batch are not removed before a deployment needs them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stay {
    /// Whoever uploads them is about to publish them.
    Leased,
    /// Whoever stores them holds them.
    Held,
}

/// A complete file under its temporary name.
#[derive(Debug)]
struct Temporary {
    digest: Digest,
    size_bytes: u64,
    path: PathBuf,
    /// Kept open while there are few, to be synced by itself.
    file: Option<File>,
}

/// What a batch has stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BatchReport {
    /// Blobs that were not here before.
    pub stored_blobs: u64,
    /// Their bytes.
    pub stored_bytes: u64,
    /// Blobs that were here already, or twice in the batch.
    pub reused_blobs: u64,
}

impl BlobBatch {
    pub(super) fn new(blobs: Blobs, number: u64, stay: Stay) -> Result<Self, BlobError> {
        let folder = &blobs.inner.temporary;
        let temporary_folder = File::open(folder).map_err(|source| BlobError::io("open", folder, source))?;
        Ok(Self {
            blobs,
            number,
            begun: 0,
            temporary_folder,
            complete: Vec::new(),
            contained: HashSet::new(),
            reused_blobs: 0,
            stay,
        })
    }

    /// Begins one blob. The bytes of one that is here already are checked all the same, and not stored again.
    pub fn begin(&mut self, expected: Digest, size_bytes: u64) -> Result<BlobWriter<'_>, BlobError> {
        self.lease(expected, size_bytes)?;
        let name = self.next_name();
        self.begin_as(&name, expected, size_bytes, IfCut::Removed)
    }

    /// The same for a blob whose beginning is kept for the project, or for those who have to do with all, if it is cut.
    pub fn begin_kept(
        &mut self,
        expected: Digest,
        size_bytes: u64,
        project: Option<&ProjectName>,
    ) -> Result<BlobWriter<'_>, BlobError> {
        self.lease(expected, size_bytes)?;
        let name = format!("{}.{}", self.next_name(), begun_name(&expected, project));
        self.begin_as(&name, expected, size_bytes, IfCut::Kept)
    }

    /// Goes on with the beginning of a blob that was kept when it was cut. It is read again: what is here must be what whoever sends the rest has.
    pub fn go_on(
        &mut self,
        expected: Digest,
        size_bytes: u64,
        project: Option<&ProjectName>,
        begun: Begun,
    ) -> Result<BlobWriter<'_>, BlobError> {
        self.lease(expected, size_bytes)?;
        let kept = begun_name(&expected, project);
        let name = format!("{}.{kept}", self.next_name());
        let path = self.blobs.inner.temporary.join(name);
        self.blobs.take_begun(&kept, &path).map_err(|_| BlobError::NotBegun { digest: expected })?;
        match reopen(&self.blobs, &path, begun) {
            Ok(Some((hasher, file))) => Ok(BlobWriter {
                batch: self,
                expected,
                expected_bytes: size_bytes,
                hasher,
                destination: Some((path, file)),
                if_cut: IfCut::Kept,
            }),
            Ok(None) => {
                self.remove_temporary(&path);
                Err(BlobError::NotBegun { digest: expected })
            }
            Err(source) => {
                self.remove_temporary(&path);
                Err(BlobError::io("read", &path, source))
            }
        }
    }

    /// Takes a lease before it is looked whether the blob is here: from then on nobody removes it.
    fn lease(&self, expected: Digest, size_bytes: u64) -> Result<(), BlobError> {
        let most = SiteLimits::DEFAULT.blob_bytes;
        if size_bytes > most {
            return Err(BlobError::TooLarge { digest: expected, size_bytes, most });
        }
        if self.stay == Stay::Leased {
            self.blobs.pins().lease(expected);
        }
        Ok(())
    }

    fn begin_as(
        &mut self,
        name: &str,
        expected: Digest,
        size_bytes: u64,
        if_cut: IfCut,
    ) -> Result<BlobWriter<'_>, BlobError> {
        let is_here = self.contained.contains(&expected) || self.is_stored(&expected, size_bytes);
        let destination = if is_here { None } else { Some(self.create_temporary(name)?) };
        let hasher = DigestHasher::new();
        Ok(BlobWriter { batch: self, expected, expected_bytes: size_bytes, hasher, destination, if_cut })
    }

    fn is_stored(&self, digest: &Digest, size_bytes: u64) -> bool {
        let seen = self.blobs.look(digest).filter(|seen| seen.size_bytes == size_bytes);
        self.blobs.is_sound(digest, seen)
    }

    fn next_name(&mut self) -> String {
        self.begun += 1;
        format!("blob-{}-{}-{}", std::process::id(), self.number, self.begun)
    }

    fn create_temporary(&self, name: &str) -> Result<(PathBuf, File), BlobError> {
        let path = self.blobs.inner.temporary.join(name);
        let file = self.blobs.inner.disk.create_file(&path).map_err(|source| BlobError::io("create", &path, source))?;
        Ok((path, file))
    }

    fn add(&mut self, digest: Digest, size_bytes: u64, path: PathBuf, file: File) {
        let file = (self.complete.len() < SYNCED_ONE_BY_ONE).then_some(file);
        self.contained.insert(digest);
        self.complete.push(Temporary { digest, size_bytes, path, file });
        if self.complete.len() == SYNCED_ONE_BY_ONE + 1 {
            self.complete.iter_mut().for_each(|temporary| temporary.file = None);
        }
    }

    /// Makes the blobs visible. When it returns they are durable; if it fails, none of them is visible.
    pub fn commit(mut self) -> Result<BatchReport, BlobError> {
        self.sync_contents()?;
        let blobs = self.blobs.clone();
        let _settled = blobs.settle();
        let mut report = BatchReport { reused_blobs: self.reused_blobs, ..BatchReport::default() };
        let mut named = Vec::with_capacity(self.complete.len());
        let placed = self.give_names(&mut named, &mut report).and_then(|buckets| self.sync_names(&buckets));
        match placed {
            Ok(()) => Ok(report),
            Err(error) => {
                self.take_names_back(&named);
                Err(error)
            }
        }
    }

    fn sync_contents(&self) -> Result<(), BlobError> {
        let disk = &self.blobs.inner.disk;
        if self.complete.len() > SYNCED_ONE_BY_ONE {
            return self.sync_file_system();
        }
        for temporary in &self.complete {
            let Some(file) = &temporary.file else { continue };
            disk.sync_file(file).map_err(|source| BlobError::io("sync", &temporary.path, source))?;
        }
        Ok(())
    }

    /// Gives each file its final name, noting it in `named`. Returns the folders that hold a name of this batch, also
    /// those of blobs that somebody else has stored meanwhile.
    fn give_names(
        &mut self,
        named: &mut Vec<PathBuf>,
        report: &mut BatchReport,
    ) -> Result<BTreeSet<PathBuf>, BlobError> {
        // The folder of the folders always belongs to it: an earlier batch may have failed after making one in it.
        let mut buckets = BTreeSet::from([self.blobs.inner.folder_path.clone()]);
        // In the order of the names, so that each folder is visited once.
        self.complete.sort_unstable_by_key(|temporary| Reverse(temporary.digest));
        while let Some(temporary) = self.complete.last() {
            let path = self.blobs.path(&temporary.digest);
            if self.blobs.stored_size(&temporary.digest) == Some(temporary.size_bytes) {
                report.reused_blobs += 1;
                self.remove_temporary(&temporary.path);
            } else {
                self.name(&temporary.path, &path).map_err(|source| BlobError::io("name", &path, source))?;
                report.stored_blobs += 1;
                report.stored_bytes += temporary.size_bytes;
                named.push(path.clone());
            }
            buckets.insert(bucket_of(&path).to_owned());
            self.complete.pop();
        }
        Ok(buckets)
    }

    /// Moves a file to its final name, making the folder that it goes to if it is the first there.
    fn name(&self, temporary: &Path, path: &Path) -> io::Result<()> {
        let disk = &self.blobs.inner.disk;
        match disk.rename(temporary, path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                disk.create_folder(bucket_of(path))?;
                disk.rename(temporary, path)
            }
            result => result,
        }
    }

    fn sync_names(&self, buckets: &BTreeSet<PathBuf>) -> Result<(), BlobError> {
        if buckets.len() > SYNCED_ONE_BY_ONE {
            return self.sync_file_system();
        }
        let disk = &self.blobs.inner.disk;
        buckets
            .iter()
            .try_for_each(|bucket| disk.sync_folder(bucket).map_err(|source| BlobError::io("sync", bucket, source)))
    }

    fn sync_file_system(&self) -> Result<(), BlobError> {
        let synced = self.blobs.inner.disk.sync_everything(&self.temporary_folder);
        synced.map_err(|source| BlobError::io("sync", &self.blobs.inner.temporary, source))
    }

    /// After a failed sync nobody knows what is on the disk, so nothing may stay visible. Only names that this batch made
    /// are taken away: it never replaces a file of the right size.
    fn take_names_back(&self, named: &[PathBuf]) {
        for path in named {
            if let Err(error) = self.blobs.inner.disk.remove_file(path) {
                tracing::warn!(path = %path.display(), %error, "a blob of a failed upload stays visible");
            }
        }
    }

    fn remove_temporary(&self, path: &Path) {
        if let Err(error) = self.blobs.inner.disk.remove_file(path) {
            tracing::debug!(path = %path.display(), %error, "a temporary file stays until the next start");
        }
    }
}

impl Drop for BlobBatch {
    fn drop(&mut self) {
        for temporary in &self.complete {
            self.remove_temporary(&temporary.path);
        }
    }
}

/// One blob on its way into a batch. Dropped without [`BlobWriter::finish`], it leaves nothing.
#[derive(Debug)]
#[must_use = "a blob that is not finished is not in the batch"]
pub struct BlobWriter<'b> {
    batch: &'b mut BlobBatch,
    expected: Digest,
    expected_bytes: u64,
    hasher: DigestHasher,
    /// Where the bytes go, `None` if they are here already.
    destination: Option<(PathBuf, File)>,
    if_cut: IfCut,
}

/// What becomes of a blob that is dropped before it is complete.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum IfCut {
    Removed,
    /// It waits to be gone on with, unless its bytes were wrong or the disk failed.
    Kept,
}

impl BlobWriter<'_> {
    /// Takes the next bytes. More than were announced are an error at once.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.hasher.update(bytes);
        if self.hasher.length() > self.expected_bytes {
            self.if_cut = IfCut::Removed;
            return Err(self.mismatch());
        }
        let Some((path, file)) = &mut self.destination else { return Ok(()) };
        let written = self.batch.blobs.inner.disk.write(file, bytes);
        written.map_err(|source| {
            self.if_cut = IfCut::Removed;
            BlobError::io("write", path, source)
        })
    }

    /// Ends the blob: from here on it is part of the batch.
    pub fn finish(mut self) -> Result<(), BlobError> {
        self.if_cut = IfCut::Removed;
        let is_complete = self.hasher.length() == self.expected_bytes;
        if !is_complete || self.hasher.clone().finish() != self.expected {
            return Err(self.mismatch());
        }
        match self.destination.take() {
            Some((path, file)) => {
                let disk = &self.batch.blobs.inner.disk;
                let marked = disk.mark(&file, nanoseconds(&self.expected));
                if let Err(source) = marked {
                    self.batch.remove_temporary(&path);
                    return Err(BlobError::io("mark", &path, source));
                }
                self.batch.add(self.expected, self.expected_bytes, path, file);
            }
            None => self.batch.reused_blobs += 1,
        }
        Ok(())
    }

    fn mismatch(&self) -> BlobError {
        BlobError::DigestMismatch {
            expected: self.expected,
            expected_bytes: self.expected_bytes,
            found: self.hasher.clone().finish(),
            found_bytes: self.hasher.length(),
        }
    }
}

impl Drop for BlobWriter<'_> {
    fn drop(&mut self) {
        match (&self.destination, self.if_cut) {
            (Some((path, _)), IfCut::Removed) => self.batch.remove_temporary(path),
            (Some((path, _)), IfCut::Kept) => self.batch.blobs.keep_begun(path),
            (None, _) => {}
        }
    }
}

/// Opens a beginning and reads it. `None` if it is another than `begun`.
fn reopen(blobs: &Blobs, path: &Path, begun: Begun) -> io::Result<Option<(DigestHasher, File)>> {
    if path.metadata()?.len() < begun.bytes {
        return Ok(None);
    }
    let mut file = blobs.inner.disk.reopen_file(path, begun.bytes)?;
    // What could not be written back since then is said here, and not to a batch that began later.
    blobs.inner.disk.sync_file(&file)?;
    file.rewind()?;
    let mut hasher = DigestHasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            // Its position is its end now, which is where the rest goes.
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    let is_same = hasher.length() == begun.bytes && hasher.clone().finish() == begun.digest;
    Ok(is_same.then_some((hasher, file)))
}
