//! Which jobs of continuous integration get a token, and which identities they have had one for.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Row, Transaction};
use ship_core::{Issuer, JobConditions, Lifetime, ProjectName, Role, TokenId, TrustId};

use crate::audit::{self, AuditNote};
use crate::database::column::{Micros, Text};
use crate::database::{Database, MayBeFull, StateError};
use crate::tokens::{self, TokenRecord};

/// How many trusts a host has at most: each exchange looks at all of them.
const TRUSTS: i64 = 1_000;

/// How many tokens of one trust there are at once: far more than jobs that run at once, so that nobody who may start jobs fills the
/// host with tokens.
const TOKENS_OF_TRUST: i64 = 1_000;

/// Jobs that are trusted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustRecord {
    /// Its public name.
    pub id: TrustId,
    /// Who vouches for them.
    pub issuer: Issuer,
    /// What has to hold of them.
    pub conditions: JobConditions,
    /// How much they may.
    pub role: Role,
    /// In which project.
    pub project: ProjectName,
    /// How long their tokens live.
    pub lifetime: Lifetime,
    /// When it was declared, in microseconds.
    pub created_at: Timestamp,
    /// By which token.
    pub created_by: TokenId,
    /// From when on nobody gets a token for it, never if there is none.
    pub expires_at: Option<Timestamp>,
}

/// An identity that is good for one token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UsedIdentity {
    /// The SHA-256 of what names it.
    pub hash: [u8; 32],
    /// Until when it could be used again if nobody remembered it.
    pub until: Timestamp,
}

/// A trust was not declared.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// There is no room for another.
    #[error("the host has {TRUSTS} trusts already")]
    TooMany,
    /// The database.
    #[error(transparent)]
    State(#[from] StateError),
}

/// An identity was exchanged for no token.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// It was exchanged before.
    #[error("the identity was exchanged before")]
    Used,
    /// The trust was removed in this moment.
    #[error("the trust is gone")]
    Gone,
    /// The trust has as many tokens as one may have.
    #[error("{TOKENS_OF_TRUST} tokens of the trust are in use")]
    TooMany,
    /// The database.
    #[error(transparent)]
    State(#[from] StateError),
}

impl MayBeFull for TrustError {
    fn is_storage_full(&self) -> bool {
        matches!(self, Self::State(error) if error.is_storage_full())
    }
}

/// The trusts of a host.
#[derive(Debug, Clone)]
pub struct Trusts {
    database: Arc<Database>,
    note: Option<AuditNote>,
}

impl Trusts {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, note: None }
    }

    /// The same trusts: each change that is made through them stands in the audit log like this, or is not made.
    #[must_use]
    pub fn noting(&self, note: AuditNote) -> Self {
        Self { note: Some(note), ..self.clone() }
    }

    /// All of them, the oldest first.
    pub fn all(&self) -> Result<Vec<TrustRecord>, StateError> {
        self.database.read(|transaction| {
            let sql = "SELECT id, issuer, subject, repository, branch, environment, role, project, lifetime,
                              created_at, created_by, expires_at
                       FROM trusts ORDER BY created_at, id";
            Ok(transaction.prepare_cached(sql)?.query_map([], to_trust)?.collect::<Result<_, _>>()?)
        })
    }

    /// Remembers a trust.
    pub fn add(&self, trust: &TrustRecord) -> Result<(), TrustError> {
        audit::write(
            &self.database,
            self.note.as_ref(),
            |()| true,
            |transaction| {
                if count_all(transaction)? >= TRUSTS {
                    return Err(TrustError::TooMany);
                }
                Ok(insert(transaction, trust)?)
            },
        )
    }

    /// Forgets a trust and the tokens that were given for it, whose ids it says. `None` if there is no such trust.
    pub fn remove(&self, id: &TrustId) -> Result<Option<Vec<TokenId>>, StateError> {
        audit::write(&self.database, self.note.as_ref(), Option::is_some, |transaction| {
            if transaction.prepare_cached("DELETE FROM trusts WHERE id = ?1")?.execute([Text(id)])? == 0 {
                return Ok(None);
            }
            let sql = "DELETE FROM tokens WHERE trust = ?1 RETURNING id";
            let mut statement = transaction.prepare_cached(sql)?;
            let ids = statement.query_map([Text(id)], |row| row.get(0).map(|Text(id)| id))?;
            Ok(Some(ids.collect::<Result<_, _>>()?))
        })
    }

    /// Remembers the token that an identity is exchanged for, once: `token.trust` is the trust that it is for.
    pub fn exchange(&self, trust: &TrustId, token: &TokenRecord, used: UsedIdentity) -> Result<(), ExchangeError> {
        let exchange = |transaction: &Transaction| {
            let sql = "SELECT count(*) FROM trusts WHERE id = ?1";
            if count(transaction, sql, trust)? == 0 {
                return Err(ExchangeError::Gone);
            }
            if count(transaction, "SELECT count(*) FROM tokens WHERE trust = ?1", trust)? >= TOKENS_OF_TRUST {
                return Err(ExchangeError::TooMany);
            }
            let sql = "INSERT INTO used_identities (hash, until) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let mut statement = transaction.prepare_cached(sql).map_err(StateError::from)?;
            if statement.execute((used.hash, Micros(used.until))).map_err(StateError::from)? == 0 {
                return Err(ExchangeError::Used);
            }
            Ok(tokens::insert(transaction, token)?)
        };
        audit::write(&self.database, self.note.as_ref(), |()| true, exchange)
    }

    /// Forgets the identities that their issuers let nobody use any more at some time. How many there were.
    pub fn forget_used(&self, before: Timestamp) -> Result<usize, StateError> {
        // Mostly there is none, and looking costs the disk nothing.
        let sql = "SELECT EXISTS (SELECT 1 FROM used_identities WHERE until < ?1)";
        let query = |transaction: &Transaction| -> Result<bool, StateError> {
            Ok(transaction.prepare_cached(sql)?.query_row([Micros(before)], |row| row.get(0))?)
        };
        if !self.database.read(query)? {
            return Ok(0);
        }
        self.database.write(|transaction| {
            Ok(transaction.prepare_cached("DELETE FROM used_identities WHERE until < ?1")?.execute([Micros(before)])?)
        })
    }
}

fn count_all(transaction: &Transaction) -> Result<i64, StateError> {
    Ok(transaction.prepare_cached("SELECT count(*) FROM trusts")?.query_row([], |row| row.get(0))?)
}

fn count(transaction: &Transaction, sql: &str, trust: &TrustId) -> Result<i64, StateError> {
    Ok(transaction.prepare_cached(sql)?.query_row([Text(trust)], |row| row.get(0))?)
}

fn insert(transaction: &Transaction, trust: &TrustRecord) -> Result<(), StateError> {
    let sql = "INSERT INTO trusts (id, issuer, subject, repository, branch, environment, role, project, lifetime,
                                   created_at, created_by, expires_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
    let conditions = &trust.conditions;
    transaction.prepare_cached(sql)?.execute((
        Text(&trust.id),
        Text(&trust.issuer),
        conditions.subject.as_ref().map(Text),
        conditions.repository.as_ref().map(Text),
        conditions.branch.as_ref().map(Text),
        conditions.environment.as_deref(),
        Text(&trust.role),
        Text(&trust.project),
        Text(&trust.lifetime),
        Micros(trust.created_at),
        Text(&trust.created_by),
        trust.expires_at.map(Micros),
    ))?;
    Ok(())
}

fn to_trust(row: &Row) -> rusqlite::Result<TrustRecord> {
    let conditions = JobConditions {
        subject: row.get::<_, Option<Text<_>>>(2)?.map(|Text(subject)| subject),
        repository: row.get::<_, Option<Text<_>>>(3)?.map(|Text(repository)| repository),
        branch: row.get::<_, Option<Text<_>>>(4)?.map(|Text(branch)| branch),
        environment: row.get(5)?,
    };
    Ok(TrustRecord {
        id: row.get(0).map(|Text(id)| id)?,
        issuer: row.get(1).map(|Text(issuer)| issuer)?,
        conditions,
        role: row.get(6).map(|Text(role)| role)?,
        project: row.get(7).map(|Text(project)| project)?,
        lifetime: row.get(8).map(|Text(lifetime)| lifetime)?,
        created_at: row.get(9).map(|Micros(at)| at)?,
        created_by: row.get(10).map(|Text(id)| id)?,
        expires_at: row.get::<_, Option<Micros>>(11)?.map(|Micros(at)| at),
    })
}

#[cfg(test)]
mod tests;
