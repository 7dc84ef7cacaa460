//! Whether what stands in the state database is what the rest of ship can read: names, digests and times are parsed on the way out, and
//! one that cannot be parsed ends the reading of all rows beside it.

use rusqlite::Connection;
use rusqlite::types::FromSql;
use ship_core::{
    AuthorName, BranchName, CommitSubject, DeploymentId, Digest, DomainName, HostLabel, ProjectName,
    ProtectionCoverage, ProtectionMode, Role, Target, TokenId, TokenName, TrustId,
};

use super::with_causes;
use crate::database::StateError;
use crate::database::column::{Micros, Text};

/// Whether all values of a column can be read, and if not, what the first one lacks.
type Reading = fn(&Connection, &str, &str) -> Result<Option<String>, StateError>;

/// Tables and columns, and as what each is read.
const COLUMNS: [(&str, &str, Reading); 44] = [
    ("deployments", "id", reads::<Text<DeploymentId>>),
    ("deployments", "project", reads::<Text<ProjectName>>),
    ("deployments", "target", reads::<Text<Target>>),
    ("deployments", "branch", reads::<Option<Text<BranchName>>>),
    ("deployments", "created_at", reads::<Micros>),
    ("deployments", "manifest", reads::<Text<Digest>>),
    ("deployments", "own_label", reads::<Text<HostLabel>>),
    ("deployments", "author", reads::<Option<Text<AuthorName>>>),
    ("deployments", "subject", reads::<Option<Text<CommitSubject>>>),
    ("build_logs", "deployment", reads::<Text<DeploymentId>>),
    ("build_logs", "text", reads::<Vec<u8>>),
    ("aliases", "label", reads::<Text<HostLabel>>),
    ("aliases", "project", reads::<Text<ProjectName>>),
    ("aliases", "branch", reads::<Option<Text<BranchName>>>),
    ("aliases", "deployment", reads::<Text<DeploymentId>>),
    ("aliases", "moved_at", reads::<Micros>),
    ("alias_log", "label", reads::<Text<HostLabel>>),
    ("alias_log", "project", reads::<Text<ProjectName>>),
    ("alias_log", "to_deployment", reads::<Option<Text<DeploymentId>>>),
    ("alias_log", "moved_at", reads::<Micros>),
    ("variants", "digest", reads::<Text<Digest>>),
    ("variants", "variant", reads::<Option<Text<Digest>>>),
    ("tokens", "id", reads::<Text<TokenId>>),
    ("tokens", "hash", reads::<[u8; 32]>),
    ("tokens", "name", reads::<Text<TokenName>>),
    ("tokens", "role", reads::<Text<Role>>),
    ("tokens", "project", reads::<Option<Text<ProjectName>>>),
    ("tokens", "expires_at", reads::<Option<Micros>>),
    ("domains", "name", reads::<Text<DomainName>>),
    ("domains", "project", reads::<Text<ProjectName>>),
    ("domains", "redirect_to", reads::<Option<Text<DomainName>>>),
    ("released_domains", "name", reads::<Text<DomainName>>),
    ("protection", "project", reads::<Text<ProjectName>>),
    ("protection", "mode", reads::<Text<ProtectionMode>>),
    ("protection", "coverage", reads::<Text<ProtectionCoverage>>),
    ("protection", "bypass", reads::<[u8; 32]>),
    ("protection", "cookie_key", reads::<[u8; 32]>),
    ("project_blobs", "digest", reads::<[u8; 32]>),
    ("trusts", "id", reads::<Text<TrustId>>),
    ("trusts", "project", reads::<Text<ProjectName>>),
    ("trusts", "role", reads::<Text<Role>>),
    ("sessions", "hash", reads::<[u8; 32]>),
    ("sessions", "token", reads::<Text<TokenId>>),
    ("sessions", "expires_at", reads::<Micros>),
];

/// What cannot be read, one sentence for each column. A table that an older schema lacks has nothing that cannot be read.
pub(super) fn problems(connection: &Connection) -> Result<Vec<String>, StateError> {
    let mut problems = Vec::new();
    for (table, column, reading) in COLUMNS {
        if connection.table_exists(None::<&str>, table)? {
            let said = reading(connection, table, column)?;
            problems.extend(said.map(|said| format!("`{column}` of `{table}` cannot be read: {said}")));
        }
    }
    Ok(problems)
}

fn reads<T: FromSql>(connection: &Connection, table: &str, column: &str) -> Result<Option<String>, StateError> {
    let mut statement = connection.prepare(&format!("SELECT {column} FROM {table}"))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Err(error) = row.get::<_, T>(0) {
            return Ok(Some(with_causes(&error)));
        }
    }
    Ok(None)
}
