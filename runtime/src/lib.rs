//! Function instances: start, invoke, scale, stop, and the capture of what they print.
//!
//! An instance is a process that runs a function's artifact: an HTTP/1.1 server on a Unix socket that it inherits. The
//! socket listens before the process exists, so the first request waits in the kernel and nobody polls for readiness.
//!
//! | module | holds |
//! |---|---|
//! | `runtime` | the public handle: every function by deployment and name |
//! | `at_once` | calls that warm functions take without anybody waiting for more than the answer |
//! | `invoke` | one request: clocks, second tries, what an answer may look like |
//! | `pool` | the instances of one function: scaling, queueing, stopping |
//! | `life` | the states of an instance, and what leads from one to the next |
//! | `pressure` | how many instances are stopped when memory runs short |
//! | `supervisor`, `instance` | one process: its owner, and what the others see of it |
//! | `launch` | what makes a prepared process a function |
//! | `background` | what is done beside requests, and where |
//! | `spares` | processes that are prepared before anybody needs them |
//! | `zygote` | processes that have loaded a function in Python and fork its instances |
//! | `network` | where functions may connect to |
//! | `code_cache` | what interpreters compile functions to |
//! | `connection`, `request`, `sending`, `body`, `upgraded` | one HTTP exchange |
//! | `vigil` | staying awake while calls follow each other closely |
//! | `trunk` | one connection for small exchanges of many requests |
//! | `wire` | HTTP/1.1 itself, without any I/O |
//! | `course`, `memory`, `meters` | what is known of a request's way, and of an instance's memory; what is counted |
//! | `interpreter` | the programs that run artifacts in Node and Python |
//! | `prelude` | what those programs do before it is known which function they will run |
//! | `output`, `journal` | what functions print, as log records |
//! | `linux` | everything that asks the operating system, and the only `unsafe` code of the project |
//!
//! This crate never reads the store, the network, a configuration or its own environment, knows no visitors and no routes,
//! and never forks the host.

mod at_once;
mod background;
mod body;
mod code_cache;
mod connection;
mod course;
mod early_hints;
mod environment;
mod error;
mod instance;
mod interpreter;
mod invoke;
mod journal;
mod launch;
mod life;
mod limits;
mod linux;
mod memory;
mod meters;
mod network;
mod output;
mod pool;
mod prelude;
mod pressure;
mod request;
mod runtime;
mod sending;
mod spares;
mod spec;
mod stop;
mod supervisor;
mod trunk;
mod upgraded;
mod vigil;
mod wire;
mod zygote;

pub use at_once::{AtOnce, BegunCall, CallAtOnce};
pub use body::{BodyError, BoxError, FunctionBody};
pub use code_cache::{CodeSweep, SweptCode};
pub use course::{ColdStart, Course};
pub use early_hints::{EarlyHints, Links, hint};
pub use environment::FunctionEnvironment;
pub use error::{ExitStatus, Failure, FailureReason, InvokeError, RuntimeError, SpawnError, StartError};
pub use interpreter::Interpreters;
pub use life::InstanceState;
pub use linux::cgroup::ControlGroupVersion;
pub use linux::holdings::Holdings;
pub use linux::message;
pub use linux::names::resolve_names_alone;
pub use linux::nursery::{Isolation, NURSERY_NAME, OWN_PROGRAM, nursery};
pub use linux::signals::{hold_signals, take_signals};
pub use linux::spawn::inherited;
pub use linux::turns::take_short_turns;
pub use meters::{ExitReason, RuntimeCounts};
pub use output::Mask;
pub use prelude::{KnownLauncher, KnownPackage};
pub use pressure::MemoryReading;
pub use runtime::{Probe, Runtime};
pub use spec::{CompiledCode, FunctionSpec, InstanceView, LogSink, Reach, RuntimeOptions};
pub use upgraded::Upgraded;
pub use vigil::keep_vigil;
pub use wire::WireError;
/// What must hold of any bytes on a connection. For tests and for fuzzing, for which `cargo fuzz` and `cargo xtask test --fuzz` set
/// this condition.
#[cfg(any(test, fuzzing))]
pub use wire::laws;
