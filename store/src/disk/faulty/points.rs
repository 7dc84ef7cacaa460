//! What an operation on the disk is called where it is listed or where a process dies at it: what is done, and to what.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

/// What stands at a path, by its place in the data directory and by how it begins.
pub(super) fn what(path: &Path) -> &'static str {
    let names: Vec<&str> = path.iter().filter_map(|name| name.to_str()).collect();
    let below = |folder: &str| names.iter().rposition(|name| *name == folder).map(|at| &names[at + 1..]);
    // The folder of the test lies below one that may be called `tmp`, too.
    let is_data = |names: &&[&str]| names.len() < 3 || !names.contains(&"blobs") && !names.contains(&"functions");
    match (below("blobs"), below("functions"), below("tmp").filter(is_data)) {
        (Some([]), ..) => "folder of buckets",
        (Some([_]), ..) => "bucket",
        (Some(_), ..) => content_at(path),
        (_, Some([name]), _) if name.contains(".boot") => "note of the boot",
        (_, Some([_]), _) => "unpacked function",
        (_, _, Some([name])) if name.starts_with("blob-") => content_at(path),
        _ if names.last() == Some(&"begun") => "folder of beginnings",
        _ if names.iter().nth_back(1) == Some(&"begun") => "beginning of a blob",
        (_, _, Some([name])) if name.ends_with("-stale") => "stale function",
        (_, _, Some([name])) if name.starts_with("function-") => "unpacked function",
        (_, _, Some([name, ..])) if name.starts_with("function-") => "file of a function",
        _ => "data directory",
    }
}

/// What a blob is, by how it begins.
pub(super) fn content(bytes: &[u8]) -> &'static str {
    match bytes {
        [] => "empty file",
        _ if bytes.starts_with(b"{\"version\":") => "manifest",
        _ if bytes.starts_with(b"PK") => "artifact",
        _ => "asset",
    }
}

fn content_at(path: &Path) -> &'static str {
    let mut begin = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut begin));
    read.map_or("nothing", |_| content(&begin))
}
