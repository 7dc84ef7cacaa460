//! Comparing what was unpacked with the artifact, and unpacking it anew where they differ.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use ship_core::{Digest, Function, Layer};

use super::archive::{Archive, Entry, EntryKind};
use super::{DATA_MODE, EXECUTABLE_MODE, Functions, UnpackError, layer_target};
use crate::needs::Recipe;

/// What came of comparing an unpacked artifact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mended {
    /// It was not unpacked, so the next use unpacks it.
    NotUnpacked,
    /// It is what its artifact says.
    Intact {
        /// How many bytes were compared.
        bytes: u64,
    },
    /// It was not, and was unpacked anew.
    Renewed {
        /// How many bytes were compared.
        bytes: u64,
        /// The first difference.
        difference: String,
    },
}

impl Functions {
    /// Compares the folders of a function and its layers with their artifacts, and unpacks anew what differs. Reads all of
    /// them, so it is for when there is a reason to doubt.
    pub fn mend(&self, function: &Function) -> Result<(), UnpackError> {
        for (id, recipe) in function.layers.iter().map(Recipe::of_layer).chain([Recipe::of_function(function)]) {
            self.mend_folder(&id, &recipe)?;
        }
        Ok(())
    }

    /// How often a folder was found to differ and unpacked anew, by whomever.
    pub fn renewals(&self) -> u64 {
        self.renewals.load(Ordering::Relaxed)
    }

    /// Compares one folder with its artifact and unpacks it anew if it differs. Processes that run from it keep what they
    /// have open.
    pub(crate) fn mend_folder(&self, id: &Digest, recipe: &Recipe) -> Result<Mended, UnpackError> {
        let folder = self.folder.join(id.to_hex());
        let _turn = self.take_turn(id);
        let was_used = self.trusted.read().unwrap_or_else(std::sync::PoisonError::into_inner).contains(id);
        if !was_used && !self.is_from_this_boot(id, &folder) {
            return Ok(Mended::NotUnpacked);
        }
        let (bytes, difference) = self.compare(recipe, &folder)?;
        let Some(difference) = difference else { return Ok(Mended::Intact { bytes }) };
        tracing::error!(folder = %folder.display(), difference, "an unpacked function is damaged and is unpacked anew");
        self.unpack_anew(id, &folder, recipe)?;
        self.renewals.fetch_add(1, Ordering::Relaxed);
        Ok(Mended::Renewed { bytes, difference })
    }

    /// How many bytes were compared, and the first difference.
    fn compare(&self, recipe: &Recipe, folder: &Path) -> Result<(u64, Option<String>), UnpackError> {
        let mut archive = Archive::open(self.blobs.open(&recipe.artifact)?, &self.limits)?;
        let entries = archive.entries()?;
        let mut bytes = 0;
        for entry in &entries {
            let path = folder.join(entry.path.as_str());
            let differs = match &entry.kind {
                EntryKind::Link { target } => !leads_to(&path, target),
                _ => differs(&mut archive, entry, &path, &mut bytes)?,
            };
            if differs {
                return Ok((bytes, Some(format!("`{}` is not what the artifact has", entry.path))));
            }
        }
        let surplus = surplus(folder, &entries, &recipe.layers);
        Ok((bytes, surplus.map(|path| format!("`{}` is not in the artifact, or is not its layer", path.display()))))
    }
}

/// Whether a file has other bytes, or may be run otherwise, than the artifact says.
fn differs(archive: &mut Archive, entry: &Entry, path: &Path, bytes: &mut u64) -> Result<bool, UnpackError> {
    let mode = if entry.kind == EntryKind::Executable { EXECUTABLE_MODE } else { DATA_MODE };
    let is_as_made = |metadata: &fs::Metadata| metadata.is_file() && metadata.permissions().mode() & 0o777 == mode;
    let Ok(mut file) = File::open(path) else { return Ok(true) };
    if !path.symlink_metadata().is_ok_and(|metadata| is_as_made(&metadata)) {
        return Ok(true);
    }
    let mut is_same = true;
    let mut buffer = Vec::new();
    archive.read(entry, |piece| {
        *bytes += piece.len() as u64;
        buffer.resize(piece.len(), 0);
        is_same = is_same && file.read_exact(&mut buffer).is_ok() && buffer == piece;
        Ok(())
    })?;
    let is_at_end = |file: &mut File| matches!(file.read(&mut [0]), Ok(0));
    Ok(!is_same || !is_at_end(&mut file))
}

fn leads_to(link: &Path, target: &str) -> bool {
    fs::read_link(link).is_ok_and(|found| found == Path::new(target))
}

/// Something in a folder that belongs neither to its artifact nor to its layers, or a layer's link that is not there.
fn surplus(folder: &Path, entries: &[Entry], layers: &[Layer]) -> Option<PathBuf> {
    for layer in layers {
        let link = folder.join(layer.mount.as_str());
        if !fs::read_link(&link).is_ok_and(|found| found == layer_target(layer)) {
            return Some(link);
        }
    }
    let mounts = layers.iter().map(|layer| folder.join(layer.mount.as_str()));
    let known: BTreeSet<PathBuf> = entries.iter().map(|entry| folder.join(entry.path.as_str())).chain(mounts).collect();
    find_unknown(folder, &known).unwrap_or_else(|_| Some(folder.to_owned()))
}

fn find_unknown(folder: &Path, known: &BTreeSet<PathBuf>) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            if let Some(unknown) = find_unknown(&path, known)? {
                return Ok(Some(unknown));
            }
        } else if !known.contains(&path) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
