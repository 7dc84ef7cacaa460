//! A disk that breaks on purpose, at an operation that the test chooses, and that can lose what was not synced.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use rustix::io::Errno;

use self::points::{content, what};
use super::{Disk, Durability, FileSystem};

mod points;

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
    /// What the operations so far are called.
    operations: Vec<String>,
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
        self.point().is_some()
    }

    /// What the chosen operation is called, if it was reached.
    pub(crate) fn point(&self) -> Option<String> {
        let before = usize::try_from(self.nth).unwrap() - 1;
        self.state().operations.get(before).cloned()
    }

    /// What the operations so far are called, in their order.
    pub(crate) fn points(&self) -> Vec<String> {
        self.state().operations.clone()
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

    /// Counts an operation that is called like this, and says whether it fails.
    fn step(&self, name: String) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if !self.is_armed.load(Ordering::Relaxed) {
            return Ok(state);
        }
        state.operations.push(name);
        let number = state.operations.len() as u64;
        match self.fault {
            Fault::Once(error) if number == self.nth => Err(error.into()),
            Fault::Dead if number >= self.nth => Err(Errno::IO.into()),
            _ => Ok(state),
        }
    }

    /// What a file is that was made here and is not synced yet.
    fn what_is_written(&self, file: &File) -> &'static str {
        let inode = file.metadata().unwrap().ino();
        let path = self.state().unsynced_files.get(&inode).cloned();
        path.map_or("stored blob", |path| what(&path))
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
        let is_blob = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("blob-"));
        let kind = if is_blob { "temporary file" } else { what(path) };
        let mut state = self.step(format!("create {kind}"))?;
        let file = self.disk.create_file(path)?;
        state.unsynced_files.insert(file.metadata()?.ino(), path.to_owned());
        Ok(file)
    }

    fn reopen_file(&self, path: &Path, bytes: u64) -> io::Result<File> {
        let mut state = self.step("reopen temporary file".to_owned())?;
        let file = self.disk.reopen_file(path, bytes)?;
        state.unsynced_files.insert(file.metadata()?.ino(), path.to_owned());
        Ok(file)
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mut state = self.step(format!("create {}", what(path)))?;
        self.disk.create_folder(path)?;
        state.note_name(path);
        Ok(())
    }

    /// A failing write has written half, as a full disk does.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let kind = match self.what_is_written(file) {
            "empty file" => content(bytes),
            kind => kind,
        };
        if let Err(error) = self.step(format!("write {kind}")) {
            let _ = self.disk.write(file, &bytes[..bytes.len() / 2]);
            return Err(error);
        }
        self.disk.write(file, bytes)
    }

    fn mark(&self, file: &File, nanoseconds: u32) -> io::Result<()> {
        drop(self.step(format!("mark {}", self.what_is_written(file)))?);
        self.disk.mark(file, nanoseconds)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let is_leaving = to.parent().is_some_and(|folder| folder.ends_with("tmp"));
        let place = if is_leaving { "away" } else { "into place" };
        let mut state = self.step(format!("rename {} {place}", what(from)))?;
        self.disk.rename(from, to)?;
        if let Some(path) = state.unsynced_files.get_mut(&to.metadata()?.ino()) {
            to.clone_into(path);
        }
        state.note_name(to);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        drop(self.step(format!("remove {}", what(path)))?);
        self.disk.remove_file(path)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        let mut state = self.step(format!("sync {}", self.what_is_written(file)))?;
        state.unsynced_files.remove(&file.metadata()?.ino());
        Ok(())
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step(format!("sync names in {}", what(path)))?.unsynced_names.remove(path);
        Ok(())
    }

    fn sync_everything(&self, _folder: &File) -> io::Result<()> {
        let mut state = self.step("sync everything".to_owned())?;
        state.unsynced_files.clear();
        state.unsynced_names.clear();
        Ok(())
    }
}
