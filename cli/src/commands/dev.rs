//! `ship dev`: the site of a folder on this machine, always as the folder is.

use std::net::SocketAddr;
use std::path::PathBuf;

use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::dev::{DevOptions, serve};
use crate::error::{CommandError, ErrorKind};
use crate::output::Output;
use crate::settings::Settings;

/// Serve a project here and show every edit at once, until Ctrl-C
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DevArgs {
    /// The project's folder (default: the current one)
    path: Option<PathBuf>,
    /// Where to listen (default: 127.0.0.1:3000, or the next free port); port 0 means any
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

pub(crate) fn run(arguments: DevArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let options = DevOptions { path: arguments.path.unwrap_or_else(|| ".".into()), listen: arguments.listen };
    let runtime = super::runtime(Builder::new_current_thread().thread_stack_size(super::STACK_BYTES))?;
    let result = runtime.block_on(until_interrupted(options, settings, output));
    settings.interrupt.raise();
    // A compiler that still runs was interrupted with its terminal; nobody waits for it.
    runtime.shutdown_background();
    result
}

async fn until_interrupted(options: DevOptions, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let signals = |kind| signal(kind).map_err(|error| CommandError::new(ErrorKind::Host, error));
    let (mut interrupt, mut terminate) = (signals(SignalKind::interrupt())?, signals(SignalKind::terminate())?);
    let stop = CancellationToken::new();
    let mut serving = std::pin::pin!(serve(options, settings, output, stop.clone()));
    tokio::select! {
        ended = &mut serving => return ended,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stop.cancel();
    serving.await?;
    Err(CommandError::interrupted())
}
