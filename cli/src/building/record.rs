//! What a build says, written down: it is kept with the deployment, for whoever wonders later.

use std::borrow::Cow;
use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};

use ship_builder::{BuildEvent, BuildOutput};
use ship_core::{BuildLog, FunctionName};
use ship_runtime::Mask;

use super::{contents, known};
use crate::output::{count, duration, size};

/// Parts of names whose values nobody should read.
const SECRET_PARTS: [&str; 8] = ["AUTH", "CREDENTIAL", "KEY", "NETRC", "PASS", "PWD", "SECRET", "TOKEN"];

/// The lines of a build, without the values that it should not tell.
#[derive(Debug)]
pub(super) struct Record {
    mask: Mask,
    log: Mutex<BuildLog>,
}

impl Record {
    /// A record in which the values of these variables do not stand.
    pub(super) fn hiding(secrets: &[(String, String)]) -> Self {
        Self { mask: Mask::new(secrets.iter()), log: Mutex::default() }
    }

    /// Writes down what happens, if it is worth a line.
    pub(super) fn hear(&self, event: &BuildEvent) {
        if let Some(line) = line(event) {
            self.say(&line);
        }
    }

    /// Writes lines down.
    pub(super) fn say(&self, text: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        text.lines().for_each(|line| log.push_line(&self.mask.hide(line)));
    }

    /// All that was written down, with what was built as its last line.
    pub(super) fn finished(self, built: Option<&BuildOutput>) -> BuildLog {
        if let Some(built) = built {
            self.say(&format!("Built {}{}", contents(built), known(built)));
        }
        self.log.into_inner().unwrap_or_else(PoisonError::into_inner).finished()
    }
}

/// Of variables of the caller those that hold what nobody should read, by their names; addresses with a password in them, too.
pub(super) fn secrets(variables: impl Iterator<Item = (OsString, OsString)>) -> impl Iterator<Item = (String, String)> {
    let texts = variables.filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    texts.filter(|(name, value)| {
        let name = name.to_ascii_uppercase();
        SECRET_PARTS.iter().any(|part| name.contains(part)) || (value.contains("://") && value.contains('@'))
    })
}

/// What is written down of an event.
fn line(event: &BuildEvent) -> Option<Cow<'_, str>> {
    Some(match event {
        BuildEvent::ToolchainFetching { version, needed, received_bytes: 0, .. } => {
            format!("Fetching {version}, since there is no {needed} here").into()
        }
        BuildEvent::ToolFetching { name, reason, received_bytes: 0, .. } => format!("Fetching {name}, {reason}").into(),
        BuildEvent::Compiling { functions } => {
            let names: Vec<&str> = functions.iter().map(FunctionName::as_str).collect();
            format!("Compiling {}", names.join(", ")).into()
        }
        BuildEvent::CompilingCrate { name } => format!("Compiling the crate {name}").into(),
        BuildEvent::Compiled { functions } => format!("Compiled {}", count(*functions as u64, "function")).into(),
        BuildEvent::LinkerAbsent { reason } => format!("warning: {reason}").into(),
        BuildEvent::PackagesInstalled { file, bytes } => {
            format!("Installed what {file} asks for, {}", size(*bytes)).into()
        }
        BuildEvent::FrontendInstalling { command } => format!("Installing packages: {command}").into(),
        BuildEvent::FrontendBuilding { framework, command } => {
            let framework = framework.map(|name| format!(" ({name})")).unwrap_or_default();
            format!("Building the frontend{framework}: {command}").into()
        }
        BuildEvent::FrontendPrinted { line } => line.into(),
        BuildEvent::FrontendBuilt { took } => format!("Built the frontend in {}", duration(*took)).into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(line: &str) -> BuildEvent {
        BuildEvent::FrontendPrinted { line: line.to_owned() }
    }

    /// Each event is a line; values of variables that nobody should read stand there by name.
    #[test]
    fn lines_without_secrets() {
        let given = [("NPM_TOKEN", "s3cr3t-of-npm"), ("HOME", "/home/ada"), ("UV_INDEX_URL", "https://a:b@pypi.test/")];
        let given = given.map(|(name, value)| (name.into(), value.into()));
        let mut hidden: Vec<_> = secrets(given.into_iter()).collect();
        hidden.push(("DATABASE_URL".to_owned(), "postgres://ada".to_owned()));
        let record = Record::hiding(&hidden);
        record.hear(&BuildEvent::FrontendInstalling { command: "npm ci".to_owned() });
        record.hear(&printed("s3cr3t-of-npm is at /home/ada, see postgres://ada and https://a:b@pypi.test/simple"));
        record.hear(&BuildEvent::Compiling { functions: vec!["api/date".parse().unwrap()] });
        record.hear(&BuildEvent::Compiled { functions: 1 });
        insta::assert_snapshot!(record.finished(None).text(), @r"
        Installing packages: npm ci
        [secret NPM_TOKEN] is at /home/ada, see [secret DATABASE_URL] and [secret UV_INDEX_URL]simple
        Compiling api/date
        Compiled 1 function
        ");
    }
}
