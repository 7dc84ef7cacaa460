//! Names of the world that lead to projects.
//!
//! Any project can claim any name; it leads nowhere before somebody proved that it is theirs. What was given up stays
//! out of others' reach for a while: a record in the DNS that still leads here must not become somebody else's site.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension as _, Row, Transaction};
use ship_core::{DomainName, ProjectName};

use crate::audit::{self, AuditNote};
use crate::database::column::{Micros, Text, kept};
use crate::database::{Database, StateError};

/// How long a name that was given up can be taken by nobody but the project that had it.
pub const REST: SignedDuration = SignedDuration::from_hours(30 * 24);

/// The domains of a store.
#[derive(Debug, Clone)]
pub struct Domains {
    database: Arc<Database>,
    note: Option<AuditNote>,
}

/// A name that leads to a project, or is to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Domain {
    /// The name.
    pub name: DomainName,
    /// The project.
    pub project: ProjectName,
    /// The name that its visitors are led to; they see the project's production where there is none.
    pub redirect_to: Option<DomainName>,
    /// What a TXT record at [`DomainName::proof_name`] has to say.
    pub proof: String,
    /// When the project claimed it.
    pub added_at: Timestamp,
    /// Since when it is served.
    pub verified_at: Option<Timestamp>,
}

/// Why a name does not come to lead to a project.
#[derive(Debug, thiserror::Error)]
pub enum DomainError {
    /// It leads to another.
    #[error("`{0}` leads to another project")]
    Taken(DomainName),
    /// It led to another until lately.
    #[error("`{name}` led to another project and can be taken from {until} on")]
    Resting {
        /// The name.
        name: DomainName,
        /// When it can be taken.
        until: Timestamp,
    },
    /// The project has not claimed it.
    #[error("`{project}` has no domain `{name}`")]
    Unknown {
        /// The name.
        name: DomainName,
        /// The project.
        project: ProjectName,
    },
    /// Visitors of another are led to it.
    #[error("visitors of `{from}` are led to `{name}`")]
    LedTo {
        /// The name.
        name: DomainName,
        /// Another of the same project.
        from: DomainName,
    },
    /// The state cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
}

impl From<rusqlite::Error> for DomainError {
    fn from(error: rusqlite::Error) -> Self {
        Self::State(error.into())
    }
}

impl Domains {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database, note: None }
    }

    /// The same domains: each change that is made through them stands in the audit log like this, or is not made.
    #[must_use]
    pub fn noting(&self, note: AuditNote) -> Self {
        Self { note: Some(note), ..self.clone() }
    }

    /// Writes in one transaction, and with it into the audit log.
    fn write(&self, change: impl FnOnce(&Transaction) -> Result<Domain, DomainError>) -> Result<Domain, DomainError> {
        audit::write(&self.database, self.note.as_ref(), |_| true, change)
    }

    /// Claims a name for a project, to be proved with `proof`. A project that claims it again keeps what it has; only where the name
    /// leads visitors is changed.
    pub fn claim(
        &self,
        name: &DomainName,
        project: &ProjectName,
        redirect_to: Option<&DomainName>,
        proof: &str,
        at: Timestamp,
    ) -> Result<Domain, DomainError> {
        self.write(|transaction| {
            check_free(transaction, name, project, at)?;
            let sql = "INSERT INTO domains (name, project, redirect_to, proof, added_at) VALUES (?1, ?2, ?3, ?4, ?5)
                ON CONFLICT DO UPDATE SET redirect_to = excluded.redirect_to";
            let row = (Text(name), Text(project), redirect_to.map(Text), proof, Micros(kept(at)));
            transaction.prepare_cached(sql)?.execute(row)?;
            find(transaction, name, project)
        })
    }

    /// A name that a project claimed.
    pub fn get(&self, name: &DomainName, project: &ProjectName) -> Result<Domain, DomainError> {
        self.database.read(|transaction| find(transaction, name, project))
    }

    /// Lets a name lead to a project that has proved that it is theirs. What others claimed of it is void.
    pub fn verified(&self, name: &DomainName, project: &ProjectName, at: Timestamp) -> Result<Domain, DomainError> {
        self.write(|transaction| {
            find(transaction, name, project)?;
            check_free(transaction, name, project, at)?;
            let sql = "UPDATE domains SET verified_at = ?3 WHERE name = ?1 AND project = ?2 AND verified_at IS NULL";
            transaction.prepare_cached(sql)?.execute((Text(name), Text(project), Micros(kept(at))))?;
            let sql = "DELETE FROM domains WHERE name = ?1 AND project != ?2";
            transaction.prepare_cached(sql)?.execute((Text(name), Text(project)))?;
            transaction.prepare_cached("DELETE FROM released_domains WHERE name = ?1")?.execute([Text(name)])?;
            find(transaction, name, project)
        })
    }

    /// Gives a name up. One that was served rests from then on; one that others lead to stays, so that nobody's visitors are sent to what
    /// may become a stranger's.
    pub fn release(&self, name: &DomainName, project: &ProjectName, at: Timestamp) -> Result<Domain, DomainError> {
        self.write(|transaction| {
            let domain = find(transaction, name, project)?;
            if let Some(from) = leading_to(transaction, name, project)? {
                return Err(DomainError::LedTo { name: name.clone(), from });
            }
            release(transaction, &domain, at)?;
            Ok(domain)
        })
    }

    /// The names of a project, or of all, sorted.
    pub fn list(&self, project: Option<&ProjectName>) -> Result<Vec<Domain>, StateError> {
        self.database.read(|transaction| select(transaction, project))
    }
}

/// Whether a project may have a name: nobody else has it, or had it until lately.
fn check_free(
    transaction: &Transaction,
    name: &DomainName,
    project: &ProjectName,
    at: Timestamp,
) -> Result<(), DomainError> {
    let sql = "SELECT 1 FROM domains WHERE name = ?1 AND project != ?2 AND verified_at IS NOT NULL";
    if transaction.prepare_cached(sql)?.exists((Text(name), Text(project)))? {
        return Err(DomainError::Taken(name.clone()));
    }
    let sql = "SELECT released_at FROM released_domains WHERE name = ?1 AND project != ?2";
    let released: Option<Micros> =
        transaction.prepare_cached(sql)?.query_row((Text(name), Text(project)), |row| row.get(0)).optional()?;
    match released.map(|Micros(released)| released + REST) {
        Some(until) if until > at => Err(DomainError::Resting { name: name.clone(), until }),
        _ => Ok(()),
    }
}

/// A name of the project whose visitors are led to `name`.
fn leading_to(
    transaction: &Transaction,
    name: &DomainName,
    project: &ProjectName,
) -> Result<Option<DomainName>, StateError> {
    let sql = "SELECT name FROM domains WHERE redirect_to = ?1 AND project = ?2 ORDER BY name LIMIT 1";
    let mut statement = transaction.prepare_cached(sql)?;
    let found: Option<Text<_>> = statement.query_row((Text(name), Text(project)), |row| row.get(0)).optional()?;
    Ok(found.map(|Text(name)| name))
}

/// Gives all names of a project up.
pub(crate) fn release_all(transaction: &Transaction, project: &ProjectName, at: Timestamp) -> Result<(), StateError> {
    select(transaction, Some(project))?.iter().try_for_each(|domain| release(transaction, domain, at))
}

fn release(transaction: &Transaction, domain: &Domain, at: Timestamp) -> Result<(), StateError> {
    let sql = "DELETE FROM domains WHERE name = ?1 AND project = ?2";
    transaction.prepare_cached(sql)?.execute((Text(&domain.name), Text(&domain.project)))?;
    if domain.verified_at.is_some() {
        let sql = "INSERT OR REPLACE INTO released_domains (name, project, released_at) VALUES (?1, ?2, ?3)";
        let row = (Text(&domain.name), Text(&domain.project), Micros(kept(at)));
        transaction.prepare_cached(sql)?.execute(row)?;
    }
    Ok(())
}

const COLUMNS: &str = "name, project, redirect_to, proof, added_at, verified_at";

fn find(transaction: &Transaction, name: &DomainName, project: &ProjectName) -> Result<Domain, DomainError> {
    let sql = format!("SELECT {COLUMNS} FROM domains WHERE name = ?1 AND project = ?2");
    let found = transaction.prepare_cached(&sql)?.query_row((Text(name), Text(project)), domain).optional()?;
    found.ok_or_else(|| DomainError::Unknown { name: name.clone(), project: project.clone() })
}

fn select(transaction: &Transaction, project: Option<&ProjectName>) -> Result<Vec<Domain>, StateError> {
    let sql = format!("SELECT {COLUMNS} FROM domains WHERE ?1 IS NULL OR project = ?1 ORDER BY name, project");
    let mut statement = transaction.prepare_cached(&sql)?;
    let domains = statement.query_map([project.map(Text)], domain)?;
    Ok(domains.collect::<Result<_, _>>()?)
}

fn domain(row: &Row) -> rusqlite::Result<Domain> {
    Ok(Domain {
        name: row.get::<_, Text<_>>(0)?.0,
        project: row.get::<_, Text<_>>(1)?.0,
        redirect_to: row.get::<_, Option<Text<_>>>(2)?.map(|Text(name)| name),
        proof: row.get(3)?,
        added_at: row.get::<_, Micros>(4)?.0,
        verified_at: row.get::<_, Option<Micros>>(5)?.map(|Micros(at)| at),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Durability, Store};

    fn at(days: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * days)
    }

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
        (folder, store)
    }

    /// Several may claim a name; who proves it has it, and what others claimed is void.
    #[test]
    fn claims() {
        let (_folder, store) = store();
        let (domains, name) = (store.domains(), "a.example".parse().unwrap());
        let [one, two] = ["one", "two"].map(|project| project.parse::<ProjectName>().unwrap());
        let claimed = domains.claim(&name, &one, None, "first", at(0)).unwrap();
        assert_eq!((claimed.proof.as_str(), claimed.verified_at), ("first", None));
        assert_eq!(domains.claim(&name, &one, None, "another", at(1)).unwrap(), claimed);
        domains.claim(&name, &two, None, "second", at(0)).unwrap();
        assert_eq!(domains.verified(&name, &two, at(1)).unwrap().verified_at, Some(at(1)));
        assert_eq!(domains.list(None).unwrap().len(), 1);
        assert!(matches!(domains.claim(&name, &one, None, "third", at(2)), Err(DomainError::Taken(_))));
        assert!(matches!(domains.verified(&name, &one, at(2)), Err(DomainError::Unknown { .. })));
    }

    /// A name that was served rests for thirty days, for all but its project; one that never was does not.
    #[test]
    fn rest() {
        let (_folder, store) = store();
        let (domains, name) = (store.domains(), "a.example".parse().unwrap());
        let [one, two] = ["one", "two"].map(|project| project.parse::<ProjectName>().unwrap());
        domains.claim(&name, &one, None, "first", at(0)).unwrap();
        domains.release(&name, &one, at(0)).unwrap();
        domains.claim(&name, &two, None, "second", at(0)).unwrap();
        domains.verified(&name, &two, at(0)).unwrap();
        domains.database.write(|transaction| release_all(transaction, &two, at(1))).unwrap();
        let resting = domains.claim(&name, &one, None, "third", at(30)).unwrap_err();
        assert!(matches!(resting, DomainError::Resting { until, .. } if until == at(31)), "{resting}");
        domains.claim(&name, &two, None, "fourth", at(2)).unwrap();
        domains.release(&name, &two, at(2)).unwrap();
        assert!(domains.claim(&name, &one, None, "fifth", at(30)).is_err());
        domains.claim(&name, &one, None, "sixth", at(31)).unwrap();
    }
    /// A name that others lead to is not given up before them.
    #[test]
    fn led_to() {
        let (_folder, store) = store();
        let (domains, project) = (store.domains(), "one".parse::<ProjectName>().unwrap());
        let [main, other] = ["www.a.example", "a.example"].map(|name| name.parse::<DomainName>().unwrap());
        domains.claim(&main, &project, None, "first", at(0)).unwrap();
        domains.claim(&other, &project, Some(&main), "second", at(0)).unwrap();
        let refused = domains.release(&main, &project, at(1)).unwrap_err();
        assert_eq!(refused.to_string(), "visitors of `a.example` are led to `www.a.example`");
        domains.claim(&other, &project, None, "third", at(1)).unwrap();
        domains.release(&main, &project, at(1)).unwrap();
    }
}
