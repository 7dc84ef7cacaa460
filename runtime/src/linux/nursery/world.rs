//! The files that can be seen in a cell: the system's programs and libraries, an interpreter, the function, and little else.
//!
//! Everything is read-only but `/tmp` and `/dev/shm`, which are the cell's own and gone with it. Of `/etc` there is what resolving
//! names, time zones and certificates need. The host's folder of functions is mounted at a place that is covered before the
//! function runs.
#![expect(unsafe_code, reason = "mount_setattr is wrapped by no library here")]

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::mount::{MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, UnmountFlags};
use ship_core::FunctionLimits;

use super::order::{Assignment, CellNetwork, CodeCache, Recipe, Room};
use super::{Naming, Trouble};

/// Where a function's folder is seen. Lambda has it there, and so have others that run its artifacts.
pub(crate) const FUNCTION_ROOT: &str = "/var/task";

/// Where layers are seen: links in a function's folder lead to its neighbours.
const LAYERS_ROOT: &str = "/var";

/// Where the program is seen that waits in a cell.
pub(crate) const PRELUDES_ROOT: &str = "/var/ship";

/// Where a cache of code is seen.
pub(crate) const CACHE_ROOT: &str = "/var/code";

/// Where one is made: in the cell's own memory, because it is the function that says how much is written.
pub(crate) const FRESH_CACHE_ROOT: &str = "/tmp/code";

/// Where the host's folder of functions is, until it is covered.
const COVERED: &str = ".ship";

/// The folder that it is covered with.
const EMPTY: &str = "/.empty";

/// The system's programs and libraries.
const SYSTEM: [&str; 6] = ["usr", "bin", "sbin", "lib", "lib32", "lib64"];

/// What of `/etc` is seen, if it is there.
const SETTINGS: [&str; 13] = [
    "alternatives",
    "ca-certificates",
    "ca-certificates.conf",
    "crypto-policies",
    "fonts",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "mime.types",
    "pki",
    "protocols",
    "services",
    "ssl",
];

/// The devices that every program may expect.
const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];

/// What names mean in a cell.
const FILES: [(&str, &str); 5] = [
    (
        "etc/passwd",
        "root:x:0:0:root:/:/sbin/nologin\nship:x:1000:1000:ship:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
    ),
    ("etc/group", "root:x:0:\nship:x:1000:\nnogroup:x:65534:\n"),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
    ("etc/hostname", "ship\n"),
    ("etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n"),
];

/// The flags of `mount_setattr`, as in `linux/mount.h`.
const ATTR_RDONLY: u64 = 0x1;
const ATTR_NOSUID: u64 = 0x2;
const ATTR_NODEV: u64 = 0x4;
const ATTR_NOEXEC: u64 = 0x8;

/// The argument of `mount_setattr`.
#[repr(C)]
#[derive(Default)]
struct MountAttributes {
    set: u64,
    clear: u64,
    propagation: u64,
    user_namespace: u64,
}

/// A root folder of the cell's own.
pub(super) struct World {
    artifacts: PathBuf,
}

/// A piece of the machine's files that is to be seen in a cell.
struct Piece {
    tree: OwnedFd,
    place: PathBuf,
    is_folder: bool,
}

impl World {
    /// Makes the root folder and goes to live in it.
    pub(super) fn build(recipe: &Recipe) -> Result<Self, Trouble> {
        rustix::system::sethostname(b"ship").while_trying("name a cell")?;
        rustix::mount::mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
            .while_trying("keep mounts to itself")?;
        // These are taken before the place where the new root is built hides some of them.
        let pieces = pieces(recipe)?;
        mount_memory(Path::new("/tmp"), "mode=755,size=4m,nr_inodes=4096", MountFlags::NOSUID | MountFlags::NODEV)?;
        std::env::set_current_dir("/tmp").while_trying("enter a new root")?;
        // What an interpreter needs may lie in a folder that the cell has of its own.
        furnish(recipe.network)?;
        mount_processes();
        for piece in pieces {
            piece.put()?;
        }
        fs::set_permissions(COVERED, fs::Permissions::from_mode(0o700)).while_trying("close a folder")?;
        rustix::process::pivot_root(".", ".").while_trying("change the root")?;
        rustix::mount::unmount(".", UnmountFlags::DETACH).while_trying("leave the machine's root")?;
        std::env::set_current_dir("/").while_trying("enter the new root")?;
        protect(CWD, Path::new("/"), ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV, Depth::This)
            .while_trying("protect the root")?;
        Ok(Self { artifacts: recipe.artifacts.clone() })
    }

    /// Shows the folder of a function and its layers, and nothing else of the host's.
    pub(super) fn show(&self, assignment: &Assignment) -> Result<(), Trouble> {
        self.bind(&assignment.root, Path::new(FUNCTION_ROOT))?;
        for layer in &assignment.layers {
            let name = layer.file_name().ok_or_else(|| outside(layer)).while_trying("find a layer")?;
            let place = Path::new(LAYERS_ROOT).join(name);
            fs::create_dir(&place).while_trying("make a place for a layer")?;
            self.bind(layer, &place)?;
        }
        if let Some(CodeCache::Made(cache)) = &assignment.cache {
            let place = Path::new(CACHE_ROOT);
            fs::create_dir(place).while_trying("make a place for a cache")?;
            Self::bind_cache(cache, place)?;
        }
        protect(CWD, Path::new(LAYERS_ROOT), ATTR_RDONLY, Depth::This).while_trying("protect the function's folder")?;
        if assignment.room != usual_room() {
            resize_memory(Path::new("/tmp"), &assignment.room.of_tmp())?;
            resize_memory(Path::new("/dev/shm"), &assignment.room.of_shm())?;
        }
        // An empty folder that nobody can look into.
        rustix::mount::mount_bind(EMPTY, Path::new("/").join(COVERED)).while_trying("cover the host's folders")
    }

    /// The folder that the function is to fill with compiled code, if it is to.
    pub(super) fn fresh_cache(assignment: &Assignment) -> Result<Option<OwnedFd>, Trouble> {
        if !matches!(assignment.cache, Some(CodeCache::ToMake)) {
            return Ok(None);
        }
        let make = || -> io::Result<OwnedFd> {
            fs::create_dir(FRESH_CACHE_ROOT)?;
            // Whatever the function puts in its place afterwards, this is what the host is given.
            fs::set_permissions(FRESH_CACHE_ROOT, fs::Permissions::from_mode(0o777))?;
            Ok(fs::File::open(FRESH_CACHE_ROOT)?.into())
        };
        make().while_trying("make a place for a cache").map(Some)
    }

    fn bind_cache(folder: &Path, place: &Path) -> Result<(), Trouble> {
        let name = folder.file_name().ok_or_else(|| outside(folder)).while_trying("find a cache")?;
        let source = Path::new("/").join(COVERED).join("caches").join(name);
        match rustix::mount::mount_bind(&source, place) {
            // There was no room for it any more. What looks for it does without.
            Err(rustix::io::Errno::NOENT) => Ok(()),
            result => result.while_trying("show a cache"),
        }
    }

    fn bind(&self, folder: &Path, place: &Path) -> Result<(), Trouble> {
        let below = folder
            .strip_prefix(&self.artifacts)
            .map_err(|_| outside(folder))
            .while_trying("find a function's folder")?;
        let source = Path::new("/").join(COVERED).join("functions").join(below);
        // What is bound is as protected as the mount that it comes from.
        rustix::mount::mount_bind(&source, place).while_trying("show a function's folder")
    }
}

fn outside(folder: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("{} is not among the host's functions", folder.display()))
}

/// What a cell sees of the machine's files. What is not there is not seen.
fn pieces(recipe: &Recipe) -> Result<Vec<Piece>, Trouble> {
    let read_only = ATTR_RDONLY | ATTR_NOSUID | ATTR_NODEV;
    let mut pieces = Vec::new();
    for name in SYSTEM {
        let path = Path::new("/").join(name);
        // Where they are links into `/usr`, they are so in the cell as well.
        if path.is_dir() && !path.is_symlink() {
            pieces.push(Piece::take(&path, name.into(), read_only)?);
        }
    }
    for name in SETTINGS {
        let path = Path::new("/etc").join(name);
        if path.exists() {
            pieces.push(Piece::take(&path, Path::new("etc").join(name), read_only)?);
        }
    }
    for name in DEVICES {
        let path = Path::new("/dev").join(name);
        if path.exists() {
            pieces.push(Piece::take(&path, Path::new("dev").join(name), ATTR_NOSUID | ATTR_NOEXEC)?);
        }
    }
    for path in recipe.visible.iter().filter(|path| !is_of_system(path)) {
        let place = path.strip_prefix("/").unwrap_or(path).to_owned();
        pieces.push(Piece::take(path, place, read_only)?);
    }
    let functions = Path::new(COVERED).join("functions");
    pieces.push(Piece::take(&recipe.artifacts, functions, read_only)?);
    if let Some(prelude) = &recipe.prelude {
        let name = prelude.file_name().ok_or_else(|| outside(prelude)).while_trying("find a prelude")?;
        let place = Path::new(PRELUDES_ROOT.trim_start_matches('/')).join(name);
        pieces.push(Piece::take(prelude, place, read_only)?);
    }
    let caches = Path::new(COVERED).join("caches");
    pieces.push(Piece::take(&recipe.caches, caches, read_only | ATTR_NOEXEC)?);
    Ok(pieces)
}

/// Whether a path is seen with the system's.
fn is_of_system(path: &Path) -> bool {
    SYSTEM.iter().any(|name| path.starts_with(Path::new("/").join(name)))
}

impl Piece {
    fn take(path: &Path, place: PathBuf, attributes: u64) -> Result<Self, Trouble> {
        let naming = format!("show {}", path.display());
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_RECURSIVE;
        let tree = rustix::mount::open_tree(CWD, path, flags).while_trying(&naming)?;
        protect(tree.as_fd(), Path::new(""), attributes, Depth::All).while_trying(&naming)?;
        Ok(Self { tree, place, is_folder: path.is_dir() })
    }

    /// Puts it in its place below the current folder.
    fn put(&self) -> Result<(), Trouble> {
        let naming = format!("make a place for /{}", self.place.display());
        let folder = if self.is_folder { Some(self.place.as_path()) } else { self.place.parent() };
        fs::create_dir_all(folder.unwrap_or(Path::new("."))).while_trying(&naming)?;
        if !self.is_folder {
            fs::write(&self.place, "").while_trying(&naming)?;
        }
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        rustix::mount::move_mount(&self.tree, "", CWD, &self.place, flags).while_trying(&naming)
    }
}

/// What a cell has of its own.
fn furnish(network: CellNetwork) -> Result<(), Trouble> {
    for name in SYSTEM {
        if let Ok(target) = fs::read_link(Path::new("/").join(name)) {
            symlink(target, name).while_trying("link the system's folders")?;
        }
    }
    for folder in ["etc", "dev/shm", "proc", "run", "tmp", "var"] {
        fs::DirBuilder::new().recursive(true).mode(0o755).create(folder).while_trying("make a folder")?;
    }
    fs::DirBuilder::new().mode(0o000).create(EMPTY.trim_start_matches('/')).while_trying("make a folder")?;
    for (file, text) in FILES {
        fs::write(file, text).while_trying("write a setting")?;
    }
    fs::write("etc/resolv.conf", name_service(network)).while_trying("write a setting")?;
    for (link, target) in [
        // Programs that are told of no time zone look for one; ICU reads all files of the database unless this is a link.
        ("etc/localtime", "/usr/share/zoneinfo/UTC"),
        ("dev/fd", "/proc/self/fd"),
        ("dev/stdin", "/proc/self/fd/0"),
        ("dev/stdout", "/proc/self/fd/1"),
        ("dev/stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, link).while_trying("make a link")?;
    }
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    mount_memory(Path::new("tmp"), &format!("mode=1777,{}", usual_room().of_tmp()), flags)?;
    mount_memory(Path::new("dev/shm"), &format!("mode=1777,{}", usual_room().of_shm()), flags)?;
    mount_memory(Path::new("var"), "mode=755,size=256k,nr_inodes=256", flags)?;
    symlink("/tmp", "var/tmp").while_trying("link a folder")?;
    fs::create_dir("var/task").while_trying("make a place for a function")
}

/// Who is asked for names: in a network of its own the host, at the cell's own address. The search list is the machine's.
fn name_service(network: CellNetwork) -> String {
    let machine = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    if network == CellNetwork::Host {
        return machine;
    }
    let kept = machine.lines().filter(|line| line.starts_with("search ") || line.starts_with("options "));
    let lines: Vec<&str> = std::iter::once("nameserver 127.0.0.1").chain(kept).collect();
    lines.join("\n") + "\n"
}

/// The cell's own processes. A machine that hides parts of its `/proc` lets nobody mount one; most programs live without.
fn mount_processes() {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let _ = rustix::mount::mount("proc", "proc", "proc", flags, None);
}

fn mount_memory(place: &Path, options: &str, flags: MountFlags) -> Result<(), Trouble> {
    let options = CString::new(options).map_err(io::Error::from).while_trying("mount memory")?;
    rustix::mount::mount("tmpfs", place, "tmpfs", flags, options.as_c_str()).while_trying("mount memory")
}

/// What the folders in memory hold where nothing else is asked for.
fn usual_room() -> Room {
    Room::of(&FunctionLimits::default())
}

/// Has a folder in memory hold more or less.
fn resize_memory(place: &Path, options: &str) -> Result<(), Trouble> {
    let options = CString::new(options).map_err(io::Error::from).while_trying("size a folder in memory")?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    rustix::mount::mount_remount(place, flags, options.as_c_str()).while_trying("size a folder in memory")
}

/// How far a protection reaches.
#[derive(Clone, Copy)]
enum Depth {
    /// One mount.
    This,
    /// It and all below it.
    All,
}

/// Adds to the protections of a mount, which keeps those that it has.
fn protect(folder: BorrowedFd<'_>, path: &Path, attributes: u64, depth: Depth) -> io::Result<()> {
    let path = CString::new(path.as_os_str().as_bytes())?;
    let attributes = MountAttributes { set: attributes, ..MountAttributes::default() };
    let reach = match depth {
        Depth::This => 0,
        Depth::All => libc::AT_RECURSIVE,
    };
    // SAFETY: the path ends with NUL and the attributes have the size that is given; both outlive the call.
    let code = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            folder.as_raw_fd(),
            path.as_ptr(),
            libc::AT_EMPTY_PATH | reach,
            &raw const attributes,
            size_of::<MountAttributes>(),
        )
    };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
