//! Bytes from the pipes into log records.

use std::sync::{Mutex, PoisonError};

use ship_core::{LogLevel, LogStream, RequestId};
use tokio::time::Instant;

use super::level::level_of;
use super::lines::{Line, LineSplitter};
use super::mark::Mark;
use super::mask::CutLine;
use super::pipes::{Piece, Pipe, Pipes};
use super::rate::{LogRate, Verdict};
use super::requests::ActiveRequests;
use super::tail::Tail;
use crate::journal::Journal;
use crate::limits::{READ_BYTES, READS_PER_TURN};
use crate::stop::Work;

/// Whether a turn of reading came to the end of what there was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Turn {
    /// All was read.
    Drained,
    /// There is more, and others should get their turn first.
    More,
}

/// Turns one instance's output into log records.
#[derive(Debug)]
pub(super) struct Capture {
    stdout: Printed,
    stderr: Printed,
    sink: LineSink,
    buffer: Box<[u8]>,
    /// When something was last read, if that left something to be given out.
    pending_since: Option<Instant>,
    /// Whether some work has said that it is over.
    is_work_over: bool,
}

/// One stream, as far as it was read.
#[derive(Debug)]
struct Printed {
    stream: LogStream,
    lines: LineSplitter,
    /// The requests that an unfinished line may belong to, since they were being answered when it was begun.
    begun_by: Vec<RequestId>,
}

impl Printed {
    fn new(stream: LogStream) -> Self {
        Self { stream, lines: LineSplitter::default(), begun_by: Vec::new() }
    }

    /// Takes what was printed while these requests were being answered.
    fn push(&mut self, bytes: &[u8], requests: &[RequestId], sink: &mut LineSink) {
        let Self { stream, lines, begun_by } = self;
        lines.push(bytes, |line| {
            sink.take(*stream, line, &together(begun_by, requests));
            begun_by.clear();
        });
        if lines.is_unfinished() {
            *begun_by = together(begun_by, requests);
        }
    }

    /// Gives out what is unfinished.
    fn finish(&mut self, sink: &mut LineSink) {
        let Self { stream, lines, begun_by } = self;
        lines.finish(|line| sink.take(*stream, line, begun_by));
        begun_by.clear();
    }
}

/// Both, each once, sorted.
fn together(some: &[RequestId], others: &[RequestId]) -> Vec<RequestId> {
    let mut ids = [some, others].concat();
    ids.sort_unstable();
    ids.dedup();
    ids
}

impl Capture {
    pub(super) fn new(journal: Journal) -> Self {
        Self {
            stdout: Printed::new(LogStream::Stdout),
            stderr: Printed::new(LogStream::Stderr),
            sink: LineSink::new(journal),
            buffer: vec![0; READ_BYTES].into_boxed_slice(),
            pending_since: None,
            is_work_over: false,
        }
    }

    /// Reads what there is, with at most `most_reads` of each stream.
    pub(super) fn read(&mut self, pipes: &Pipes, requests: &Mutex<ActiveRequests>, most_reads: usize) -> Turn {
        let mut lingering = lock(requests).lingering();
        let mut turn = self.read_both(pipes, requests, most_reads);
        if std::mem::take(&mut self.is_work_over) && turn == Turn::Drained {
            // What it printed on the other stream before that is there by now.
            lingering = lock(requests).lingering();
            turn = self.read_both(pipes, requests, most_reads);
        }
        let is_pending = [&self.stdout, &self.stderr].iter().any(|printed| printed.lines.is_unfinished());
        self.pending_since = (is_pending || self.sink.rate.has_dropped()).then(Instant::now);
        if turn == Turn::Drained {
            lock(requests).settle(lingering);
        }
        turn
    }

    fn read_both(&mut self, pipes: &Pipes, requests: &Mutex<ActiveRequests>, most_reads: usize) -> Turn {
        let stdout = self.read_stream(LogStream::Stdout, &pipes.stdout, requests, most_reads);
        let stderr = self.read_stream(LogStream::Stderr, &pipes.stderr, requests, most_reads);
        if (stdout, stderr) == (Turn::Drained, Turn::Drained) { Turn::Drained } else { Turn::More }
    }

    /// Reads what a process left that is gone, and gives out what is unfinished. The pipes may be held open by a process
    /// that left the group, so the rest is what is there now, not what comes until their end.
    pub(super) fn finish(&mut self, pipes: &Pipes, requests: &Mutex<ActiveRequests>) {
        self.read_stream(LogStream::Stdout, &pipes.stdout, requests, READS_PER_TURN);
        self.read_stream(LogStream::Stderr, &pipes.stderr, requests, READS_PER_TURN);
        self.give_out(lock(requests).current(Instant::now()));
    }

    /// When something was last read, if that left an unfinished line or drops that nothing was said of.
    pub(super) const fn pending_since(&self) -> Option<Instant> {
        self.pending_since
    }

    /// Gives out what is unfinished, and says what was dropped while these requests are being answered.
    pub(super) fn give_out(&mut self, requests: Vec<RequestId>) {
        self.stdout.finish(&mut self.sink);
        self.stderr.finish(&mut self.sink);
        self.sink.note_dropped(requests);
        self.pending_since = None;
    }

    /// What was said of work that goes on.
    pub(super) const fn work(&self) -> Work {
        self.sink.work
    }

    /// The last lines, oldest first.
    pub(super) fn tail(&self) -> Vec<String> {
        self.sink.tail.lines()
    }

    fn read_stream(
        &mut self,
        stream: LogStream,
        pipe: &Pipe,
        instance: &Mutex<ActiveRequests>,
        most_reads: usize,
    ) -> Turn {
        let Self { stdout, stderr, sink, buffer, is_work_over, .. } = self;
        let printed = match stream {
            LogStream::Stdout => stdout,
            LogStream::Stderr => stderr,
        };
        for _ in 0..most_reads {
            let Piece::Bytes(length) = pipe.read(buffer) else { return Turn::Drained };
            let requests = lock(instance).current(Instant::now());
            printed.push(&buffer[..length], &requests, sink);
            for mark in sink.marks.drain(..) {
                *is_work_over |= matches!(mark, Mark::IsOver(_));
                lock(instance).note(mark, Instant::now());
            }
        }
        Turn::More
    }
}

fn lock(requests: &Mutex<ActiveRequests>) -> std::sync::MutexGuard<'_, ActiveRequests> {
    requests.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where finished lines go.
#[derive(Debug)]
struct LineSink {
    journal: Journal,
    tail: Tail,
    rate: LogRate,
    work: Work,
    /// What launchers have said of single pieces of work, which nobody has noted yet.
    marks: Vec<Mark>,
}

impl LineSink {
    fn new(journal: Journal) -> Self {
        let rate = LogRate::new(Instant::now());
        Self { journal, tail: Tail::default(), rate, work: Work::Unsaid, marks: Vec::new() }
    }

    fn take(&mut self, stream: LogStream, mut line: Line<'_>, requests: &[RequestId]) {
        if let Some((before, mark)) = Mark::at_end(line.bytes) {
            match mark {
                Mark::GoesOn => self.work = Work::GoesOn,
                Mark::Begins(_) | Mark::IsOver(_) => self.marks.push(mark),
            }
            if before.is_empty() {
                return;
            }
            line.bytes = before;
        }
        match self.rate.admit(line.bytes.len(), Instant::now()) {
            Verdict::Drop => return self.journal.dropped(line.bytes.len() as u64 + 1),
            Verdict::Keep => {}
            Verdict::KeepAfterDropping(bytes) => self.say_dropped(bytes, requests.to_vec()),
        }
        if line.cut_bytes > 0 {
            self.journal.dropped(line.cut_bytes as u64);
        }
        let cut = if line.cut_bytes > 0 { CutLine::AtItsBound } else { CutLine::No };
        let masked = self.journal.mask().apply(line.bytes, cut);
        let (level, message) = level_of(stream, &masked);
        let message = String::from_utf8_lossy(message).into_owned();
        self.tail.push(&message);
        self.journal.line(level, requests.to_vec(), stream, message, line.cut_bytes > 0);
    }

    fn note_dropped(&mut self, requests: Vec<RequestId>) {
        match self.rate.take_dropped() {
            0 => {}
            bytes => self.say_dropped(bytes, requests),
        }
    }

    fn say_dropped(&self, bytes: u64, requests: Vec<RequestId>) {
        let remark = format!("{bytes} bytes of output were dropped: the function printed faster than its log takes.");
        self.journal.remark(LogLevel::Warning, requests, remark);
    }
}
