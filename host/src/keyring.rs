//! The tokens that open this host, in memory: a wrong one costs no look at the disk, and one that is removed opens nothing from
//! that moment on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use jiff::Timestamp;
use ship_core::TokenId;
use ship_store::{StateError, Store, TokenRecord};
use tokio_util::sync::CancellationToken;

use crate::token::TokenHash;

/// Every token of the host by its hash. Only hashes are compared, so the time a comparison takes says nothing of a token.
pub(crate) struct Keyring {
    known: RwLock<HashMap<TokenHash, Arc<Key>>>,
}

/// A token that opens the host.
#[derive(Debug)]
pub(crate) struct Key {
    /// What is known of it.
    pub(crate) token: TokenRecord,
    /// Cancelled when it is removed, for what goes on for long.
    pub(crate) removed: CancellationToken,
    /// When it was last used, in microseconds since 1970.
    used: AtomicI64,
    /// The same, as the database has it.
    written: AtomicI64,
}

impl Key {
    pub(crate) fn new(token: TokenRecord) -> Self {
        let used = token.last_used_at.map_or(i64::MIN, Timestamp::as_microsecond);
        Self { token, removed: CancellationToken::new(), used: AtomicI64::new(used), written: AtomicI64::new(used) }
    }

    /// When it was last used, if it ever was.
    pub(crate) fn last_used_at(&self) -> Option<Timestamp> {
        Timestamp::from_microsecond(self.used.load(Ordering::Relaxed)).ok()
    }

    /// Whether it has expired before some time, as a token of a job before another.
    pub(crate) fn expired_before(&self, before: Timestamp, of_jobs_before: Timestamp) -> bool {
        let before = if self.token.trust.is_some() { of_jobs_before } else { before };
        self.token.expires_at.is_some_and(|end| end < before)
    }

    fn has_expired(&self, now: Timestamp) -> bool {
        self.token.expires_at.is_some_and(|end| end <= now)
    }
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
        let entry = |token: TokenRecord| (TokenHash(token.hash), Arc::new(Key::new(token)));
        Ok(Self { known: RwLock::new(store.tokens().all()?.into_iter().map(entry).collect()) })
    }

    /// Whose token it is. That it was used is remembered.
    pub(crate) fn admit(&self, hash: TokenHash, now: Timestamp) -> Result<Arc<Key>, Refused> {
        let key = self.read().get(&hash).cloned().ok_or(Refused::Unknown)?;
        if key.has_expired(now) {
            return Err(Refused::Expired);
        }
        key.used.fetch_max(now.as_microsecond(), Ordering::Relaxed);
        Ok(key)
    }

    /// The token that a session is as good as, if it opens anything still. That it was used is remembered.
    pub(crate) fn admit_session(&self, id: &TokenId, now: Timestamp) -> Option<Arc<Key>> {
        let key = self.get(id).filter(|key| !key.has_expired(now))?;
        key.used.fetch_max(now.as_microsecond(), Ordering::Relaxed);
        Some(key)
    }

    /// All of them, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<Key>> {
        let mut keys: Vec<Arc<Key>> = self.read().values().cloned().collect();
        keys.sort_by(|left, right| {
            (left.token.created_at, &left.token.id).cmp(&(right.token.created_at, &right.token.id))
        });
        keys
    }

    /// The one with this id.
    pub(crate) fn get(&self, id: &TokenId) -> Option<Arc<Key>> {
        self.read().values().find(|key| key.token.id == *id).cloned()
    }

    /// Takes a token that the store has from now on.
    pub(crate) fn add(&self, token: TokenRecord) {
        self.write().insert(TokenHash(token.hash), Arc::new(Key::new(token)));
    }

    /// Forgets a token that the store has not any more, and ends what goes on with it.
    pub(crate) fn remove(&self, id: &TokenId) {
        self.write().retain(|_, key| {
            let stays = key.token.id != *id;
            if !stays {
                key.removed.cancel();
            }
            stays
        });
    }

    /// Forgets what has expired before some time, tokens of jobs before another.
    pub(crate) fn remove_expired(&self, before: Timestamp, of_jobs_before: Timestamp) {
        self.write().retain(|_, key| !key.expired_before(before, of_jobs_before));
    }

    /// Which were used since this was last asked, and when.
    pub(crate) fn new_uses(&self) -> Vec<(TokenId, Timestamp)> {
        let new_use = |key: &Arc<Key>| {
            let used = key.used.load(Ordering::Relaxed);
            let written = key.written.swap(used, Ordering::Relaxed);
            let at = (written != used).then(|| Timestamp::from_microsecond(used).ok()).flatten()?;
            Some((key.token.id.clone(), at))
        };
        self.read().values().filter_map(new_use).collect()
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<TokenHash, Arc<Key>>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<TokenHash, Arc<Key>>> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use ship_core::{ProjectScope, Role, Scope};
    use ship_store::Durability;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn token(byte: u8, expires_at: Option<Timestamp>) -> TokenRecord {
        TokenRecord {
            id: format!("token{byte:05}").parse().unwrap(),
            hash: [byte; 32],
            name: "somebody".parse().unwrap(),
            scope: Scope { role: Role::Viewer, projects: ProjectScope::All },
            created_at: at(0),
            created_by: None,
            trust: None,
            expires_at,
            last_used_at: None,
        }
    }

    /// A token opens until its last moment or until it is removed, which ends what goes on with it; its uses are told once.
    #[test]
    fn life_of_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
        store.tokens().add(&token(1, Some(at(10)))).unwrap();
        let keyring = Keyring::load(&store).unwrap();
        let (first, second) = (TokenHash([1; 32]), TokenHash([2; 32]));
        assert!(keyring.new_uses().is_empty());
        assert!(keyring.admit(first, at(9)).is_ok());
        assert_eq!(keyring.admit(first, at(10)).unwrap_err(), Refused::Expired);
        assert_eq!(keyring.new_uses(), [(token(1, None).id, at(9))]);
        assert!(keyring.new_uses().is_empty());

        assert_eq!(keyring.admit(second, at(9)).unwrap_err(), Refused::Unknown);
        keyring.add(token(2, None));
        let admitted = keyring.admit(second, at(9)).unwrap();
        keyring.remove(&token(2, None).id);
        assert!(admitted.removed.is_cancelled());
        assert_eq!(keyring.admit(second, at(9)).unwrap_err(), Refused::Unknown);

        keyring.remove_expired(at(10), at(100));
        assert_eq!(keyring.all().len(), 1);
        keyring.remove_expired(at(11), at(0));
        assert!(keyring.all().is_empty());
    }
}
