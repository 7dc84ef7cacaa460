//! The hosts that run from a program which was replaced: the new one takes over from each.

use std::path::Path;

use serde::Serialize;
use ship_api::{Client, ClientOptions, UpgradeRequest};

use crate::connection;
use crate::embedded::{Endpoint, running_hosts};
use crate::error::CommandError;
use crate::home::HostFolder;
use crate::output::Output;
use crate::settings::Settings;

/// How the kernel names a program whose file was replaced.
const REPLACED: &str = " (deleted)";

/// A host that the new program took over.
#[derive(Debug, Serialize)]
pub(super) struct UpgradedHost {
    data: String,
    version: String,
    pid: u32,
}

/// Has every host of this account that runs from `program`, as it was, taken over by it, as it is.
pub(super) async fn hand_over(
    program: &Path,
    settings: &Settings,
    output: &Output,
) -> Result<Vec<UpgradedHost>, CommandError> {
    let mut upgraded = Vec::new();
    for (folder, endpoint) in running_hosts(&settings.home) {
        if !runs_from(&endpoint, program) {
            output.hint(format_args!("the host of {} runs another program: `ship host upgrade`", endpoint.data));
            continue;
        }
        let host = take_over(program, &folder, endpoint, settings).await.map_err(|error| {
            error.hint("the new program is installed; the host serves on with the old one until `ship host upgrade`")
        })?;
        let UpgradedHost { data, version, pid } = &host;
        output
            .status(format_args!("ship {version} (pid {pid}) serves {data} now; the host before finishes what it has"));
        upgraded.push(host);
    }
    Ok(upgraded)
}

/// Whether a host was started from the file that stood at `program`.
fn runs_from(endpoint: &Endpoint, program: &Path) -> bool {
    let Ok(running) = std::fs::read_link(format!("/proc/{}/exe", endpoint.pid)) else { return false };
    let running = running.to_string_lossy();
    Path::new(running.strip_suffix(REPLACED).unwrap_or(&running)) == program
}

async fn take_over(
    program: &Path,
    folder: &HostFolder,
    endpoint: Endpoint,
    settings: &Settings,
) -> Result<UpgradedHost, CommandError> {
    let token = connection::token(settings, Some(folder))?;
    let client = Client::new(ClientOptions { base_url: endpoint.control, token })?;
    let program = program.to_str().ok_or_else(|| CommandError::usage(format!("{} is no text", program.display())))?;
    let upgraded = client.upgrade(&UpgradeRequest { program: Some(program.to_owned()) }).await?;
    Ok(UpgradedHost { data: endpoint.data, version: upgraded.version, pid: upgraded.pid })
}
