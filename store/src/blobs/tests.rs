//! The durable door: what goes in comes out, or nothing does.

use std::collections::HashSet;
use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use rustix::io::Errno;
use ship_core::Digest;

use super::*;
use crate::disk::faulty::{Fault, FaultyDisk, Lost};
use crate::{Durability, Store};

mod witnessed;

/// A store in a folder of its own.
struct TestStore {
    folder: tempfile::TempDir,
    store: Store,
    rounds: AtomicU64,
}

impl TestStore {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
        Self { folder, store, rounds: AtomicU64::new(1) }
    }

    fn blobs(&self) -> &Blobs {
        self.store.blobs()
    }

    fn path_of(&self, digest: &Digest) -> PathBuf {
        self.folder.path().join("blobs").join(blob_name(digest))
    }

    /// Contents that no other round has: few enough to be synced one by one, or enough to be synced together.
    fn new_contents(&self, count: usize) -> Vec<Vec<u8>> {
        contents(self.rounds.fetch_add(1, Ordering::Relaxed), count)
    }

    /// The blobs as a process sees them whose `nth` operation on the disk fails. It finds no temporary files, as after
    /// a start.
    fn on_faulty_disk(&self, nth: u64, fault: Fault) -> (Blobs, Arc<FaultyDisk>) {
        for file in fs::read_dir(self.folder.path().join("tmp")).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
        let disk = Arc::new(FaultyDisk::new(nth, fault));
        let database = Arc::clone(&self.blobs().inner.database);
        let data_dir = DataDir::at(self.folder.path());
        (Blobs::new(&data_dir, Arc::clone(&disk) as Arc<dyn FileSystem>, database).unwrap(), disk)
    }

    fn temporary_files(&self) -> usize {
        fs::read_dir(self.folder.path().join("tmp")).unwrap().count()
    }
}

fn put(blobs: &Blobs, contents: &[&[u8]]) -> Result<BatchReport, BlobError> {
    let mut batch = blobs.batch()?;
    for content in contents {
        let mut writer = batch.begin(Digest::of(content), content.len() as u64)?;
        for piece in content.chunks(64) {
            writer.write(piece)?;
        }
        writer.finish()?;
    }
    batch.commit()
}

fn read_through_file(blobs: &Blobs, digest: &Digest) -> Result<Vec<u8>, BlobError> {
    let blob = blobs.open(digest)?;
    let mut content = Vec::new();
    let size_bytes = blob.size_bytes();
    blob.into_file().read_to_end(&mut content).unwrap();
    assert_eq!(content.len() as u64, size_bytes);
    Ok(content)
}

/// What was committed can be read, both ways, and what was there already is not stored twice.
#[test]
fn round_trip() {
    let test = TestStore::new();
    let report = put(test.blobs(), &[b"one", b"two", b"", b"one"]).unwrap();
    assert_eq!(report, BatchReport { stored_blobs: 3, stored_bytes: 6, reused_blobs: 1 });
    let report = put(test.blobs(), &[b"two", b"three"]).unwrap();
    assert_eq!(report, BatchReport { stored_blobs: 1, stored_bytes: 5, reused_blobs: 1 });
    for content in [&b"one"[..], b"two", b"", b"three"] {
        let digest = Digest::of(content);
        assert_eq!(test.blobs().read(&digest).unwrap(), content);
        assert_eq!(read_through_file(test.blobs(), &digest).unwrap(), content);
        assert_eq!(test.blobs().open(&digest).unwrap().digest(), digest);
    }
    let absent = Digest::of(b"four");
    assert_eq!(test.blobs().missing(&[Digest::of(b"one"), absent, Digest::of(b"two")]), [absent]);
    assert!(matches!(test.blobs().read(&absent), Err(BlobError::Missing { digest }) if digest == absent));
    assert_eq!(test.temporary_files(), 0);
}

/// Asked about so many that threads share the work, the answer is the same and in order.
#[test]
fn missing_among_many() {
    let test = TestStore::new();
    let all = test.new_contents(3 * LOOKED_UP_ALONE);
    let kept: Vec<Vec<u8>> = all.iter().step_by(7).cloned().collect();
    put_all(test.blobs(), &kept).unwrap();
    let digests: Vec<Digest> = all.iter().map(|content| Digest::of(content)).collect();
    let expected: Vec<Digest> =
        digests.iter().enumerate().filter(|(number, _)| number % 7 != 0).map(|(_, digest)| *digest).collect();
    assert_eq!(test.blobs().missing(&digests), expected);
}

/// Wrong, missing and surplus bytes are refused with both digests, nothing of them is kept, and the rest of the batch
/// stays good.
#[test]
fn wrong_bytes_are_refused() {
    let test = TestStore::new();
    let digest = Digest::of(b"right");
    let mut batch = test.blobs().batch().unwrap();
    for (wrong, announced) in [(&b"wrong"[..], 5), (b"righ", 5), (b"right!", 5), (b"right", 6), (b"right", 4)] {
        let mut writer = batch.begin(digest, announced).unwrap();
        let error = writer.write(wrong).and_then(|()| writer.finish()).unwrap_err();
        let BlobError::DigestMismatch { expected, expected_bytes, found, found_bytes } = error else {
            panic!("{error}")
        };
        let arrived = (Digest::of(wrong), wrong.len() as u64);
        assert_eq!((expected, expected_bytes, (found, found_bytes)), (digest, announced, arrived));
    }
    let mut writer = batch.begin(Digest::of(b"other"), 5).unwrap();
    writer.write(b"other").unwrap();
    writer.finish().unwrap();
    batch.commit().unwrap();
    assert_eq!(test.blobs().missing(&[digest, Digest::of(b"other")]), [digest]);
    assert_eq!(test.temporary_files(), 0);
}

/// Bytes that do not belong to a blob are refused also when the blob is here already.
#[test]
fn wrong_bytes_of_a_known_blob_are_refused() {
    let test = TestStore::new();
    put(test.blobs(), &[b"known"]).unwrap();
    let mut batch = test.blobs().batch().unwrap();
    let mut writer = batch.begin(Digest::of(b"known"), 5).unwrap();
    writer.write(b"other").unwrap();
    assert!(matches!(writer.finish(), Err(BlobError::DigestMismatch { .. })));
}

/// A blob beyond the limit is refused before a byte of it is taken.
#[test]
fn too_large() {
    let test = TestStore::new();
    let mut batch = test.blobs().batch().unwrap();
    let error = batch.begin(Digest::of(b""), 1 << 40).unwrap_err();
    assert!(matches!(error, BlobError::TooLarge { .. }), "{error}");
}

/// An upload that is dropped, in the middle of a blob or before its commit, leaves nothing.
#[test]
fn dropped_uploads_leave_nothing() {
    let test = TestStore::new();
    let mut batch = test.blobs().batch().unwrap();
    let mut writer = batch.begin(Digest::of(b"complete"), 8).unwrap();
    writer.write(b"complete").unwrap();
    writer.finish().unwrap();
    let mut writer = batch.begin(Digest::of(b"half"), 4).unwrap();
    writer.write(b"ha").unwrap();
    assert_eq!(test.temporary_files(), 2);
    drop(writer);
    assert_eq!(test.temporary_files(), 1);
    drop(batch);
    assert_eq!(test.temporary_files(), 0);
    assert_eq!(test.blobs().missing(&[Digest::of(b"complete")]), [Digest::of(b"complete")]);
}

/// Two uploads of one blob at the same time are both right, whichever commits first, also when one of them is wrong.
#[test]
fn same_blob_twice_at_once() {
    let test = TestStore::new();
    let digest = Digest::of(b"shared");
    let (mut first, mut second) = (test.blobs().batch().unwrap(), test.blobs().batch().unwrap());
    let mut wrong = test.blobs().batch().unwrap();
    let mut writers = [first.begin(digest, 6).unwrap(), second.begin(digest, 6).unwrap()];
    let mut wrong_writer = wrong.begin(digest, 6).unwrap();
    for writer in &mut writers {
        writer.write(b"shared").unwrap();
    }
    wrong_writer.write(b"SHARED").unwrap();
    assert!(wrong_writer.finish().is_err());
    for writer in writers {
        writer.finish().unwrap();
    }
    let reports = [second.commit().unwrap(), wrong.commit().unwrap(), first.commit().unwrap()];
    assert_eq!(reports.map(|report| (report.stored_blobs, report.reused_blobs)), [(1, 0), (0, 0), (0, 1)]);
    assert_eq!(test.blobs().read(&digest).unwrap(), &b"shared"[..]);
}

type Read = fn(&Blobs, &Digest) -> Result<Vec<u8>, BlobError>;

/// Damage on the disk is an error and never a wrong answer; the blob counts as missing from then on, and storing it again
/// heals it. The damaged file is kept aside.
#[test]
fn damage_is_found_and_healed() {
    let content = b"precious";
    let digest = Digest::of(content);
    let damages: [fn(&Path); 4] = [
        |path| fs::write(path, b"preciouS").unwrap(),
        |path| fs::write(path, b"prec").unwrap(),
        |path| fs::write(path, b"").unwrap(),
        |path| fs::write(path, b"precious and more").unwrap(),
    ];
    let ways: [Read; 2] = [read_through_file, |blobs, digest| blobs.read(digest).map(|bytes| bytes.to_vec())];
    for damage in damages {
        for read in ways {
            let test = TestStore::new();
            put(test.blobs(), &[content]).unwrap();
            read(test.blobs(), &digest).unwrap();
            damage(&test.path_of(&digest));
            let left = fs::read(test.path_of(&digest)).unwrap();
            let error = read(test.blobs(), &digest).unwrap_err();
            assert!(matches!(error, BlobError::Corrupt { .. }), "{error}");
            assert_eq!(test.blobs().missing(&[digest]), [digest]);
            assert!(matches!(read(test.blobs(), &digest), Err(BlobError::Missing { .. })));
            put(test.blobs(), &[content]).unwrap();
            assert_eq!(read(test.blobs(), &digest).unwrap(), content);
            assert_eq!(fs::read(test.folder.path().join("quarantine").join(digest.to_hex())).unwrap(), left);
        }
    }
}

/// Whoever finds damage late does not take away what an upload has healed meanwhile.
#[test]
fn healed_blob_is_not_set_aside() {
    let test = TestStore::new();
    let digest = Digest::of(b"precious");
    put(test.blobs(), &[b"precious"]).unwrap();
    fs::write(test.path_of(&digest), b"PRECIOUS").unwrap();
    let damaged = Fingerprint::of(&File::open(test.path_of(&digest)).unwrap()).unwrap();
    test.blobs().read(&digest).unwrap_err();
    put(test.blobs(), &[b"precious"]).unwrap();
    test.blobs().set_aside(&digest, damaged);
    assert_eq!(test.blobs().read(&digest).unwrap(), &b"precious"[..]);
}

/// An upload replaces a file that has not even the size of its blob.
#[test]
fn cut_file_is_replaced() {
    let test = TestStore::new();
    let digest = Digest::of(b"precious");
    put(test.blobs(), &[b"precious"]).unwrap();
    fs::write(test.path_of(&digest), b"").unwrap();
    assert_eq!(put(test.blobs(), &[b"precious"]).unwrap().stored_blobs, 1);
    assert_eq!(test.blobs().read(&digest).unwrap(), &b"precious"[..]);
}

fn contents(round: u64, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|number| format!("content {number} of round {round}").into_bytes()).collect()
}

fn put_all(blobs: &Blobs, contents: &[Vec<u8>]) -> Result<BatchReport, BlobError> {
    put(blobs, &contents.iter().map(Vec::as_slice).collect::<Vec<_>>())
}

/// How many of `contents` can be seen. Each that can is right.
fn visible(blobs: &Blobs, contents: &[Vec<u8>]) -> usize {
    let digests: Vec<Digest> = contents.iter().map(|content| Digest::of(content)).collect();
    let missing = blobs.missing(&digests);
    for (digest, content) in digests.iter().zip(contents).filter(|(digest, _)| !missing.contains(digest)) {
        assert_eq!(blobs.read(digest).unwrap(), content.as_slice());
    }
    contents.len() - missing.len()
}

/// Whichever operation fails, with a full disk or a broken one: the upload fails as a whole, nothing of it is visible, and
/// the next try succeeds in the same process.
#[test]
fn any_operation_may_fail() {
    let test = TestStore::new();
    for (error, count) in [(Errno::NOSPC, 3), (Errno::NOSPC, 17), (Errno::DQUOT, 3), (Errno::IO, 3), (Errno::IO, 17)] {
        for nth in 1.. {
            let contents = test.new_contents(count);
            let (blobs, disk) = test.on_faulty_disk(nth, Fault::Once(error));
            let result = put_all(&blobs, &contents);
            if !disk.has_failed() {
                result.unwrap();
                break;
            }
            match result.unwrap_err() {
                BlobError::StorageFull { .. } => assert_ne!(error, Errno::IO),
                BlobError::Io { .. } => assert_eq!(error, Errno::IO),
                other => panic!("{other}"),
            }
            assert_eq!(visible(&blobs, &contents), 0, "operation {nth}");
            assert_eq!(test.temporary_files(), 0, "operation {nth}");
            put_all(&blobs, &contents).unwrap();
            assert_eq!(visible(&blobs, &contents), count);
        }
    }
}

/// Wherever the power is cut, with or without the names that were not synced: what was acknowledged is here, what is here
/// is right, and the upload can be repeated.
#[test]
fn power_may_be_cut_anywhere() {
    let test = TestStore::new();
    for (lost, count) in [Lost::Content, Lost::ContentAndNames].into_iter().flat_map(|lost| [(lost, 3), (lost, 17)]) {
        for nth in 1.. {
            let contents = test.new_contents(count);
            let (blobs, disk) = test.on_faulty_disk(nth, Fault::Dead);
            let is_acknowledged = put_all(&blobs, &contents).is_ok();
            disk.cut_power(lost);
            let visible_blobs = visible(test.blobs(), &contents);
            assert!(!is_acknowledged || visible_blobs == count, "operation {nth}: {visible_blobs} of {count}");
            put_all(test.blobs(), &contents).unwrap();
            assert_eq!(visible(test.blobs(), &contents), count);
            if !disk.has_failed() {
                assert!(is_acknowledged);
                break;
            }
        }
    }
}

/// One upload of a random sequence: which of twelve contents, and what breaks where.
fn rounds() -> impl Strategy<Value = Vec<(Vec<usize>, u64, Fault)>> {
    let fault = prop_oneof![Just(Fault::Once(Errno::NOSPC)), Just(Fault::Once(Errno::IO)), Just(Fault::Dead),];
    let picked = proptest::collection::vec(0..12_usize, 1..24);
    proptest::collection::vec((picked, 1..80_u64, fault), 1..8)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    /// Over any sequence of uploads on a disk that breaks here and there: what was acknowledged stays, what is visible is
    /// right, and an upload that failed while the host lived has made nothing visible.
    #[test]
    fn random_uploads_with_random_faults(rounds in rounds()) {
        let test = TestStore::new();
        let all = test.new_contents(12);
        let mut acknowledged = HashSet::new();
        for (picked, nth, fault) in rounds {
            let uploaded: Vec<Vec<u8>> = picked.iter().map(|number| all[*number].clone()).collect();
            let (blobs, disk) = test.on_faulty_disk(nth, fault);
            let visible_before = visible(&blobs, &all);
            let result = put_all(&blobs, &uploaded);
            if result.is_ok() {
                acknowledged.extend(picked);
            } else if fault != Fault::Dead {
                prop_assert_eq!(visible(&blobs, &all), visible_before);
            }
            if fault == Fault::Dead {
                disk.cut_power(Lost::ContentAndNames);
            }
            visible(test.blobs(), &all);
            let kept: Vec<Vec<u8>> = acknowledged.iter().map(|number| all[*number].clone()).collect();
            prop_assert_eq!(visible(test.blobs(), &kept), kept.len());
        }
    }
}

/// Compressed variants are made once, decompress to the blob, and are remembered over a restart.
#[test]
fn variants_are_made_once() {
    let test = TestStore::new();
    let content = "the same words again and again. ".repeat(100).into_bytes();
    let digest = Digest::of(&content);
    put(test.blobs(), &[&content]).unwrap();
    assert!(test.blobs().needs_variants(&digest));
    assert_eq!(test.blobs().variants(&digest), Variants::default());
    let made = test.blobs().make_variants(&digest).unwrap();
    assert!(!test.blobs().needs_variants(&digest));
    let (brotli, zstd, gzip) = (made.brotli.unwrap(), made.zstd.unwrap(), made.gzip.unwrap());
    let mut unpacked = Vec::new();
    let packed = read_through_file(test.blobs(), &brotli.digest).unwrap();
    brotli::BrotliDecompress(&mut packed.as_slice(), &mut unpacked).unwrap();
    assert_eq!((unpacked, packed.len() as u64), (content.clone(), brotli.size_bytes));
    let packed = read_through_file(test.blobs(), &zstd.digest).unwrap();
    let unpacked = zstd::stream::decode_all(packed.as_slice()).unwrap();
    assert_eq!((unpacked, packed.len() as u64), (content.clone(), zstd.size_bytes));
    let mut unpacked = Vec::new();
    let packed = read_through_file(test.blobs(), &gzip.digest).unwrap();
    flate2::read::GzDecoder::new(packed.as_slice()).read_to_end(&mut unpacked).unwrap();
    assert_eq!((unpacked, packed.len() as u64), (content, gzip.size_bytes));
    let TestStore { folder, store, .. } = test;
    drop(store);
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    assert_eq!(store.blobs().variants(&digest), made);
}

/// A blob whose variants were made before ship knew a coding gets that one, and the others stay as they are.
#[test]
fn variants_that_came_later() {
    let test = TestStore::new();
    let content = "the same words again and again. ".repeat(100).into_bytes();
    let digest = Digest::of(&content);
    put(test.blobs(), &[&content]).unwrap();
    let made = test.blobs().make_variants(&digest).unwrap();
    let forget = "DELETE FROM variants WHERE encoding = 'zstd'";
    let forgotten = test.blobs().database().write(|transaction| {
        let count = transaction.execute(forget, [])?;
        Ok::<usize, crate::StateError>(count)
    });
    assert_eq!(forgotten.unwrap(), 1);
    assert_eq!(test.blobs().variants(&digest), Variants { zstd: None, ..made });
    assert!(test.blobs().needs_variants(&digest));
    assert_eq!(test.blobs().make_variants(&digest).unwrap(), made);
    assert!(!test.blobs().needs_variants(&digest));
}

/// What does not shrink, is tiny or is huge gets no variants, and is not tried again.
#[test]
fn variants_that_do_not_pay() {
    let test = TestStore::new();
    let noise: Vec<u8> = (0..64_u32).flat_map(|number| *Digest::of(&number.to_le_bytes()).as_bytes()).collect();
    let tiny = [b'a'; 255];
    let huge = vec![b'a'; 16 * 1024 * 1024 + 1];
    put(test.blobs(), &[&noise, &tiny]).unwrap();
    let mut batch = test.blobs().batch().unwrap();
    let mut writer = batch.begin(Digest::of(&huge), huge.len() as u64).unwrap();
    writer.write(&huge).unwrap();
    writer.finish().unwrap();
    batch.commit().unwrap();
    assert!(test.blobs().needs_variants(&Digest::of(&noise)));
    for content in [&noise[..], &tiny, &huge] {
        assert_eq!(test.blobs().make_variants(&Digest::of(content)).unwrap(), Variants::default());
        assert!(!test.blobs().needs_variants(&Digest::of(content)));
    }
    assert!(
        matches!(test.blobs().make_variants(&Digest::of(b"absent")), Ok(variants) if variants == Variants::default())
    );
}

/// A damaged variant is forgotten, so that it is made again.
#[test]
fn damaged_variant_is_made_again() {
    let test = TestStore::new();
    let content = [b'a'; 1000];
    let digest = Digest::of(&content);
    put(test.blobs(), &[&content]).unwrap();
    let made = test.blobs().make_variants(&digest).unwrap();
    let brotli = made.brotli.unwrap().digest;
    fs::write(test.path_of(&brotli), b"damaged").unwrap();
    assert!(matches!(test.blobs().read(&brotli), Err(BlobError::Corrupt { .. })));
    assert!(test.blobs().needs_variants(&digest));
    assert_eq!(test.blobs().make_variants(&digest).unwrap(), made);
    test.blobs().read(&brotli).unwrap();
}
