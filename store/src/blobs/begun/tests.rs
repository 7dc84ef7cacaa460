//! What is kept of a blob that was cut, for whom, and for how long.

use std::time::Duration;

use std::sync::Arc;

use rustix::io::Errno;

use super::super::BlobError;
use super::*;
use crate::disk::faulty::{Fault, FaultyDisk};
use crate::{Durability, Store};

const MEGABYTE: usize = 1024 * 1024;

fn content(seed: u8) -> Vec<u8> {
    (0..MEGABYTE).map(|at| u8::try_from(at % 251).unwrap() ^ seed).collect()
}

/// Begins to send a blob, and is cut.
fn cut(blobs: &Blobs, content: &[u8], project: Option<&ProjectName>, sent: usize) {
    let mut batch = blobs.batch().unwrap();
    let mut writer = batch.begin_kept(Digest::of(content), content.len() as u64, project).unwrap();
    writer.write(&content[..sent]).unwrap();
}

fn go_on(
    blobs: &Blobs,
    content: &[u8],
    project: Option<&ProjectName>,
    from: usize,
    rest: &[u8],
) -> Result<(), BlobError> {
    let mut batch = blobs.batch().unwrap();
    let begun = Begun { bytes: from as u64, digest: Digest::of(&content[..from]) };
    let mut writer = batch.go_on(Digest::of(content), content.len() as u64, project, begun)?;
    writer.write(rest)?;
    writer.finish()?;
    batch.commit().map(drop)
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// A blob that was cut is gone on with where it was cut, by whom it is kept for and by nobody else; it is seen by nobody before it is whole, and
/// nothing of it is left then.
#[test]
fn gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    let (blobs, content) = (store.blobs(), content(0));
    let digest = Digest::of(&content);
    let [blue, red] = ["blue", "red"].map(|name| name.parse::<ProjectName>().unwrap());
    cut(blobs, &content, Some(&blue), 700_000);
    assert_eq!(blobs.begun(Some(&blue), &[digest]), [(digest, 700_000)]);
    assert_eq!((blobs.begun(Some(&red), &[digest]), blobs.begun(None, &[digest])), (vec![], vec![]));
    assert_eq!(blobs.begun(Some(&blue), &[Digest::of(b"another")]), []);
    assert_eq!(blobs.missing(&[digest]), [digest]);
    assert!(matches!(
        go_on(blobs, &content, Some(&red), 700_000, &content[700_000..]),
        Err(BlobError::NotBegun { .. })
    ));

    // Cut again, further on; and gone on with from before the end of what is there.
    {
        let mut batch = blobs.batch().unwrap();
        let begun = Begun { bytes: 700_000, digest: Digest::of(&content[..700_000]) };
        let mut writer = batch.go_on(digest, content.len() as u64, Some(&blue), begun).unwrap();
        writer.write(&content[700_000..900_000]).unwrap();
        assert_eq!(blobs.begun(Some(&blue), &[digest]), [], "somebody has it in hands");
        assert!(matches!(
            go_on(blobs, &content, Some(&blue), 700_000, &content[700_000..]),
            Err(BlobError::NotBegun { .. })
        ));
    }
    assert_eq!(blobs.begun(Some(&blue), &[digest]), [(digest, 900_000)]);
    go_on(blobs, &content, Some(&blue), 800_000, &content[800_000..]).unwrap();
    assert!(blobs.read(&digest).unwrap() == content);
    assert_eq!((names(&folder.path().join("begun")), names(&folder.path().join("tmp"))), (0, 0));
}

/// A beginning that is not what the sender has, that is shorter, or whose rest is wrong is removed: nothing of it comes back.
#[test]
fn wrong_beginnings() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    let (blobs, content) = (store.blobs(), content(0));
    let digest = Digest::of(&content);
    let kept = folder.path().join("begun").join(begun_name(&digest, None));
    let damages: [fn(&mut Vec<u8>); 2] = [|bytes| bytes[5] ^= 1, |bytes| bytes.truncate(100_000)];
    for damage in damages {
        cut(blobs, &content, None, 700_000);
        let mut bytes = fs::read(&kept).unwrap();
        damage(&mut bytes);
        fs::write(&kept, bytes).unwrap();
        let error = go_on(blobs, &content, None, 700_000, &content[700_000..]).unwrap_err();
        assert!(matches!(error, BlobError::NotBegun { .. }), "{error}");
        assert_eq!((names(&folder.path().join("begun")), names(&folder.path().join("tmp"))), (0, 0));
    }
    for rest in [&content[600_000..], &content[..348_576], &content[700_000..800_000]] {
        cut(blobs, &content, None, 700_000);
        let error = go_on(blobs, &content, None, 700_000, rest).unwrap_err();
        assert!(matches!(error, BlobError::DigestMismatch { .. }), "{error}");
        assert_eq!((names(&folder.path().join("begun")), names(&folder.path().join("tmp"))), (0, 0));
    }
    assert_eq!(blobs.missing(&[digest]), [digest]);
}

/// What was being received when a process ended is there for the next one; what is short, and what was received to be kept whole or not at all,
/// is not.
#[test]
fn after_the_end_of_a_process() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), Durability::Durable).unwrap());
    let (content, tmp) = (content(0), folder.path().join("tmp"));
    let digest = Digest::of(&content);
    fs::write(tmp.join(format!("blob-1-1-1.{}", begun_name(&digest, None))), &content[..500_000]).unwrap();
    fs::write(tmp.join(format!("blob-1-1-2.{}", begun_name(&Digest::of(b"short"), None))), &content[..1000]).unwrap();
    fs::write(tmp.join("blob-1-1-3"), &content).unwrap();
    fs::write(tmp.join("blob-1-1-4.nonsense"), &content).unwrap();
    let store = Store::open(folder.path(), Durability::Durable).unwrap();
    assert_eq!(names(&tmp), 0);
    assert_eq!(store.blobs().begun(None, &[digest, Digest::of(b"short")]), [(digest, 500_000)]);
    go_on(store.blobs(), &content, None, 500_000, &content[500_000..]).unwrap();
    assert!(store.blobs().read(&digest).unwrap() == content);
}

/// Only so many are kept for one project, the newest; they do not push out another's; and all go with time.
#[test]
fn bounds() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    let blobs = store.blobs();
    let blue: ProjectName = "blue".parse().unwrap();
    let other = content(200);
    cut(blobs, &other, None, 100_000);
    let contents: Vec<Vec<u8>> = (0..20).map(content).collect();
    let digests: Vec<Digest> = contents.iter().map(|content| Digest::of(content)).collect();
    for (number, content) in contents.iter().enumerate() {
        cut(blobs, content, Some(&blue), 100_000);
        // So that which is the oldest does not depend on how fast this is.
        let kept = folder.path().join("begun").join(begun_name(&digests[number], Some(&blue)));
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + number as u64);
        fs::File::options().write(true).open(kept).unwrap().set_modified(at).unwrap();
    }
    let mut begun: Vec<Digest> = blobs.begun(Some(&blue), &digests).into_iter().map(|(digest, _)| digest).collect();
    begun.sort_unstable_by_key(|digest| digests.iter().position(|known| known == digest));
    assert_eq!(begun, digests[4..]);
    assert_eq!(blobs.begun(None, &[Digest::of(&other)]).len(), 1);
    cut(blobs, &contents[19], Some(&blue), 70_000);
    assert_eq!(blobs.begun(Some(&blue), &digests[19..]), [(digests[19], 100_000)], "the longer one stays");

    let left = blobs.expire_begun(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_018));
    assert_eq!(left.len(), 3, "two of one project, one of the others");
    assert_eq!(blobs.expire_begun(SystemTime::now() + Duration::from_mins(1)), Vec::<u64>::new());
    assert_eq!(names(&folder.path().join("begun")), 0);
}

/// Whatever first finds no room for a blob gets that of the oldest beginning, and is tried again: the blob is stored and right. What syncs is not
/// tried again, because nobody knows what a second one would vouch for.
#[test]
fn given_up_for_room() {
    let content = content(3);
    let begun = |store: &Store, numbers: &[u8]| {
        let digests: Vec<Digest> = (1..=2).map(|seed| Digest::of(&self::content(seed))).collect();
        let kept = store.blobs().begun(None, &digests);
        let expected: HashSet<Digest> = numbers.iter().map(|seed| digests[usize::from(*seed) - 1]).collect();
        assert_eq!(kept.into_iter().map(|(digest, _)| digest).collect::<HashSet<_>>(), expected);
    };
    let mut points = Vec::new();
    loop {
        let folder = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::working(points.len() as u64 + 1, Fault::Once(Errno::NOSPC)));
        let store =
            Store::open_on(folder.path(), Durability::Relaxed, Arc::clone(&disk) as Arc<dyn FileSystem>).unwrap();
        for seed in 1..=2 {
            let begun = self::content(seed);
            cut(store.blobs(), &begun, None, 100_000);
            let kept = folder.path().join("begun").join(begun_name(&Digest::of(&begun), None));
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + u64::from(seed));
            fs::File::options().write(true).open(kept).unwrap().set_modified(at).unwrap();
        }
        begun(&store, &[1, 2]);
        disk.arm();
        let mut batch = store.blobs().batch().unwrap();
        let put = || -> Result<_, BlobError> {
            let mut writer = batch.begin(Digest::of(&content), content.len() as u64)?;
            content.chunks(400_000).try_for_each(|piece| writer.write(piece))?;
            writer.finish()?;
            batch.commit()
        };
        let stored = put();
        disk.disarm();
        let Some(point) = disk.point() else {
            assert_eq!(stored.unwrap().stored_blobs, 1);
            begun(&store, &[1, 2]);
            break;
        };
        if point.starts_with("sync") {
            assert!(matches!(stored, Err(BlobError::StorageFull { .. })), "{point}: {stored:?}");
            begun(&store, &[1, 2]);
        } else {
            assert_eq!(stored.unwrap().stored_blobs, 1, "{point}");
            assert!(store.blobs().read(&Digest::of(&content)).unwrap() == content, "{point}");
            begun(&store, &[2]);
        }
        points.push(point);
    }
    assert!(points.iter().any(|point| point.starts_with("write")), "{points:?}");
}

/// Where there is less room than is asked for, the oldest go until there is, or none is left.
#[test]
fn kept_free() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    let content = content(0);
    let digest = Digest::of(&content);
    let begun = BegunFolder::new(folder.path().join("begun"));
    begun.keep_free(u64::MAX);
    cut(store.blobs(), &content, None, 100_000);
    begun.keep_free(1);
    assert_eq!(store.blobs().begun(None, &[digest]), [(digest, 100_000)]);
    begun.keep_free(u64::MAX);
    assert_eq!(store.blobs().begun(None, &[digest]), []);
    assert!(!begun.give_up_oldest());
}
