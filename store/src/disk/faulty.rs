//! A disk that breaks on purpose, at an operation that the test chooses, and that can lose what was not synced.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustix::io::Errno;

use super::{Disk, Durability, FileSystem};

/// What happens from the chosen operation on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fault {
    /// That one operation fails, with this error.
    Once(Errno),
    /// That operation and all after it fail, as when the process is killed there.
    Dead,
}

/// A disk on which the `nth` operation, counted from 1, fails.
#[derive(Debug)]
pub(crate) struct FaultyDisk {
    disk: Disk,
    nth: u64,
    fault: Fault,
    is_armed: AtomicBool,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    /// Files whose content would not survive a power cut: where each is now, by inode.
    unsynced_files: HashMap<u64, PathBuf>,
    /// Names that would not survive one, by the folder that they are in.
    unsynced_names: HashMap<PathBuf, Vec<PathBuf>>,
}

impl State {
    fn note_name(&mut self, path: &Path) {
        self.unsynced_names.entry(path.parent().unwrap().to_owned()).or_default().push(path.to_owned());
    }
}

impl FaultyDisk {
    pub(crate) fn new(nth: u64, fault: Fault) -> Self {
        let disk = Disk { durability: Durability::Durable };
        Self { disk, nth, fault, is_armed: AtomicBool::new(true), state: Mutex::default() }
    }

    /// One that works until it is told to break.
    pub(crate) fn working(nth: u64, fault: Fault) -> Self {
        Self { is_armed: AtomicBool::new(false), ..Self::new(nth, fault) }
    }

    /// Begins to count operations.
    pub(crate) fn arm(&self) {
        self.is_armed.store(true, Ordering::Relaxed);
    }

    /// Works from here on.
    pub(crate) fn disarm(&self) {
        self.is_armed.store(false, Ordering::Relaxed);
    }

    /// Whether the chosen operation was reached.
    pub(crate) fn has_failed(&self) -> bool {
        self.state().operations >= self.nth
    }

    /// Loses what a power cut may lose: half of the content of each file that was not synced and, if asked, each name that
    /// was not.
    pub(crate) fn cut_power(&self, lost: Lost) {
        let state = self.state();
        for path in state.unsynced_files.values().filter(|path| path.exists()) {
            let length = path.metadata().unwrap().len();
            File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
        }
        if lost == Lost::ContentAndNames {
            for name in state.unsynced_names.values().flatten().filter(|name| name.exists()) {
                crate::data_dir::remove_all(name).unwrap();
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Counts an operation, and says whether it fails.
    fn step(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if !self.is_armed.load(Ordering::Relaxed) {
            return Ok(state);
        }
        state.operations += 1;
        match self.fault {
            Fault::Once(error) if state.operations == self.nth => Err(error.into()),
            Fault::Dead if state.operations >= self.nth => Err(Errno::IO.into()),
            _ => Ok(state),
        }
    }
}

/// What a power cut takes. Either can happen without the other, so both are tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lost {
    Content,
    ContentAndNames,
}

impl FileSystem for FaultyDisk {
    fn create_file(&self, path: &Path) -> io::Result<File> {
        let mut state = self.step()?;
        let file = self.disk.create_file(path)?;
        state.unsynced_files.insert(file.metadata()?.ino(), path.to_owned());
        Ok(file)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        self.disk.create_folder(path)?;
        state.note_name(path);
        Ok(())
    }

    /// A failing write has written half, as a full disk does.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        if let Err(error) = self.step() {
            let _ = self.disk.write(file, &bytes[..bytes.len() / 2]);
            return Err(error);
        }
        self.disk.write(file, bytes)
    }

    fn mark(&self, file: &File, nanoseconds: u32) -> io::Result<()> {
        drop(self.step()?);
        self.disk.mark(file, nanoseconds)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.step()?;
        self.disk.rename(from, to)?;
        if let Some(path) = state.unsynced_files.get_mut(&to.metadata()?.ino()) {
            to.clone_into(path);
        }
        state.note_name(to);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        drop(self.step()?);
        self.disk.remove_file(path)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        let mut state = self.step()?;
        state.unsynced_files.remove(&file.metadata()?.ino());
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step()?.unsynced_names.remove(path);
        Ok(())
    }

    fn sync_everything(&self, _folder: &File) -> io::Result<()> {
        let mut state = self.step()?;
        state.unsynced_files.clear();
        state.unsynced_names.clear();
        Ok(())
    }
}
