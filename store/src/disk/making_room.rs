//! A disk that gives up what can be sent again where there is no room left for what is asked of it now.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;

use super::{FileSystem, is_storage_full};
use crate::blobs::BegunFolder;

/// Another disk, on which an operation that finds no room is tried again as long as the beginning of a blob can be given up for it.
#[derive(Debug)]
pub(crate) struct MakingRoom {
    disk: Arc<dyn FileSystem>,
    begun: BegunFolder,
}

impl MakingRoom {
    pub(crate) fn new(disk: Arc<dyn FileSystem>, begun: BegunFolder) -> Self {
        Self { disk, begun }
    }

    fn with_room<T>(&self, mut operation: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        loop {
            match operation() {
                Err(error) if is_storage_full(&error) && self.begun.give_up_oldest() => {}
                done => return done,
            }
        }
    }
}

/// What syncs is not tried again: after one that failed the system takes the bytes for written that it has lost, and the next one succeeds.
impl FileSystem for MakingRoom {
    fn create_file(&self, path: &Path) -> io::Result<File> {
        self.with_room(|| self.disk.create_file(path))
    }

    fn reopen_file(&self, path: &Path, bytes: u64) -> io::Result<File> {
        self.with_room(|| self.disk.reopen_file(path, bytes))
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.with_room(|| self.disk.create_folder(path))
    }

    /// A write that found no room may have written some of the bytes: they are written over.
    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let position = file.stream_position()?;
        self.with_room(|| {
            file.seek(SeekFrom::Start(position))?;
            self.disk.write(file, bytes)
        })
    }

    fn mark(&self, file: &File, nanoseconds: u32) -> io::Result<()> {
        self.with_room(|| self.disk.mark(file, nanoseconds))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.with_room(|| self.disk.rename(from, to))
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.disk.remove_file(path)
    }

    fn sync_file(&self, file: &File) -> io::Result<()> {
        self.disk.sync_file(file)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_folder(path)
    }

    fn sync_everything(&self, folder: &File) -> io::Result<()> {
        self.disk.sync_everything(folder)
    }
}
