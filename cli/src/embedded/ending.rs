//! Waiting for the end of a host on this machine, without asking again and again.

use std::io;

use crate::embedded::Endpoint;

/// The end of a process that runs now.
#[derive(Debug)]
pub(crate) struct Ending {
    #[cfg(target_os = "linux")]
    process: rustix::fd::OwnedFd,
}

#[cfg(target_os = "linux")]
impl Ending {
    /// The end of the host at `endpoint`, which lives: its process id is its own until then.
    pub(crate) fn of(endpoint: &Endpoint) -> io::Result<Self> {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let id = i32::try_from(endpoint.pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { process: pidfd_open(id, PidfdFlags::empty())? })
    }

    /// Waits for it.
    pub(crate) async fn wait(self) -> io::Result<()> {
        tokio::task::spawn_blocking(move || self.wait_blocking()).await.map_err(io::Error::other)?
    }

    fn wait_blocking(&self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, poll};
        loop {
            match poll(&mut [PollFd::new(&self.process, PollFlags::IN)], None) {
                Err(rustix::io::Errno::INTR) => {}
                ended => return Ok(ended.map(drop)?),
            }
        }
    }
}

/// Other systems have no descriptor for a process: there, whoever stops a host does not wait for its end.
#[cfg(not(target_os = "linux"))]
impl Ending {
    /// The end of the host at `endpoint`.
    pub(crate) fn of(_: &Endpoint) -> io::Result<Self> {
        Ok(Self {})
    }

    /// Does not wait.
    pub(crate) async fn wait(self) -> io::Result<()> {
        Ok(())
    }
}
