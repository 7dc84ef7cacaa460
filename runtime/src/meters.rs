//! What a runtime counts of its instances, beside what each request is told of its own course.

use ship_core::{Counter, FunctionRuntime, Histogram, HistogramView};

use crate::instance::EndReason;
use crate::linux::cell::Ending;

/// The runtimes whose starts are told apart.
const RUNTIMES: [FunctionRuntime; 6] = [
    FunctionRuntime::Go,
    FunctionRuntime::Rust,
    FunctionRuntime::Node,
    FunctionRuntime::Bun,
    FunctionRuntime::Deno,
    FunctionRuntime::Python,
];

/// What a runtime counts.
#[derive(Debug, Default)]
pub(crate) struct Meters {
    inits: [Histogram; RUNTIMES.len()],
    exits: [Counter; ExitReason::ALL.len()],
    /// What functions printed faster than their log takes, in bytes.
    pub(crate) dropped_log_bytes: Counter,
}

/// What a runtime has counted.
#[derive(Clone, Debug)]
pub struct RuntimeCounts {
    /// How long instances took from the start of their process until they were first seen to answer, by what runs them.
    pub inits: Vec<(FunctionRuntime, HistogramView)>,
    /// How many processes have ended, by why.
    pub exits: Vec<(ExitReason, u64)>,
    /// How many bytes of output were dropped.
    pub dropped_log_bytes: u64,
    /// How many requests wait for an instance now.
    pub queue_depth: usize,
}

/// Why a process of a function has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExitReason {
    /// Nobody needed it any more.
    Stopped,
    /// By itself, without an error.
    Exited,
    /// By itself, with an error or a signal.
    Crashed,
    /// A request ran into its timeout.
    Timeout,
    /// It was not ready in its time.
    InitTimeout,
    /// There was no memory left for it.
    OutOfMemory,
    /// It never ran: it could not be executed, or not be kept from the machine.
    NotStarted,
}

impl ExitReason {
    const ALL: [Self; 7] = [
        Self::Stopped,
        Self::Exited,
        Self::Crashed,
        Self::Timeout,
        Self::InitTimeout,
        Self::OutOfMemory,
        Self::NotStarted,
    ];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::Exited => "exited",
            Self::Crashed => "crashed",
            Self::Timeout => "timeout",
            Self::InitTimeout => "init_timeout",
            Self::OutOfMemory => "out_of_memory",
            Self::NotStarted => "not_started",
        }
    }

    const fn of(end: Option<EndReason>, ending: &Ending) -> Self {
        match (end, ending) {
            (_, Ending::OutOfMemory) => Self::OutOfMemory,
            (_, Ending::NotExecuted { .. } | Ending::NotConfined { .. }) => Self::NotStarted,
            (Some(EndReason::NotReady { .. }), Ending::Exited(_)) => Self::InitTimeout,
            (Some(EndReason::Timeout), Ending::Exited(_)) => Self::Timeout,
            (Some(EndReason::Stopped), Ending::Exited(_)) => Self::Stopped,
            (None, Ending::Exited(status)) if status.is_success() => Self::Exited,
            (None, Ending::Exited(_)) => Self::Crashed,
        }
    }
}

impl Meters {
    /// An instance was first seen to answer, `init` after its start.
    pub(crate) fn became_ready(&self, runtime: FunctionRuntime, init: std::time::Duration) {
        if let Some(at) = RUNTIMES.iter().position(|known| *known == runtime) {
            self.inits[at].record(init);
        }
    }

    /// The process of an instance has ended.
    pub(crate) fn ended(&self, end: Option<EndReason>, ending: &Ending) {
        self.exits[ExitReason::of(end, ending) as usize].increment();
    }

    /// What was counted, with what waits now.
    pub(crate) fn counts(&self, queue_depth: usize) -> RuntimeCounts {
        RuntimeCounts {
            inits: RUNTIMES.iter().zip(&self.inits).map(|(runtime, init)| (*runtime, init.view())).collect(),
            exits: ExitReason::ALL.iter().zip(&self.exits).map(|(reason, exits)| (*reason, exits.value())).collect(),
            dropped_log_bytes: self.dropped_log_bytes.value(),
            queue_depth,
        }
    }
}
