//! The one program that the host starts itself: the nursery, which starts all others.
//!
//! `posix_spawn` shares the host's memory with the child until it executes its program, where `fork` would copy the host's
//! page tables. Every descriptor of the host is close-on-exec; what the child gets is named here.
#![expect(
    unsafe_code,
    reason = "the standard library cannot spawn with a chosen descriptor 3 without running code after a fork"
)]

use std::ffi::{CStr, CString, c_char};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;

use rustix::process::Pid;

use super::nursery::ORDERS_FD;

/// Starts `program` under a name, in a process group of its own, with default signal handling, an empty environment and nothing
/// inherited but `orders`. It returns when the program is running, or could not be executed.
pub(crate) fn spawn(program: &Path, name: &CStr, orders: BorrowedFd<'_>) -> io::Result<Pid> {
    let actions = FileActions::new(orders)?;
    let attributes = Attributes::new()?;
    let program = c_path(program)?;
    let argv: [*mut c_char; 2] = [name.as_ptr().cast_mut(), ptr::null_mut()];
    let envp: [*mut c_char; 1] = [ptr::null_mut()];
    let mut pid = 0;
    // SAFETY: both objects are initialised and outlive the call; `argv` and `envp` end with a null pointer and point to
    // strings that outlive the call; posix_spawn does not write through them.
    let code = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            program.as_ptr(),
            &raw const actions.inner,
            &raw const attributes.inner,
            argv.as_ptr(),
            envp.as_ptr(),
        )
    };
    check(code)?;
    Pid::from_raw(pid).ok_or_else(|| io::Error::other("posix_spawn gave no process id"))
}

/// Marks every descriptor that is open now as close-on-exec. The host opens its own that way; what it inherited from
/// whatever started it is not, and would be open in every function.
pub(crate) fn keep_inherited_descriptors() -> io::Result<()> {
    let first_after_stdio: libc::c_uint = 3;
    // SAFETY: the call takes three integers and changes nothing but a flag of open descriptors.
    let code = unsafe {
        libc::syscall(libc::SYS_close_range, first_after_stdio, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if code == 0 {
        return Ok(());
    }
    // Linux before 5.11 has no such flag. There are no threads yet that could open more.
    for entry in std::fs::read_dir("/proc/self/fd")?.flatten() {
        let number = entry.file_name().to_str().and_then(|name| name.parse::<RawFd>().ok());
        if let Some(number) = number.filter(|number| *number > 2) {
            // SAFETY: the call changes nothing but a flag, and a number that is no descriptor any more is an error.
            unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) };
        }
    }
    Ok(())
}

/// A descriptor that this process was started with: by ship, or by a service manager that listens in its place. To be called once for
/// each.
pub fn inherited(descriptor: RawFd) -> OwnedFd {
    // SAFETY: whoever started this process put it there, and nobody here has taken it before.
    let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
    // What is started later does not get it.
    let _ = rustix::io::fcntl_setfd(&descriptor, rustix::io::FdFlags::CLOEXEC);
    descriptor
}

/// Closes a descriptor in a process that has forked, where its owner is a value of the other process's.
pub(super) fn close(descriptor: &OwnedFd) {
    // SAFETY: the owner is never used again in this process, which ends without dropping it.
    unsafe { libc::close(descriptor.as_raw_fd()) };
}

/// The functions of `posix_spawn` return the error instead of setting `errno`.
fn check(code: i32) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// What the child does to its descriptors before it executes its program.
struct FileActions {
    inner: libc::posix_spawn_file_actions_t,
}

impl FileActions {
    fn new(orders: BorrowedFd<'_>) -> io::Result<Self> {
        let mut inner = MaybeUninit::uninit();
        // SAFETY: the pointer is valid for writes, and a successful call initialises what it points to.
        check(unsafe { libc::posix_spawn_file_actions_init(inner.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above, which succeeded.
        let mut actions = Self { inner: unsafe { inner.assume_init() } };
        // What it says of itself, it says where the host says it: on descriptor 2, which stays.
        actions.open_null(0, libc::O_RDONLY)?;
        actions.open_null(1, libc::O_WRONLY)?;
        actions.duplicate(orders, ORDERS_FD)?;
        // It is not to hold the folder that the host was started in.
        // SAFETY: `inner` is initialised; the path ends with NUL and is copied by the call.
        check(unsafe { libc::posix_spawn_file_actions_addchdir_np(&raw mut actions.inner, c"/".as_ptr()) })?;
        Ok(actions)
    }

    fn open_null(&mut self, descriptor: RawFd, mode: i32) -> io::Result<()> {
        // SAFETY: `inner` is initialised; the path ends with NUL and is copied by the call.
        check(unsafe {
            libc::posix_spawn_file_actions_addopen(&raw mut self.inner, descriptor, c"/dev/null".as_ptr(), mode, 0)
        })
    }

    /// The copy is not close-on-exec, also when both numbers are the same.
    fn duplicate(&mut self, from: BorrowedFd<'_>, to: RawFd) -> io::Result<()> {
        // SAFETY: `inner` is initialised.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.inner, from.as_fd().as_raw_fd(), to) })
    }
}

impl Drop for FileActions {
    fn drop(&mut self) {
        // SAFETY: `inner` is initialised and not used after this. The call cannot fail on an initialised object.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.inner) };
    }
}

/// A process group of its own, an empty signal mask, and every signal handled as by default: the host ignores SIGPIPE, and
/// an ignored signal would stay ignored in the child.
struct Attributes {
    inner: libc::posix_spawnattr_t,
}

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut inner = MaybeUninit::uninit();
        // SAFETY: the pointer is valid for writes, and a successful call initialises what it points to.
        check(unsafe { libc::posix_spawnattr_init(inner.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above, which succeeded.
        let mut attributes = Self { inner: unsafe { inner.assume_init() } };
        let target = &raw mut attributes.inner;
        let (none, all) = (signal_set(libc::sigemptyset), signal_set(libc::sigfillset));
        let flags = libc::POSIX_SPAWN_SETPGROUP | libc::POSIX_SPAWN_SETSIGMASK | libc::POSIX_SPAWN_SETSIGDEF;
        let flags = libc::c_short::try_from(flags).map_err(io::Error::other)?;
        // SAFETY: `target` points to an initialised object, and both sets are initialised.
        unsafe {
            check(libc::posix_spawnattr_setflags(target, flags))?;
            check(libc::posix_spawnattr_setpgroup(target, 0))?;
            check(libc::posix_spawnattr_setsigmask(target, &raw const none))?;
            check(libc::posix_spawnattr_setsigdefault(target, &raw const all))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: `inner` is initialised and not used after this. The call cannot fail on an initialised object.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.inner) };
    }
}

/// A signal set that `fill` writes: empty or full.
fn signal_set(fill: unsafe extern "C" fn(*mut libc::sigset_t) -> i32) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `fill` is sigemptyset or sigfillset; both initialise the whole set and cannot fail on a valid pointer.
    unsafe {
        fill(set.as_mut_ptr());
        set.assume_init()
    }
}

fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes())
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("{} has a NUL byte", path.display())))
}
