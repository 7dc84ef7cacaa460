//! Content by SHA-256: one door in, one door out, and both check the bytes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ship_core::{Digest, DigestHasher};

use crate::data_dir::{DataDir, blob_name};
use crate::database::Database;
use crate::disk::FileSystem;

mod batch;
mod begun;
mod compress;
mod error;
mod mark;
mod pins;
mod recheck;
mod variants;
mod verified;

use batch::Stay;
pub use batch::{BatchReport, BlobBatch, BlobWriter};
pub use begun::Begun;
pub(crate) use begun::{BegunFolder, keep_begun};
pub use error::BlobError;
pub(crate) use mark::{Seen, nanoseconds};
pub(crate) use pins::{Held, Pins, Sweep};
pub(crate) use recheck::Recheck;
pub use variants::{Variant, Variants};
pub use verified::VerifiedFile;
use verified::{Fingerprint, Verified};

/// From this many blobs on, looking whether they are here is shared among threads: below it, starting them costs more.
const LOOKED_UP_ALONE: usize = 1024;

/// How many threads share it at the most. Beyond that they wait for each other in the kernel.
const LOOKUP_THREADS: usize = 4;

/// How much of a file is read at once when it is hashed.
const READ_BYTES: usize = 256 * 1024;

/// The blobs of a store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Blobs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    folder_path: PathBuf,
    folder: File,
    quarantine: PathBuf,
    temporary: PathBuf,
    begun: PathBuf,
    disk: Arc<dyn FileSystem>,
    database: Arc<Database>,
    verified: Verified,
    pins: Pins,
    /// Held while blobs get their final names and until those names are durable. Whoever holds it knows that every
    /// blob that can be seen would survive a power cut.
    placing: Mutex<()>,
    batches: AtomicU64,
    /// How often a blob was found missing or damaged.
    damages: AtomicU64,
}

/// How many blobs there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct BlobTotals {
    /// Their number.
    pub blobs: u64,
    /// Their sizes together, in bytes.
    pub bytes: u64,
}

/// Proof that no batch is between giving names and making them durable.
pub(crate) struct Settled<'b> {
    blobs: &'b Blobs,
    _placing: MutexGuard<'b, ()>,
}

impl Blobs {
    pub(crate) fn new(data_dir: &DataDir, disk: Arc<dyn FileSystem>, database: Arc<Database>) -> io::Result<Self> {
        let inner = Inner {
            folder_path: data_dir.blobs(),
            folder: File::open(data_dir.blobs())?,
            quarantine: data_dir.quarantine(),
            temporary: data_dir.temporary(),
            begun: data_dir.begun(),
            disk,
            database,
            verified: Verified::new(),
            pins: Pins::default(),
            placing: Mutex::new(()),
            batches: AtomicU64::new(0),
            damages: AtomicU64::new(0),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Which of `digests` are not here, in their order. Each costs a look at the file system, one or two microseconds: so
    /// what somebody has removed or written to is noticed, and no memory is spent on knowing millions of digests.
    pub fn missing(&self, digests: &[Digest]) -> Vec<Digest> {
        let seen = self.look_at_all(digests);
        let lacking = digests.iter().zip(seen).filter(|(digest, seen)| !self.is_sound(digest, *seen));
        lacking.map(|(digest, _)| *digest).collect()
    }

    /// The same for one who is about to send what is missing and then to publish: what is here stays until then, also if no
    /// deployment needs it yet. How long at the most is decided by who calls [`Blobs::age_leases`].
    pub fn missing_for_upload(&self, digests: &[Digest]) -> Vec<Digest> {
        self.inner.pins.lease_present(digests, || self.missing(digests))
    }

    /// Lets time pass for what stays because somebody may publish it: what was uploaded or asked for before the last but
    /// one call, and was not published, need not stay any more. The crate knows no clock, so its host calls this.
    pub fn age_leases(&self) {
        self.inner.pins.age();
    }

    pub(crate) fn pins(&self) -> &Pins {
        &self.inner.pins
    }

    /// Removes a blob that nobody needs, and says whether it is gone.
    pub(crate) fn remove(&self, digest: &Digest) -> bool {
        let path = self.path(digest);
        let removed = self.inner.disk.remove_file(&path);
        if let Err(error) = &removed {
            tracing::warn!(path = %path.display(), %error, "a blob that nobody needs stays");
        }
        removed.is_ok()
    }

    /// How often a blob was found missing or damaged when it was read. As long as this does not change, nobody has seen
    /// anything get lost.
    pub fn damages_seen(&self) -> u64 {
        self.inner.damages.load(Ordering::Relaxed)
    }

    /// How many blobs there are and what they take. Looks at each file: one or two seconds for a million. What goes away meanwhile,
    /// or cannot be looked at, is not counted.
    pub fn totals(&self) -> BlobTotals {
        let mut totals = BlobTotals::default();
        self.visit_files(|_, size_bytes| {
            totals.blobs += 1;
            totals.bytes += size_bytes;
        });
        totals
    }

    /// Shows each stored blob with its size, and gives the paths of what is among them and is no blob. What goes away
    /// meanwhile, or cannot be looked at, is not shown.
    pub(crate) fn visit_files(&self, mut visit: impl FnMut(Digest, u64)) -> Vec<PathBuf> {
        let mut strays = Vec::new();
        for folder in fs::read_dir(&self.inner.folder_path).into_iter().flatten().flatten() {
            let Ok(files) = fs::read_dir(folder.path()) else {
                strays.push(folder.path());
                continue;
            };
            for file in files.flatten() {
                let Ok(metadata) = file.metadata() else { continue };
                match digest_at(&folder.file_name(), &file.file_name()).filter(|_| metadata.is_file()) {
                    Some(digest) => visit(digest, metadata.len()),
                    None => strays.push(file.path()),
                }
            }
        }
        strays
    }

    /// The digests of all stored blobs.
    pub(crate) fn stored(&self) -> Vec<Digest> {
        let mut stored = Vec::new();
        self.visit_files(|digest, _| stored.push(digest));
        stored
    }

    /// Begins an upload. Dropped without [`BlobBatch::commit`], nothing of it is kept. What it brings stays for a while,
    /// although no deployment needs it yet.
    pub fn batch(&self) -> Result<BlobBatch, BlobError> {
        let number = self.inner.batches.fetch_add(1, Ordering::Relaxed);
        BlobBatch::new(self.clone(), number, Stay::Leased)
    }

    /// The same for blobs that the caller holds.
    pub(crate) fn batch_of_held(&self, _: &Held) -> Result<BlobBatch, BlobError> {
        let number = self.inner.batches.fetch_add(1, Ordering::Relaxed);
        BlobBatch::new(self.clone(), number, Stay::Held)
    }

    /// Opens a blob whose bytes were checked: all of them the first time in this process and whenever the file is no
    /// longer the one that was checked, nothing but the file's identity after that.
    pub fn open(&self, digest: &Digest) -> Result<Blob, BlobError> {
        let (mut file, size_bytes) = self.open_unverified(digest)?;
        let fingerprint = Fingerprint::of(&file).map_err(|source| self.read_error(digest, source))?;
        self.inner.verified.check(*digest, fingerprint, || {
            let found = hash(&mut file).map_err(|source| self.read_error(digest, source))?;
            file.rewind().map_err(|source| self.read_error(digest, source))?;
            self.expect(digest, found, fingerprint)
        })?;
        Ok(Blob { digest: *digest, size_bytes, file, fingerprint })
    }

    /// Reads a whole blob into memory. Its bytes are checked each time.
    pub fn read(&self, digest: &Digest) -> Result<Bytes, BlobError> {
        self.read_open(digest).map(|(content, _)| content)
    }

    /// The same, with the file that they are from.
    pub fn read_open(&self, digest: &Digest) -> Result<(Bytes, VerifiedFile), BlobError> {
        let (mut file, size_bytes) = self.open_unverified(digest)?;
        let fingerprint = Fingerprint::of(&file).map_err(|source| self.read_error(digest, source))?;
        let mut content = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
        file.read_to_end(&mut content).map_err(|source| self.read_error(digest, source))?;
        self.expect(digest, Digest::of(&content), fingerprint)?;
        Ok((content.into(), VerifiedFile { file, fingerprint, mark: nanoseconds(digest) }))
    }

    /// The same as [`Blobs::read`], and `None` if it is not there, which is not counted: it may have been removed on purpose.
    pub(crate) fn read_if_there(&self, digest: &Digest) -> Result<Option<Bytes>, BlobError> {
        if self.stored_size(digest).is_none() { Ok(None) } else { self.read(digest).map(Some) }
    }

    /// Waits until no batch is giving names, and keeps others from beginning to.
    pub(crate) fn settle(&self) -> Settled<'_> {
        Settled { blobs: self, _placing: self.lock_placing() }
    }

    fn lock_placing(&self) -> MutexGuard<'_, ()> {
        self.inner.placing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_unverified(&self, digest: &Digest) -> Result<(File, u64), BlobError> {
        let opened = File::open(self.path(digest)).and_then(|file| {
            let size_bytes = file.metadata()?.len();
            Ok((file, size_bytes))
        });
        opened.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                self.inner.damages.fetch_add(1, Ordering::Relaxed);
                self.forget_variant(digest);
                BlobError::Missing { digest: *digest }
            }
            _ => self.read_error(digest, error),
        })
    }

    /// Opens a blob without looking at its bytes, only at how many they are.
    pub(crate) fn open_unverified_as(&self, digest: &Digest, size_bytes: u64) -> Result<File, BlobError> {
        match self.open_unverified(digest)? {
            (file, found) if found == size_bytes => Ok(file),
            // The bytes cannot be right; reading them sets them aside.
            _ => Err(self.read(digest).err().unwrap_or(BlobError::Corrupt { digest: *digest })),
        }
    }

    fn expect(&self, digest: &Digest, found: Digest, fingerprint: Fingerprint) -> Result<(), BlobError> {
        if found == *digest {
            return Ok(());
        }
        self.set_aside(digest, fingerprint);
        Err(BlobError::Corrupt { digest: *digest })
    }

    /// Takes a damaged file out of the way, so that the blob counts as missing and the next upload of it heals it.
    fn set_aside(&self, digest: &Digest, damaged: Fingerprint) {
        self.inner.damages.fetch_add(1, Ordering::Relaxed);
        let path = self.path(digest);
        let settled = self.settle();
        // Another upload may have replaced the file since it was read; the new one is not the damaged one.
        let current = File::open(&path).and_then(|file| Fingerprint::of(&file));
        if current.is_ok_and(|current| current == damaged) {
            let moved = self.inner.disk.rename(&path, &self.inner.quarantine.join(digest.to_hex()));
            let error = moved.err().map(tracing::field::display);
            tracing::error!(%digest, error, "a blob is damaged and was set aside");
        }
        drop(settled);
        self.forget_variant(digest);
    }

    /// The size of a blob's file, `None` if there is none that can be reached.
    fn stored_size(&self, digest: &Digest) -> Option<u64> {
        self.look(digest).map(|seen| seen.size_bytes)
    }

    /// What the files of many blobs look like, in their order.
    fn look_at_all(&self, digests: &[Digest]) -> Vec<Option<Seen>> {
        let look_up = |digests: &[Digest]| digests.iter().map(|digest| self.look(digest)).collect::<Vec<_>>();
        if digests.len() < LOOKED_UP_ALONE {
            return look_up(digests);
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(LOOKUP_THREADS);
        std::thread::scope(|scope| {
            let shares = digests.chunks(digests.len().div_ceil(threads));
            let lookups: Vec<_> = shares.map(|share| scope.spawn(move || look_up(share))).collect();
            let seen = lookups.into_iter().flat_map(|lookup| lookup.join().expect("looking up a file does not panic"));
            seen.collect()
        })
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        self.inner.folder_path.join(blob_name(digest))
    }

    fn read_error(&self, digest: &Digest, source: io::Error) -> BlobError {
        BlobError::io("read", &self.path(digest), source)
    }

    fn database(&self) -> &Database {
        &self.inner.database
    }
}

impl Settled<'_> {
    /// What the files of blobs look like that would survive a power cut, `None` for those that are not here, in their order.
    pub(crate) fn look_at_all(&self, digests: &[Digest]) -> Vec<Option<Seen>> {
        self.blobs.look_at_all(digests)
    }
}

/// A blob, open for reading, whose bytes were checked.
#[derive(Debug)]
pub struct Blob {
    digest: Digest,
    size_bytes: u64,
    file: File,
    fingerprint: Fingerprint,
}

impl Blob {
    /// Its size in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    /// The digest of its bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The file, positioned at its beginning. It stays readable if the blob is removed meanwhile.
    pub fn into_file(self) -> File {
        self.file
    }

    /// The file, for one who reads it for long and looks now and then whether it still is what was checked.
    pub fn into_verified(self) -> VerifiedFile {
        VerifiedFile { file: self.file, fingerprint: self.fingerprint, mark: nanoseconds(&self.digest) }
    }
}

fn hash(file: &mut File) -> io::Result<Digest> {
    let mut hasher = DigestHasher::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finish()),
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// The blob whose file stands in this folder under this name, if that is a place for one.
fn digest_at(folder: &OsStr, file: &OsStr) -> Option<Digest> {
    let (begin, rest) = (folder.to_str()?, file.to_str()?);
    Digest::from_hex(&format!("{begin}{rest}")).ok().filter(|_| begin.len() == 2)
}

/// The folder that a blob's file is in.
fn bucket_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

#[cfg(test)]
mod tests;
