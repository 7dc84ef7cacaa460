//! An instance that a zygote forked, as the host holds it, and the connection over which the host asks for one.
//!
//! It shares its zygote's cell. What it may use and what belongs to it is told by control groups of its own, so there is none
//! without them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};
use rustix::process::{Pid, Signal};
use serde::Deserialize;
use ship_core::FunctionLimits;
use tokio::io::unix::AsyncFd;
use tokio::sync::SetOnce;
use tokio::sync::watch::Receiver;
use tokio_util::sync::DropGuard;

use super::cell::{CellWarden, Ending, process_of};
use super::cgroup::CellGroups;
use super::foreign::Foreign;
use super::process::{ProcessStat, parent_of};
use super::rights;
use super::watch::{watch, watch_foreign};
use crate::error::{ExitStatus, SpawnError};
use crate::limits::EXIT_STATUS_WAIT;

/// The most that is read of what a zygote says at a time, in bytes.
const READ_BYTES: usize = 4096;

/// The longest line of a zygote's, in bytes. It is the function's process, and may say anything.
const MOST_LINE_BYTES: usize = 16 * 1024;

/// The most handles that are kept until a zygote says whose they are.
const MOST_HANDLES: usize = 64;

/// What a zygote says.
#[derive(PartialEq, Eq, Debug, Deserialize)]
#[serde(untagged)]
pub(crate) enum Word {
    /// A process that it forked has ended. A negative code is a signal.
    Ended { pid: u32, exit: i32 },
    /// It has forked a process. With it comes its handle.
    Forked { pid: u32 },
    /// It can be asked.
    Ready {
        #[serde(rename = "ready")]
        _pid: u32,
    },
    /// It forks nothing, for this reason.
    Refused { error: String },
}

/// The connection to a zygote.
#[derive(Debug)]
pub(crate) struct ZygoteSocket {
    socket: AsyncFd<Foreign>,
}

/// What was read of a zygote's words and not yet understood.
#[derive(Default, Debug)]
pub(crate) struct Unheard {
    bytes: Vec<u8>,
    handles: VecDeque<Foreign>,
}

impl ZygoteSocket {
    /// Takes a connection to a zygote, which must not block.
    pub(crate) fn new(socket: OwnedFd) -> io::Result<Self> {
        Ok(Self { socket: watch_foreign(Foreign::new(socket))? })
    }

    /// Asks for a process with these ends: its listener, its output, its errors, and what gives it leave to begin.
    pub(crate) fn ask(&self, ends: [BorrowedFd<'_>; 4]) -> io::Result<()> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(4))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&ends));
        let bytes = [IoSlice::new(b"f")];
        rustix::io::retry_on_intr(|| rustix::net::sendmsg(&self.socket, &bytes, &mut ancillary, SendFlags::NOSIGNAL))?;
        Ok(())
    }

    /// The next thing that it says, with the handle that came with it; `None` when it is gone.
    pub(crate) async fn hear(&self, unheard: &mut Unheard) -> io::Result<Option<(Word, Option<Foreign>)>> {
        loop {
            if let Some(word) = unheard.next()? {
                return Ok(Some(word));
            }
            let mut guard = self.socket.readable().await?;
            match guard.try_io(|socket| unheard.receive(socket.get_ref().as_fd())) {
                Ok(Ok(0)) => return Ok(None),
                Ok(result) => drop(result?),
                Err(_would_block) => {}
            }
        }
    }
}

impl Unheard {
    fn next(&mut self) -> io::Result<Option<(Word, Option<Foreign>)>> {
        let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') else {
            let is_too_much = self.bytes.len() > MOST_LINE_BYTES || self.handles.len() > MOST_HANDLES;
            return if is_too_much { Err(io::ErrorKind::InvalidData.into()) } else { Ok(None) };
        };
        let line: Vec<u8> = self.bytes.drain(..=end).collect();
        let word = serde_json::from_slice(&line)?;
        let handle = match word {
            Word::Forked { .. } => self.handles.pop_front(),
            _ => None,
        };
        Ok(Some((word, handle)))
    }

    fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut bytes = [0; READ_BYTES];
        let handles = &mut self.handles;
        let received = rustix::io::retry_on_intr(|| rights::receive(socket, &mut bytes, |one| handles.push_back(one)))?;
        self.bytes.extend_from_slice(&bytes[..received]);
        Ok(received)
    }
}

/// The cell that a zygote and its forks live in. It ends when nobody holds it any more.
#[derive(Debug)]
pub(crate) struct ZygoteCell {
    warden: CellWarden,
    /// Ends what is done for it.
    _tending: DropGuard,
}

impl ZygoteCell {
    pub(crate) const fn new(warden: CellWarden, tending: DropGuard) -> Self {
        Self { warden, _tending: tending }
    }

    /// The process id of the zygote.
    pub(crate) const fn zygote(&self) -> u32 {
        self.warden.id()
    }
}

/// What holds a process that was forked. Dropping it ends the process and what it started.
#[derive(Debug)]
pub(crate) struct ForkWarden {
    handle: AsyncFd<OwnedFd>,
    id: u32,
    groups: CellGroups,
    /// Gives it leave to begin.
    leave: Mutex<Option<File>>,
    /// What its zygote has said of its end.
    told: Arc<SetOnce<ExitStatus>>,
    /// What it lives in.
    _cell: Arc<ZygoteCell>,
}

impl ForkWarden {
    /// Puts a process of a zygote's into its groups. This blocks: the kernel takes up to 20 ms for it. What a function says is a
    /// process may be anything, also a handle of the host: only what the zygote has started counts.
    pub(crate) fn enclose(handle: Foreign, zygote: u32, groups: &CellGroups) -> io::Result<(OwnedFd, u32)> {
        if !is_of_process(&handle) {
            return Err(io::Error::other("it is no handle of a process"));
        }
        let id = process_of(&handle)?;
        if parent_of(id) != Some(zygote) {
            return Err(io::Error::other("it is no process of the function's"));
        }
        groups.enclose(id)?;
        // It is a handle of a process, which is closed at once.
        let handle = handle.into_inner().ok_or(io::ErrorKind::NotFound)?;
        Ok((handle, id))
    }

    /// Takes a process that is in its groups and waits for leave to begin.
    pub(crate) fn new(
        handle: OwnedFd,
        id: u32,
        groups: CellGroups,
        leave: OwnedFd,
        told: Arc<SetOnce<ExitStatus>>,
        cell: Arc<ZygoteCell>,
    ) -> io::Result<Self> {
        let leave = Mutex::new(Some(leave.into()));
        Ok(Self { handle: watch(handle)?, id, groups, leave, told, _cell: cell })
    }

    /// Lets it begin, with what it may use.
    pub(crate) fn begin(&self, limits: &FunctionLimits) -> Result<(), SpawnError> {
        let error = |action| move |source| SpawnError::Io { action, source };
        self.groups.limit(limits).map_err(error("limit what a function uses"))?;
        let leave = self.leave.lock().unwrap_or_else(PoisonError::into_inner).take();
        leave.map_or(Ok(()), |mut leave| leave.write_all(b"!")).map_err(error("let an instance begin"))
    }

    /// Its process id.
    pub(crate) const fn id(&self) -> u32 {
        self.id
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        if let Some(group) = i32::try_from(self.id).ok().and_then(Pid::from_raw)
            && !self.is_gone()
        {
            // The only failure is that nobody is left to be told.
            let _ = rustix::process::kill_process_group(group, Signal::TERM);
        }
    }

    /// Ends it and all that it started.
    pub(crate) fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(self.handle.get_ref(), Signal::KILL);
        self.groups.end_processes();
    }

    /// Whether a process of it was ended because there was no memory left for it.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        self.groups.ran_out_of_memory()
    }

    /// How long it is slow for beginning processes without pause, each time that it becomes so.
    pub(crate) fn slowed(&self) -> Receiver<Duration> {
        self.groups.slowed()
    }

    /// The memory that counts against its limit, in bytes. What it shares with its zygote is not in it.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        self.groups.memory_bytes()
    }

    /// Whether it has begun to exit or is gone. Reads `/proc`.
    pub(crate) fn is_exiting(&self) -> bool {
        ProcessStat::read(self.id).is_none_or(|stat| stat.exiting)
    }

    /// Whether its own process is gone.
    pub(crate) fn is_gone(&self) -> bool {
        super::process::has_ended(self.handle.get_ref())
    }

    /// Waits until its process has ended.
    pub(crate) async fn ended(&self) -> Ending {
        // An error would mean that the runtime's I/O driver is gone, and then so is the host.
        let _ = self.handle.readable().await;
        // Who collects it is its zygote, which is perhaps gone as well.
        let told = tokio::time::timeout(EXIT_STATUS_WAIT, self.told.wait()).await;
        Ending::Exited(told.map_or(ExitStatus::Unknown, |status| *status))
    }

    /// Waits until no process of it is left: what it started is ended with it.
    pub(crate) async fn gone(&self) {
        let _ = self.handle.readable().await;
        self.groups.end_processes();
    }
}

impl Drop for ForkWarden {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a descriptor is a handle of a process, by the name that the kernel gives those. What the kernel tells of other kinds may be
/// endless.
fn is_of_process(handle: &Foreign) -> bool {
    let link = std::fs::read_link(format!("/proc/self/fd/{}", handle.as_raw_fd()));
    link.is_ok_and(|name| name.to_string_lossy().contains("[pidfd]"))
}

/// The status of a process by what its zygote says of it.
pub(crate) const fn exit_status(exit: i32) -> ExitStatus {
    if exit < 0 { ExitStatus::Signal(exit.saturating_neg()) } else { ExitStatus::Code(exit) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a zygote says arrives in pieces or together, and each handle with the word that it belongs to.
    #[tokio::test]
    async fn words() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (socket, mut unheard) = (ZygoteSocket::new(ours.into()).unwrap(), Unheard::default());
        let handle = File::open("/dev/null").unwrap();
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        let handles = [handle.as_fd()];
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(&handles)));
        (&theirs).write_all(b"{\"ready\": 2}\n{\"pid\": 7, \"exit\": -9}\n").unwrap();
        let text = [IoSlice::new(b"{\"pid\": 8}\n")];
        rustix::net::sendmsg(&theirs, &text, &mut ancillary, SendFlags::empty()).unwrap();
        (&theirs).write_all(b"{\"error\":").unwrap();
        (&theirs).write_all(b" \"no\"}\n").unwrap();
        drop(theirs);
        let mut heard = Vec::new();
        while let Some((word, handle)) = socket.hear(&mut unheard).await.unwrap() {
            heard.push((word, handle.is_some()));
        }
        let expected = [
            (Word::Ready { _pid: 2 }, false),
            (Word::Ended { pid: 7, exit: -9 }, false),
            (Word::Forked { pid: 8 }, true),
            (Word::Refused { error: "no".to_owned() }, false),
        ];
        assert_eq!(heard, expected);
    }

    /// Whatever a function writes there, the host does not keep it.
    #[tokio::test]
    async fn endless_line() {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let (socket, mut unheard) = (ZygoteSocket::new(ours.into()).unwrap(), Unheard::default());
        (&theirs).write_all("x".repeat(2 * MOST_LINE_BYTES).as_bytes()).unwrap();
        assert_eq!(socket.hear(&mut unheard).await.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
