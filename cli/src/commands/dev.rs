//! `ship dev`: the site of a folder on this machine, always as the folder is.

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::path::PathBuf;

use ship_core::RequestId;
use ship_edge::Scheme;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::args::values;
use crate::dev::{DevOptions, Listen, serve};
use crate::error::{CommandError, ErrorKind};
use crate::output::Output;
use crate::settings::Settings;

/// Serve a project here and show every edit at once, until Ctrl-C
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DevArgs {
    /// The project's folder (default: the current one)
    path: Option<PathBuf>,
    /// Where to listen (default: 127.0.0.1:3000, or the next free port); port 0 means any
    #[arg(long, value_name = "ADDR", value_parser = values::address)]
    listen: Option<SocketAddr>,
    /// The port to begin with: the next free one is taken if it is not
    #[arg(long, short, value_name = "PORT", value_parser = values::port, conflicts_with = "listen")]
    port: Option<NonZeroU16>,
    /// Serve through TLS, with a certificate of an authority for this machine alone
    #[arg(long)]
    https: bool,
    /// Send a request again that a deployment was asked, after each build: its x-ship-id, as in `ship logs`
    #[arg(long, value_name = "ID")]
    replay: Option<RequestId>,
}

pub(crate) fn run(arguments: DevArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let path = arguments.path.unwrap_or_else(|| ".".into());
    super::schema::bring(&settings.absolute(&path));
    let options = DevOptions {
        path,
        listen: match (arguments.listen, arguments.port) {
            (Some(address), _) => Listen::At(address),
            (None, Some(port)) => Listen::FromPort(port.get()),
            (None, None) => Listen::Anywhere,
        },
        scheme: if arguments.https { Scheme::Https } else { Scheme::Http },
        replay: arguments.replay,
    };
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
    // Without these the terminal would not be given back as it was.
    let (mut hang_up, mut quit) = (signals(SignalKind::hangup())?, signals(SignalKind::quit())?);
    let stop = CancellationToken::new();
    let mut serving = std::pin::pin!(serve(options, settings, output, stop.clone()));
    tokio::select! {
        ended = &mut serving => return ended,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hang_up.recv() => {}
        _ = quit.recv() => {}
    }
    stop.cancel();
    serving.await?;
    Err(CommandError::interrupted())
}
