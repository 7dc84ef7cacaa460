//! What may be put into the deployments of a project by somebody who has to do with that project alone: blobs that were sent for it.
//!
//! Blobs are shared by all projects, and a digest is no secret: it stands in the `ETag` of a page. Without this, who knows the digest
//! of another project's file could publish it as their own and read it.

use std::sync::Arc;

use ship_core::{Digest, ProjectName};

use crate::database::column::Text;
use crate::database::{Database, StateError};

/// Which blobs belong to which projects.
#[derive(Debug, Clone)]
pub struct ProjectBlobs {
    database: Arc<Database>,
}

impl ProjectBlobs {
    pub(crate) fn new(database: Arc<Database>) -> Self {
        Self { database }
    }

    /// Notes that somebody had the bytes of these blobs, for a project.
    pub fn add(&self, project: &ProjectName, digests: &[Digest]) -> Result<(), StateError> {
        if digests.is_empty() {
            return Ok(());
        }
        self.database.write(|transaction| {
            let sql = "INSERT INTO project_blobs (project, digest) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
            let mut statement = transaction.prepare_cached(sql)?;
            for digest in digests {
                statement.execute((Text(project), digest.as_bytes()))?;
            }
            Ok(())
        })
    }

    /// Which of `digests` are not the project's, in their order.
    pub fn lacking(&self, project: &ProjectName, digests: &[Digest]) -> Result<Vec<Digest>, StateError> {
        self.database.read(|transaction| {
            let sql = "SELECT 1 FROM project_blobs WHERE project = ?1 AND digest = ?2";
            let mut statement = transaction.prepare_cached(sql)?;
            let mut lacking = Vec::new();
            for digest in digests {
                if !statement.exists((Text(project), digest.as_bytes()))? {
                    lacking.push(*digest);
                }
            }
            Ok(lacking)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Durability, Store};

    use super::*;

    /// What was sent for one project is not another's, and goes with the project.
    #[test]
    fn each_project_has_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Durability::Durable).unwrap();
        let [blue, red] = ["blue", "red"].map(|name| name.parse::<ProjectName>().unwrap());
        let [one, two] = [b"one", b"two"].map(|bytes| Digest::of(bytes));
        store.project_blobs().add(&blue, &[one, one]).unwrap();
        assert_eq!(store.project_blobs().lacking(&blue, &[two, one]).unwrap(), [two]);
        assert_eq!(store.project_blobs().lacking(&red, &[two, one]).unwrap(), [two, one]);
    }
}
