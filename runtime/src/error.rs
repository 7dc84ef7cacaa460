//! What can go wrong between a request and a function's answer.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;
use ship_core::{FunctionName, PlatformError};

use crate::body::BoxError;

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitStatus {
    /// It exited by itself with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// The kernel did not say.
    Unknown,
}

impl ExitStatus {
    /// Whether it exited by itself and said that all went well.
    pub const fn is_success(self) -> bool {
        matches!(self, Self::Code(0))
    }
}

impl fmt::Display for ExitStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => match signal_name(*signal) {
                Some(name) => write!(f, "signal {signal} ({name})"),
                None => write!(f, "signal {signal}"),
            },
            Self::Unknown => f.write_str("an unknown status"),
        }
    }
}

/// The names of the signals that end functions in practice.
const fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// A request got no response from its function.
#[derive(Debug, thiserror::Error)]
pub enum InvokeError {
    /// The function was ready and took the request, and did not answer within its `timeout_secs`.
    #[error("the function did not answer in its time")]
    Timeout,
    /// The process was there and did not become ready within its `init_timeout_secs`.
    #[error("the function did not become ready in its time")]
    InitTimeout(#[source] Arc<Failure>),
    /// The process ended before it answered, or could not be started.
    #[error("the function failed")]
    Failed(#[source] Arc<Failure>),
    /// The process is alive, and its handler threw, panicked or returned an error before it had begun to answer.
    #[error("the function's handler failed")]
    HandlerFailed,
    /// The process is alive and closed the connection without an answer.
    #[error("the function closed the connection without an answer")]
    NoResponse,
    /// The answer is not HTTP/1.1, or is ambiguous where it ends.
    #[error("the function's answer is not valid HTTP")]
    InvalidResponse(#[source] Option<BoxError>),
    /// Every instance is busy and the queue is full, or the request waited too long in it, or the host is stopping.
    #[error("all instances are busy")]
    Throttled {
        /// When it is worth asking again, in seconds.
        retry_after_secs: u32,
    },
    /// The visitor stopped sending the request's body, or its body could not be read.
    #[error("the request's body could not be read")]
    RequestBody(#[source] Option<BoxError>),
}

impl From<Arc<Failure>> for InvokeError {
    fn from(failure: Arc<Failure>) -> Self {
        match failure.reason {
            FailureReason::NotReady { .. } => Self::InitTimeout(failure),
            _ => Self::Failed(failure),
        }
    }
}

impl InvokeError {
    /// The platform's error for the visitor.
    pub fn platform_error(&self) -> PlatformError {
        match self {
            Self::Timeout | Self::InitTimeout(_) => PlatformError::FunctionInvocationTimeout,
            Self::Failed(failure) => match failure.reason {
                FailureReason::OutOfMemory => PlatformError::FunctionOutOfMemory,
                _ => PlatformError::FunctionInvocationFailed,
            },
            Self::HandlerFailed => PlatformError::FunctionInvocationFailed,
            Self::NoResponse => PlatformError::NoResponseFromFunction,
            Self::InvalidResponse(_) => PlatformError::InvalidFunctionResponse,
            Self::Throttled { .. } => PlatformError::FunctionThrottled,
            Self::RequestBody(_) => PlatformError::MalformedRequest,
        }
    }
}

/// Why a process is not there any more, or never was.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub reason: FailureReason,
    /// The last lines it printed, oldest first; empty if it never ran.
    pub output: Vec<String>,
}

impl Failure {
    /// Whether the process ended by itself and said that all went well.
    pub(crate) const fn is_success(&self) -> bool {
        matches!(self.reason, FailureReason::Exited { status } if status.is_success())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.reason)
    }
}

/// What happened to a process.
#[derive(Debug, thiserror::Error)]
pub enum FailureReason {
    /// It ended by itself.
    #[error("its process ended with {status}")]
    Exited {
        /// How.
        status: ExitStatus,
    },
    /// It used all the memory that it may use, and was ended by the kernel.
    #[error("its process ran out of memory")]
    OutOfMemory,
    /// The platform ended it: another of its requests ran into the timeout, or the host is stopping.
    #[error("its process was ended by the platform")]
    Ended,
    /// It was not ready in its time, and was ended for it.
    #[error("its process was not ready in {init_timeout_secs} s, which is its `init_timeout_secs`")]
    NotReady {
        /// The time it had.
        init_timeout_secs: u32,
    },
    /// It could not be started.
    #[error("its process could not be started")]
    Spawn(#[source] SpawnError),
}

/// A process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The executable could not be run.
    #[error("cannot run {}", program.display())]
    Program {
        /// The executable.
        program: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// What runs its artifact is not installed.
    #[error("there is no `{name}` on this host")]
    NoInterpreter {
        /// The program.
        name: &'static str,
    },
    /// A name or value in its environment cannot stand in an environment.
    #[error("the environment variable {name:?} is empty, or has a `=` in its name or a NUL byte")]
    Environment {
        /// The variable.
        name: String,
    },
    /// The process could not be kept from the rest of the machine.
    #[error("cannot {step} for its process")]
    Confine {
        /// What was tried.
        step: String,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// There is no sandbox here, and functions are not to run without.
    #[error(
        "functions have no sandbox on this machine, and this host starts none without (`ship host --isolation process` does)"
    )]
    NoSandbox(#[source] Box<Self>),
    /// A socket, a pipe or a handle could not be made.
    #[error("cannot {action}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}

/// What a kernel answers that does not allow something, or does not have it. Others, such as a lack of memory, pass.
const NOT_ALLOWED: [Errno; 8] = [
    Errno::PERM,
    Errno::ACCESS,
    Errno::NOSYS,
    Errno::NOSPC,
    Errno::USERS,
    Errno::INVAL,
    Errno::NODEV,
    Errno::OPNOTSUPP,
];

impl SpawnError {
    /// Whether the machine does not allow a process to be kept from the rest of it, whenever that is tried.
    pub(crate) fn is_for_good(&self) -> bool {
        match self {
            Self::Confine { source, .. } => {
                NOT_ALLOWED.iter().any(|errno| source.raw_os_error() == Some(errno.raw_os_error()))
            }
            _ => false,
        }
    }
}

/// A function did not come up when it was asked to.
#[derive(Debug, thiserror::Error)]
#[error("function `{function}` does not start")]
pub struct StartError {
    /// The function.
    pub function: FunctionName,
    /// What happened, with the exit status and the last lines it printed where there are any.
    #[source]
    pub source: InvokeError,
}

impl StartError {
    /// The last lines that the function printed, oldest first.
    pub fn output(&self) -> &[String] {
        match &self.source {
            InvokeError::Failed(failure) | InvokeError::InitTimeout(failure) => &failure.output,
            _ => &[],
        }
    }
}

/// The runtime cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The descriptors that the host inherited cannot be kept from functions.
    #[error("cannot mark the inherited descriptors as close-on-exec")]
    Descriptors(#[source] io::Error),
    /// Its folder cannot be made, locked, read or cleaned.
    #[error("cannot {action} {}", path.display())]
    Folder {
        /// What was tried.
        action: &'static str,
        /// The path.
        path: PathBuf,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}
