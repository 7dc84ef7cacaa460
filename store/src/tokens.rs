//! Who may use the control API. Only hashes are kept: whoever reads the database learns no token.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Row, Transaction};
use ship_core::{ProjectName, ProjectScope, Role, Scope, TokenId, TokenName, TrustId};

use crate::audit::{self, AuditNote};
use crate::database::column::{Micros, Text, kept};
use crate::database::{Database, StateError};

/// What is known of a token, which is everything but the token.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TokenRecord {
    /// Its public name.
    pub id: TokenId,
    /// Its SHA-256.
    pub hash: [u8; 32],
    /// What people call it.
    pub name: TokenName,
    /// What it is good for.
    pub scope: Scope,
    /// When it was made, in microseconds.
    pub created_at: Timestamp,
    /// The token that made it, none if the host did.
    pub created_by: Option<TokenId>,
    /// The trust that it was given to a job for, none if somebody made it.
    pub trust: Option<TrustId>,
    /// From when on it opens nothing, never if there is none.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, as far as that was written.
    pub last_used_at: Option<Timestamp>,
}

/// The known tokens.
#[derive(Debug, Clone)]
pub struct Tokens {
    database: Arc<Database>,
    note: Option<AuditNote>,
}

impl Tokens {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, note: None }
    }

    /// The same tokens: each change that is made through them stands in the audit log like this, or is not made.
    #[must_use]
    pub fn noting(&self, note: AuditNote) -> Self {
        Self { note: Some(note), ..self.clone() }
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> Result<Vec<TokenRecord>, StateError> {
        self.database.read(|transaction| {
            let sql = "SELECT id, hash, name, role, project, created_at, created_by, expires_at, last_used_at, trust
                       FROM tokens ORDER BY created_at, id";
            Ok(transaction.prepare_cached(sql)?.query_map([], to_token)?.collect::<Result<_, _>>()?)
        })
    }

    /// Remembers a token.
    pub fn add(&self, token: &TokenRecord) -> Result<(), StateError> {
        audit::write(&self.database, self.note.as_ref(), |()| true, |transaction| insert(transaction, token))
    }

    /// Remembers the owner's token and forgets the one before, in one step: whoever lost it and got another must not be opened
    /// to whoever found it.
    pub fn replace_owner(&self, id: TokenId, hash: [u8; 32], at: Timestamp) -> Result<(), StateError> {
        let scope = Scope { role: Role::Admin, projects: ProjectScope::All };
        let token = TokenRecord {
            id,
            hash,
            name: TokenName::owner(),
            scope,
            created_at: kept(at),
            created_by: None,
            trust: None,
            expires_at: None,
            last_used_at: None,
        };
        self.database.write(|transaction| {
            let sql = "DELETE FROM tokens WHERE name = ?1 AND created_by IS NULL";
            transaction.prepare_cached(sql)?.execute([Text(&token.name)])?;
            insert(transaction, &token)
        })
    }

    /// Forgets a token. Whether there was one.
    pub fn remove(&self, id: &TokenId) -> Result<bool, StateError> {
        audit::write(
            &self.database,
            self.note.as_ref(),
            |was_there| *was_there,
            |transaction| -> Result<bool, StateError> {
                Ok(transaction.prepare_cached("DELETE FROM tokens WHERE id = ?1")?.execute([Text(id)])? == 1)
            },
        )
    }

    /// Forgets the tokens that opened nothing any more at some time, those of jobs at another. How many there were.
    pub fn remove_expired(&self, before: Timestamp, of_jobs_before: Timestamp) -> Result<usize, StateError> {
        self.database.write(|transaction| {
            let sql = "DELETE FROM tokens WHERE expires_at < CASE WHEN trust IS NULL THEN ?1 ELSE ?2 END";
            Ok(transaction.prepare_cached(sql)?.execute((Micros(before), Micros(of_jobs_before)))?)
        })
    }

    /// Writes when tokens were last used.
    pub fn note_uses(&self, uses: &[(TokenId, Timestamp)]) -> Result<(), StateError> {
        self.database.write(|transaction| {
            let mut statement = transaction.prepare_cached("UPDATE tokens SET last_used_at = ?2 WHERE id = ?1")?;
            for (id, at) in uses {
                statement.execute((Text(id), Micros(*at)))?;
            }
            Ok(())
        })
    }
}

pub(crate) fn insert(transaction: &Transaction, token: &TokenRecord) -> Result<(), StateError> {
    let sql = "INSERT INTO tokens (id, hash, name, role, project, created_at, created_by, expires_at, last_used_at,
               trust) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    transaction.prepare_cached(sql)?.execute((
        Text(&token.id),
        token.hash,
        Text(&token.name),
        Text(&token.scope.role),
        token.scope.projects.only().map(Text),
        Micros(token.created_at),
        token.created_by.as_ref().map(Text),
        token.expires_at.map(Micros),
        token.last_used_at.map(Micros),
        token.trust.as_ref().map(Text),
    ))?;
    Ok(())
}

fn to_token(row: &Row) -> rusqlite::Result<TokenRecord> {
    let project: Option<Text<ProjectName>> = row.get(4)?;
    let created_by: Option<Text<TokenId>> = row.get(6)?;
    let expires_at: Option<Micros> = row.get(7)?;
    let last_used_at: Option<Micros> = row.get(8)?;
    let trust: Option<Text<TrustId>> = row.get(9)?;
    Ok(TokenRecord {
        id: row.get(0).map(|Text(id)| id)?,
        hash: row.get(1)?,
        name: row.get(2).map(|Text(name)| name)?,
        scope: Scope {
            role: row.get(3).map(|Text(role)| role)?,
            projects: project.map(|Text(project)| project).into(),
        },
        created_at: row.get(5).map(|Micros(at)| at)?,
        created_by: created_by.map(|Text(id)| id),
        trust: trust.map(|Text(id)| id),
        expires_at: expires_at.map(|Micros(at)| at),
        last_used_at: last_used_at.map(|Micros(at)| at),
    })
}

#[cfg(test)]
mod tests {
    use crate::{Durability, Store};

    use super::*;

    fn token(byte: u8) -> TokenRecord {
        TokenRecord {
            id: format!("token{byte:05}").parse().unwrap(),
            hash: [byte; 32],
            name: "continuous integration".parse().unwrap(),
            scope: Scope { role: Role::Deployer, projects: ProjectScope::One("blue".parse().unwrap()) },
            created_at: Timestamp::from_second(i64::from(byte)).unwrap(),
            created_by: Some("0123456789".parse().unwrap()),
            trust: None,
            expires_at: Some(Timestamp::from_second(100 + i64::from(byte)).unwrap()),
            last_used_at: None,
        }
    }

    /// What was added is there as it was, also after the store was closed and opened again; what was removed is not.
    #[test]
    fn added_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Durable).unwrap();
        store.tokens().add(&token(1)).unwrap();
        store.tokens().add(&token(2)).unwrap();
        let at = Timestamp::from_second(7).unwrap();
        store.tokens().note_uses(&[(token(2).id, at)]).unwrap();
        assert!(store.tokens().remove(&token(1).id).unwrap());
        assert!(!store.tokens().remove(&token(1).id).unwrap());
        drop(store);
        let store = Store::open(folder.path(), Durability::Durable).unwrap();
        assert_eq!(store.tokens().all().unwrap(), [TokenRecord { last_used_at: Some(at), ..token(2) }]);
        assert_eq!(store.tokens().remove_expired(Timestamp::from_second(102).unwrap(), Timestamp::MAX).unwrap(), 0);
        assert_eq!(store.tokens().remove_expired(Timestamp::from_second(103).unwrap(), Timestamp::MIN).unwrap(), 1);
    }

    /// The owner's new token leaves nothing of the one before, and others alone, whatever they are called.
    #[test]
    fn a_new_owner() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Durable).unwrap();
        let called_owner = TokenRecord { name: TokenName::owner(), ..token(1) };
        store.tokens().add(&called_owner).unwrap();
        for byte in [2, 3] {
            store.tokens().replace_owner(token(byte).id, [byte; 32], Timestamp::UNIX_EPOCH).unwrap();
        }
        let hashes: Vec<u8> = store.tokens().all().unwrap().iter().map(|token| token.hash[0]).collect();
        assert_eq!(hashes, [3, 1]);
    }
}
