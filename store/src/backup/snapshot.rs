//! A consistent copy of the state database, and which blobs it needs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};
use ship_core::{DeploymentId, Digest, ProjectName};

use crate::blobs::BlobError;
use crate::database::column::{Text, unsigned};
use crate::database::{StateError, migrations};
use crate::deployments::read_manifest;

/// A copy of the state that nobody else writes to.
#[derive(Debug)]
pub(super) struct Snapshot {
    connection: Connection,
}

/// The file of a copy, removed when this is dropped.
#[derive(Debug)]
pub(super) struct SnapshotFile(pub(super) PathBuf);

impl Drop for SnapshotFile {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::debug!(path = %self.0.display(), %error, "a copy of the state stays until the next start");
        }
    }
}

impl Snapshot {
    /// Opens a copy.
    pub(super) fn open(path: &Path) -> Result<Self, StateError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        // What a stranger has put into a schema must not run.
        connection.pragma_update(None, "trusted_schema", false)?;
        connection.set_db_config(rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        Ok(Self { connection })
    }

    /// How many migrations have made its schema.
    pub(super) fn schema_version(&self) -> Result<u32, StateError> {
        Ok(self.connection.query_row("PRAGMA user_version", [], |row| row.get(0))?)
    }

    /// What is wrong with it, one sentence each; the same that an examination of a host's state finds.
    pub(super) fn problems(&self) -> Result<Vec<String>, StateError> {
        crate::fsck::state::problems(&self.connection)
    }

    /// Its schema, in words that two equal schemas share.
    pub(super) fn schema(&self) -> Result<Vec<String>, StateError> {
        migrations::schema_of(&self.connection)
    }

    /// The deployments, their projects, and the digests of their manifests.
    pub(super) fn deployments(&self) -> Result<Vec<(DeploymentId, ProjectName, Digest)>, StateError> {
        let sql = "SELECT id, project, manifest FROM deployments ORDER BY sequence";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let (Text(id), Text(project), Text(manifest)) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((id, project, manifest))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// How many values of variables there are.
    pub(super) fn sealed_values(&self) -> Result<u64, StateError> {
        // Older schemas have none.
        let has_variables = self.connection.table_exists(None, "variables")?;
        if !has_variables {
            return Ok(0);
        }
        let sql = "SELECT count(*) FROM variables WHERE sealed IS NOT NULL";
        Ok(unsigned(self.connection.query_row(sql, [], |row| row.get(0))?))
    }

    /// The compressed forms that are known: of which blob, which, and its size.
    pub(super) fn variants(&self) -> Result<Vec<(Digest, Digest, u64)>, StateError> {
        let sql = "SELECT digest, variant, size_bytes FROM variants WHERE variant IS NOT NULL";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| {
            let (Text(of), Text(variant)) = (row.get(0)?, row.get(1)?);
            Ok((of, variant, unsigned(row.get(2)?)))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets a compressed form. It is made again when it is wanted.
    pub(super) fn forget_variant(&self, variant: &Digest) -> Result<(), StateError> {
        self.connection.execute("DELETE FROM variants WHERE variant = ?1", [Text(variant)])?;
        Ok(())
    }

    /// The blobs that deployments need, with their sizes; `manifest` reads one of their manifests.
    pub(super) fn needed<E: From<StateError>>(
        &self,
        manifest: impl Fn(&DeploymentId, &Digest) -> Result<Vec<u8>, E>,
    ) -> Result<BTreeMap<Digest, (DeploymentId, u64)>, E> {
        let mut needed = BTreeMap::new();
        for (id, project, digest) in self.deployments()? {
            let json = manifest(&id, &digest)?;
            let parsed = read_manifest(&id, &project, &json)?;
            needed.insert(digest, (id, json.len() as u64));
            needed.extend(parsed.blobs().into_iter().map(|(digest, size_bytes)| (digest, (id, size_bytes))));
        }
        Ok(needed)
    }
}

/// A manifest that cannot be read is an error of the state that names it.
pub(super) fn manifest_error(id: &DeploymentId, source: BlobError) -> StateError {
    StateError::ManifestBlob { id: *id, source: Box::new(source) }
}
