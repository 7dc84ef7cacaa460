//! Files for an archive, with nothing of the machine or the day that it is made on.

use std::collections::BTreeMap;
use std::io::Write as _;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::error::DistError;

/// How many bytes of a path a header has room for.
const MAX_PATH_BYTES: usize = 100;

/// What belongs to nobody in particular.
const ROOT: u64 = 0;

/// What stands at a path.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Entry {
    mode: u32,
    owner: u64,
    /// The bytes of a file, nothing of a folder.
    content: Option<Vec<u8>>,
}

/// Files and folders by their paths, sorted.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tree {
    entries: BTreeMap<String, Entry>,
}

impl Tree {
    /// Adds a file that all may read.
    pub(crate) fn file(self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.with(path, Entry { mode: 0o644, owner: ROOT, content: Some(content.into()) })
    }

    /// Adds a file that all may run.
    pub(crate) fn program(self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.with(path, Entry { mode: 0o755, owner: ROOT, content: Some(content.into()) })
    }

    /// Adds an empty folder.
    pub(crate) fn folder(self, path: impl Into<String>, mode: u32, owner: u64) -> Self {
        self.with(path, Entry { mode, owner, content: None })
    }

    /// Adds another tree below a folder.
    pub(crate) fn tree(self, folder: &str, other: Self) -> Self {
        other.entries.into_iter().fold(self, |tree, (path, entry)| tree.with(format!("{folder}/{path}"), entry))
    }

    /// The files, by their paths.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.entries.iter().filter_map(|(path, entry)| Some((path.as_str(), entry.content.as_deref()?)))
    }

    fn with(mut self, path: impl Into<String>, entry: Entry) -> Self {
        self.entries.insert(path.into(), entry);
        self
    }

    /// A tar of it, every path behind `prefix`, every time `at`. Folders stand before what is in them.
    pub(crate) fn tar(&self, prefix: &str, at: u64) -> Result<Vec<u8>, DistError> {
        let mut archive = Builder::new(Vec::new());
        for (path, entry) in self.with_folders() {
            let content = entry.content.as_deref().unwrap_or_default();
            let slash = if entry.content.is_none() { "/" } else { "" };
            let header = header(&format!("{prefix}{path}{slash}"), &entry, at)?;
            archive.append(&header, content)?;
        }
        Ok(archive.into_inner()?)
    }

    /// The entries with all folders above them.
    fn with_folders(&self) -> BTreeMap<String, Entry> {
        let mut entries = self.entries.clone();
        for path in self.entries.keys() {
            for (end, _) in path.match_indices('/') {
                let folder = Entry { mode: 0o755, owner: ROOT, content: None };
                entries.entry(path[..end].to_owned()).or_insert(folder);
            }
        }
        entries
    }
}

fn header(path: &str, entry: &Entry, at: u64) -> Result<Header, DistError> {
    let mut header = Header::new_gnu();
    let name = path.as_bytes();
    // Written as it is: the library would leave out the `./` that Debian's archives begin with.
    match header.as_old_mut().name.get_mut(..name.len()) {
        Some(room) if name.len() < MAX_PATH_BYTES => room.copy_from_slice(name),
        _ => return Err(DistError::LongPath { path: path.to_owned() }),
    }
    header.set_entry_type(if entry.content.is_some() { EntryType::Regular } else { EntryType::Directory });
    header.set_size(entry.content.as_ref().map_or(0, |content| content.len() as u64));
    header.set_mode(entry.mode);
    header.set_uid(entry.owner);
    header.set_gid(entry.owner);
    header.set_mtime(at);
    header.set_cksum();
    Ok(header)
}

/// The same bytes compressed, without a name or a time.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>, DistError> {
    let mut packer = GzBuilder::new().write(Vec::new(), Compression::best());
    packer.write_all(bytes)?;
    Ok(packer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive is the same whatever the order in which it was put together, and lists folders before what is in them.
    #[test]
    fn archives() {
        let one = Tree::default().file("usr/share/b", "b").program("usr/bin/a", "a").folder("tmp", 0o1777, 7);
        let other = Tree::default().folder("tmp", 0o1777, 7).program("usr/bin/a", "a").file("usr/share/b", "b");
        let tar = one.tar("./", 1_000_000_000).unwrap();
        assert_eq!(tar, other.tar("./", 1_000_000_000).unwrap());
        let mut archive = tar::Archive::new(tar.as_slice());
        let listed = archive.entries().unwrap().map(|entry| {
            let entry = entry.unwrap();
            let header = entry.header();
            let (mode, owner) = (header.mode().unwrap(), header.uid().unwrap());
            let name = String::from_utf8_lossy(&header.path_bytes()).into_owned();
            format!("{mode:o} {owner} {} {name}", header.mtime().unwrap())
        });
        insta::assert_snapshot!(listed.collect::<Vec<_>>().join("\n"), @"
        1777 7 1000000000 ./tmp/
        755 0 1000000000 ./usr/
        755 0 1000000000 ./usr/bin/
        755 0 1000000000 ./usr/bin/a
        755 0 1000000000 ./usr/share/
        644 0 1000000000 ./usr/share/b
        ");
        let packed = gzip(&tar).unwrap();
        assert_eq!(packed[4..8], [0; 4], "no time");
        let long = Tree::default().file("x".repeat(MAX_PATH_BYTES), "");
        assert!(matches!(long.tar("", 0), Err(DistError::LongPath { .. })));
    }
}
