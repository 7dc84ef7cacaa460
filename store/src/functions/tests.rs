//! Unpacking: good artifacts once, hostile ones never.

use std::io::{Cursor, Write as _};

use rustix::io::Errno;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use ship_core::{FunctionLimits, FunctionRuntime};

use super::*;
use crate::disk::faulty::{Fault, FaultyDisk};
use crate::{Durability, Store};

/// A function of this artifact, without layers.
fn function(digest: Digest) -> Function {
    let (name, limits) = ("api/date".parse().unwrap(), FunctionLimits::default());
    Function { name, runtime: FunctionRuntime::Go, digest, size_bytes: 0, limits, layers: Vec::new(), warm: Vec::new() }
}

struct TestStore {
    folder: tempfile::TempDir,
    store: Store,
}

impl TestStore {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
        Self { folder, store }
    }

    fn put(&self, artifact: &[u8]) -> Digest {
        put(&self.store, artifact)
    }

    fn unpack(&self, artifact: &[u8]) -> Result<PathBuf, UnpackError> {
        self.store.functions().unpack(&function(self.put(artifact)))
    }

    /// Why an artifact is refused. Nothing of it stays.
    fn refusal(&self, artifact: &[u8]) -> String {
        let error = self.unpack(artifact).unwrap_err();
        assert_eq!(self.everything(), Vec::<String>::new());
        error.to_string().replace(&Digest::of(artifact).to_string(), "A")
    }

    /// What is in `functions/` and `tmp/`.
    fn everything(&self) -> Vec<String> {
        ["functions", "tmp"].iter().flat_map(|name| tree(&self.folder.path().join(name))).collect()
    }
}

fn put(store: &Store, content: &[u8]) -> Digest {
    let digest = Digest::of(content);
    let mut batch = store.blobs().batch().unwrap();
    let mut writer = batch.begin(digest, content.len() as u64).unwrap();
    writer.write(content).unwrap();
    writer.finish().unwrap();
    batch.commit().unwrap();
    digest
}

/// What is below a folder: mode, path and content.
fn tree(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        let mode = path.metadata().unwrap().permissions().mode() & 0o777;
        let name = path.file_name().unwrap().to_str().unwrap();
        // Whose turn it is to unpack is a lock, and its file stays.
        if name.starts_with("turn-") {
            continue;
        }
        if path.is_dir() {
            lines.push(format!("{mode:o} {name}/"));
            lines.extend(tree(&path).iter().map(|line| format!("  {line}")));
        } else {
            lines.push(format!("{mode:o} {name}: {}", String::from_utf8_lossy(&fs::read(&path).unwrap())));
        }
    }
    lines
}

fn options(mode: u32) -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated).unix_permissions(mode)
}

fn zip_of(entries: &[(&str, u32, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, mode, content) in entries {
        writer.start_file(*name, options(*mode)).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A zip whose names are changed after it was written, as no well-behaved writer would: each `from` to an equally long `to`.
fn forged(names: &[&str], from: &str, to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let entries: Vec<_> = names.iter().map(|name| (*name, 0o644, "content")).collect();
    let mut artifact = zip_of(&entries);
    let places: Vec<usize> =
        (0..artifact.len() - from.len()).filter(|at| artifact[*at..].starts_with(from.as_bytes())).collect();
    assert_eq!(places.len(), 2, "once before the content, once in the list");
    for at in places {
        artifact[at..at + to.len()].copy_from_slice(to);
    }
    artifact
}

/// An artifact is unpacked with the modes that were packed, reduced to read-only, and nothing else is left anywhere.
#[test]
fn unpacked() {
    let test = TestStore::new();
    let artifact =
        zip_of(&[("bootstrap", 0o755, "#!"), ("lib/deep/data.txt", 0o644, "data"), ("lib/tool", 0o700, "tool")]);
    let path = test.unpack(&artifact).unwrap();
    assert_eq!(path, test.folder.path().join("functions").join(Digest::of(&artifact).to_hex()));
    let expected = ["555 bootstrap: #!", "555 lib/", "  555 deep/", "    444 data.txt: data", "  555 tool: tool"];
    assert_eq!(tree(&path), expected);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o555);
    assert_eq!(tree(&test.folder.path().join("tmp")), Vec::<String>::new());
}

/// The second use of an artifact costs no unpacking, in this process and in the next one on the same boot. After the
/// machine was started again, it is unpacked again.
#[test]
fn unpacked_once_per_boot() {
    let TestStore { folder, store } = TestStore::new();
    let digest = put(&store, &zip_of(&[("bootstrap", 0o755, "#!")]));
    let path = store.functions().unpack(&function(digest)).unwrap();
    let inode = || std::os::unix::fs::MetadataExt::ino(&path.metadata().unwrap());
    let first = inode();
    assert_eq!(store.functions().unpack(&function(digest)).unwrap(), path);
    assert_eq!(inode(), first);
    drop(store);
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    assert_eq!(store.functions().unpack(&function(digest)).unwrap(), path);
    assert_eq!(inode(), first);
    drop(store);
    let note = folder.path().join("functions").join(format!("{}.boot", digest.to_hex()));
    fs::write(&note, "an earlier boot").unwrap();
    fs::set_permissions(path.join("bootstrap"), fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path.join("bootstrap"), "lost in a power cut").unwrap();
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    assert_eq!(store.functions().unpack(&function(digest)).unwrap(), path);
    assert_eq!(tree(&path), ["555 bootstrap: #!"]);
    assert_eq!(tree(&folder.path().join("tmp")), Vec::<String>::new());
}

/// An unpacked artifact that somebody has removed is unpacked again.
#[test]
fn removed_folder_is_made_again() {
    let test = TestStore::new();
    let artifact = zip_of(&[("bootstrap", 0o755, "#!")]);
    let path = test.unpack(&artifact).unwrap();
    remove_all(&path).unwrap();
    assert_eq!(tree(&test.unpack(&artifact).unwrap()), ["555 bootstrap: #!"]);
}

/// Many ask for one artifact at once: all get it complete.
#[test]
fn many_at_once() {
    let test = TestStore::new();
    let digest = test.put(&zip_of(&[("bootstrap", 0o755, "#!"), ("data", 0o644, &"data".repeat(10_000))]));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let path = test.store.functions().unpack(&function(digest)).unwrap();
                assert_eq!(fs::read(path.join("data")).unwrap().len(), 40_000);
            });
        }
    });
}

/// Names that lead out of the folder, or that are not plain names, are refused, each by name.
#[test]
fn hostile_names() {
    let test = TestStore::new();
    let path_fault = |name: &str, reason: &str| {
        format!(
            "artifact A has the entry {name:?}, which cannot be unpacked: {name:?} is not a path inside a site: {reason}"
        )
    };
    let segment = "it has an empty, `.` or `..` segment";
    for (name, reason) in [
        ("../../etc/x", segment),
        ("a/../../etc", segment),
        ("./bootstrap", segment),
        ("lib//secret", segment),
        ("/etc/passwd", "it starts with `/`"),
        (r"..\..\evil.x", "it contains a backslash"),
        ("boot\0strap1", "it contains a control character"),
    ] {
        let harmless = "n".repeat(name.len());
        let artifact = forged(&["bootstrap", &harmless], &harmless, name.as_bytes());
        assert_eq!(test.refusal(&artifact), path_fault(name, reason));
    }
    let not_text = forged(&["bootstrap", "name"], "name", b"na\xffe");
    // Without the flag for UTF-8, the bytes are what they are.
    assert_eq!(test.refusal(&not_text), "artifact A has the entry \"na\u{fffd}e\", which is not UTF-8");
    let long = "x".repeat(256);
    let message = format!("artifact A has the entry {long:?}, which has a part that is longer than 255 bytes");
    assert_eq!(test.refusal(&zip_of(&[(&long, 0o644, "")])), message);
    // It fits while it has its temporary name, and is too long below its final one.
    let deep = "part-of-63-bytes".repeat(4)[1..].to_owned() + "/";
    let deep = deep.repeat(62) + "file";
    let message = format!("artifact A has the entry {deep:?}, which is a path longer than 1024 bytes");
    assert_eq!(test.refusal(&zip_of(&[(&deep, 0o644, "")])), message);
}

/// Two entries with one name, or with names that some file system takes for the same, are refused.
#[test]
fn colliding_names() {
    let test = TestStore::new();
    assert_eq!(
        test.refusal(&forged(&["name-one", "name-two"], "name-two", b"name-one")),
        "artifact A is not a plain zip: it names an entry twice"
    );
    for (first, second) in [("readme", "README"), ("caf\u{e9}", "cafe\u{301}"), ("straße", "STRASSE"), ("a/b", "A/B")]
    {
        let message = format!("artifact A has the entry {second:?}, which is the same name as {first:?}");
        assert_eq!(test.refusal(&zip_of(&[(first, 0o644, ""), (second, 0o644, "")])), message);
    }
    let inside = zip_of(&[("lib", 0o644, ""), ("lib/data", 0o644, "")]);
    let message = "artifact A has the entry \"lib/data\", which lies inside \"lib\", which is no folder";
    assert_eq!(test.refusal(&inside), message);
}

/// A zip of one file in a folder, and of links.
fn zip_of_links(links: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, target) in links {
        writer.add_symlink(*name, *target, options(0o777)).unwrap();
    }
    writer.start_file("lib/deep/data", options(0o644)).unwrap();
    writer.write_all(b"data").unwrap();
    writer.finish().unwrap().into_inner()
}

/// Links that stay in their artifact are made as they were packed, to files, to folders and to what is not there.
#[test]
fn links() {
    let test = TestStore::new();
    let links = [("a/b/up", "../../lib"), ("data", "lib/deep/data"), ("lib/near", "deep"), ("nowhere", "absent/x")];
    let folder = test.unpack(&zip_of_links(&links)).unwrap();
    for (name, target) in links {
        assert_eq!(fs::read_link(folder.join(name)).unwrap(), Path::new(target));
    }
    for name in ["a/b/up/deep/data", "a/b/up/near/data", "data", "lib/near/data"] {
        assert_eq!(fs::read_to_string(folder.join(name)).unwrap(), "data", "{name}");
    }
    remove_all(&folder).unwrap();
}

/// Links that lead out of their artifact, or that could through another link, are refused, and so is what lies inside one.
#[test]
fn hostile_links() {
    let test = TestStore::new();
    for target in ["/bin/sh", "..", "../x", "", "lib/../../x", "lib/..", "./lib", "lib//deep", "a\\b", "lib/\0"] {
        let message = format!(
            "artifact A has the entry \"link\", which is a link to {target:?}, which is no place in the artifact"
        );
        assert_eq!(test.refusal(&zip_of_links(&[("link", target)])), message);
    }
    // A folder further down, and from there up again: inside by its text, outside by way of the first link.
    let through = [("lib/a/b/top", "../../../lib"), ("lib/a/b/out", "top/../../../x")];
    let message = "artifact A has the entry \"lib/a/b/out\", which is a link to \"top/../../../x\", which is no place in the \
                   artifact";
    assert_eq!(test.refusal(&zip_of_links(&through)), message);
    let inside = "artifact A has the entry \"lib/deep/data\", which lies inside \"lib\", which is no folder";
    assert_eq!(test.refusal(&zip_of_links(&[("lib", "other")])), inside);
}

/// Nothing else than files and links is unpacked: no folders, no devices.
#[test]
fn special_entries() {
    let test = TestStore::new();
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer.add_directory("folder", options(0o755)).unwrap();
    let message = "artifact A has the entry \"folder/\", which is not a file";
    assert_eq!(test.refusal(&writer.finish().unwrap().into_inner()), message);
    for kind in [0o020_000, 0o060_000, 0o010_000, 0o140_000_u32] {
        let mut artifact = zip_of(&[("device", 0o644, "")]);
        let list = artifact.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
        let attributes = (kind | 0o644) << 16;
        artifact[list + 38..list + 42].copy_from_slice(&attributes.to_le_bytes());
        assert_eq!(test.refusal(&artifact), "artifact A has the entry \"device\", which is not a file");
    }
}

/// What an archive says about sizes is not believed, and a small archive does not become a large folder.
#[test]
fn bombs() {
    let test = TestStore::new();
    let zeros = "\0".repeat(20 * 1024 * 1024);
    let bomb = zip_of(&[("bootstrap", 0o755, "#!"), ("zeros", 0o644, &zeros)]);
    assert!(bomb.len() < 100_000, "{}", bomb.len());
    let message = "artifact A has the entry \"zeros\", which makes the artifact larger than 16777216 bytes";
    assert_eq!(test.refusal(&bomb), message);
    let functions = Functions {
        limits: ArchiveLimits { archive_bytes: 1000, directory_bytes: 200, entries: 2, unpacked_bytes: 50, ratio: 100 },
        ..Functions::new(&data_dir_of(&test), test.store.functions().disk.clone(), test.store.blobs().clone())
    };
    let refusal = |artifact: &[u8]| {
        let error = functions.unpack(&function(test.put(artifact))).unwrap_err();
        error.to_string().replace(&Digest::of(artifact).to_string(), "A")
    };
    let three = zip_of(&[("a", 0o644, ""), ("b", 0o644, ""), ("c", 0o644, "")]);
    assert_eq!(refusal(&three), "artifact A has more than 2 entries");
    assert_eq!(
        refusal(&zip_of(&[(&"a".repeat(200), 0o644, "")])),
        "artifact A has more than 200 bytes in its list of names"
    );
    assert_eq!(refusal(&[0; 1001]), "artifact A has more than 1000 bytes");
    let message = "artifact A has the entry \"b\", which makes the artifact larger than 50 bytes";
    assert_eq!(refusal(&zip_of(&[("a", 0o644, &"a".repeat(30)), ("b", 0o644, &"b".repeat(30))])), message);
}

fn data_dir_of(test: &TestStore) -> DataDir {
    DataDir::at(test.folder.path())
}

/// What is no plain zip is refused: rubbish, a zip with something before or behind it, one that was cut or changed.
#[test]
fn not_a_plain_zip() {
    let test = TestStore::new();
    let good = zip_of(&[("bootstrap", 0o755, "#!")]);
    let message = "artifact A is not a plain zip: its last bytes are not the end of a zip without a comment";
    for artifact in
        [b"rubbish that is long enough".to_vec(), good[..good.len() - 1].to_vec(), [&good[..], b"!"].concat()]
    {
        assert_eq!(test.refusal(&artifact), message);
    }
    assert_eq!(test.refusal(b""), "artifact A is not a plain zip: it is too short");
    let before = [b"#!/bin/sh\n", &good[..]].concat();
    let message = "artifact A is not a plain zip: its list of names does not end where the archive does";
    assert_eq!(test.refusal(&before), message);
    let mut changed = zip_of(&[("bootstrap", 0o755, "some content that is long enough")]);
    changed[45] ^= 1;
    let refusal = test.refusal(&changed);
    assert!(refusal.starts_with("artifact A has the entry \"bootstrap\", which cannot be read: "), "{refusal}");
    let absent = Digest::of(b"absent");
    let error = test.store.functions().unpack(&function(absent)).unwrap_err();
    assert!(matches!(error, UnpackError::Blob(BlobError::Missing { digest }) if digest == absent), "{error}");
}

/// Whichever operation fails while unpacking, nothing half unpacked is ever used, and the next try succeeds.
#[test]
fn any_operation_may_fail() {
    let artifact = zip_of(&[("bootstrap", 0o755, "#!"), ("lib/data", 0o644, "data")]);
    let test = TestStore::new();
    let digest = test.put(&artifact);
    for nth in 1.. {
        let disk = Arc::new(FaultyDisk::new(nth, Fault::Once(Errno::NOSPC)));
        let functions =
            Functions::new(&data_dir_of(&test), Arc::clone(&disk) as Arc<dyn FileSystem>, test.store.blobs().clone());
        let unpacked = functions.unpack(&function(digest));
        assert_eq!(tree(&test.folder.path().join("tmp")), Vec::<String>::new());
        if disk.has_failed() {
            assert!(matches!(unpacked, Err(UnpackError::Blob(BlobError::StorageFull { .. }))), "{unpacked:?}");
        }
        let path = functions.unpack(&function(digest)).unwrap();
        assert_eq!(tree(&path), ["555 bootstrap: #!", "555 lib/", "  444 data: data"]);
        remove_all(&path).unwrap();
        fs::remove_file(functions.note(&digest)).unwrap();
        if !disk.has_failed() {
            break;
        }
    }
}

/// Two functions share a layer, which is unpacked once; each sees it in its own folder. What the layer lacks on the disk is
/// unpacked again, and an artifact that brings a file in a layer's place is refused.
#[test]
fn layers() {
    let test = TestStore::new();
    let [one, other] = ["one", "other"].map(|text| test.put(&zip_of(&[("launcher.py", 0o644, text)])));
    let packages = test.put(&zip_of(&[("python/flask/app.py", 0o644, "flask")]));
    let layer = Layer { mount: "python".parse().unwrap(), digest: packages, size_bytes: 0 };
    let with_layer = |artifact| Function { layers: vec![layer.clone()], ..function(artifact) };
    for artifact in [one, other] {
        let folder = test.store.functions().unpack(&with_layer(artifact)).unwrap();
        assert_ne!(folder.file_name().unwrap().to_str(), Some(artifact.to_hex().as_str()));
        assert_eq!(fs::read_to_string(folder.join("python/flask/app.py")).unwrap(), "flask");
        assert_eq!(test.store.functions().unpacked(&with_layer(artifact)), Some(folder));
    }
    let unpacked = test.folder.path().join("functions").join(packages.to_hex());
    crate::data_dir::remove_all(&unpacked).unwrap();
    assert_eq!(test.store.functions().unpacked(&with_layer(one)), None);
    let folder = test.store.functions().unpack(&with_layer(one)).unwrap();
    assert_eq!(fs::read_to_string(folder.join("python/flask/app.py")).unwrap(), "flask");

    let in_the_way = zip_of(&[("python", 0o644, "in the way")]);
    let error = test.store.functions().unpack(&with_layer(test.put(&in_the_way))).unwrap_err();
    let message = "artifact A has the entry \"python\", which stands where a layer of the function belongs";
    assert_eq!(error.to_string().replace(&Digest::of(&in_the_way).to_string(), "A"), message);
}
