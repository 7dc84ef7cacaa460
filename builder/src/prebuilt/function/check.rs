//! Whether a function can be run here: its size, what it starts with, and the processor it is for.

use std::collections::BTreeMap;
use std::path::Path;

use ship_core::FunctionRuntime;

use super::super::elf::{self, Program};
use super::super::{Place, PrebuiltError};
use super::{PackedFile, Start};

/// How many bytes the files of a function may have: what other platforms allow, so that an output that is too large for them
/// is not found out there.
const MAX_UNPACKED_BYTES: u64 = 250_000_000;

/// How many of its largest files are named.
const LARGEST_NAMED: usize = 5;

pub(super) fn check_size(
    place: &Place<'_>,
    folder: &Path,
    files: &BTreeMap<String, PackedFile>,
) -> Result<(), PrebuiltError> {
    let mut sizes: Vec<(u64, &str)> = files.iter().map(|(name, file)| (file.size_bytes(), name.as_str())).collect();
    let size_bytes = sizes.iter().map(|(size, _)| size).sum();
    if size_bytes <= MAX_UNPACKED_BYTES {
        return Ok(());
    }
    sizes.sort_unstable_by(|left, right| right.cmp(left));
    let line = |(size, name): &(u64, &str)| format!("  {}.{} MB  {name}", size / 1_000_000, size % 1_000_000 / 100_000);
    Err(PrebuiltError::TooLarge {
        function: place.shown(folder),
        size_bytes,
        most_bytes: MAX_UNPACKED_BYTES,
        largest: sizes.iter().take(LARGEST_NAMED).map(line).collect(),
    })
}

/// What a function starts with must be there, and run here.
pub(super) fn check_start(
    place: &Place<'_>,
    folder: &Path,
    start: &Start,
    files: &BTreeMap<String, PackedFile>,
) -> Result<(), PrebuiltError> {
    let (Start::Program { handler: wanted } | Start::Node { entry: wanted, .. }) = start else { return Ok(()) };
    let Some(found) = files.get(wanted) else {
        return Err(PrebuiltError::FileMissing { function: place.shown(folder), file: wanted.clone() });
    };
    let runtime = if matches!(start, Start::Node { .. }) { FunctionRuntime::Node } else { FunctionRuntime::Go };
    if (files.contains_key(runtime.entry()) && runtime.entry() != wanted) || wanted == "launcher.mjs" {
        let reason = format!("it has a file `{}` of its own, where ship puts what starts it", runtime.entry());
        return Err(PrebuiltError::Unsupported { function: place.shown(folder), reason });
    }
    match (start, found) {
        (Start::Program { .. }, PackedFile::File { file, .. }) => check_program(place, file),
        _ => Ok(()),
    }
}

pub(super) fn check_program(place: &Place<'_>, file: &Path) -> Result<(), PrebuiltError> {
    let program = elf::program(file).map_err(|source| PrebuiltError::Unreadable { path: place.shown(file), source })?;
    let found = match program {
        Program::Text => return Ok(()),
        Program::For(arch) if arch == place.arch => return Ok(()),
        Program::For(arch) => format!("linux/{arch}"),
        Program::Foreign(what) => what,
    };
    Err(PrebuiltError::WrongArchitecture { file: place.shown(file), found, wanted: place.arch })
}
