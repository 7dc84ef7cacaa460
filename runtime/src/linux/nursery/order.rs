//! What is said between the host, the nursery and a cell.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use ship_core::FunctionLimits;

/// How many files `/dev/shm` holds at the most: what is there is shared memory, of which a program has a few pieces.
const MOST_SHM_FILES: u32 = 4096;

/// How much of the machine a cell is kept from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub enum Isolation {
    /// Resource limits, no new privileges, a filter of system calls and of paths; but the machine's own processes, users and
    /// network.
    Process,
    /// Namespaces of its own besides: its own root folder, processes, users, host name and network.
    Sandbox,
}

impl Isolation {
    /// The word used in options and output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Sandbox => "sandbox",
        }
    }
}

/// Whose network a cell sees.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum CellNetwork {
    /// One of its own, with nothing in it. What it connects to outside is asked of the host, which decides.
    Own,
    /// The machine's.
    Host,
}

/// What makes one prepared cell as good as another.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(crate) isolation: Isolation,
    pub(crate) network: CellNetwork,
    /// The folder below which functions' folders stand. None of it can be seen but the function's own.
    pub(crate) artifacts: PathBuf,
    /// The folder below which caches of code stand. None of it can be seen but the function's own.
    pub(crate) caches: PathBuf,
    /// Files and folders that can be seen beside the system's: those of an interpreter.
    pub(crate) visible: Vec<PathBuf>,
    /// The folder of what is run while the cell waits, if anything is.
    pub(crate) prelude: Option<PathBuf>,
    /// What runs in the cell while it waits; the function's own program is started when it is known, if there is none.
    pub(crate) boot: Option<Boot>,
}

impl Recipe {
    /// Whether what runs in the cell has its first connection from its start.
    pub(crate) fn inherits_connection(&self) -> bool {
        self.boot.as_ref().is_some_and(|boot| boot.first_connection == FirstConnection::Inherited)
    }
}

/// A program that is started before its function is known, and that reads which one it is from descriptor 4.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) struct Boot {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
    pub(crate) first_connection: FirstConnection,
}

/// How a program that was started ahead comes to the connection with its first request.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub(crate) enum FirstConnection {
    /// It accepts it, like all others.
    Accepted,
    /// It has it from its start, as [`CONNECTION_FD`](super::CONNECTION_FD): to listen and to accept takes an interpreter longer than an answer.
    Inherited,
}

/// What the host asks of the nursery: a cell. With it come the cell's end of its control socket, its listening socket, its
/// output and its errors, its first connection if it inherits that, and after them files that take its process id: the control groups that it is to be in.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    pub(crate) recipe: Recipe,
    /// The user outside of the cell as which functions run, where the host may choose.
    pub(crate) user: u32,
    pub(crate) doorkeeper: Doorkeeper,
}

/// Who keeps out whoever connects to a socket that the host has given to a cell: its connection may have failed, and then it can listen
/// on the machine's addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Doorkeeper {
    /// A filter of the socket's own, and no port to listen at.
    Kernel,
    /// The host, which is asked before a socket listens. That costs the start of an interpreter that does so half a millisecond.
    Host,
}

/// What the host tells a cell.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Which function it is, and what its program is to read, if that program has not been told already.
    Run(Box<Assignment>, Option<Box<Document>>),
    /// The function is to end: it gets SIGTERM.
    Terminate,
}

/// Which function a cell is to run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    /// The function's folder.
    pub(crate) root: PathBuf,
    /// The folders that links in it lead to, beside it.
    pub(crate) layers: Vec<PathBuf>,
    /// The most descriptors that a process of it may have open.
    pub(crate) max_files: u64,
    /// The most processes and threads that there may be of it.
    pub(crate) max_processes: u64,
    /// What its folders in memory hold.
    pub(crate) room: Room,
    /// Its cache of code, if it has one or is to make one.
    pub(crate) cache: Option<CodeCache>,
}

/// What the folders of a cell that are in memory hold at the most.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Room {
    /// The size of `/tmp`, in MiB.
    pub(crate) tmp_mb: u32,
    /// The files in it, and in `/dev/shm`.
    pub(crate) files: u32,
    /// The size of `/dev/shm`, in MiB.
    pub(crate) shm_mb: u32,
}

impl Room {
    /// What a function has under its limits.
    pub(crate) fn of(limits: &FunctionLimits) -> Self {
        Self { tmp_mb: limits.usable_tmp_mb(), files: limits.most_tmp_files(), shm_mb: limits.shm_mb() }
    }

    /// How `/tmp` is mounted.
    pub(super) fn of_tmp(self) -> String {
        format!("size={}m,nr_inodes={}", self.tmp_mb, self.files)
    }

    /// How `/dev/shm` is mounted.
    pub(super) fn of_shm(self) -> String {
        format!("size={}m,nr_inodes={}", self.shm_mb, self.files.min(MOST_SHM_FILES))
    }
}

/// A folder with compiled code.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum CodeCache {
    /// It is there.
    Made(PathBuf),
    /// The function is to fill one of its cell's, and to end.
    ToMake,
}

/// What the program that waits in a cell is told: it reads it on descriptor 4.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    /// The function's folder as the program sees it.
    pub(crate) root: PathBuf,
    /// The whole environment.
    pub(crate) env: BTreeMap<String, String>,
    /// What is executed, if nothing runs yet; relative paths start at the root.
    pub(crate) program: PathBuf,
    /// The arguments behind the program.
    pub(crate) arguments: Vec<String>,
    /// What the launcher of the function launches, if the program has that launcher itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) launch: Option<serde_json::Value>,
    /// What it may read beside the system's files, where no root folder of its own keeps it from the machine's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) readable: Vec<PathBuf>,
    /// Where the program finds its cache of code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code_cache: Option<PathBuf>,
    /// Whether it is to fill it, and to end.
    #[serde(default)]
    pub(crate) make_code_cache: bool,
    /// Whether it is to fork those that serve the function, and to serve nobody itself.
    #[serde(default)]
    pub(crate) zygote: bool,
}

impl Document {
    /// The line that a program reads which was started ahead.
    pub(crate) fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// What a cell tells the host.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Report {
    /// It waits for its function. With it come handles of its first process and of the function's process; if a program runs in it
    /// already, the pipe in which that reads which function it is; and if it has a network of its own the listener of its filter and
    /// the sockets for its questions about names (UDP, TCP).
    Ready,
    /// It could not be made, or cannot run its function.
    Failed { step: String, errno: i32 },
    /// The function's program could not be executed.
    NotExecuted { errno: i32 },
    /// The function's process has ended. With it comes the cache of code that it was to fill, if it was.
    Ended { code: Option<i32>, signal: Option<i32> },
}
