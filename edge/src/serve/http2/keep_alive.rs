//! Whether a visitor is still there: it finds those whose network is gone while events are sent to them.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use h2::{Ping, PingPong};
use tokio::time::{Instant, Sleep, sleep};

/// How often a visitor is asked whether they are there.
const ASKED_EVERY: Duration = Duration::from_secs(30);

/// How long their answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks a visitor now and then whether they are there.
pub(super) struct KeepAlive {
    ping_pong: PingPong,
    /// When they are asked next, or given up.
    due: Pin<Box<Sleep>>,
    question: Question,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Question {
    /// There is none, or it is answered.
    Settled,
    /// They were asked.
    Open,
}

impl KeepAlive {
    pub(super) fn new(ping_pong: PingPong) -> Self {
        Self { ping_pong, due: Box::pin(sleep(ASKED_EVERY)), question: Question::Settled }
    }

    /// Ready once a visitor has not answered in time.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if self.question == Question::Open && self.ping_pong.poll_pong(context).is_ready() {
                self.settle(Question::Settled, ASKED_EVERY);
            }
            ready!(self.due.as_mut().poll(context));
            if self.question == Question::Open {
                return Poll::Ready(());
            }
            // One that cannot be sent leaves with the connection, which says why.
            let next =
                if self.ping_pong.send_ping(Ping::opaque()).is_ok() { Question::Open } else { Question::Settled };
            self.settle(next, PATIENCE);
        }
    }

    fn settle(&mut self, question: Question, until: Duration) {
        self.question = question;
        self.due.as_mut().reset(Instant::now() + until);
    }
}
