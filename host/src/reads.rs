//! Who read variables: each opened value is accounted for in the audit log, without the value.

use std::sync::Arc;

use jiff::Timestamp;
use ship_core::{Action, DeploymentId, LogLevel, LogRecord, LogSource, ProjectName, VariableName};
use ship_runtime::LogSink as _;
use ship_store::{AuditEntry, AuditOutcome, Store, VariablesError};

use crate::journal::Journal;

/// Keeps account of the variables that deployments read.
pub(crate) struct ReadLog {
    store: Store,
    journal: Arc<Journal>,
}

impl ReadLog {
    pub(crate) fn new(store: Store, journal: Arc<Journal>) -> Self {
        Self { store, journal }
    }

    /// Notes which variables were opened for the functions of a deployment. Blocks.
    ///
    /// Where it cannot be noted the host's own log says so, and the functions start all the same: a full disk must not take sites down.
    pub(crate) fn record_read<'n>(
        &self,
        project: &ProjectName,
        deployment: DeploymentId,
        names: impl Iterator<Item = &'n VariableName>,
    ) {
        let entry = AuditEntry {
            at: Timestamp::now(),
            token: None,
            peer: None,
            action: Action::ReadVariables.as_str(),
            project: Some(project.clone()),
            resource: Some(format!("{} for {deployment}", listed(names))),
            outcome: AuditOutcome::Done,
            code: None,
        };
        if let Err(error) = self.store.audit().append(&[entry]) {
            let error = &error as &dyn std::error::Error;
            tracing::error!(%project, %deployment, error, "that variables were read does not stand in the audit log");
        }
    }

    /// Says in a project's log that its variables cannot be opened. Why is said in the host's own log alone.
    pub(crate) fn record_failure(&self, project: &ProjectName, deployment: DeploymentId, error: &VariablesError) {
        tracing::error!(%project, %deployment, error = error as &dyn std::error::Error, "variables cannot be opened");
        let message = "The variables of this deployment cannot be opened, so its functions do not start; the host's own log says why.";
        let source = LogSource::Platform { function: None, message: message.to_owned() };
        let level = LogLevel::Error;
        let record = LogRecord { at: Timestamp::now(), level, deployment, requests: Vec::new(), source };
        self.journal.record(project, record);
    }
}

/// The names of variables, as the audit log has them.
pub(crate) fn listed<'n>(names: impl Iterator<Item = &'n VariableName>) -> String {
    names.map(VariableName::as_str).collect::<Vec<_>>().join(", ")
}
