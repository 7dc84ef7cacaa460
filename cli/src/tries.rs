//! How often a broken connection is made again, and when it is given up.

use std::time::Duration;

use ship_api::{ClientError, ErrorCode};
use tokio::time::Instant;

use crate::output::Output;

/// How long is waited before each try that follows one which got nothing on. After the last it is given up: together half a minute, in which a
/// host starts again and a network comes back.
const PAUSES: [Duration; 8] = [
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(8),
    Duration::from_secs(8),
];

/// How many of these a host gets that has not answered yet: nearly four seconds, in which a service manager starts one again. Whoever asks a host
/// that is down wants to know soon.
const FIRST_PAUSES: usize = 4;

/// How long after the first failure such a host is asked at all. One that was waited for in vain is asked once more and not four times.
const FIRST_PATIENCE: Duration = Duration::from_secs(4);

/// The tries of one thing that is asked of a host.
pub(crate) struct Tries<'o> {
    output: &'o Output,
    talk: Talk,
    /// How many in a row have got nothing on.
    in_vain: usize,
    failing_since: Option<Instant>,
    /// How many bytes the host lacked when it was last asked.
    left: Option<u64>,
}

/// How far the talk with a host is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Talk {
    /// It has not said anything yet, and may be down.
    Begins,
    /// It has answered this command before.
    GoesOn,
}

impl<'o> Tries<'o> {
    /// The tries of a question to a host that has answered before.
    pub(crate) fn new(output: &'o Output) -> Self {
        Self { output, talk: Talk::GoesOn, in_vain: 0, failing_since: None, left: None }
    }

    /// The tries of a command's first question.
    pub(crate) fn of_first_question(output: &'o Output) -> Self {
        Self { talk: Talk::Begins, ..Self::new(output) }
    }

    /// Notes how many bytes the host lacks. Fewer than before, and the tries are counted anew.
    pub(crate) fn are_left(&mut self, bytes: u64) {
        if self.left.is_some_and(|before| bytes < before) {
            self.in_vain = 0;
        }
        self.left = Some(bytes);
    }

    /// Asks until there is an answer that another try would not change.
    pub(crate) async fn ask<A>(mut self, question: impl AsyncFn() -> Result<A, ClientError>) -> Result<A, ClientError> {
        loop {
            match question().await {
                Ok(answer) => return Ok(answer),
                Err(error) => self.pause_after(error).await?,
            }
        }
    }

    /// Waits before another try, or gives the error back if it is none that passes, or enough were in vain.
    pub(crate) async fn pause_after(&mut self, error: ClientError) -> Result<(), ClientError> {
        if !self.may_pass(&error) {
            return Err(error);
        }
        let Some(pause) = self.pauses().get(self.in_vain) else { return Err(error) };
        self.failing_since.get_or_insert_with(Instant::now);
        if self.in_vain == 0 {
            self.output.warning(format_args!("{error}; connecting again, {}", self.how_long(&error)));
        } else {
            self.output.detail(format_args!("{error}"));
        }
        self.in_vain += 1;
        tokio::time::sleep(*pause).await;
        Ok(())
    }

    fn may_pass(&self, error: &ClientError) -> bool {
        match self.talk {
            Talk::GoesOn => error.is_cut() || is_lost(error),
            Talk::Begins => {
                let is_nowhere = matches!(error, ClientError::Unreachable { .. }) && !error.is_turned_away();
                let is_early = self.failing_since.is_none_or(|since| since.elapsed() < FIRST_PATIENCE);
                error.is_cut() && !is_nowhere && is_early
            }
        }
    }

    fn pauses(&self) -> &'static [Duration] {
        match self.talk {
            Talk::Begins => &PAUSES[..FIRST_PAUSES],
            Talk::GoesOn => &PAUSES,
        }
    }

    /// How long that is done, in words.
    const fn how_long(&self, error: &ClientError) -> &'static str {
        match (self.talk, error) {
            (Talk::Begins, ClientError::Silent { .. }) => "once",
            (Talk::Begins, _) => "for a few seconds",
            (Talk::GoesOn, _) => "for half a minute",
        }
    }
}

/// Whether the host has lost what an upload was going on with. What is missing has to be asked again.
pub(crate) fn is_lost(error: &ClientError) -> bool {
    matches!(error, ClientError::Refused { detail, .. } if detail.code == ErrorCode::UploadLost)
}

#[cfg(test)]
mod tests {
    use ship_api::{Client, ClientOptions};

    use super::*;

    /// It is given up after half a minute in which nothing got on; whatever gets on begins a new one. What a host refuses is not tried again.
    #[tokio::test(start_paused = true)]
    async fn given_up() {
        let output = Output::for_tests();
        let mut tries = Tries::new(&output);
        let began = Instant::now();
        tries.are_left(100);
        for _ in 0..PAUSES.len() {
            tries.pause_after(ClientError::Stalled).await.unwrap();
            tries.are_left(100);
        }
        assert!(tries.pause_after(ClientError::Stalled).await.is_err());
        assert_eq!(began.elapsed().as_millis(), 31_750);
        tries.are_left(99);
        tries.pause_after(ClientError::Stalled).await.unwrap();
        assert!(tries.pause_after(ClientError::AddressWithUser).await.is_err());
    }

    /// What a client says of an address at which no host answers.
    async fn unreachable(url: &str) -> ClientError {
        let client = Client::new(ClientOptions { base_url: url.to_owned(), token: None }).unwrap();
        client.whoami().await.unwrap_err()
    }

    /// A host that has not answered yet is given up after a few seconds, and at once where there is no way to it; one that was waited for in
    /// vain is asked once more.
    #[tokio::test(start_paused = true)]
    async fn first_question() {
        let output = Output::for_tests();
        let began = Instant::now();
        // A port of the system's own, at which nobody listens.
        let refused = async || Err::<(), _>(unreachable("http://127.0.0.1:1").await);
        let given_up = Tries::of_first_question(&output).ask(refused).await;
        assert!(matches!(given_up, Err(ClientError::Unreachable { .. })), "{given_up:?}");
        assert_eq!(began.elapsed().as_millis(), 3_750);

        let nowhere = unreachable("http://255.255.255.255").await;
        assert!(Tries::of_first_question(&output).pause_after(nowhere).await.is_err());

        let began = Instant::now();
        let silent = async || {
            tokio::time::sleep(Duration::from_secs(15)).await;
            Err::<(), _>(ClientError::Silent { url: String::new() })
        };
        assert!(Tries::of_first_question(&output).ask(silent).await.is_err());
        assert_eq!(began.elapsed().as_millis(), 30_250);
    }
}
