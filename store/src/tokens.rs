//! Who may use the control API. Only hashes are kept: whoever reads the database learns no token.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use crate::database::column::Micros;
use crate::database::{Database, StateError};

/// The known tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    database: Arc<Database>,
}

impl Tokens {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// Remembers the SHA-256 of a token. A token that is known keeps its first role and name.
    pub fn add(&self, hash: [u8; 32], role: &str, name: &str, at: Timestamp) -> Result<(), StateError> {
        self.database.write(|transaction| {
            let sql =
                "INSERT INTO tokens (hash, role, name, created_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
            transaction.prepare_cached(sql)?.execute((hash, role, name, Micros(at)))?;
            Ok(())
        })
    }

    /// Remembers the SHA-256 of a token under a name and forgets every other token of that name, in one step: whoever lost a
    /// token and got another must not be opened to whoever found it.
    pub fn replace_named(&self, name: &str, hash: [u8; 32], role: &str, at: Timestamp) -> Result<(), StateError> {
        self.database.write(|transaction| {
            transaction.prepare_cached("DELETE FROM tokens WHERE name = ?1")?.execute([name])?;
            let sql = "INSERT INTO tokens (hash, role, name, created_at) VALUES (?1, ?2, ?3, ?4)";
            transaction.prepare_cached(sql)?.execute((hash, role, name, Micros(at)))?;
            Ok(())
        })
    }

    /// Whether a token with this SHA-256 is known. The lookup is by a hash that nobody can choose without the token, so
    /// how long it takes tells nothing.
    pub fn contains(&self, hash: &[u8; 32]) -> Result<bool, StateError> {
        self.database.read(|transaction| {
            let mut statement = transaction.prepare_cached("SELECT 1 FROM tokens WHERE hash = ?1")?;
            Ok(statement.exists([hash])?)
        })
    }

    /// Whether no token is known, as in a new data directory.
    pub fn is_empty(&self) -> Result<bool, StateError> {
        self.database.read(|transaction| {
            let any = transaction.query_row("SELECT 1 FROM tokens LIMIT 1", [], |_| Ok(())).optional()?;
            Ok(any.is_none())
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Durability, Store};

    use super::*;

    /// A token that takes the place of another leaves nothing of it, and others alone.
    #[test]
    fn replaced_tokens_are_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Durable).unwrap();
        let at = Timestamp::UNIX_EPOCH;
        store.tokens().add([1; 32], "admin", "owner", at).unwrap();
        store.tokens().add([2; 32], "viewer", "colleague", at).unwrap();
        store.tokens().replace_named("owner", [3; 32], "admin", at).unwrap();
        let known = [1, 2, 3].map(|byte| store.tokens().contains(&[byte; 32]).unwrap());
        assert_eq!(known, [false, true, true]);
    }

    /// A token that was added is known, also after the store was closed and opened again; no other is.
    #[test]
    fn added_tokens_are_known() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Durable).unwrap();
        assert!(store.tokens().is_empty().unwrap());
        store.tokens().add([7; 32], "admin", "owner", Timestamp::UNIX_EPOCH).unwrap();
        store.tokens().add([7; 32], "viewer", "again", Timestamp::UNIX_EPOCH).unwrap();
        drop(store);
        let store = Store::open(folder.path(), Durability::Durable).unwrap();
        assert!(!store.tokens().is_empty().unwrap());
        assert!(store.tokens().contains(&[7; 32]).unwrap());
        assert!(!store.tokens().contains(&[8; 32]).unwrap());
    }
}
