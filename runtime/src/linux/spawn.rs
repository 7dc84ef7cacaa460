//! The one place where a process is started, and so the place for resource limits and the sandbox.
//!
//! `posix_spawn` shares the host's memory with the child until it executes its program, where `fork` would copy the host's
//! page tables. Every descriptor of the host is close-on-exec; the four that a function gets are the ones named here.
#![expect(
    unsafe_code,
    reason = "the standard library cannot spawn with a chosen descriptor 3 without running code after a fork"
)]

use std::ffi::{CString, c_char};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::ptr;

use rustix::process::Pid;

use crate::error::SpawnError;
use crate::interpreter::Command;

/// The descriptor on which a function finds its listening socket. `SHIP_LISTEN_FD` tells it so.
pub(crate) const LISTEN_FD: i32 = 3;

/// What a process is started with.
pub(crate) struct Launch<'a> {
    /// What is executed.
    pub(crate) command: &'a Command,
    /// The function's folder; becomes the working directory.
    pub(crate) root: &'a Path,
    /// The whole environment.
    pub(crate) env: &'a [(String, String)],
    /// The listening socket that it inherits.
    pub(crate) listener: BorrowedFd<'a>,
}

/// A process that was started, and the ends of its output that the host keeps.
pub(crate) struct Spawned {
    pub(crate) pid: Pid,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// Starts a program in a process group of its own, with default signal handling and nothing inherited but what `launch`
/// names. It returns when the program is running, or could not be executed.
pub(crate) fn spawn(launch: &Launch<'_>) -> Result<Spawned, SpawnError> {
    let environment = environment_block(launch.env)?;
    let (stdout, child_stdout) = output_pipe()?;
    let (stderr, child_stderr) = output_pipe()?;
    let descriptors =
        Descriptors { stdout: child_stdout.as_fd(), stderr: child_stderr.as_fd(), listener: launch.listener };
    let program = launch.root.join(launch.command.program.strip_prefix("./").unwrap_or(&launch.command.program));
    let pid =
        spawn_with(launch, &environment, &descriptors).map_err(|source| SpawnError::Program { program, source })?;
    Ok(Spawned { pid, stdout, stderr })
}

/// Marks every descriptor that is open now as close-on-exec. The host opens its own that way; what it inherited from
/// whatever started it is not, and would be open in every function.
pub(crate) fn keep_inherited_descriptors() -> io::Result<()> {
    let first_after_stdio: libc::c_uint = 3;
    // SAFETY: the call takes three integers and changes nothing but a flag of open descriptors.
    let code = unsafe {
        libc::syscall(libc::SYS_close_range, first_after_stdio, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC)
    };
    if code == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The variables as `NAME=value`.
fn environment_block(env: &[(String, String)]) -> Result<Vec<CString>, SpawnError> {
    env.iter()
        .map(|(name, value)| {
            let wrong = || SpawnError::Environment { name: name.clone() };
            if name.is_empty() || name.contains('=') {
                return Err(wrong());
            }
            CString::new(format!("{name}={value}")).map_err(|_| wrong())
        })
        .collect()
}

/// A pipe whose reading end never blocks the host; the writing end behaves as a program expects of its output.
fn output_pipe() -> Result<(OwnedFd, OwnedFd), SpawnError> {
    let error = |source: rustix::io::Errno| SpawnError::Io { action: "make a pipe for output", source: source.into() };
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(error)?;
    rustix::io::ioctl_fionbio(&reader, true).map_err(error)?;
    Ok((reader, writer))
}

/// What the child finds on its descriptors 1, 2 and 3.
struct Descriptors<'a> {
    stdout: BorrowedFd<'a>,
    stderr: BorrowedFd<'a>,
    listener: BorrowedFd<'a>,
}

fn spawn_with(launch: &Launch<'_>, environment: &[CString], descriptors: &Descriptors<'_>) -> io::Result<Pid> {
    let actions = FileActions::new(launch.root, descriptors)?;
    let attributes = Attributes::new()?;
    let program = c_path(&launch.command.program)?;
    let arguments: Vec<CString> =
        launch.command.arguments.iter().map(|argument| CString::new(*argument)).collect::<Result<_, _>>()?;
    // The program is called by its path: Python finds its library from there, and by a bare name on a search path that is the
    // function's own.
    let name = std::iter::once(&program).chain(&arguments);
    let mut argv: Vec<*mut c_char> = name.map(|argument| argument.as_ptr().cast_mut()).collect();
    argv.push(ptr::null_mut());
    let mut envp: Vec<*mut c_char> = environment.iter().map(|entry| entry.as_ptr().cast_mut()).collect();
    envp.push(ptr::null_mut());
    let mut pid = 0;
    // SAFETY: both objects are initialised and outlive the call; `argv` and `envp` end with a null pointer and point to
    // strings that outlive the call; posix_spawn does not write through them.
    let code = unsafe {
        libc::posix_spawn(
            &raw mut pid,
            // If relative, then to the new working directory, in which the child is when it executes this.
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

/// The functions of `posix_spawn` return the error instead of setting `errno`.
fn check(code: i32) -> io::Result<()> {
    if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code)) }
}

/// What the child does to its descriptors and working directory before it executes its program.
struct FileActions {
    inner: libc::posix_spawn_file_actions_t,
}

impl FileActions {
    fn new(root: &Path, descriptors: &Descriptors<'_>) -> io::Result<Self> {
        let root = c_path(root)?;
        let mut inner = MaybeUninit::uninit();
        // SAFETY: the pointer is valid for writes, and a successful call initialises what it points to.
        check(unsafe { libc::posix_spawn_file_actions_init(inner.as_mut_ptr()) })?;
        // SAFETY: initialised by the call above, which succeeded.
        let mut actions = Self { inner: unsafe { inner.assume_init() } };
        actions.open_null_as_stdin()?;
        // The standard library keeps 0 to 2 open in the host, so no source below is overwritten before it is used.
        actions.duplicate(descriptors.stdout, 1)?;
        actions.duplicate(descriptors.stderr, 2)?;
        actions.duplicate(descriptors.listener, LISTEN_FD)?;
        // SAFETY: `inner` is initialised; the path ends with NUL and is copied by the call.
        check(unsafe { libc::posix_spawn_file_actions_addchdir_np(&raw mut actions.inner, root.as_ptr()) })?;
        Ok(actions)
    }

    fn open_null_as_stdin(&mut self) -> io::Result<()> {
        // SAFETY: `inner` is initialised; the path ends with NUL and is copied by the call.
        check(unsafe {
            libc::posix_spawn_file_actions_addopen(&raw mut self.inner, 0, c"/dev/null".as_ptr(), libc::O_RDONLY, 0)
        })
    }

    /// The copy is not close-on-exec, also when both numbers are the same.
    fn duplicate(&mut self, from: BorrowedFd<'_>, to: i32) -> io::Result<()> {
        // SAFETY: `inner` is initialised.
        check(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.inner, from.as_raw_fd(), to) })
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
    CString::new(path.as_os_str().as_bytes()).map_err(|_| {
        io::Error::new(io::ErrorKind::InvalidInput, format!("{} has a NUL byte", PathBuf::from(path).display()))
    })
}
