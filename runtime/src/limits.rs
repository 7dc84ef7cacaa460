//! The bounds of the runtime, each with its reason. What a function's owner can choose is in [`ship_core::FunctionLimits`].

use std::time::Duration;

/// How many requests may wait for one function beyond what its instances can take at once. A burst of a thousand visitors
/// on a sleeping function must pass; a waiting request is its head and a few pointers, some kilobytes.
pub(crate) const QUEUE_BEYOND_CAPACITY: usize = 1024;

/// What a visitor who was turned away is told to wait at the least, in seconds: most bursts are over by then.
pub(crate) const RETRY_AFTER_LEAST_SECS: u32 = 1;

/// The same at the most: who waits for one answer a minute may have another instance, or another deployment, by then.
pub(crate) const RETRY_AFTER_MOST_SECS: u32 = 60;

/// When an instance that has not answered is asked whether it is there. Most have answered their first request by then and
/// are never asked; for the others it tells a slow start from a slow request.
pub(crate) const PROBE_AFTER: Duration = Duration::from_millis(50);

/// How much of a function's memory Go's collector is told of, in percent: what is left is for stacks of threads, files in `/tmp`, and what
/// the kernel keeps for it.
pub(crate) const GO_MEMORY_PERCENT: u64 = 90;

/// How often an instance that was started for a request is looked at: whether it has read that, and is at work on it.
pub(crate) const LOOK_WHETHER_AT_WORK: Duration = Duration::from_millis(20);

/// How long an instance may take to exit after SIGTERM. It has no request at that time, so this is for its own cleaning up; Vercel gives
/// half a second.
pub(crate) const STOP_GRACE: Duration = Duration::from_millis(600);

/// The same for one that says that it goes on after its responses, with `waitUntil` in JavaScript and background tasks in Python: the
/// launcher gives such work 30 s after SIGTERM (`WAIT_UNTIL_MS` in its template), and takes a moment to end after that.
pub(crate) const WORK_GRACE: Duration = Duration::from_secs(32);

/// How long an answer about a broken connection waits for the exit status of a process that has begun to exit. A process
/// writing its memory to disk may take long; the visitor should not.
pub(crate) const EXIT_STATUS_WAIT: Duration = Duration::from_secs(1);

/// How long what is told of a process that ended waits for its first requests to see whether it had read them. It is less than what they
/// wait for its status.
pub(crate) const WITNESSES_WAIT: Duration = Duration::from_millis(500);

/// The pause after the second start in a row that failed; it doubles with each further one. The first failure is tried
/// again at once, since whatever it was may be over.
pub(crate) const BACKOFF_FIRST: Duration = Duration::from_millis(100);

/// The longest pause between two starts: a function that was repaired from outside is back within it.
pub(crate) const BACKOFF_MOST: Duration = Duration::from_secs(5);

/// How long a failed start is remembered of a function that nobody asks: twice the longest pause, or whoever asks at intervals would have
/// it started at full speed.
pub(crate) const FAILURES_REMEMBERED: Duration = Duration::from_secs(10);

/// The shortest time an instance stays without a request, so that a value of zero does not start a process per request.
pub(crate) const IDLE_LEAST: Duration = Duration::from_secs(1);

/// The largest head of a response, in bytes: what browsers and proxies take. The count of headers is bounded to 100 by the
/// parser.
pub(crate) const MAX_RESPONSE_HEAD_BYTES: usize = 64 * 1024;

/// The longest line of output that is kept, in bytes; the rest of the line is dropped and the record says so.
pub(crate) const MAX_LINE_BYTES: usize = 256 * 1024;

/// How long nothing may be printed until a line without an end is logged as it is, and what was dropped is told.
pub(crate) const LINE_PAUSE: Duration = Duration::from_secs(1);

/// How much output one instance may log per second in the long run, in bytes: more than a person reads or a disk should
/// take from one process. What is beyond is read, counted and dropped, so the function never waits for its log.
pub(crate) const LOG_BYTES_PER_SEC: usize = 1024 * 1024;

/// How much output one instance may log at once after having been quiet, in bytes: a stack trace of every goroutine.
pub(crate) const LOG_BURST_BYTES: usize = 4 * 1024 * 1024;

/// What a line costs beside its bytes: the record around it. Without this, empty lines would be free.
pub(crate) const LOG_LINE_OVERHEAD_BYTES: usize = 128;

/// How many of the last lines are kept in memory to explain a failed start.
pub(crate) const TAIL_LINES: usize = 20;

/// How many of these are the first ones of the report of a crash, where that is longer than all of them.
pub(crate) const TAIL_REPORT_LINES: usize = 14;

/// How much of each of those lines is kept, in bytes.
pub(crate) const TAIL_LINE_BYTES: usize = 2 * 1024;

/// How much is read from a pipe at a time, in bytes: what a pipe holds.
pub(crate) const READ_BYTES: usize = 64 * 1024;

/// How many reads are done in a row before other work gets its turn.
pub(crate) const READS_PER_TURN: usize = 16;

/// How many requests that are over may wait for their last output to be read. Beyond it the oldest are no longer named in
/// the lines that follow.
pub(crate) const LINGERING_REQUESTS: usize = 64;

/// How long what goes on after a response is named in what is printed: far more than such work takes, and less than for ever where it
/// never ends.
pub(crate) const WORK_NAMED: Duration = Duration::from_mins(5);

/// How much is read from a function at a time, in bytes, and kept for each connection between two responses: most responses
/// are smaller.
pub(crate) const INBOX_BYTES: usize = 8 * 1024;

/// How much is read from a function at a time while a long body fills what there is room for: a local socket holds not much
/// more.
pub(crate) const INBOX_MOST_BYTES: usize = 64 * 1024;

/// How many headers a response may have: what parsers elsewhere take.
pub(crate) const MAX_RESPONSE_HEADERS: usize = 100;

/// The longest line before a chunk, in bytes: its size and what nobody reads.
pub(crate) const MAX_CHUNK_LINE_BYTES: usize = 4 * 1024;

/// The longest frame that a function may write on a trunk, in bytes: the largest head, and a body that a launcher holds back
/// until it is whole.
pub(crate) const MAX_TRUNK_FRAME_BYTES: usize = 256 * 1024;

/// How many requests a connection answers before a trunk that the function offers is opened beside it: a function that is
/// asked now and then needs none.
pub(crate) const TRUNK_AFTER: u32 = 16;

/// How many pieces are moved between a function and a visitor in one turn before other work gets its own.
pub(crate) const PIECES_PER_TURN: usize = 32;

/// The largest piece of a request's body that is written at a time, in bytes: so much is copied for each upload that is under
/// way.
pub(crate) const PIECE_BYTES: usize = 64 * 1024;

/// The largest head that the first piece of a body is put behind, in bytes, so that both go out at once.
pub(crate) const TOGETHER_BYTES: usize = 16 * 1024;

/// How many prepared processes of a kind wait when nothing is going on: one takes the next cold start.
pub(crate) const SPARES_LEAST: usize = 1;

/// How many wait at the most, however many cold starts there are.
pub(crate) const SPARES_MOST: usize = 8;

/// How many wait after the first cold start of programs that need no interpreter. They take next to no memory.
pub(crate) const EMPTY_SPARES_FIRST: usize = 8;

/// How many of these wait at the most.
pub(crate) const EMPTY_SPARES_MOST: usize = 16;

/// After how long without a cold start of its kind the number of prepared processes goes back to the least.
pub(crate) const SPARES_CALM: Duration = Duration::from_mins(1);

/// How long a process may take to be prepared. One takes milliseconds, and seconds on a machine that is used up; the program that
/// makes them is given up after this if it does not read its orders.
pub(crate) const SPARE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a taken process is not replaced if others are left: until then the processors are for the start that took it.
pub(crate) const SPARES_PAUSE: Duration = Duration::from_millis(25);

/// How long after a function's first start its code is compiled once more, to be kept.
pub(crate) const CACHE_PAUSE: Duration = Duration::from_millis(500);

/// How long the first instance of a function in Python has to take to start for others to be forked: below this a fork saves less
/// than the memory of what forks is worth.
pub(crate) const FORK_WORTH: Duration = Duration::from_millis(100);

/// How long after such a start what forks is prepared: by then the function's code is kept, and loads faster.
pub(crate) const FORK_PAUSE: Duration = Duration::from_secs(1);

/// How long a fork may take before an instance is started in the usual way.
pub(crate) const FORK_TIMEOUT: Duration = Duration::from_secs(1);

/// How often it is looked at what memory an instance uses where no control group limits it. A look takes some 100 µs.
pub(crate) const MEMORY_LOOK: Duration = Duration::from_millis(200);
