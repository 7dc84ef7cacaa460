//! The dev server from its start to its end: its parts, and how they stop.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ship_builder::BuildTarget;
use ship_edge::{ConnectionLimits, Crew};
use ship_runtime::{CompiledCode, Isolation, LogSink, OWN_PROGRAM, Reach, Runtime, RuntimeOptions};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Console;
use super::answer::{DevAnswer, HostNames, is_this_machine};
use super::folder::DevFolder;
use super::rebuild::Rebuilder;
use super::shown::{Shown, View};
use super::store::DevStore;
use super::watch::Watch;
use crate::connection;
use crate::embedded::{EmbeddedError, StartPolicy};
use crate::error::{CommandError, ErrorKind as CommandErrorKind, is_full_disk};
use crate::kept_variables::{self, KeptVariables};
use crate::output::Output;
use crate::project::{self, Project};
use crate::settings::Settings;

/// Where the dev server listens if nothing is said.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// How many ports are tried if nothing is said and the first is taken.
const PORTS_TRIED: u16 = 50;

/// How long requests may take to finish when the dev server ends. Whoever pressed Ctrl-C waits for it.
const DRAIN: Duration = Duration::from_millis(500);

/// How a dev server runs.
#[derive(Clone, Debug)]
pub(crate) struct DevOptions {
    /// The project's folder.
    pub(crate) path: PathBuf,
    /// Where to listen, if somebody said so.
    pub(crate) listen: Option<SocketAddr>,
}

/// Serves a folder until `stop`.
pub(crate) async fn serve(
    options: DevOptions,
    settings: &Settings,
    output: &Output,
    stop: CancellationToken,
) -> Result<(), CommandError> {
    let project = project::open_folder(&options.path, settings)?;
    let listener = listen(options.listen).await?;
    let address = listener.local_addr().map_err(CommandError::project)?;
    if options.listen.is_none() && address != DEFAULT_LISTEN {
        let (usual, holder) = (DEFAULT_LISTEN.port(), holder_of(DEFAULT_LISTEN));
        output.status(format_args!("Port {usual} is taken by {holder}, so this is port {}", address.port()));
    }
    let folder = take_folder(settings.home.dev(project.root()))?;
    let (console, console_writer) = Console::start(output.clone());
    let logs = Arc::new(console.clone()) as Arc<dyn LogSink>;
    let interpreters = settings.interpreters();
    let runtime = Runtime::new(RuntimeOptions {
        socket_dir: folder.run(),
        nursery: OWN_PROGRAM.into(),
        compiled_code: CompiledCode::Forgotten,
        least_isolation: Isolation::Process,
        reach: Reach::Everywhere,
        logs,
        interpreters,
        background: Handle::current(),
        drain_timeout: DRAIN,
    })?;
    let (watch, ears) = Watch::start(project.root(), &folder.cookies())?;
    let (shown_sender, shown) = watch::channel(Shown { edits: 0, view: View::Nothing });
    let variables = kept_for_development(&options.path, settings, output).await;
    let rebuilder = Rebuilder {
        path: options.path,
        settings: settings.clone(),
        output: output.clone(),
        console: console.clone(),
        url: format!("http://{address}"),
        variables,
        edits: watch.edits.clone(),
        shown: shown_sender,
        store: Arc::new(Mutex::new(DevStore::open(folder.stores())?)),
        runtime: runtime.clone(),
        retirements: TaskTracker::new(),
        own_origins: Arc::new(move |origin| is_own_origin(origin, address)),
    };
    let names = if address.ip().is_loopback() { HostNames::ThisMachine } else { HostNames::Any };
    let answer = Arc::new(DevAnswer { watch, shown, names, stop: stop.clone() });
    let limits = ConnectionLimits { drain_timeout: DRAIN, ..ConnectionLimits::default() };

    let tasks = TaskTracker::new();
    tasks.spawn(ears.listen(console, stop.clone()));
    tasks.spawn(rebuilder.run(stop.clone()));
    // Found out while the first build is made. Whether there is anything to start is known after it.
    let prepared = runtime.clone();
    tasks.spawn(async move { drop(prepared.isolation().await) });
    ship_edge::serve(listener, Crew::here(), answer, limits, stop).await;
    tasks.close();
    tasks.wait().await;
    runtime.shutdown().await;
    // Everything that speaks through the console is gone with these, which ends its writer.
    drop(runtime);
    console_writer.await.map_err(|error| CommandError::new(CommandErrorKind::Host, error))
}

/// What the host that is named, or runs here, keeps for development. Without one, and where it does not answer, there are the
/// project's own files.
async fn kept_for_development(path: &Path, settings: &Settings, output: &Output) -> KeptVariables {
    let (target, policy) = (BuildTarget::Development, StartPolicy::Never);
    // Most of the time there is none, and then nothing has to be found out first.
    let Ok(Some(_)) = connection::find(settings, output, policy).await else { return KeptVariables::NotAsked };
    let Ok(project) = Project::open(path, settings) else { return KeptVariables::NotAsked };
    match kept_variables::read(&project.name, target, None, policy, settings, output).await {
        Ok(variables) => KeptVariables::Known(variables),
        Err(error) => {
            let lines = error.to_lines();
            output.warning(format_args!("variables of the host are not set: {}", lines.join(": ")));
            KeptVariables::NotAsked
        }
    }
}

/// Takes the folder for what this dev server keeps.
fn take_folder(parent: PathBuf) -> Result<DevFolder, CommandError> {
    DevFolder::take(&parent).map_err(|error| match error {
        source if is_full_disk(&source) => EmbeddedError::Files { path: parent, source }.into(),
        error => CommandError::project(error),
    })
}

/// Listens where somebody said, exactly, or at the first free port from 3000 on.
async fn listen(asked: Option<SocketAddr>) -> Result<TcpListener, CommandError> {
    let first = asked.unwrap_or(DEFAULT_LISTEN);
    let tries = if asked.is_some() { 1 } else { PORTS_TRIED };
    for port in (first.port()..=u16::MAX).take(usize::from(tries)) {
        let address = SocketAddr::new(first.ip(), port);
        match TcpListener::bind(address).await {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            Err(error) => return Err(CommandError::project(format!("cannot listen at {address}: {error}"))),
        }
    }
    let hint = "`ship dev --listen 127.0.0.1:0` takes any free port";
    Err(CommandError::project(format!("{first} is taken by {}", holder_of(first))).hint(hint))
}

/// Who listens at an address, as far as this user may know.
fn holder_of(address: SocketAddr) -> String {
    ship_host::holder_of(address).unwrap_or_else(|| "another program".to_owned())
}

/// Whether an origin is one under which the dev server itself is reached.
fn is_own_origin(origin: &str, address: SocketAddr) -> bool {
    let Some(authority) = origin.strip_prefix("http://") else { return false };
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(80);
    port == address.port() && is_this_machine(authority)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of this server, by any name of this machine, is its own; the same name at another port is not.
    #[test]
    fn own_origins() {
        let address: SocketAddr = "127.0.0.1:3000".parse().unwrap();
        for origin in ["http://127.0.0.1:3000", "http://localhost:3000", "http://[::1]:3000"] {
            assert!(is_own_origin(origin, address), "{origin}");
        }
        for origin in
            ["http://localhost:3001", "https://localhost:3000", "http://localhost", "null", "http://a.test:3000"]
        {
            assert!(!is_own_origin(origin, address), "{origin}");
        }
    }

    /// A taken port is passed over unless somebody asked for it.
    #[tokio::test]
    async fn taken_ports() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(Some(address)).await.unwrap_err();
        let [line] = &error.to_lines()[..] else { panic!("{error:?}") };
        assert!(line.starts_with(&format!("{address} is taken by ")), "{line}");
        assert!(line.ends_with(&format!("(pid {})", std::process::id())), "{line}");
        assert!(listen(None).await.is_ok());
    }
}
