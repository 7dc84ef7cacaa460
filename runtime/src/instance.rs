//! One instance: a process that runs a function, as everybody but its owner sees it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::SetOnce;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::error::{ExitStatus, Failure, FailureReason};
use crate::limits::{EXIT_STATUS_WAIT, WITNESSES_WAIT};
use crate::linux::cell::Ending;
use crate::linux::socket::SocketAddress;
use crate::linux::stream::FunctionSocket;
use crate::linux::warden::Warden;
use crate::memory::MemoryGauge;
use crate::output::Output;
use crate::stop::{Lenience, Stop};

/// Why the platform ended an instance that did not end by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum EndReason {
    /// It was not ready in its time.
    NotReady {
        /// The time it had, in seconds.
        init_timeout_secs: u32,
    },
    /// A request ran into its timeout.
    Timeout,
    /// It is not needed any more.
    Stopped,
}

/// A process that runs a function. Its supervisor owns the process; requests and the pool hold this.
#[derive(Debug)]
pub(crate) struct Instance {
    /// Its processes.
    pub(crate) warden: Warden,
    /// What is executed, for people.
    program: PathBuf,
    /// Where it listens.
    pub(crate) address: SocketAddress,
    /// When it was started, for people.
    pub(crate) started_at: Timestamp,
    /// When it was started.
    pub(crate) began: Instant,
    /// What memory it uses.
    pub(crate) memory: MemoryGauge,
    /// What it prints, and the requests it is answering.
    pub(crate) output: Output,
    /// When it was known to be ready.
    ready: SetOnce<Instant>,
    /// The requests that it was given before it was known to be ready, until they have seen what became of them.
    witnesses: TaskTracker,
    /// Where it is asked whether it is there, if it is.
    question: OnceLock<Weak<FunctionSocket>>,
    /// Why the platform ended it, if it did.
    end: OnceLock<EndReason>,
    /// Set to ask it to stop.
    stop: SetOnce<Stop>,
    /// How it ended; set when its output was read to the end.
    ending: SetOnce<Ending>,
}

impl Instance {
    pub(crate) fn new(warden: Warden, program: PathBuf, address: SocketAddress, output: Output) -> Self {
        Self {
            warden,
            program,
            address,
            started_at: Timestamp::now(),
            began: Instant::now(),
            memory: MemoryGauge::new(),
            output,
            ready: SetOnce::new(),
            witnesses: TaskTracker::new(),
            question: OnceLock::new(),
            end: OnceLock::new(),
            stop: SetOnce::new(),
            ending: SetOnce::new(),
        }
    }

    /// When it became ready, if it is.
    pub(crate) fn ready_since(&self) -> Option<Instant> {
        self.ready.get().copied()
    }

    /// Waits until it is ready.
    pub(crate) async fn became_ready(&self) -> Instant {
        *self.ready.wait().await
    }

    /// Notes that it has answered. The first note counts, and gives how long that took from its start; a second one loses the race or
    /// comes late, and says the same.
    pub(crate) fn set_ready(&self, now: Instant) -> Option<Duration> {
        self.ready.set(now).is_ok().then(|| now - self.began)
    }

    /// Held by a request until it has seen whether the instance reads it. None is needed of an instance that is ready.
    pub(crate) fn witness(&self) -> Option<TaskTrackerToken> {
        self.ready_since().is_none().then(|| self.witnesses.token())
    }

    /// Whether it was ready before its process ended, which is over. The first request that it read may have ended it: only that request
    /// sees so, at about the same time.
    pub(crate) async fn was_ready(&self) -> bool {
        self.witnesses.close();
        let known = async {
            tokio::select! {
                () = self.witnesses.wait() => {}
                _ = self.became_ready() => {}
            }
        };
        // Whoever does not get to look is not waited for: what is told of the end is for people.
        let _ = timeout(WITNESSES_WAIT, known).await;
        self.ready_since().is_some()
    }

    /// Notes where it is asked whether it is there.
    pub(crate) fn note_question(&self, socket: &Arc<FunctionSocket>) {
        // It is asked once.
        let _ = self.question.set(Arc::downgrade(socket));
    }

    /// Whether it was asked whether it is there, and has not read that.
    pub(crate) fn leaves_question(&self) -> bool {
        self.question.get().and_then(Weak::upgrade).is_some_and(|socket| !socket.is_read())
    }

    /// Stops it in order: SIGTERM, then SIGKILL after a grace.
    pub(crate) fn stop(&self, lenience: Lenience) {
        let _ = self.end.set(EndReason::Stopped);
        // Asking again changes nothing.
        let _ = self.stop.set(Stop { asked_at: Instant::now(), lenience });
    }

    /// Kills all of its processes, now.
    pub(crate) fn kill(&self, reason: EndReason) {
        let _ = self.end.set(reason);
        self.warden.kill();
    }

    /// Waits for [`Self::stop`].
    pub(crate) async fn stop_asked(&self) -> Stop {
        *self.stop.wait().await
    }

    /// Why the platform ended it, if it did.
    pub(crate) fn end_reason(&self) -> Option<EndReason> {
        self.end.get().copied()
    }

    /// What is executed, for people.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Notes how it ended.
    pub(crate) fn set_ending(&self, ending: Ending) {
        let _ = self.ending.set(ending);
    }

    /// Whether its end has been noted.
    pub(crate) fn has_ended(&self) -> bool {
        self.ending.get().is_some()
    }

    /// Waits until its end has been noted.
    pub(crate) async fn ended(&self) -> &Ending {
        self.ending.wait().await
    }

    /// Whether its process has begun to exit, or is gone.
    pub(crate) fn is_exiting(&self) -> bool {
        self.has_ended() || self.warden.is_exiting()
    }

    /// Why it is gone; `None` if it is not. To be asked when a connection to it broke: a process that has begun to exit gets
    /// a moment to finish, so that the answer has its status and its last words.
    pub(crate) async fn failure(&self) -> Option<Failure> {
        if !self.is_exiting() {
            return None;
        }
        let unknown = Ending::Exited(ExitStatus::Unknown);
        let ending = timeout(EXIT_STATUS_WAIT, self.ended()).await.unwrap_or(&unknown);
        Some(self.failure_with(ending))
    }

    /// Why it is gone, if its end has been noted.
    pub(crate) fn noted_failure(&self) -> Option<Failure> {
        self.ending.get().map(|ending| self.failure_with(ending))
    }

    fn failure_with(&self, ending: &Ending) -> Failure {
        let reason = match (self.end_reason(), ending) {
            (Some(EndReason::NotReady { init_timeout_secs }), _) => FailureReason::NotReady { init_timeout_secs },
            (Some(EndReason::Timeout | EndReason::Stopped), _) => FailureReason::Ended,
            (None, Ending::OutOfMemory) => FailureReason::OutOfMemory,
            (None, Ending::Exited(status)) => FailureReason::Exited { status: *status },
            (None, never) => never.spawn_error(&self.program).map_or(FailureReason::Ended, FailureReason::Spawn),
        };
        Failure { reason, output: self.output.tail() }
    }
}
