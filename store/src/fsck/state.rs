//! What the state database says of itself: `SQLite`'s own check, and what must hold between aliases, their log and the
//! deployments.

use rusqlite::Connection;

use super::{columns, with_causes};
use crate::database::StateError;

/// How many problems are told. One damaged page can give thousands, and the first few say all.
const PROBLEMS_TOLD: usize = 20;

/// What must give no row, and what it means if it does.
const RULES: [(&str, &str); 4] = [
    (
        "SELECT label FROM aliases WHERE deployment NOT IN (SELECT id FROM deployments)",
        "leads to a deployment that is not there",
    ),
    (
        "SELECT aliases.label FROM aliases LEFT JOIN alias_log ON alias_log.sequence = aliases.head
         WHERE alias_log.to_deployment IS NOT aliases.deployment OR alias_log.version IS NOT aliases.version",
        "does not lead to where its log says",
    ),
    (
        "SELECT own_label FROM deployments
         WHERE own_label NOT IN (SELECT label FROM aliases WHERE aliases.deployment = deployments.id)",
        "does not lead to its own deployment",
    ),
    ("SELECT label FROM alias_log WHERE previous >= sequence", "would be rolled back to a move that came later"),
];

/// What is wrong with the database, one sentence each. An error of `SQLite` that says that a page is damaged is such a
/// sentence, too.
pub(crate) fn problems(connection: &Connection) -> Result<Vec<String>, StateError> {
    match look(connection) {
        Err(error) if error.is_damage() => Ok(vec![with_causes(&error)]),
        looked => looked,
    }
}

fn look(connection: &Connection) -> Result<Vec<String>, StateError> {
    let mut statement = connection.prepare(&format!("PRAGMA integrity_check({PROBLEMS_TOLD})"))?;
    let said: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    let mut problems: Vec<String> = said.into_iter().filter(|line| line != "ok").collect();
    for (rule, meaning) in RULES {
        let mut statement = connection.prepare(rule)?;
        let labels: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        problems.extend(labels.iter().map(|label| format!("the label `{label}` {meaning}")));
    }
    problems.extend(columns::problems(connection)?);
    problems.truncate(PROBLEMS_TOLD);
    Ok(problems)
}
