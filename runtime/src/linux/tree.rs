//! Copies of folders that somebody else has filled, who is not trusted.
//!
//! Nothing is found by its path, and no link is followed: what is copied is what stands below the folder that was handed over.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::{Dir, FileType, Mode, OFlags};

/// The most folders in each other.
const MOST_DEPTH: u32 = 16;

/// How much may still be copied.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Room {
    /// The bytes of all files.
    pub(crate) bytes: u64,
    /// Files and folders.
    pub(crate) files: u32,
}

/// Copies a folder to a place where nothing is. Says how much room is left; what is no file and no folder, or too much, is an error,
/// after which a part of it stands there.
pub(crate) fn copy(source: BorrowedFd<'_>, target: &Path, mut room: Room) -> io::Result<Room> {
    copy_folder(source, target, &mut room, MOST_DEPTH)?;
    Ok(room)
}

fn copy_folder(source: BorrowedFd<'_>, target: &Path, room: &mut Room, depth: u32) -> io::Result<()> {
    let depth = depth.checked_sub(1).ok_or_else(too_much)?;
    fs::create_dir(target)?;
    for entry in Dir::read_from(source)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        room.files = room.files.checked_sub(1).ok_or_else(too_much)?;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = rustix::fs::openat(source, name, flags, Mode::empty())?;
        let place = target.join(OsStr::from_bytes(name.to_bytes()));
        match FileType::from_raw_mode(rustix::fs::fstat(&opened)?.st_mode) {
            FileType::Directory => copy_folder(opened.as_fd(), &place, room, depth)?,
            FileType::RegularFile => copy_file(opened.into(), &place, room)?,
            _ => return Err(io::Error::other("there is something else than files and folders")),
        }
    }
    Ok(())
}

fn copy_file(source: File, target: &Path, room: &mut Room) -> io::Result<()> {
    let copied = io::copy(&mut source.take(room.bytes.saturating_add(1)), &mut File::create_new(target)?)?;
    room.bytes = room.bytes.checked_sub(copied).ok_or_else(too_much)?;
    Ok(())
}

fn too_much() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "there is too much in it")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    use super::*;

    const ROOM: Room = Room { bytes: 100, files: 20 };

    fn copied(fill: impl Fn(&Path)) -> (io::Result<Room>, PathBuf, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("source"), folder.path().join("target"));
        fs::create_dir(&source).unwrap();
        fill(&source);
        (copy(File::open(source).unwrap().as_fd(), &target, ROOM), target, folder)
    }

    /// Files arrive as they were, and count.
    #[test]
    fn as_it_was() {
        let (room, target, _folder) = copied(|source| {
            fs::create_dir(source.join("deep")).unwrap();
            fs::write(source.join("deep/a"), "0123456789").unwrap();
            fs::write(source.join("b"), "").unwrap();
        });
        assert_eq!(room.unwrap(), Room { bytes: 90, files: 17 });
        assert_eq!(fs::read(target.join("deep/a")).unwrap(), b"0123456789");
        assert_eq!(fs::read(target.join("b")).unwrap(), b"");
    }

    /// What leads elsewhere, would block whoever reads it, or has no end is refused.
    #[test]
    fn refused() {
        let refused = |fill: &dyn Fn(&Path)| copied(fill).0.unwrap_err();
        refused(&|source| symlink("/etc/passwd", source.join("a")).unwrap());
        refused(&|source| symlink("/etc", source.join("a")).unwrap());
        refused(&|source| {
            rustix::fs::mknodat(rustix::fs::CWD, source.join("a"), FileType::Fifo, Mode::RUSR, 0).unwrap();
        });
        refused(&|source| drop(std::os::unix::net::UnixListener::bind(source.join("a")).unwrap()));
        let much: [&dyn Fn(&Path); 3] = [
            &|source| fs::write(source.join("a"), [b'x'; 101]).unwrap(),
            &|source| (0..21).for_each(|number| fs::write(source.join(number.to_string()), "").unwrap()),
            &|source| fs::create_dir_all(source.join("a/".repeat(16))).unwrap(),
        ];
        for fill in much {
            assert_eq!(refused(fill).kind(), io::ErrorKind::FileTooLarge);
        }
    }
}
