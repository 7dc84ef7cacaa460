//! What a function's artifact is made of: how many bytes of it are whose.
//!
//! Sizes are those of what is unpacked. Of a bundle, its source map tells the modules; of a program in Go, the table that its runtime finds
//! callers in tells the packages; of another program, its symbols do, if they were left in it. What cannot be told apart stays whole.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;

use ship_core::{Digest, Function, FunctionRuntime};

use super::Functions;
use super::archive::{Archive, Entry};
use super::error::UnpackError;
use super::limits::ArchiveLimits;

mod modules;
mod owner;
mod program;

use owner::Owner;
pub use owner::PackageKind;

/// How many packages are told apart, the largest of them.
const PACKAGES: usize = 200;

/// How many files of each.
const FILES: usize = 40;

/// The most that is read of one file to look into it, in bytes. What is larger stays whole.
const LOOKED_INTO_BYTES: usize = 128 * 1024 * 1024;

/// What an artifact is made of, the largest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Composition {
    /// The bytes of all of it.
    pub bytes: u64,
    /// Whose they are.
    pub packages: Vec<Package>,
    /// The packages that are too small to be told apart.
    pub others: Others,
}

/// What belongs together: a package, what the project wrote, what ship added.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub kind: PackageKind,
    /// Its bytes.
    pub bytes: u64,
    /// Its files, or the parts of a program.
    pub files: Vec<PackageFile>,
    /// Those that are too small to be told apart.
    pub others: Others,
}

/// A file of a package.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PackageFile {
    /// Where it stands in its package.
    pub path: String,
    /// Its bytes.
    pub bytes: u64,
}

/// What is not told apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Others {
    /// How many.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Bytes by whose they are, as they are counted.
#[derive(Debug)]
struct Count {
    runtime: FunctionRuntime,
    by_owner: BTreeMap<Owner, BTreeMap<String, u64>>,
}

impl Functions {
    /// What a function of a deployment is made of.
    pub fn composition(&self, function: &Function) -> Result<Composition, UnpackError> {
        Composition::of(function, |digest| {
            let blob = self.blobs.open(digest)?;
            Ok((blob.size_bytes(), blob.into_file()))
        })
    }
}

impl Composition {
    /// What a function is made of, whose artifact and layers are found by `open`: their sizes, and the zips.
    pub fn of(
        function: &Function,
        open: impl Fn(&Digest) -> Result<(u64, File), UnpackError>,
    ) -> Result<Self, UnpackError> {
        let mut count = Count::new(function.runtime);
        let layers = function.layers.iter().map(|layer| layer.digest);
        for digest in std::iter::once(function.digest).chain(layers) {
            let (bytes, file) = open(&digest)?;
            count.take(&mut Archive::of_file(file, digest, bytes, &ArchiveLimits::DEFAULT)?)?;
        }
        Ok(count.finished())
    }
}

impl Count {
    fn new(runtime: FunctionRuntime) -> Self {
        Self { runtime, by_owner: BTreeMap::new() }
    }

    fn add(&mut self, owner: Owner, path: impl Into<String>, bytes: u64) {
        if bytes > 0 {
            *self.by_owner.entry(owner).or_default().entry(path.into()).or_default() += bytes;
        }
    }

    fn take(&mut self, archive: &mut Archive) -> Result<(), UnpackError> {
        let entries: Vec<Entry> = archive.entries()?.into_iter().filter(|entry| !entry.kind.is_link()).collect();
        let maps: HashMap<&str, &Entry> =
            entries.iter().filter_map(|entry| Some((entry.path.as_str().strip_suffix(".map")?, entry))).collect();
        for entry in &entries {
            self.take_entry(archive, entry, maps.get(entry.path.as_str()).copied())?;
        }
        Ok(())
    }

    fn take_entry(&mut self, archive: &mut Archive, entry: &Entry, map: Option<&Entry>) -> Result<(), UnpackError> {
        let path = entry.path.as_str();
        let map = map.map(|map| content(archive, map)).transpose()?.flatten();
        if map.is_some() || path == program::ENTRY {
            match (content(archive, entry)?, map) {
                (Some(module), Some(map)) => modules::count(path, &module, &map, self),
                (Some(program), None) => program::count(path, &program, self),
                (None, _) => self.add_file(path, archive.bytes_of(entry)),
            }
        } else {
            self.add_file(path, archive.bytes_of(entry));
        }
        Ok(())
    }

    fn add_file(&mut self, path: &str, bytes: u64) {
        let (owner, rest) = Owner::of_path(path, self.runtime);
        self.add(owner, rest, bytes);
    }

    fn finished(self) -> Composition {
        let mut packages: Vec<Package> = self.by_owner.into_iter().map(package).collect();
        packages.sort_by(|left, right| right.bytes.cmp(&left.bytes).then_with(|| left.name.cmp(&right.name)));
        let bytes = packages.iter().map(|package| package.bytes).sum();
        let others = Others::of(packages.iter().skip(PACKAGES).map(|package| package.bytes));
        packages.truncate(PACKAGES);
        Composition { bytes, packages, others }
    }
}

impl Others {
    fn of(sizes: impl Iterator<Item = u64>) -> Self {
        sizes.fold(Self::default(), |sum, bytes| Self { count: sum.count + 1, bytes: sum.bytes + bytes })
    }
}

fn package((owner, files): (Owner, BTreeMap<String, u64>)) -> Package {
    let mut files: Vec<PackageFile> = files.into_iter().map(|(path, bytes)| PackageFile { path, bytes }).collect();
    // Sorted by path before: what is as large as another stands in the order of its name.
    files.sort_by_key(|file| std::cmp::Reverse(file.bytes));
    let bytes = files.iter().map(|file| file.bytes).sum();
    let others = Others::of(files.iter().skip(FILES).map(|file| file.bytes));
    files.truncate(FILES);
    Package { name: owner.name, kind: owner.kind, bytes, files, others }
}

/// The bytes of a file, unless there are too many to look into.
fn content(archive: &mut Archive, entry: &Entry) -> Result<Option<Vec<u8>>, UnpackError> {
    if archive.bytes_of(entry) > LOOKED_INTO_BYTES as u64 {
        return Ok(None);
    }
    let mut content = Vec::new();
    let mut is_whole = true;
    archive.read(entry, |piece| {
        is_whole &= content.len() + piece.len() <= LOOKED_INTO_BYTES;
        if is_whole {
            content.extend_from_slice(piece);
        }
        Ok(())
    })?;
    Ok(is_whole.then_some(content))
}

#[cfg(test)]
mod tests;
