//! What arrives packed: artifacts of functions, backups and packs of blobs. Nothing of them leaves its folder, outgrows its limits or stays behind when it is
//! refused.
//!
//! An input's first byte says what the rest is: `z` a zip as it is, `e` entries of a zip that is made of them, `b` a backup as it is, `p` a pack.
#![no_main]

#[path = "archive/zip.rs"]
mod zip;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use ship_api::{PackDecoder, PackEvent};
use ship_core::{Digest, Function, FunctionLimits, FunctionRuntime};
use ship_store::{ArchiveLimits, Durability, Store, restore};

/// A store and nothing else, in memory where the machine has such a folder. A run begins by removing what the last one has left.
static PLACE: LazyLock<Place> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let root = parent.join("ship-fuzz-archive");
    remove(&root);
    fs::create_dir_all(&root).expect("the folder is ours");
    let store = Store::open(&root.join("data"), Durability::Relaxed).expect("an empty folder becomes a store");
    Place { root, store }
});

struct Place {
    root: PathBuf,
    store: Store,
}

impl Place {
    /// What stands in a folder of the store, but for the files that are locked in turn.
    fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.root.join(folder)).expect("the folder is there").flatten();
        let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let mut names: Vec<String> = names.filter(|name| !name.starts_with("turn-")).collect();
        names.sort();
        names
    }

    fn is_clean(&self) {
        assert_eq!(self.names(""), ["data"], "nothing stands beside the store");
        assert_eq!(self.names("data/tmp"), [] as [String; 0]);
        assert_eq!(self.names("data/functions"), [] as [String; 0]);
    }
}

/// Removes a folder whatever its modes are.
fn remove(folder: &Path) {
    if folder.is_dir() && !folder.is_symlink() {
        let _ = fs::set_permissions(folder, fs::Permissions::from_mode(0o700));
        fs::read_dir(folder).into_iter().flatten().flatten().for_each(|entry| remove(&entry.path()));
        let _ = fs::remove_dir(folder);
    } else {
        let _ = fs::remove_file(folder);
    }
}

fn function(digest: Digest, size_bytes: u64) -> Function {
    let (name, limits) = ("api".parse().expect("a name"), FunctionLimits::default());
    Function { name, runtime: FunctionRuntime::Go, digest, size_bytes, limits, layers: Vec::new(), warm: Vec::new() }
}

/// Stores a zip, unpacks it, and gives the files that came out of it.
fn unpack(archive: &[u8]) -> Option<BTreeMap<String, Vec<u8>>> {
    let place = &*PLACE;
    let digest = Digest::of(archive);
    let mut batch = place.store.blobs().batch().expect("the store takes an upload");
    let mut writer = batch.begin(digest, archive.len() as u64).expect("it is small");
    writer.write(archive).expect("there is room");
    writer.finish().expect("it has its digest");
    batch.commit().expect("there is room");
    let unpacked = place.store.functions().unpack(&function(digest, archive.len() as u64)).ok().map(|folder| {
        let mut found = BTreeMap::new();
        look(&folder, &folder, &mut found);
        let bytes: usize = found.values().map(Vec::len).sum();
        assert!(bytes as u64 <= ArchiveLimits::DEFAULT.unpacked_bytes && bytes <= 16 * 1024 * 1024, "{bytes} bytes");
        found
    });
    let hex = digest.to_hex();
    for name in [hex.clone(), format!("{hex}.boot")] {
        remove(&place.root.join("data/functions").join(name));
    }
    remove(&place.root.join("data/blobs").join(&hex[..2]).join(&hex[2..]));
    place.is_clean();
    unpacked
}

/// Looks at everything below a folder: files that nobody can write, folders, and links that lead to places in it.
fn look(root: &Path, folder: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        let metadata = path.symlink_metadata().expect("it was just there");
        if metadata.is_symlink() {
            let target = fs::read_link(&path).expect("a link");
            assert!(target.is_relative(), "{target:?}");
            if let Ok(place) = path.canonicalize() {
                assert!(
                    place.starts_with(root.canonicalize().expect("the folder is there")),
                    "{path:?} leads to {place:?}"
                );
            }
        } else if metadata.is_dir() {
            look(root, &path, found);
        } else {
            assert!(metadata.is_file() && metadata.permissions().mode() & 0o222 == 0, "{path:?}");
            let name = path.strip_prefix(root).expect("it is below").to_str().expect("names are text").to_owned();
            found.insert(name, fs::read(&path).expect("it can be read"));
        }
    }
}

/// A zip made of described entries: what comes out of it, if anything does, is what was described.
fn described(text: &[u8]) {
    let entries = zip::entries(text);
    let Some(found) = unpack(&zip::pack(&entries)) else { return };
    let files = entries.iter().filter(|entry| !entry.is_link());
    let expected: BTreeMap<String, Vec<u8>> = files
        .map(|entry| (String::from_utf8(entry.name.into()).expect("it was unpacked"), entry.content.into()))
        .collect();
    assert_eq!(found, expected);
}

/// A backup that is refused leaves the folder as it was, and no stranger's bytes make a good one.
fn backup(archive: &[u8]) {
    let place = &*PLACE;
    let (file, data) = (place.root.join("archive"), place.root.join("restored"));
    fs::write(&file, archive).expect("there is room");
    let restored = restore(&data, &file);
    assert!(restored.is_err(), "{restored:?}");
    assert!(
        !data.exists() || place.names("restored").iter().all(|name| name == "lock"),
        "{:?}",
        place.names("restored")
    );
    remove(&file);
    remove(&data);
    place.is_clean();
}

/// Pieces of any size make the same blobs, and never more bytes than came.
fn pack(bytes: &[u8]) {
    let read = |size: usize| {
        let (mut decoder, mut blobs) = (PackDecoder::new(), Vec::new());
        for piece in bytes.chunks(size) {
            decoder.push(&piece.to_vec().into());
            loop {
                match decoder.next_event() {
                    Ok(Some(PackEvent::Begin { digest, size_bytes })) => blobs.push((digest, size_bytes, Vec::new())),
                    Ok(Some(PackEvent::Bytes(piece))) => {
                        blobs.last_mut().expect("bytes follow a beginning").2.extend_from_slice(&piece);
                    }
                    Ok(Some(PackEvent::Complete)) => {
                        let (_, announced, found) = blobs.last().expect("an end follows a beginning");
                        assert_eq!(*announced, found.len() as u64);
                    }
                    Ok(None) => break,
                    Err(error) => return (blobs, Err(error)),
                }
            }
        }
        (blobs, decoder.finish())
    };
    let whole = read(bytes.len().max(1));
    assert!(whole.0.iter().map(|(_, _, found)| found.len()).sum::<usize>() <= bytes.len());
    for size in [1, 3, 41] {
        assert_eq!(read(size), whole, "in pieces of {size} bytes");
    }
}

fuzz_target!(|input: &[u8]| {
    match input.split_first() {
        Some((b'z', zip)) => drop(unpack(zip)),
        Some((b'e', text)) => described(text),
        Some((b'b', tar)) => backup(tar),
        Some((b'p', bytes)) => pack(bytes),
        _ => {}
    }
});
