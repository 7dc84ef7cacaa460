//! Who may see the sites of projects. Of passwords and secrets only hashes are kept.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::{Row, Transaction};
use ship_core::{ProjectName, ProtectionCoverage, ProtectionMode};

use crate::audit::{self, AuditNote};
use crate::database::column::{Micros, Text, kept};
use crate::database::{Database, StateError};

const PROTECTION: &str = "SELECT mode, coverage, password, bypass, cookie_key, changed_at, project FROM protection";

/// The protection of all projects.
#[derive(Debug, Clone)]
pub struct Protections {
    database: Arc<Database>,
}

/// Who may see the sites of one project.
#[derive(Clone, PartialEq, Eq)]
pub struct ProtectionRecord {
    /// How they are protected.
    pub mode: ProtectionMode,
    /// Which of them are.
    pub coverage: ProtectionCoverage,
    /// The password as argon2 hashes it, with the parameters it was hashed with.
    pub password: Option<String>,
    /// The SHA-256 of the secret that lets programs in.
    pub bypass: [u8; 32],
    /// What signs the cookies of those who were let in.
    pub cookie_key: [u8; 32],
    /// When it was changed.
    pub changed_at: Timestamp,
}

impl std::fmt::Debug for ProtectionRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProtectionRecord")
            .field("mode", &self.mode)
            .field("coverage", &self.coverage)
            .finish_non_exhaustive()
    }
}

impl Protections {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// The protection of every project that has one.
    pub fn all(&self) -> Result<HashMap<ProjectName, ProtectionRecord>, StateError> {
        self.database.read(|transaction| {
            let mut statement = transaction.prepare_cached(PROTECTION)?;
            let of_project = |row: &Row| Ok((row.get(6).map(|Text(project)| project)?, to_record(row)?));
            Ok(statement.query_map([], of_project)?.collect::<Result<_, _>>()?)
        })
    }

    /// Sets the protection of a project, which stands in the audit log like this, or is not made.
    pub fn set(&self, project: &ProjectName, record: &ProtectionRecord, note: &AuditNote) -> Result<(), StateError> {
        audit::write(
            &self.database,
            Some(note),
            |()| true,
            |transaction| {
                let sql = "INSERT OR REPLACE INTO protection
                           (project, mode, coverage, password, bypass, cookie_key, changed_at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
                transaction.prepare_cached(sql)?.execute((
                    Text(project),
                    Text(&record.mode),
                    Text(&record.coverage),
                    record.password.as_deref(),
                    record.bypass,
                    record.cookie_key,
                    Micros(kept(record.changed_at)),
                ))?;
                Ok(())
            },
        )
    }
}

/// Forgets the protection of a project that is removed.
pub(crate) fn delete(transaction: &Transaction, project: &ProjectName) -> Result<(), StateError> {
    transaction.prepare_cached("DELETE FROM protection WHERE project = ?1")?.execute([Text(project)])?;
    Ok(())
}

fn to_record(row: &Row) -> rusqlite::Result<ProtectionRecord> {
    Ok(ProtectionRecord {
        mode: row.get(0).map(|Text(mode)| mode)?,
        coverage: row.get(1).map(|Text(coverage)| coverage)?,
        password: row.get(2)?,
        bypass: row.get(3)?,
        cookie_key: row.get(4)?,
        changed_at: row.get(5).map(|Micros(at)| at)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AuditEntry, AuditFilter, AuditOutcome, Durability, Store};

    fn note() -> AuditNote {
        AuditNote::new(AuditEntry {
            at: Timestamp::UNIX_EPOCH,
            token: None,
            peer: None,
            action: "protection.set",
            project: None,
            resource: None,
            outcome: AuditOutcome::Done,
            code: None,
        })
    }

    /// What is set is there after a restart, and later settings take its place. The audit log has each of them.
    #[test]
    fn kept_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open(&folder.path().join("data"), Durability::Durable).unwrap();
        let project: ProjectName = "site".parse().unwrap();
        let record = |mode, password: Option<&str>| ProtectionRecord {
            mode,
            coverage: ProtectionCoverage::Everything,
            password: password.map(str::to_owned),
            bypass: [1; 32],
            cookie_key: [2; 32],
            changed_at: Timestamp::UNIX_EPOCH,
        };
        let first = record(ProtectionMode::Password, Some("$argon2id$…"));
        open().protections().set(&project, &first, &note()).unwrap();
        let store = open();
        assert_eq!(store.protections().all().unwrap(), HashMap::from([(project.clone(), first)]));
        let second = record(ProtectionMode::Off, None);
        store.protections().set(&project, &second, &note()).unwrap();
        assert_eq!(store.protections().all().unwrap(), HashMap::from([(project, second)]));
        assert_eq!(store.audit().newest(&AuditFilter::default(), 10).unwrap().len(), 2);
    }
}
