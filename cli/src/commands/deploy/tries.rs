//! How often a broken connection is made again, and when it is given up.

use std::time::Duration;

use ship_api::ClientError;

use super::upload::is_lost;
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

/// The tries of one upload.
pub(super) struct Tries<'o> {
    output: &'o Output,
    /// How many in a row have got nothing on.
    in_vain: usize,
    /// How many bytes the host lacked when it was last asked.
    left: Option<u64>,
}

impl<'o> Tries<'o> {
    pub(super) fn new(output: &'o Output) -> Self {
        Self { output, in_vain: 0, left: None }
    }

    /// Notes how many bytes the host lacks. Fewer than before, and the tries are counted anew.
    pub(super) fn are_left(&mut self, bytes: u64) {
        if self.left.is_some_and(|before| bytes < before) {
            self.in_vain = 0;
        }
        self.left = Some(bytes);
    }

    /// Waits before another try, or gives the error back if it is none that passes, or enough were in vain.
    pub(super) async fn pause_after(&mut self, error: ClientError) -> Result<(), ClientError> {
        if !error.is_cut() && !is_lost(&error) {
            return Err(error);
        }
        let Some(pause) = PAUSES.get(self.in_vain) else { return Err(error) };
        if self.in_vain == 0 {
            self.output.warning(format_args!("{error}; connecting again, for half a minute"));
        } else {
            self.output.detail(format_args!("{error}"));
        }
        self.in_vain += 1;
        tokio::time::sleep(*pause).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// It is given up after half a minute in which nothing got on; whatever gets on begins a new one. What a host refuses is not tried again.
    #[tokio::test(start_paused = true)]
    async fn given_up() {
        let output = Output::for_tests();
        let mut tries = Tries::new(&output);
        let began = tokio::time::Instant::now();
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
}
