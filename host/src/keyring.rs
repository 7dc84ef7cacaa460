//! The tokens that open this host, in memory: a wrong one costs no look at the disk, and one that is removed opens nothing from
//! that moment on.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use jiff::Timestamp;
use ship_store::{StateError, Store, TokenRecord};

use crate::token::TokenHash;

/// Every token of the host by its hash. Only hashes are compared, so the time a comparison takes says nothing of a token.
pub(crate) struct Keyring {
    known: RwLock<HashMap<TokenHash, Arc<TokenRecord>>>,
}

/// Why a token opens nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Refused {
    /// The host does not know it, or not any more.
    Unknown,
    /// Its time is over.
    Expired,
}

impl Keyring {
    /// The tokens that the store has.
    pub(crate) fn load(store: &Store) -> Result<Self, StateError> {
        let entry = |token: TokenRecord| (TokenHash(token.hash), Arc::new(token));
        Ok(Self { known: RwLock::new(store.tokens().all()?.into_iter().map(entry).collect()) })
    }

    /// Whose token it is.
    pub(crate) fn admit(&self, hash: TokenHash, now: Timestamp) -> Result<Arc<TokenRecord>, Refused> {
        let token = self.read().get(&hash).cloned().ok_or(Refused::Unknown)?;
        if token.expires_at.is_some_and(|end| end <= now) {
            return Err(Refused::Expired);
        }
        Ok(token)
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<TokenHash, Arc<TokenRecord>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}
