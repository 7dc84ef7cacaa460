//! Calls of a function's process that wait for the host: the kernel holds the process until it is told what the call gave.
#![expect(unsafe_code, reason = "the kernel's questions are read and answered by ioctl, which no library here wraps")]

use std::fs::File;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::fs::{FileType, Mode, OFlags};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags};
use tokio::io::unix::AsyncFd;

use super::dial::folder_of_thread;
use super::foreign::Foreign;
use super::watch::watch;

/// The requests of `linux/seccomp.h`.
const RECEIVE: libc::Ioctl = request(READ | WRITE, 0, size_of::<libc::seccomp_notif>());
const ANSWER: libc::Ioctl = request(READ | WRITE, 1, size_of::<libc::seccomp_notif_resp>());
const IS_VALID: libc::Ioctl = request(WRITE, 2, size_of::<u64>());
const ADD_DESCRIPTOR: libc::Ioctl = request(WRITE, 3, size_of::<libc::seccomp_notif_addfd>());

/// A descriptor takes the place of another (`SECCOMP_ADDFD_FLAG_SETFD`).
const ADD_IN_PLACE: u32 = 1;

/// The kernel carries out the call (`SECCOMP_USER_NOTIF_FLAG_CONTINUE`).
const GO_ON: u32 = 1;

const WRITE: u64 = 1;
const READ: u64 = 2;

/// The number of a request, as `_IOC` makes it.
const fn request(direction: u64, number: u64, size: usize) -> libc::Ioctl {
    (direction << 30 | (size as u64) << 16 | (b'!' as u64) << 8 | number) as libc::Ioctl
}

/// The longest address of a socket, in bytes: a local one's.
const MOST_ADDRESS_BYTES: usize = 128;

/// How long the kernel may take to tell of a descriptor: a thousand times what it takes for a socket.
const MOST_TELLING: Duration = Duration::from_millis(50);

/// Where the questions of a cell's processes arrive.
#[derive(Debug)]
pub(crate) struct Questions {
    listener: AsyncFd<OwnedFd>,
    /// Whether what the kernel tells of a descriptor has taken too long once.
    tells_too_much: AtomicBool,
}

/// A call that waits, as the kernel tells of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notice {
    id: u64,
    /// What is asked for.
    pub(crate) wish: Wish,
    thread: u32,
    arguments: [u64; 3],
}

/// What a call would have done with a socket and an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// The socket connected to the address.
    Connect,
    /// The socket named by the address.
    Bind,
    /// The socket made to take connections, without an address.
    Listen {
        /// How many may wait.
        backlog: i32,
    },
}

/// What a call that waits is about.
#[derive(Debug)]
pub(crate) struct SocketCall {
    id: u64,
    /// The folder in which the kernel tells of the thread that called. It is that thread's for good.
    thread: OwnedFd,
    /// The number of the socket in its process.
    number: RawFd,
    /// The address, as it was given.
    pub(crate) address: Vec<u8>,
    /// The socket.
    pub(crate) socket: Foreign,
    is_closed_on_execution: bool,
}

/// Whether somebody asks.
enum State {
    Question,
    Nothing,
}

impl Questions {
    pub(crate) fn new(listener: OwnedFd) -> io::Result<Self> {
        Ok(Self { listener: watch(listener)?, tells_too_much: AtomicBool::new(false) })
    }

    /// The next call that waits. It is nobody's until this has given it: dropping the future loses none.
    pub(crate) async fn next(&self) -> io::Result<Notice> {
        loop {
            let mut guard = self.listener.readable().await?;
            match self.state()? {
                State::Question => {}
                // Whoever asked is gone.
                State::Nothing => {
                    guard.clear_ready();
                    continue;
                }
            }
            // SAFETY: it is plain numbers, for which zero is a value, and the kernel wants zeroes there.
            let mut notice: libc::seccomp_notif = unsafe { std::mem::zeroed() };
            if self.ask(RECEIVE, &raw mut notice).is_ok() {
                let [first, second, third, ..] = notice.data.args;
                let wish = match i64::from(notice.data.nr) {
                    libc::SYS_bind => Wish::Bind,
                    libc::SYS_listen => Wish::Listen { backlog: lower_half(second).cast_signed() },
                    _ => Wish::Connect,
                };
                return Ok(Notice { id: notice.id, wish, thread: notice.pid, arguments: [first, second, third] });
            }
        }
    }

    /// Reads what a call is about. The function can make that take as long as it likes. An error is for the function.
    pub(crate) fn read(&self, notice: Notice) -> io::Result<SocketCall> {
        let mut call = SocketCall::read(notice)?;
        call.is_closed_on_execution = self.is_closed_on_execution(&call);
        // All that was read is of the thread that asked, if that one is there still.
        if self.is_valid(notice.id) { Ok(call) } else { Err(io::Error::from_raw_os_error(libc::ESRCH)) }
    }

    /// Whether the descriptor of a call is closed when its process executes a program. Only the kernel's text about it says that, and a
    /// process may have put something in its place about which that text is a hundred megabytes long: after one that took long
    /// nothing is read any more for this cell.
    fn is_closed_on_execution(&self, call: &SocketCall) -> bool {
        if self.tells_too_much.load(Ordering::Relaxed) {
            return true;
        }
        let begun = Instant::now();
        let is_closed = call.reads_as_closed_on_execution();
        if begun.elapsed() > MOST_TELLING {
            self.tells_too_much.store(true, Ordering::Relaxed);
        }
        is_closed.unwrap_or(true)
    }

    /// Says that a call gave this.
    pub(crate) fn conclude(&self, call: Notice, result: Result<(), i32>) {
        let error = result.map_or_else(|errno| -errno, |()| 0);
        self.answer(&libc::seccomp_notif_resp { id: call.id, val: 0, error, flags: 0 });
    }

    /// Lets the kernel do what a call asks for then: another thread of the function may have changed it since.
    pub(crate) fn let_go_on(&self, call: Notice) {
        self.answer(&libc::seccomp_notif_resp { id: call.id, val: 0, error: 0, flags: GO_ON });
    }

    fn answer(&self, answer: &libc::seccomp_notif_resp) {
        // The only failure is that whoever asked is gone.
        let _ = self.ask(ANSWER, std::ptr::from_ref(answer));
    }

    /// Puts `socket` in the place of the one that a call is about.
    pub(crate) fn replace(&self, call: &SocketCall, socket: BorrowedFd<'_>) -> io::Result<()> {
        let addition = libc::seccomp_notif_addfd {
            id: call.id,
            flags: ADD_IN_PLACE,
            srcfd: socket.as_raw_fd().cast_unsigned(),
            newfd: call.number.cast_unsigned(),
            newfd_flags: if call.is_closed_on_execution { libc::O_CLOEXEC.cast_unsigned() } else { 0 },
        };
        self.ask(ADD_DESCRIPTOR, &raw const addition)
    }

    /// Whether a call still waits, so that what was read of its process was its own.
    fn is_valid(&self, id: u64) -> bool {
        self.ask(IS_VALID, &raw const id).is_ok()
    }

    /// What there is to hear. An error when no process is left behind the filter: that stays so, and is no reason to look again.
    fn state(&self) -> io::Result<State> {
        let mut watched = [PollFd::new(self.listener.get_ref(), PollFlags::IN)];
        rustix::event::poll(&mut watched, Some(&Timespec::default()))?;
        let events = watched[0].revents();
        if events.contains(PollFlags::IN) {
            Ok(State::Question)
        } else if events.contains(PollFlags::HUP) {
            Err(io::ErrorKind::UnexpectedEof.into())
        } else {
            Ok(State::Nothing)
        }
    }

    fn ask<T>(&self, request: libc::Ioctl, argument: *const T) -> io::Result<()> {
        // SAFETY: each request is made with the structure that it is for, which outlives the call.
        let code = unsafe { libc::ioctl(self.listener.get_ref().as_raw_fd(), request, argument) };
        if code < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

impl SocketCall {
    /// Reads what a call is about. All of it is a copy: what its process changes from now on changes nothing.
    fn read(notice: Notice) -> io::Result<Self> {
        let [number, address, length] = notice.arguments;
        let number = RawFd::try_from(lower_half(number)).map_err(|_| bad_descriptor())?;
        let length = match notice.wish {
            Wish::Connect | Wish::Bind => usize::try_from(lower_half(length)).unwrap_or(usize::MAX),
            Wish::Listen { .. } => 0,
        };
        if length > MOST_ADDRESS_BYTES {
            return Err(io::Error::from_raw_os_error(libc::EINVAL));
        }
        let thread = folder_of_thread(notice.thread)?;
        let mut bytes = vec![0; length];
        open_below(&thread, "mem")?
            .read_exact_at(&mut bytes, address)
            .map_err(|_| io::Error::from_raw_os_error(libc::EFAULT))?;
        let handle = rustix::process::pidfd_open(process_of(&thread)?, PidfdFlags::empty())?;
        let socket =
            rustix::process::pidfd_getfd(&handle, number, PidfdGetfdFlags::empty()).map_err(|_| bad_descriptor())?;
        let socket = Foreign::new(socket);
        if !FileType::from_raw_mode(rustix::fs::fstat(&socket)?.st_mode).is_socket() {
            return Err(io::Error::from_raw_os_error(libc::ENOTSOCK));
        }
        Ok(Self { id: notice.id, thread, number, address: bytes, socket, is_closed_on_execution: true })
    }

    /// Lets go of a socket that was just named or made to listen before its process goes on: as long as the host has it, its port is taken
    /// and takes connections, also when the function has closed it. Closing such a socket waits for nothing, and it cannot be connected
    /// meanwhile, which takes the host.
    pub(crate) fn let_go(self) {
        drop(self.socket.into_inner());
    }

    /// Where the kernel tells of the thread that called.
    pub(crate) fn thread(&self) -> BorrowedFd<'_> {
        self.thread.as_fd()
    }

    /// As whom the thread uses files: its user and its group, as the host sees them.
    pub(crate) fn owner_of_files(&self) -> io::Result<(u32, u32)> {
        let status = io::read_to_string(open_below(&self.thread, "status")?)?;
        let last = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next_back()?.parse().ok()
        };
        last("Uid:").zip(last("Gid:")).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
    }

    fn reads_as_closed_on_execution(&self) -> io::Result<bool> {
        let text = io::read_to_string(open_below(&self.thread, &format!("fdinfo/{}", self.number))?)?;
        let flags = text.lines().find_map(|line| i32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
        Ok(flags.is_some_and(|flags| flags & libc::O_CLOEXEC != 0))
    }
}

/// What the kernel reads of an argument that is a number of 32 bits.
fn lower_half(argument: u64) -> u32 {
    u32::try_from(argument & u64::from(u32::MAX)).unwrap_or(u32::MAX)
}

fn bad_descriptor() -> io::Error {
    io::Error::from_raw_os_error(libc::EBADF)
}

/// The process of a thread.
fn process_of(thread: &OwnedFd) -> io::Result<Pid> {
    let status = io::read_to_string(open_below(thread, "status")?)?;
    let id = status.lines().find_map(|line| line.strip_prefix("Tgid:")?.trim().parse().ok());
    id.and_then(Pid::from_raw).ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}

/// A file of the kernel's about a thread.
fn open_below(thread: &OwnedFd, name: &str) -> io::Result<File> {
    Ok(rustix::fs::openat(thread, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?.into())
}
