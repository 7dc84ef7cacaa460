//! What is known of one request's way through its function: whether it waited for a start, how long the function took, and what
//! memory its instance uses.

use std::time::Duration;

use tokio::time::Instant;

use crate::instance::Instance;

/// What is known of one request's way through its function.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Course {
    /// How the start went that the request waited for, if it did.
    pub cold: Option<ColdStart>,
    /// From when the request was given to an instance that was ready until the head of the response was there. `None` where a first
    /// answer came so soon that nobody had seen the instance ready before: it is part of the start then.
    pub function: Option<Duration>,
    /// How much memory the instance had in use when it was last looked at, in bytes.
    pub memory_bytes: Option<u64>,
}

/// A start that a request waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ColdStart {
    /// How long the request waited for it.
    pub waited: Duration,
    /// From the start of the process until it was first seen to answer: when it answered a question of the host's, or a request.
    pub init: Duration,
}

/// When a request came and when it was given to an instance.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Departure {
    came: Instant,
    given: Instant,
    was_ready: bool,
}

impl Departure {
    /// A request that came at `came` is given to `instance` now.
    pub(crate) fn to(instance: &Instance, came: Instant) -> Self {
        Self { came, given: Instant::now(), was_ready: instance.ready_since().is_some_and(|ready| ready <= came) }
    }

    /// The head of the response is there now.
    pub(crate) fn arrive(self, instance: &Instance) -> Course {
        let now = Instant::now();
        let memory_bytes = instance.memory.in_use(now, || instance.warden.memory_bytes());
        if self.was_ready {
            return Course { cold: None, function: Some(now - self.given), memory_bytes };
        }
        let ready = instance.ready_since().unwrap_or(now);
        let cold = ColdStart {
            waited: ready.saturating_duration_since(self.came),
            init: ready.saturating_duration_since(instance.began),
        };
        let since = ready.max(self.given);
        let function = now.saturating_duration_since(since);
        Course { cold: Some(cold), function: (!function.is_zero()).then_some(function), memory_bytes }
    }
}
