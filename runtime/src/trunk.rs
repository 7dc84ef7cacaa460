//! One connection to an instance that carries small exchanges of many requests.
//!
//! A request without a body goes out in one frame, together with those of all other visitors that have one in this moment, and
//! small answers come back likewise: many calls cost one write and one read, on both sides. An answer that is large, or
//! streamed, or anything but plain is not carried: the function says that it is to be claimed, and it is asked for on a
//! connection of its own, which has its own flow control and ends when either side loses interest. Requests with bodies
//! never come here.
//!
//! An instance's launcher offers a trunk with its first answers; one that does not is asked in HTTP alone. The frames are
//! described in [`frame`].

mod driver;
mod frame;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

pub(crate) use driver::Driver;
pub(crate) use frame::ClaimNumber;
use frame::{CallNumber, FromFunction, write_cancel, write_request};

/// How many claims are too few to say anything about a function.
const CLAIMS_AT_LEAST: u32 = 16;

/// A connection that carries many calls, for those who have one to make. Another does the reading and writing: its
/// [`Driver`].
#[derive(Clone)]
pub(crate) struct Trunk {
    shared: Arc<Shared>,
}

struct Shared {
    /// How long a function may take to answer.
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: HashMap<CallNumber, Slot>,
    /// Calls that nobody waits for any more, which the function may still speak of: once of a claim, once of the end.
    given_up: HashMap<CallNumber, Remaining>,
    next: CallNumber,
    /// Frames that are to be written.
    out: Vec<u8>,
    /// How many bytes were ever put there.
    queued: u64,
    /// Wakes the driver.
    driver: Option<Waker>,
    is_over: bool,
    /// How many answers came here, and how many had to be claimed.
    carried: u32,
    claimed: u32,
}

/// A call that is under way.
struct Slot {
    deadline: Instant,
    /// Where its frame begins, in bytes that were ever queued.
    begins: u64,
    progress: Progress,
}

/// What may still be said of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Remaining {
    ClaimAndEnd,
    End,
}

/// A function speaks of a call that there is not.
struct NoCall;

enum Progress {
    Waiting(Option<Waker>),
    Answered(Answer),
}

/// What became of a call.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The response, head and body.
    Whole(Bytes),
    /// It is there to be claimed.
    Claim(ClaimNumber),
    /// The handler gave up without one.
    Failed,
    /// The function took longer than it may.
    Late,
    /// The connection broke before anything of the request was written.
    Unsent,
    /// The connection broke later.
    Broken,
}

impl Trunk {
    /// Makes a call of the head of a request. `None` if the trunk takes none.
    pub(crate) fn call(&self, head: &[u8]) -> Option<Call> {
        self.call_with(|out| out.extend_from_slice(head))
    }

    /// The same with a head that is written where it is sent from.
    pub(crate) fn call_with(&self, write_head: impl FnOnce(&mut Vec<u8>)) -> Option<Call> {
        let mut state = self.shared.state();
        if state.is_over || state.is_unwanted() {
            return None;
        }
        let number = state.next;
        state.next = state.next.following();
        let begins = state.queued;
        state.queue(|out| write_request(out, number, write_head));
        let deadline = Instant::now() + self.shared.timeout;
        state.calls.insert(number, Slot { deadline, begins, progress: Progress::Waiting(None) });
        drop(state);
        Some(Call { shared: Arc::clone(&self.shared), number, stage: Stage::Asked })
    }
}

/// A call under way. Dropping it before its end tells the function that nobody waits for the answer any more.
pub(crate) struct Call {
    shared: Arc<Shared>,
    number: CallNumber,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// There is no answer yet.
    Asked,
    /// The answer waits to be claimed.
    Claiming,
    /// It is over, or goes on somewhere else.
    Over,
}

impl Call {
    /// Waits for the answer. To be asked once.
    pub(crate) async fn answer(&mut self) -> Answer {
        poll_fn(|cx| self.poll_answer(cx)).await
    }

    /// The same. To be asked until it is there.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        let mut state = self.shared.state();
        let Some(slot) = state.calls.get_mut(&self.number) else { return Poll::Ready(Answer::Broken) };
        if let Progress::Waiting(waker) = &mut slot.progress {
            if !waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                *waker = Some(cx.waker().clone());
            }
            return Poll::Pending;
        }
        let Some(Slot { progress: Progress::Answered(answer), .. }) = state.calls.remove(&self.number) else {
            return Poll::Ready(Answer::Broken);
        };
        self.stage = match answer {
            Answer::Claim(_) => Stage::Claiming,
            // The function is still at it.
            Answer::Late => Stage::Asked,
            Answer::Whole(_) | Answer::Failed | Answer::Unsent | Answer::Broken => Stage::Over,
        };
        Poll::Ready(answer)
    }

    /// The answer was claimed: the call ends with the connection that it was claimed on.
    pub(crate) fn was_claimed(mut self) {
        self.stage = Stage::Over;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if self.stage == Stage::Over {
            return;
        }
        let mut state = self.shared.state();
        let slot = state.calls.remove(&self.number);
        let has_ended = slot
            .as_ref()
            .is_some_and(|slot| matches!(slot.progress, Progress::Answered(Answer::Whole(_) | Answer::Failed)));
        if !state.is_over && !has_ended {
            let number = self.number;
            let is_claimed = self.stage == Stage::Claiming
                || slot.is_some_and(|slot| matches!(slot.progress, Progress::Answered(Answer::Claim(_))));
            state.given_up.insert(number, if is_claimed { Remaining::End } else { Remaining::ClaimAndEnd });
            state.queue(|out| write_cancel(out, number));
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether so many answers have to be claimed that asking here is a detour.
    const fn is_unwanted(&self) -> bool {
        self.claimed >= CLAIMS_AT_LEAST && self.claimed > self.carried / 4
    }

    fn queue(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.out.len();
        write(&mut self.out);
        self.queued += (self.out.len() - before) as u64;
        if before == 0
            && let Some(driver) = &self.driver
        {
            driver.wake_by_ref();
        }
    }

    /// Hands an answer to whoever waits for it. Nobody may: calls are given up.
    fn answer(&mut self, number: CallNumber, answer: Answer) {
        let Some(slot) = self.calls.get_mut(&number) else { return };
        if let Progress::Waiting(waker) = std::mem::replace(&mut slot.progress, Progress::Answered(answer))
            && let Some(waker) = waker
        {
            waker.wake();
        }
    }

    /// Takes what the function says. Whatever it says of no call would be read for nobody, as much of it as it likes.
    fn deliver(&mut self, number: CallNumber, said: FromFunction) -> Result<(), NoCall> {
        match self.calls.get(&number).map(|slot| &slot.progress) {
            Some(Progress::Waiting(_) | Progress::Answered(Answer::Late)) => {}
            Some(Progress::Answered(_)) => return Err(NoCall),
            None => return self.deliver_to_nobody(number, &said),
        }
        let answer = match said {
            FromFunction::Response(bytes) => Answer::Whole(bytes),
            FromFunction::Claim(claim) => Answer::Claim(claim),
            FromFunction::Failure => Answer::Failed,
        };
        match answer {
            Answer::Claim(_) => self.claimed += 1,
            _ => self.carried = self.carried.saturating_add(1),
        }
        self.answer(number, answer);
        Ok(())
    }

    fn deliver_to_nobody(&mut self, number: CallNumber, said: &FromFunction) -> Result<(), NoCall> {
        let remaining = self.given_up.remove(&number).ok_or(NoCall)?;
        match (said, remaining) {
            (FromFunction::Claim(_), Remaining::ClaimAndEnd) => {
                self.given_up.insert(number, Remaining::End);
                Ok(())
            }
            (FromFunction::Claim(_), Remaining::End) => Err(NoCall),
            (FromFunction::Response(_) | FromFunction::Failure, _) => Ok(()),
        }
    }

    /// Tells those that have waited too long, and says when the next will have.
    fn end_late(&mut self, now: Instant) -> Option<Instant> {
        let waits = |slot: &Slot| matches!(slot.progress, Progress::Waiting(_));
        let is_late = |(number, slot): (&CallNumber, &Slot)| (waits(slot) && slot.deadline <= now).then_some(*number);
        let late: Vec<CallNumber> = self.calls.iter().filter_map(is_late).collect();
        for number in late {
            self.answer(number, Answer::Late);
        }
        self.calls.values().filter(|slot| waits(slot)).map(|slot| slot.deadline).min()
    }

    /// The connection is no more, after `written` bytes.
    fn end(&mut self, written: u64) {
        self.is_over = true;
        self.out = Vec::new();
        let numbers: Vec<(CallNumber, u64)> = self.calls.iter().map(|(number, slot)| (*number, slot.begins)).collect();
        for (number, begins) in numbers {
            let is_waiting = matches!(self.calls.get(&number), Some(Slot { progress: Progress::Waiting(_), .. }));
            if is_waiting {
                self.answer(number, if begins >= written { Answer::Unsent } else { Answer::Broken });
            }
        }
    }
}
