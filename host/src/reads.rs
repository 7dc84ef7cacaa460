//! Who read variables: the one door through which every opened value is accounted for.

use std::sync::Arc;

use jiff::Timestamp;
use ship_core::{DeploymentId, LogLevel, LogRecord, LogSource, ProjectName, VariableName};
use ship_runtime::LogSink as _;
use ship_store::VariablesError;

use crate::journal::Journal;

/// Variables that were opened for somebody.
pub(crate) struct VariableRead<'r> {
    /// The project.
    pub(crate) project: &'r ProjectName,
    /// For whom.
    pub(crate) reader: Reader,
    /// Which.
    pub(crate) names: Vec<&'r VariableName>,
}

/// For whom variables are opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reader {
    /// The functions of a deployment, when the first of them starts.
    Functions {
        /// The deployment.
        deployment: DeploymentId,
    },
    /// A client of the control API. Its read stands in the log of the deployment that production leads to, if there is one.
    Client {
        /// That deployment.
        production: Option<DeploymentId>,
    },
}

/// Keeps account of what was read.
pub(crate) struct ReadLog {
    journal: Arc<Journal>,
}

impl ReadLog {
    pub(crate) fn new(journal: Arc<Journal>) -> Self {
        Self { journal }
    }

    /// Accounts for variables that were opened. Their values are no part of it.
    pub(crate) fn record_read(&self, read: &VariableRead<'_>) {
        let VariableRead { project, reader, names } = read;
        let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
        let names = names.join(", ");
        tracing::info!(target: "ship_host::audit", %project, ?reader, names, "variables were read");
        match *reader {
            Reader::Functions { deployment } => {
                let message = format!("Variables were opened for the functions: {names}");
                self.record(project, deployment, LogLevel::Info, message);
            }
            Reader::Client { production: Some(deployment) } => {
                let message = format!("Variables were read through the control API: {names}");
                self.record(project, deployment, LogLevel::Info, message);
            }
            Reader::Client { production: None } => {}
        }
    }

    /// Says in a project's log that its variables cannot be opened. Why is said in the host's own log alone.
    pub(crate) fn record_failure(&self, project: &ProjectName, deployment: DeploymentId, error: &VariablesError) {
        tracing::error!(%project, %deployment, error = error as &dyn std::error::Error, "variables cannot be opened");
        let message = "The variables of this deployment cannot be opened, so its functions do not start; the host's own log says why.";
        self.record(project, deployment, LogLevel::Error, message.to_owned());
    }

    fn record(&self, project: &ProjectName, deployment: DeploymentId, level: LogLevel, message: String) {
        let source = LogSource::Platform { function: None, message };
        let record = LogRecord { at: Timestamp::now(), level, deployment, requests: Vec::new(), source };
        self.journal.record(project, record);
    }
}
