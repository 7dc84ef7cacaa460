//! Artifacts are a function of the program's bytes and of nothing else.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, SystemTime};

use proptest::prelude::*;
use zip::ZipArchive;

use std::path::Path;

use super::*;

fn program_of(file: &Path) -> Vec<Member> {
    vec![Member::executable("bootstrap", file.to_owned())]
}

fn packed(program: &Path) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    pack(&mut program_of(program), &mut file).unwrap();
    let mut bytes = Vec::new();
    io::Seek::rewind(&mut file).unwrap();
    file.read_to_end(&mut bytes).unwrap();
    bytes
}

/// The layout that every host and every cloud expects: one executable, a fixed time, nothing of this machine.
#[test]
fn layout() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::fs::write(&program, b"#!/bin/true\n".repeat(1000)).unwrap();
    let bytes = packed(&program);
    let mut zip = ZipArchive::new(io::Cursor::new(&bytes)).unwrap();
    assert_eq!(zip.len(), 1);
    let mut entry = zip.by_index(0).unwrap();
    assert_eq!(entry.name().unwrap(), "bootstrap");
    assert_eq!(entry.unix_mode(), Some(0o100_755));
    assert_eq!(entry.last_modified(), Some(DateTime::default()));
    assert_eq!(entry.extra_data().unwrap_or_default(), b"");
    let mut unpacked = Vec::new();
    entry.read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, std::fs::read(&program).unwrap());
    // These exact bytes are what other versions and machines must make of the same program.
    let expected = "sha256:c7d8d31f3679f27dc5fbe6ca4c905af3cbfaedb91ff140f39786a5ce16018604";
    assert_eq!(Digest::of(&bytes).to_string(), expected);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// The file's name, folder, mode and time leave no trace.
    #[test]
    fn nothing_but_the_bytes(content in proptest::collection::vec(any::<u8>(), 0..5000), name in "[a-z]{1,20}", age_secs in 0_u64..1_000_000_000, mode in 0o400_u32..0o777) {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (plain, strange) = (one.path().join("a"), other.path().join(name));
        std::fs::write(&plain, &content).unwrap();
        std::fs::write(&strange, &content).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age_secs);
        File::options().write(true).open(&strange).unwrap().set_modified(time).unwrap();
        std::fs::set_permissions(&strange, std::fs::Permissions::from_mode(mode | 0o400)).unwrap();
        prop_assert_eq!(packed(&plain), packed(&strange));
    }
}

fn cache_with_program() -> (tempfile::TempDir, ArtifactCache, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    std::fs::write(&program, b"program").unwrap();
    let cache = ArtifactCache::new(folder.path());
    (folder, cache, program)
}

/// What was stored under a key is found under it, and under no other.
#[test]
fn stored_and_found() {
    let (_folder, cache, program) = cache_with_program();
    let key = Digest::of(b"key");
    assert_eq!(cache.find(&key), None);
    let artifact = cache.store(program_of(&program)).unwrap();
    cache.remember(&key, &artifact);
    assert_eq!(cache.find(&key), Some(artifact.clone()));
    assert_eq!(cache.find(&Digest::of(b"other")), None);
    assert_eq!(Digest::of(&std::fs::read(&artifact.file).unwrap()), artifact.digest);
}

/// An artifact that was altered in the cache is never used, whatever its size; one that was only touched is.
#[test]
fn damaged_artifacts() {
    let (_folder, cache, program) = cache_with_program();
    let key = Digest::of(b"key");
    let artifact = cache.store(program_of(&program)).unwrap();
    cache.remember(&key, &artifact);

    let bytes = std::fs::read(&artifact.file).unwrap();
    std::fs::write(&artifact.file, &bytes).unwrap();
    assert_eq!(cache.find(&key), Some(artifact.clone()), "the same bytes at another time");

    let mut damaged = bytes.clone();
    damaged[40] ^= 1;
    std::fs::write(&artifact.file, &damaged).unwrap();
    assert_eq!(cache.find(&key), None, "one bit");

    std::fs::remove_file(&artifact.file).unwrap();
    assert_eq!(cache.find(&key), None, "gone");
}

/// A record that is cut off or garbage is a miss.
#[test]
fn damaged_records() {
    let (folder, cache, program) = cache_with_program();
    let key = Digest::of(b"key");
    let artifact = cache.store(program_of(&program)).unwrap();
    cache.remember(&key, &artifact);
    let record = folder.path().join("functions").join(format!("{}.json", key.to_hex()));
    let text = std::fs::read(&record).unwrap();
    for garbage in [&text[..text.len() / 2], b"", b"{}", b"null"] {
        std::fs::write(&record, garbage).unwrap();
        assert_eq!(cache.find(&key), None);
    }
}

/// Pruning takes the oldest, except what the build that prunes has just found.
#[test]
fn what_is_used_stays() {
    let (_folder, cache, program) = cache_with_program();
    let store = |text: &str, age_secs| {
        std::fs::write(&program, text).unwrap();
        let artifact = cache.store(program_of(&program)).unwrap();
        let time = SystemTime::now() - Duration::from_secs(age_secs);
        File::options().write(true).open(&artifact.file).unwrap().set_modified(time).unwrap();
        artifact
    };
    let (used, old, new) = (store("used", 300), store("old", 200), store("new", 100));
    cache.prune_to(new.size_bytes, &[used.file.as_path()].into()).unwrap();
    let is_there = [&used, &old, &new].map(|artifact| artifact.file.exists());
    assert_eq!(is_there, [true, false, true]);
}

/// What no host would unpack is refused before it is packed, and the largest files are named.
#[test]
fn too_large() {
    let folder = tempfile::tempdir().unwrap();
    let sparse = |name: &str, size_bytes: u64| {
        let file = folder.path().join(name);
        File::create(&file).unwrap().set_len(size_bytes).unwrap();
        Member::data(name, Content::File(file))
    };
    let members = vec![sparse("model.bin", 900_000_000), sparse("index.bin", 250_500_000), sparse("words.txt", 1_000)];
    let error = ArtifactCache::new(folder.path()).store(members).unwrap_err();
    assert_eq!(
        error.to_string(),
        "a function has 1150 MB, more than the 1073 MB that one may have. The largest of its files:\n  \
         900.0 MB  model.bin\n  250.5 MB  index.bin\n  0.0 MB  words.txt"
    );
    assert_eq!(error.code(), Some("function_too_large"));
}

/// A full disk is told once. Whoever ends the archive after that, in the middle of a file, finds nothing to complain about.
#[test]
fn full_disk() {
    let mut full = File::options().write(true).open("/dev/full").unwrap();
    let mut silenced = Silenced::new(&mut full);
    assert_eq!(silenced.write(b"a").unwrap_err().kind(), io::ErrorKind::StorageFull);
    assert_eq!(silenced.write(b"a").unwrap(), 1);
    assert_eq!(silenced.seek(SeekFrom::Current(-1)).unwrap(), 0);
    let noise: Vec<u8> = (0_u32..200_000).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[2]).collect();
    let mut members = ["a", "b"].map(|name| Member::data(name, Content::Bytes(noise.clone())));
    assert_eq!(pack(&mut members, &mut full).unwrap_err().kind(), io::ErrorKind::StorageFull);
}
