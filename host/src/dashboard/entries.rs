//! Ways in that are good once: whoever has a token is given a code, and the browser that shows it within a minute is logged in. So a
//! command can open the dashboard without a token in an address, where histories keep it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ship_core::TokenId;

use crate::error::HostError;
use crate::token::{PlainToken, TokenHash};

/// How long a code waits for its browser.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How many wait at once; the oldest gives way. Only those with a token can make one.
const WAITING: usize = 100;

struct Entry {
    code: TokenHash,
    token: TokenId,
    until: Instant,
}

/// The codes that wait.
#[derive(Default)]
pub(crate) struct Entries {
    waiting: Mutex<Vec<Entry>>,
}

impl Entries {
    /// A code for a browser of whoever has a token.
    pub(crate) fn begin(&self, token: TokenId) -> Result<PlainToken, HostError> {
        let code = PlainToken::generate()?;
        let mut waiting = self.lock();
        if waiting.len() >= WAITING {
            waiting.remove(0);
        }
        waiting.push(Entry { code: code.hash(), token, until: Instant::now() + PATIENCE });
        Ok(code)
    }

    /// Uses a code up, and says whose it is.
    pub(crate) fn take(&self, code: TokenHash) -> Option<TokenId> {
        let mut waiting = self.lock();
        let place = waiting.iter().position(|entry| entry.code == code)?;
        Some(waiting.remove(place).token)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        waiting.retain(|entry| entry.until > now);
        waiting
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A code is good once, for the token that it was made with; so many wait and no more.
    #[test]
    fn single_use() {
        let entries = Entries::default();
        let token: TokenId = "0123456789".parse().unwrap();
        let code = entries.begin(token.clone()).unwrap();
        assert_eq!(entries.take(PlainToken::generate().unwrap().hash()), None);
        assert_eq!(entries.take(code.hash()), Some(token.clone()));
        assert_eq!(entries.take(code.hash()), None);
        let first = entries.begin(token.clone()).unwrap();
        for _ in 0..WAITING {
            let _ = entries.begin(token.clone()).unwrap();
        }
        assert_eq!((entries.take(first.hash()), entries.lock().len()), (None, WAITING));
    }
}
