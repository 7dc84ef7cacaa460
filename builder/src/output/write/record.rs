//! What is remembered of a written output: which files each part of it became, and their state. A part whose files are as they
//! were left is the same bytes still, so it need not be made again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use ship_core::Digest;

use super::Part;
use crate::tree::FileStat;

/// An output as it was left, read back together with the folder that it stands in.
#[derive(Default, Debug, Serialize, Deserialize)]
pub(super) struct Record {
    parts: BTreeMap<String, WrittenPart>,
    #[serde(skip)]
    folder: PathBuf,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenPart {
    made_of: Digest,
    /// By their paths in the output.
    files: BTreeMap<String, FileStat>,
}

impl Record {
    /// What is remembered of the output in `folder`: nothing, if it cannot be read.
    pub(super) fn read(file: &Path, folder: &Path) -> Self {
        let read = || serde_json::from_slice::<Self>(&std::fs::read(file).ok()?).ok();
        Self { folder: folder.to_owned(), ..read().unwrap_or_default() }
    }

    /// The output that was just written into `folder`.
    pub(super) fn of(parts: &[Part<'_>], folder: &Path) -> io::Result<Self> {
        let written = parts.par_iter().map(|part| {
            let mut files = BTreeMap::new();
            for place in part.places() {
                walk(folder, &place, &mut files)?;
            }
            Ok((part.place.clone(), WrittenPart { made_of: part.made_of, files }))
        });
        let written = written.collect::<io::Result<_>>()?;
        Ok(Self { parts: written, folder: folder.to_owned() })
    }

    pub(super) fn write(&self, file: &Path) -> io::Result<()> {
        std::fs::write(file, serde_json::to_vec(self)?)
    }

    /// Whether the folder holds just `parts`, as they were written.
    pub(super) fn is_of(&self, parts: &[Part<'_>]) -> bool {
        let same = |part: &Part<'_>| self.parts.get(&part.place).is_some_and(|known| known.made_of == part.made_of);
        if self.parts.len() != parts.len() || !parts.iter().all(same) {
            return false;
        }
        let mut there = BTreeMap::new();
        let known = self.parts.values().flat_map(|part| &part.files);
        walk(&self.folder, "", &mut there).is_ok() && there.iter().eq(known.collect::<BTreeMap<_, _>>())
    }

    /// Takes a part over into another folder, if it is there unchanged; says whether it was.
    pub(super) fn take_over(&self, part: &Part<'_>, into: &Path) -> bool {
        let Some(known) = self.parts.get(&part.place).filter(|known| known.made_of == part.made_of) else {
            return false;
        };
        let is_same = |(path, stat): (&String, &FileStat)| {
            self.folder.join(path).symlink_metadata().is_ok_and(|metadata| FileStat::of(&metadata) == *stat)
        };
        if known.files.is_empty() || !known.files.iter().all(is_same) {
            return false;
        }
        let linked = known.files.iter().try_for_each(|(path, stat)| -> io::Result<()> {
            let place = into.join(path);
            std::fs::create_dir_all(place.parent().unwrap_or(into))?;
            std::fs::hard_link(self.folder.join(path), &place)?;
            // Another build may have put its file there since it was looked at.
            let is_it = FileStat::of(&place.symlink_metadata()?).inode == stat.inode;
            if is_it { Ok(()) } else { Err(io::ErrorKind::Interrupted.into()) }
        });
        if linked.is_err() {
            // Another build has replaced the folder meanwhile, or the file system has no links: it is written instead.
            for path in known.files.keys() {
                let _ = std::fs::remove_file(into.join(path));
            }
        }
        linked.is_ok()
    }
}

/// Adds the files at and below `path`, with their state.
fn walk(folder: &Path, path: &str, found: &mut BTreeMap<String, FileStat>) -> io::Result<()> {
    let location = folder.join(path);
    let metadata = location.symlink_metadata()?;
    if !metadata.is_dir() {
        found.insert(path.to_owned(), FileStat::of(&metadata));
        return Ok(());
    }
    for entry in std::fs::read_dir(location)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let below = if path.is_empty() { name } else { format!("{path}/{name}") };
        walk(folder, &below, found)?;
    }
    Ok(())
}
