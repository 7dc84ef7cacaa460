//! The operator's program that changes a zone, for proofs that stand in the DNS.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use super::order::AcmeError;

/// How long the program may take. Zones are slow to follow, and it ends when what it was asked for can be seen.
const HOOK_TIMEOUT: Duration = Duration::from_mins(3);

/// How much of what it says is said on.
const MAX_SAID_CHARS: usize = 500;

/// The operator's program: `PROGRAM present NAME VALUE` puts a TXT record where everybody can see it before it ends, and
/// `PROGRAM cleanup NAME VALUE` takes it away.
#[derive(Debug)]
pub(crate) struct DnsHook {
    pub(crate) program: PathBuf,
}

/// What the program is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum HookAction {
    Present,
    Cleanup,
}

impl DnsHook {
    pub(super) async fn run(&self, action: HookAction, name: &str, value: &str) -> Result<(), AcmeError> {
        let action = match action {
            HookAction::Present => "present",
            HookAction::Cleanup => "cleanup",
        };
        let mut command = Command::new(&self.program);
        command.args([action, name, value]).stdin(Stdio::null()).kill_on_drop(true);
        let failed = |reason: String| AcmeError::Hook { program: self.program.clone(), action, reason };
        let ended = tokio::time::timeout(HOOK_TIMEOUT, command.output()).await;
        let output = ended
            .map_err(|_| failed(format!("it took more than {} s", HOOK_TIMEOUT.as_secs())))?
            .map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(MAX_SAID_CHARS).collect();
        Err(failed(format!("{}: {said}", output.status)))
    }
}
