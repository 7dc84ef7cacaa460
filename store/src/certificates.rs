//! The certificates that a host got for itself, and who it is to the authorities that gave them.

use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::OptionalExtension as _;

use crate::database::column::{Micros, unsigned};
use crate::database::{Database, StateError};

/// The certificates of a store.
#[derive(Debug, Clone)]
pub struct Certificates {
    database: Arc<Database>,
}

/// A certificate with its key.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredCertificate {
    /// The host name that it is for, or `*.` and a domain.
    pub name: String,
    /// The URL of the authority that gave it.
    pub directory: String,
    /// The certificate and those that vouch for it, in PEM.
    pub chain: String,
    /// The private key, in PEM.
    pub private_key: String,
    /// When it was obtained.
    pub obtained_at: Timestamp,
}

/// The key is nobody's business, not even a log's.
impl std::fmt::Debug for StoredCertificate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("StoredCertificate").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Certificates {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// All certificates.
    pub fn all(&self) -> Result<Vec<StoredCertificate>, StateError> {
        self.database.read(|transaction| {
            let sql = "SELECT name, directory, chain, private_key, obtained_at FROM certificates";
            let mut statement = transaction.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(StoredCertificate {
                    name: row.get(0)?,
                    directory: row.get(1)?,
                    chain: row.get(2)?,
                    private_key: row.get(3)?,
                    obtained_at: row.get::<_, Micros>(4)?.0,
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// Keeps a certificate in place of the one that there is for its name.
    pub fn keep(&self, certificate: &StoredCertificate) -> Result<(), StateError> {
        let StoredCertificate { name, directory, chain, private_key, obtained_at } = certificate;
        self.database.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO certificates (name, directory, chain, private_key, obtained_at)
                VALUES (?1, ?2, ?3, ?4, ?5)";
            let row = (name, directory, chain, private_key, Micros(*obtained_at));
            transaction.prepare_cached(sql)?.execute(row)?;
            Ok(())
        })
    }

    /// Removes the certificate of a name, if there is one.
    pub fn remove(&self, name: &str) -> Result<(), StateError> {
        self.database.write(|transaction| {
            transaction.prepare_cached("DELETE FROM certificates WHERE name = ?1")?.execute([name])?;
            Ok(())
        })
    }

    /// How many certificates were obtained since then.
    pub fn obtained_since(&self, since: Timestamp) -> Result<u64, StateError> {
        self.database.read(|transaction| {
            let sql = "SELECT count(*) FROM certificates WHERE obtained_at >= ?1";
            Ok(unsigned(transaction.prepare_cached(sql)?.query_row([Micros(since)], |row| row.get(0))?))
        })
    }

    /// Who the host is to an authority, if it was there before.
    pub fn account(&self, directory: &str) -> Result<Option<String>, StateError> {
        self.database.read(|transaction| {
            let sql = "SELECT credentials FROM acme_accounts WHERE directory = ?1";
            Ok(transaction.prepare_cached(sql)?.query_row([directory], |row| row.get(0)).optional()?)
        })
    }

    /// Keeps who the host is to an authority.
    pub fn keep_account(&self, directory: &str, credentials: &str, at: Timestamp) -> Result<(), StateError> {
        self.database.write(|transaction| {
            let sql = "INSERT OR REPLACE INTO acme_accounts (directory, credentials, created_at) VALUES (?1, ?2, ?3)";
            transaction.prepare_cached(sql)?.execute((directory, credentials, Micros(at)))?;
            Ok(())
        })
    }
}
