//! `ship fsck`: whether everything that deployments need is still there, and is what it was.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ship_api::{Client, ClientOptions, DamagedBlobView, FsckView};

use crate::connection;
use crate::embedded::{StartPolicy, running_hosts};
use crate::error::{CommandError, ErrorKind};
use crate::output::{Output, Styles, count, size};
use crate::settings::{HostChoice, Settings};

/// Read everything again that a host keeps, and list what is damaged
///
/// Exits with 0 if everything that deployments need is there and is what it was, else with 4. Without a host that runs, the
/// data directory itself is read, and none is started.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FsckArgs {
    /// The data directory of a host on this machine (default: that of the host in the background)
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

pub(crate) async fn run(arguments: FsckArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let client = match &arguments.data {
        Some(data) => client_of(&settings.absolute(data), settings)?,
        None => connection::find(settings, output, StartPolicy::Never).await?.map(|host| host.client),
    };
    let reading = output.progress("Reading everything again");
    let found = match client {
        Some(client) => client.fsck().await?,
        None => {
            examine(arguments.data.map_or_else(|| settings.home.host_data(), |data| settings.absolute(&data)), output)
                .await?
        }
    };
    reading.finish();
    output.data(&found, |styles| render(&found, styles))?;
    say_leftovers(&found, output);
    if found.clean { Ok(()) } else { Err(damage(&found)) }
}

/// The host of this account that has a data directory open, if one runs.
fn client_of(data: &Path, settings: &Settings) -> Result<Option<Client>, CommandError> {
    if let HostChoice::At { .. } = settings.host {
        return Err(CommandError::usage("`--data` names a folder of this machine, and a host is named as well")
            .hint("`ship fsck` alone asks the host that is named"));
    }
    let Ok(data) = data.canonicalize() else { return Ok(None) };
    let running = running_hosts(&settings.home).into_iter().find(|(_, endpoint)| Path::new(&endpoint.data) == data);
    let Some((folder, endpoint)) = running else { return Ok(None) };
    let token = connection::token(settings, Some(&folder))?;
    Ok(Some(Client::new(ClientOptions { base_url: endpoint.control, token })?))
}

/// Reads a data directory that no host has open. It stays locked meanwhile, so that none begins to write to it.
async fn examine(data: PathBuf, output: &Output) -> Result<FsckView, CommandError> {
    output.detail(format_args!("no host runs, so {} is read by this command", data.display()));
    let examined = tokio::task::spawn_blocking(move || ship_host::examine_at(&data));
    Ok(examined.await.map_err(|error| CommandError::new(ErrorKind::Host, error))??)
}

fn render(found: &FsckView, styles: Styles) -> String {
    let mut text = String::new();
    for problem in &found.state {
        let _ = writeln!(text, "state.db: {problem}");
    }
    for blob in &found.damaged {
        let _ = writeln!(text, "{} {}", styles.place(blob.digest), what_is_wrong(blob));
        for touched in &blob.deployments {
            let _ = writeln!(text, "  {} {}  {}", touched.project, touched.id.short(), touched.used_as.join(", "));
        }
    }
    for function in &found.functions {
        let _ = writeln!(text, "{} was unpacked anew: {}", styles.place(function.artifact), function.difference);
    }
    if found.clean {
        let (deployments, blobs) = (count(found.deployments, "deployment"), count(found.blobs, "blob"));
        let _ = writeln!(text, "{}: {deployments}, {blobs}, {} read", styles.good("clean"), size(found.bytes));
    }
    text
}

fn what_is_wrong(blob: &DamagedBlobView) -> String {
    let fault = match (blob.fault.as_str(), &blob.reason) {
        ("corrupt", _) => "was damaged and is set aside".to_owned(),
        ("missing", _) => "is missing".to_owned(),
        (fault, Some(reason)) => format!("is {fault}: {reason}"),
        (fault, None) => format!("is {fault}"),
    };
    match (&blob.variant_of, blob.deployments.is_empty()) {
        (Some(_), _) => format!("{fault}; it is a compressed form, which is made anew"),
        (None, true) => format!("{fault}; no deployment needs it"),
        (None, false) => fault,
    }
}

/// What is left over is said to whoever cares for the disk.
fn say_leftovers(found: &FsckView, output: &Output) {
    let left = &found.leftovers;
    if left.blobs + left.functions > 0 {
        let (blobs, bytes) = (count(left.blobs, "blob"), size(left.blob_bytes));
        let functions = count(left.functions, "unpacked function");
        output.status(format_args!("Left over: {blobs} ({bytes}) and {functions} that no deployment needs"));
        output.hint("`ship gc` removes them");
    }
    if left.set_aside > 0 {
        let (blobs, bytes) = (count(left.set_aside, "damaged blob"), size(left.set_aside_bytes));
        output.status(format_args!("Set aside: {blobs} ({bytes}) in `quarantine` of the data directory"));
    }
    for stray in &left.strays {
        output.warning(format_args!("{stray} stands among the blobs and is none"));
    }
}

/// The error that damage is. The document has said what it is.
fn damage(found: &FsckView) -> CommandError {
    let mut parts = Vec::new();
    for (number, what) in [
        (found.state.len(), "state database problem"),
        (found.damaged.len(), "damaged blob"),
        (found.functions.len(), "damaged function"),
    ] {
        if number > 0 {
            parts.push(count(number as u64, what));
        }
    }
    let error = CommandError::new(ErrorKind::Host, format!("{} found", parts.join(", "))).told();
    match (found.state.is_empty(), found.damaged.is_empty()) {
        (false, _) => error.hint("put `state.db` back from a backup"),
        (true, false) => error.hint("`ship deploy` of the same content sends what is missing, and heals it"),
        (true, true) => error.hint("what was unpacked anew is right now"),
    }
}
