//! Who is logged in to the dashboard. Only hashes are kept, as of tokens: whoever reads the database cannot log in.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;
use ship_core::TokenId;

use crate::database::column::{Micros, Text};
use crate::database::{Database, StateError};

/// How many sessions a token has at once: more browsers than somebody sits at. The oldest goes for a further one.
const SESSIONS_OF_TOKEN: i64 = 20;

/// Somebody who is logged in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionRecord {
    /// The SHA-256 of what the browser has.
    pub hash: [u8; 32],
    /// The token that it is as good as. It ends with that.
    pub token: TokenId,
    /// When it began, in microseconds.
    pub created_at: Timestamp,
    /// From when on it opens nothing.
    pub expires_at: Timestamp,
}

/// The sessions.
#[derive(Debug, Clone)]
pub struct Sessions {
    database: Arc<Database>,
}

impl Sessions {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// Remembers a session, and forgets those that have ended. False if its token is gone.
    pub fn begin(&self, session: &SessionRecord) -> Result<bool, StateError> {
        self.database.write(|transaction| {
            let token = Text(&session.token);
            transaction
                .prepare_cached("DELETE FROM sessions WHERE expires_at <= ?1")?
                .execute([Micros(session.created_at)])?;
            let sql = "INSERT INTO sessions (hash, token, created_at, expires_at)
                       SELECT ?1, id, ?3, ?4 FROM tokens WHERE id = ?2";
            let times = (Micros(session.created_at), Micros(session.expires_at));
            let begun = transaction.prepare_cached(sql)?.execute((session.hash, token, times.0, times.1))? == 1;
            let sql = "DELETE FROM sessions WHERE token = ?1 AND hash NOT IN (
                           SELECT hash FROM sessions WHERE token = ?1 ORDER BY created_at DESC LIMIT ?2)";
            transaction.prepare_cached(sql)?.execute((Text(&session.token), SESSIONS_OF_TOKEN))?;
            Ok(begun)
        })
    }

    /// The token that a session is as good as, none if there is no such session at this time.
    pub fn token_of(&self, hash: [u8; 32], at: Timestamp) -> Result<Option<TokenId>, StateError> {
        self.database.read(|transaction| {
            let sql = "SELECT token FROM sessions WHERE hash = ?1 AND expires_at > ?2";
            let found = transaction.prepare_cached(sql)?.query_row((hash, Micros(at)), |row| row.get(0)).optional()?;
            Ok(found.map(|Text(id)| id))
        })
    }

    /// Ends a session. Whether there was one.
    pub fn end(&self, hash: [u8; 32]) -> Result<bool, StateError> {
        self.database.write(|transaction| {
            Ok(transaction.prepare_cached("DELETE FROM sessions WHERE hash = ?1")?.execute([hash])? == 1)
        })
    }
}

#[cfg(test)]
mod tests {
    use ship_core::{ProjectScope, Role, Scope};

    use super::*;
    use crate::{Durability, Store, TokenRecord};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn token() -> TokenRecord {
        TokenRecord {
            id: "0123456789".parse().unwrap(),
            hash: [9; 32],
            name: "somebody".parse().unwrap(),
            scope: Scope { role: Role::Viewer, projects: ProjectScope::All },
            created_at: at(0),
            created_by: None,
            trust: None,
            expires_at: None,
            last_used_at: None,
        }
    }

    fn session(byte: u8) -> SessionRecord {
        let created_at = at(i64::from(byte));
        SessionRecord { hash: [byte; 32], token: token().id, created_at, expires_at: at(100) }
    }

    /// A session lasts until it is ended, its time is over or its token is removed, also after the store was opened again.
    #[test]
    fn life_of_a_session() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Durable).unwrap();
        assert!(!store.sessions().begin(&session(1)).unwrap(), "there is no such token");
        store.tokens().add(&token()).unwrap();
        assert!(store.sessions().begin(&session(1)).unwrap());
        assert!(store.sessions().begin(&session(2)).unwrap());
        drop(store);
        let store = Store::open(folder.path(), Durability::Durable).unwrap();
        let of = |byte, second| store.sessions().token_of([byte; 32], at(second)).unwrap();
        assert_eq!((of(1, 99), of(1, 100), of(3, 1)), (Some(token().id), None, None));
        assert!(store.sessions().end([1; 32]).unwrap() && !store.sessions().end([1; 32]).unwrap());
        assert_eq!((of(1, 50), of(2, 50)), (None, Some(token().id)));
        assert!(store.tokens().remove(&token().id).unwrap());
        assert_eq!(of(2, 50), None);
    }

    /// A token has so many sessions and no more; the oldest goes.
    #[test]
    fn bounded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
        store.tokens().add(&token()).unwrap();
        let last = u8::try_from(SESSIONS_OF_TOKEN + 1).unwrap();
        for byte in 1..=last {
            assert!(store.sessions().begin(&session(byte)).unwrap());
        }
        let of = |byte| store.sessions().token_of([byte; 32], at(50)).unwrap();
        assert_eq!((of(1).is_some(), of(2).is_some(), of(last).is_some()), (false, true, true));
    }
}
