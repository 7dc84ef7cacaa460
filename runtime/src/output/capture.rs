//! Reading what an instance prints.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};

use ship_core::{LogStream, RequestId};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::lines::{Line, LineSplitter};
use super::rate::{LogRate, Verdict};
use super::requests::{ActiveRequests, Unread};
use super::tail::Tail;
use crate::journal::Journal;
use crate::limits::{READ_BYTES, READS_PER_TURN};
use crate::linux::watch::watch;

/// The reading ends of an instance's standard output and error.
#[derive(Debug)]
pub(crate) struct Pipes {
    stdout: AsyncFd<OwnedFd>,
    stderr: AsyncFd<OwnedFd>,
}

impl Pipes {
    /// Takes two pipes whose reading does not block.
    pub(crate) fn new(stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Self> {
        Ok(Self { stdout: watch(stdout)?, stderr: watch(stderr)? })
    }

    /// Whether something was printed and not read yet, as far as the I/O driver knows. It learns of output no later than of
    /// the response that was sent after it, so at the end of a request the answer is right, and it costs no system call.
    pub(crate) fn unread(&self) -> Unread {
        let is_ready = |pipe: &AsyncFd<OwnedFd>| pipe.try_io(Interest::READABLE, |_| Ok(())).is_ok();
        if is_ready(&self.stdout) || is_ready(&self.stderr) { Unread::Some } else { Unread::Nothing }
    }
}

/// Whether a turn of reading came to the end of what there was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// All was read.
    Drained,
    /// There is more, and others should get their turn first.
    More,
}

/// What reads one instance's output. It belongs to the task that owns the instance.
pub(crate) struct Capture {
    pipes: Arc<Pipes>,
    stdout: Stream,
    stderr: Stream,
    sink: LineSink,
    buffer: Box<[u8]>,
}

/// One of the two streams.
struct Stream {
    kind: LogStream,
    lines: LineSplitter,
    is_open: bool,
}

impl Stream {
    fn new(kind: LogStream) -> Self {
        Self { kind, lines: LineSplitter::default(), is_open: true }
    }
}

impl Capture {
    pub(crate) fn new(
        pipes: Arc<Pipes>,
        journal: Journal,
        requests: Arc<ActiveRequests>,
        tail: Arc<Mutex<Tail>>,
    ) -> Self {
        Self {
            pipes,
            stdout: Stream::new(LogStream::Stdout),
            stderr: Stream::new(LogStream::Stderr),
            sink: LineSink { journal, requests, tail, rate: LogRate::new(Instant::now()) },
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
        }
    }

    /// Waits until there is something to read. Never returns once both streams have ended.
    pub(crate) async fn readable(&self) {
        let Self { pipes, stdout, stderr, .. } = self;
        tokio::select! {
            _ = pipes.stdout.readable(), if stdout.is_open => {}
            _ = pipes.stderr.readable(), if stderr.is_open => {}
            () = std::future::pending() => {}
        }
    }

    /// Reads what there is, within the bound of one turn.
    pub(crate) fn read(&mut self) -> Turn {
        let lingering = self.sink.requests.lingering();
        let Self { pipes, sink, buffer, .. } = self;
        let stdout = self.stdout.read(sink, buffer, |buffer| read_if_ready(&pipes.stdout, buffer));
        let stderr = self.stderr.read(sink, buffer, |buffer| read_if_ready(&pipes.stderr, buffer));
        if (stdout, stderr) == (Turn::Drained, Turn::Drained) {
            self.sink.requests.settle(lingering);
            return Turn::Drained;
        }
        Turn::More
    }

    /// Reads what a process left that is gone, and gives out what is unfinished. The pipes may be held open by a process
    /// that left the group, so the rest is what is there now, not what comes until their end.
    pub(crate) fn finish(&mut self) {
        let Self { pipes, sink, buffer, .. } = self;
        self.stdout.read(sink, buffer, |buffer| Ok(rustix::io::read(pipes.stdout.get_ref(), buffer)?));
        self.stderr.read(sink, buffer, |buffer| Ok(rustix::io::read(pipes.stderr.get_ref(), buffer)?));
        let requests = self.sink.requests.current();
        for stream in [&mut self.stdout, &mut self.stderr] {
            stream.lines.finish(|line| self.sink.take(stream.kind, line, &requests));
        }
        self.sink.note_dropped(requests);
    }
}

impl Stream {
    fn read(
        &mut self,
        sink: &mut LineSink,
        buffer: &mut [u8],
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> Turn {
        for _ in 0..READS_PER_TURN {
            if !self.is_open {
                return Turn::Drained;
            }
            match read(buffer) {
                Ok(0) => self.is_open = false,
                Ok(length) => {
                    let requests = sink.requests.current();
                    self.lines.push(&buffer[..length], |line| sink.take(self.kind, line, &requests));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Turn::Drained,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => self.is_open = false,
            }
        }
        Turn::More
    }
}

/// Reads if the I/O driver says that there is something, so that an empty pipe costs no system call.
fn read_if_ready(pipe: &AsyncFd<OwnedFd>, buffer: &mut [u8]) -> io::Result<usize> {
    pipe.try_io(Interest::READABLE, |pipe| Ok(rustix::io::read(pipe, buffer)?))
}

/// Where finished lines go.
struct LineSink {
    journal: Journal,
    requests: Arc<ActiveRequests>,
    tail: Arc<Mutex<Tail>>,
    rate: LogRate,
}

impl LineSink {
    fn take(&mut self, stream: LogStream, line: Line<'_>, requests: &[RequestId]) {
        match self.rate.admit(line.bytes.len(), Instant::now()) {
            Verdict::Drop => return,
            Verdict::Keep => {}
            Verdict::KeepAfterDropping(bytes) => self.journal.remark(requests.to_vec(), dropped_remark(bytes)),
        }
        let message = String::from_utf8_lossy(line.bytes).into_owned();
        self.tail.lock().unwrap_or_else(PoisonError::into_inner).push(&message);
        self.journal.line(requests.to_vec(), stream, message, line.cut_bytes > 0);
    }

    fn note_dropped(&mut self, requests: Vec<RequestId>) {
        match self.rate.take_dropped() {
            0 => {}
            bytes => self.journal.remark(requests, dropped_remark(bytes)),
        }
    }
}

fn dropped_remark(bytes: u64) -> String {
    format!("{bytes} bytes of output were dropped: the function printed faster than its log takes.")
}
