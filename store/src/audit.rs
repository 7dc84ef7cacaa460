//! The audit log: what was done to the host, by whom and from where, and what nobody was let do.
//!
//! A change is noted in the transaction that makes it, so there is none without its entry. The newest [`CHANGES_KEPT`] changes and
//! [`REFUSALS_KEPT`] refusals stay, which triggers of the database see to; they are apart, so that refusals, of which a stranger can
//! cause as many as they like, push no change out.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;
use rusqlite::{Row, Transaction};
use ship_core::{ProjectName, TokenId, TokenName};

use crate::database::column::{Micros, Text, signed};
use crate::database::{Database, MayBeFull, StateError};

/// How many changes are kept: years of a busy team, in some 20 MB.
const CHANGES_KEPT: i64 = 100_000;

/// How many refusals are kept.
const REFUSALS_KEPT: i64 = 10_000;

/// After how many entries the oldest go.
const CUT_EVERY: i64 = 1_000;

/// Whether something was done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuditOutcome {
    /// It was.
    Done,
    /// Whoever wanted it may not.
    Refused,
}

impl AuditOutcome {
    /// The word in the database and in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
        }
    }

    const fn table(self) -> (&'static str, i64) {
        match self {
            Self::Done => ("audit_log", CHANGES_KEPT),
            Self::Refused => ("refusal_log", REFUSALS_KEPT),
        }
    }
}

/// Something that was done or refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditEntry {
    /// When, in microseconds.
    pub at: Timestamp,
    /// Whose token it was, none where the host knows no such token.
    pub token: Option<(TokenId, TokenName)>,
    /// From where.
    pub peer: Option<IpAddr>,
    /// What, as a word.
    pub action: &'static str,
    /// To which project.
    pub project: Option<ProjectName>,
    /// To what of it: the id of a deployment or of a token, or the path of a request.
    pub resource: Option<String>,
    /// Whether it was done.
    pub outcome: AuditOutcome,
    /// The code that a refused request was answered with.
    pub code: Option<String>,
}

/// What is to be noted of a change. Clones are the same note: it is written once, whichever of them it is that is.
#[derive(Clone, Debug)]
pub struct AuditNote {
    entry: AuditEntry,
    settled: Arc<AtomicBool>,
}

impl AuditNote {
    /// A note that is not written yet.
    pub fn new(entry: AuditEntry) -> Self {
        Self { entry, settled: Arc::default() }
    }

    /// The same note about a certain thing.
    #[must_use]
    pub fn about(&self, resource: impl Into<String>) -> Self {
        let entry = AuditEntry { resource: Some(resource.into()), ..self.entry.clone() };
        Self { entry, settled: Arc::clone(&self.settled) }
    }

    /// The same note about something of a project.
    #[must_use]
    pub fn of(&self, project: Option<ProjectName>) -> Self {
        Self { entry: AuditEntry { project, ..self.entry.clone() }, settled: Arc::clone(&self.settled) }
    }

    /// Leaves it unwritten from now on: it stands in the log already, or nothing is to be noted.
    pub fn withdraw(&self) {
        self.settled.store(true, Ordering::Release);
    }

    /// What it says.
    pub(crate) fn entry(&self) -> &AuditEntry {
        &self.entry
    }

    /// What the token is called of whoever makes the change.
    pub(crate) fn token_name(&self) -> Option<&TokenName> {
        self.entry.token.as_ref().map(|(_, name)| name)
    }

    /// Whether it is written, or was found to be about nothing that changed.
    pub fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }
}

/// An entry as it stands in the log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AuditRecord {
    /// When.
    pub at: Timestamp,
    /// The id of the token.
    pub token: Option<String>,
    /// What the token was called then.
    pub token_name: Option<String>,
    /// From which address.
    pub peer: Option<String>,
    /// What, in a word of the version that wrote it.
    pub action: String,
    /// To which project.
    pub project: Option<String>,
    /// To what of it.
    pub resource: Option<String>,
    /// Whether it was done.
    pub outcome: String,
    /// The code of what was refused.
    pub code: Option<String>,
}

/// Which entries are wanted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AuditFilter {
    /// Only those about one project.
    pub project: Option<ProjectName>,
    /// Only those from a time on.
    pub since: Option<Timestamp>,
}

/// The audit log.
#[derive(Debug, Clone)]
pub struct Audit {
    database: Arc<Database>,
}

impl Audit {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// Writes entries that belong to no transaction. They are durable when this returns.
    pub fn append(&self, entries: &[AuditEntry]) -> Result<(), StateError> {
        self.database.write(|transaction| entries.iter().try_for_each(|entry| append(transaction, entry)))
    }

    /// Writes a note that no transaction has written. What it says has happened, so on a full disk the room that is kept for
    /// removing something is given to it.
    pub fn settle(&self, note: &AuditNote) -> Result<(), StateError> {
        if note.is_settled() {
            return Ok(());
        }
        write_making_room(&self.database, Some(note), |_| Ok(()))
    }

    /// The `limit` newest entries that fit, newest first.
    pub fn newest(&self, filter: &AuditFilter, limit: usize) -> Result<Vec<AuditRecord>, StateError> {
        let columns = "at, token, token_name, peer, action, project, resource, outcome, code, sequence";
        let fits = "(?1 IS NULL OR project = ?1) AND (?2 IS NULL OR at >= ?2)";
        let part = |table| {
            format!("SELECT * FROM (SELECT {columns} FROM {table} WHERE {fits} ORDER BY sequence DESC LIMIT ?3)")
        };
        let [done, refused] = [AuditOutcome::Done, AuditOutcome::Refused].map(|outcome| part(outcome.table().0));
        let sql = format!("{done} UNION ALL {refused} ORDER BY at DESC, outcome, sequence DESC LIMIT ?3");
        let parameters = (filter.project.as_ref().map(Text), filter.since.map(Micros), signed(limit as u64));
        self.database.read(|transaction| {
            Ok(transaction.prepare_cached(&sql)?.query_map(parameters, to_record)?.collect::<Result<_, _>>()?)
        })
    }
}

/// Writes in one transaction, and with it the note if there is one and `is_change` says that something has changed. Afterwards the
/// note is settled either way.
pub(crate) fn write<T, E: From<StateError>>(
    database: &Database,
    note: Option<&AuditNote>,
    is_change: impl FnOnce(&T) -> bool,
    change: impl FnOnce(&Transaction) -> Result<T, E>,
) -> Result<T, E> {
    let value = database.write(|transaction| {
        let value = change(transaction)?;
        if let Some(note) = note.filter(|_| is_change(&value)) {
            append(transaction, &note.entry)?;
        }
        Ok::<T, E>(value)
    })?;
    if let Some(note) = note {
        note.withdraw();
    }
    Ok(value)
}

/// The same for a change that removes something, or that has happened already, which a full disk does not keep from being made.
pub(crate) fn write_making_room<T, E: From<StateError> + MayBeFull>(
    database: &Database,
    note: Option<&AuditNote>,
    change: impl Fn(&Transaction) -> Result<T, E>,
) -> Result<T, E> {
    let value = database.write_making_room(|transaction| {
        let value = change(transaction)?;
        if let Some(note) = note {
            append(transaction, &note.entry)?;
        }
        Ok::<T, E>(value)
    })?;
    if let Some(note) = note {
        note.withdraw();
    }
    Ok(value)
}

/// Writes an entry as part of a transaction.
pub(crate) fn append(transaction: &Transaction, entry: &AuditEntry) -> Result<(), StateError> {
    let (table, kept) = entry.outcome.table();
    let sql = format!(
        "INSERT INTO {table} (at, token, token_name, peer, action, project, resource, outcome, code)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
    );
    transaction.prepare_cached(&sql)?.execute((
        Micros(entry.at),
        entry.token.as_ref().map(|(id, _)| Text(id)),
        entry.token.as_ref().map(|(_, name)| Text(name)),
        entry.peer.as_ref().map(Text),
        entry.action,
        entry.project.as_ref().map(Text),
        entry.resource.as_deref(),
        entry.outcome.as_str(),
        entry.code.as_deref(),
    ))?;
    let sequence = transaction.last_insert_rowid();
    if sequence % CUT_EVERY == 0 {
        let sql = format!("DELETE FROM {table} WHERE sequence <= ?1");
        transaction.prepare_cached(&sql)?.execute([sequence - kept])?;
    }
    Ok(())
}

fn to_record(row: &Row) -> rusqlite::Result<AuditRecord> {
    Ok(AuditRecord {
        at: row.get(0).map(|Micros(at)| at)?,
        token: row.get(1)?,
        token_name: row.get(2)?,
        peer: row.get(3)?,
        action: row.get(4)?,
        project: row.get(5)?,
        resource: row.get(6)?,
        outcome: row.get(7)?,
        code: row.get(8)?,
    })
}

#[cfg(test)]
mod tests;
