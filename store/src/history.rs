//! What a host counted, over time: for the host and for each project one file of fixed size, with a ring of samples for each resolution.
//!
//! A sample has a place that follows from its time alone, and says which time it is of: nothing has to be found or moved, what was not
//! measured is a hole in the file, and what a ring has gone over is known by its time. A sample that was cut by a power cut fails its
//! sum and is as if it were not. Nothing is synced: what a process has written outlives it, however it ends.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use ship_core::ProjectName;

use crate::database::StateError;

mod resolution;
mod sample;

pub use resolution::Resolution;
pub use sample::Sample;
use sample::{SLOT_BYTES, Slot};

/// Whose samples are meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HistoryOf<'n> {
    /// The whole host's.
    Host,
    /// Those of one project.
    Project(&'n ProjectName),
}

/// A sample, and the second since 1970 that its time began with.
pub type TimedSample = (i64, Sample);

/// What was counted over time.
#[derive(Debug)]
pub struct History {
    folder: PathBuf,
}

impl History {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Adds what was counted in the time that ends at a second since 1970, at each resolution.
    pub fn add(&self, of: HistoryOf<'_>, at_second: i64, sample: &Sample) -> Result<(), StateError> {
        let path = self.path_of(of);
        self.write(&path, at_second, sample).map_err(|source| error("write", &path, source))
    }

    /// The samples of a resolution whose time has begun by `now`, and not longer ago than the ring is long, oldest first. Where nothing was
    /// measured there is none.
    pub fn read(&self, of: HistoryOf<'_>, resolution: Resolution, now: i64) -> Result<Vec<TimedSample>, StateError> {
        let path = self.path_of(of);
        read(&path, resolution, now).map_err(|source| error("read", &path, source))
    }

    /// Removes what a project's charts are made of.
    pub fn remove(&self, project: &ProjectName) -> Result<(), StateError> {
        let path = self.path_of(HistoryOf::Project(project));
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(error("remove", &path, source)),
            _ => Ok(()),
        }
    }

    fn write(&self, path: &Path, at_second: i64, sample: &Sample) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let file = match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                std::fs::create_dir_all(&self.folder)?;
                options.open(path)?
            }
            opened => opened?,
        };
        for resolution in Resolution::ALL {
            let begins = resolution.begin_of(at_second);
            let place = resolution.place_of(begins);
            let there = read_slot(&file, place)?.filter(|slot| slot.begins == begins);
            let sample = there.map_or(*sample, |slot| slot.sample.and(sample));
            file.write_all_at(&Slot { begins, sample }.encode(), place)?;
        }
        Ok(())
    }

    /// A project's name is a DNS label, so it can stand in a path, and none begins with an underscore.
    fn path_of(&self, of: HistoryOf<'_>) -> PathBuf {
        match of {
            HistoryOf::Host => self.folder.join("_host"),
            HistoryOf::Project(project) => self.folder.join(project.as_str()),
        }
    }
}

fn read(path: &Path, resolution: Resolution, now: i64) -> io::Result<Vec<TimedSample>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        opened => opened?,
    };
    let mut bytes = vec![0; resolution.slots() as usize * SLOT_BYTES];
    let read = read_up_to(&file, &mut bytes, resolution.offset())?;
    let newest = resolution.begin_of(now);
    let oldest = resolution.oldest_at(now);
    let slots = bytes[..read].chunks_exact(SLOT_BYTES).filter_map(Slot::decode);
    // A sample of a time that is yet to come is from before a clock was set back.
    let wanted = slots.filter(|slot| (oldest..=newest).contains(&slot.begins));
    let mut samples: Vec<TimedSample> = wanted.map(|slot| (slot.begins, slot.sample)).collect();
    samples.sort_by_key(|(begins, _)| *begins);
    Ok(samples)
}

/// What stands in a slot; nothing where the file ends before it, or it was never written whole.
fn read_slot(file: &File, place: u64) -> io::Result<Option<Slot>> {
    let mut bytes = [0; SLOT_BYTES];
    let read = read_up_to(file, &mut bytes, place)?;
    Ok((read == SLOT_BYTES).then(|| Slot::decode(&bytes)).flatten())
}

fn read_up_to(file: &File, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read_at(&mut bytes[filled..], offset + filled as u64) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn error(action: &'static str, path: &Path, source: io::Error) -> StateError {
    StateError::History { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
