//! How a deployment came to be: who wrote what, and what its build said. Each is said once, by whoever publishes it.

use std::io;

use rusqlite::{OptionalExtension as _, Transaction};
use ship_core::{AuthorName, BuildLog, CommitSubject, DeploymentId};

use super::Deployments;
use crate::database::StateError;
use crate::database::column::{Text, signed, unsigned};

/// How hard logs are compressed: text becomes a fifth of itself, in a millisecond for the longest.
const COMPRESSION_LEVEL: i32 = 3;

impl Deployments {
    /// Keeps how a deployment came to be. What was said of it before stays.
    pub fn keep_build(
        &self,
        id: &DeploymentId,
        author: Option<&AuthorName>,
        subject: Option<&CommitSubject>,
        log: Option<&BuildLog>,
    ) -> Result<(), StateError> {
        let unusable = |source| StateError::BuildLog { id: *id, source };
        let log = log.filter(|log| !log.is_empty());
        let compress = |log: &BuildLog| zstd::bulk::compress(log.text().as_bytes(), COMPRESSION_LEVEL);
        let log =
            log.map(|log| Ok::<_, StateError>((compress(log).map_err(unusable)?, log.left_out_bytes()))).transpose()?;
        self.database.write(|transaction| {
            if let Some(author) = author {
                keep_author(transaction, id, author)?;
            }
            if let Some(subject) = subject {
                keep_subject(transaction, id, subject)?;
            }
            log.as_ref().map_or(Ok(()), |(text, left_out)| keep_log(transaction, id, text, *left_out))
        })
    }

    /// What the build of a deployment said, where that was kept.
    pub fn build_log(&self, id: &DeploymentId) -> Result<Option<BuildLog>, StateError> {
        let sql = "SELECT text, left_out_bytes FROM build_logs WHERE deployment = ?1";
        let kept: Option<(Vec<u8>, i64)> = self.database.read(|transaction| {
            let row = transaction.prepare_cached(sql)?.query_row([Text(id)], |row| Ok((row.get(0)?, row.get(1)?)));
            row.optional().map_err(StateError::from)
        })?;
        let Some((text, left_out)) = kept else { return Ok(None) };
        let unusable = |source| StateError::BuildLog { id: *id, source };
        let text = zstd::bulk::decompress(&text, BuildLog::MAX_BYTES).map_err(unusable)?;
        let text = String::from_utf8(text).map_err(|error| unusable(io::Error::other(error)))?;
        Ok(Some(BuildLog::new(text, unsigned(left_out))))
    }
}

fn keep_author(transaction: &Transaction, id: &DeploymentId, author: &AuthorName) -> Result<(), StateError> {
    let sql = "UPDATE deployments SET author = ?2 WHERE id = ?1 AND author IS NULL";
    transaction.prepare_cached(sql)?.execute((Text(id), Text(author)))?;
    Ok(())
}

fn keep_subject(transaction: &Transaction, id: &DeploymentId, subject: &CommitSubject) -> Result<(), StateError> {
    let sql = "UPDATE deployments SET subject = ?2 WHERE id = ?1 AND subject IS NULL";
    transaction.prepare_cached(sql)?.execute((Text(id), Text(subject)))?;
    Ok(())
}

fn keep_log(transaction: &Transaction, id: &DeploymentId, text: &[u8], left_out: u64) -> Result<(), StateError> {
    // One that was removed meanwhile has no log.
    let sql = "INSERT INTO build_logs (deployment, text, left_out_bytes)
               SELECT id, ?2, ?3 FROM deployments WHERE id = ?1
               ON CONFLICT (deployment) DO NOTHING";
    transaction.prepare_cached(sql)?.execute((Text(id), text, signed(left_out)))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use ship_core::Target;

    use super::super::tests::{TestStore, id_of};
    use super::*;

    fn author(name: &str) -> AuthorName {
        name.parse().unwrap()
    }

    fn subject(text: &str) -> CommitSubject {
        text.parse().unwrap()
    }

    /// What is said first stays, also over a restart; and it goes with its deployment, so that nothing is left of it.
    #[test]
    fn said_once() {
        let mut test = TestStore::new();
        for content in ["one", "two"] {
            test.upload(content);
            let staged = test.stage("site", content).unwrap();
            test.deployments().publish(staged, test.options(Target::Preview, None)).unwrap();
        }
        let id = id_of("site", "two");
        let log = BuildLog::new("Built 1 file\n".to_owned(), 3);
        test.deployments().keep_build(&id, None, None, Some(&log)).unwrap();
        let other = BuildLog::new("other\n".into(), 0);
        test.deployments().keep_build(&id, Some(&author("Ada")), Some(&subject("A garden")), Some(&other)).unwrap();
        test.deployments().keep_build(&id, Some(&author("Mallory")), Some(&subject("A trap")), None).unwrap();
        test.reopen();
        assert_eq!(test.deployments().build_log(&id).unwrap(), Some(log.clone()));
        let kept = test.deployments().get(&id).unwrap().unwrap();
        assert_eq!((kept.author, kept.subject), (Some(author("Ada")), Some(subject("A garden"))));

        test.deployments().remove(&id, test.now).unwrap();
        assert_eq!(test.deployments().build_log(&id).unwrap(), None);
        test.deployments().keep_build(&id, Some(&author("Ada")), None, Some(&log)).unwrap();
        let rows = |transaction: &Transaction| -> Result<i64, StateError> {
            Ok(transaction.query_row("SELECT count(*) FROM build_logs", [], |row| row.get(0))?)
        };
        assert_eq!(test.deployments().database().read(rows).unwrap(), 0);
    }
}
