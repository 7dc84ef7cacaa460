//! The dev server from its start to its end: its parts, and how they stop.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use ship_builder::BuildTarget;
use ship_core::RequestId;
use ship_edge::{ConnectionLimits, Crew, Scheme};
use ship_runtime::{CompiledCode, Isolation, LogSink, OWN_PROGRAM, Reach, Runtime, RuntimeOptions};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc::channel;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Console;
use super::answer::{DevAnswer, HostNames, is_this_machine};
use super::faults::Faults;
use super::folder::DevFolder;
use super::framework::{Framework, Passage, Supervisor};
use super::keyboard::Keyboard;
use super::local_certificate::{AuthorityAge, LocalAuthority};
use super::rebuild::{Rebuilder, Replay};
use super::reload::News;
use super::replay::KeptRequest;
use super::shown::{Shown, View};
use super::store::DevStore;
use super::watch::Watch;
use crate::connection;
use crate::embedded::{EmbeddedError, StartPolicy};
use crate::error::{CommandError, ErrorKind as CommandErrorKind, is_full_disk};
use crate::kept_variables::{self, KeptVariables};
use crate::output::{Keys, Output};
use crate::project::{self, Project};
use crate::settings::Settings;

/// Where the dev server listens if nothing is said.
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

/// How many ports are tried if nothing is said and the first is taken.
const PORTS_TRIED: u16 = 50;

/// How many records may wait to be looked through for faults.
const MAX_RECORDS: usize = 1024;

/// How long requests may take to finish when the dev server ends. Whoever pressed Ctrl-C waits for it.
const DRAIN: Duration = Duration::from_millis(500);

/// How a dev server runs.
#[derive(Clone, Debug)]
pub(crate) struct DevOptions {
    /// The project's folder.
    pub(crate) path: PathBuf,
    /// Where to listen.
    pub(crate) listen: Listen,
    /// Whether through TLS.
    pub(crate) scheme: Scheme,
    /// A request that is sent again after each build.
    pub(crate) replay: Option<RequestId>,
}

/// Where a dev server listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listen {
    /// There, and nowhere else.
    At(SocketAddr),
    /// At this port of this machine, or the next that is free.
    FromPort(u16),
    /// At the usual port, or the next that is free.
    Anywhere,
}

impl Listen {
    /// The first address that is tried.
    fn first(self) -> SocketAddr {
        match self {
            Self::At(address) => address,
            Self::FromPort(port) => SocketAddr::new(DEFAULT_LISTEN.ip(), port),
            Self::Anywhere => DEFAULT_LISTEN,
        }
    }
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
    let first = options.listen.first();
    if !matches!(options.listen, Listen::At(_)) && address != first {
        let (usual, holder) = (first.port(), holder_of(first));
        output.status(format_args!("Port {usual} is taken by {holder}, so this is port {}", address.port()));
    }
    let tls = match options.scheme {
        Scheme::Http => None,
        Scheme::Https => Some(certified(settings, address, output)?),
    };
    let url = format!("{}://{address}", options.scheme.as_str());
    let replay = match &options.replay {
        Some(id) => Some(Replay { request: KeptRequest::find(id, &options.path, settings, output).await?, address }),
        None => None,
    };
    let folder = take_folder(settings.home.dev(project.root()))?;
    let (console, console_writer) = Console::start(output.clone());
    let (records, heard) = channel(MAX_RECORDS);
    let said = console.heard_by(records);
    let logs = Arc::new(said.clone()) as Arc<dyn LogSink>;
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
    let keys = if output.is_json() { None } else { Keys::begin().ok().flatten() };
    let (framework, fault) = (Framework::new(), watch::Sender::new(None));
    let rebuilder = Rebuilder {
        path: options.path,
        root: project.root().to_owned(),
        framework: framework.clone(),
        fault: fault.clone(),
        settings: settings.clone(),
        output: output.clone(),
        console: said,
        url: url.clone(),
        replay,
        next_step: if keys.is_some() { "; h lists keys" } else { "" },
        variables,
        edits: watch.edits.clone(),
        shown: shown_sender,
        store: Arc::new(Mutex::new(DevStore::open(folder.stores())?)),
        runtime: runtime.clone(),
        retirements: TaskTracker::new(),
        own_origins: Arc::new(move |origin| is_own_origin(origin, address, options.scheme)),
    };
    let names = if address.ip().is_loopback() { HostNames::ThisMachine } else { HostNames::Any };
    let news = News { shown, framework: framework.state(), fault: fault.subscribe() };
    let edits = watch.edits.subscribe();
    let supervisor = Supervisor::new(&framework, edits, console.clone(), output.clone(), address.to_string());
    let keyboard = keys.map(|keys| Keyboard {
        keys,
        url,
        settings: settings.clone(),
        output: output.clone(),
        console: console.clone(),
        edits: watch.edits.clone(),
        framework: framework.clone(),
    });
    let passage = Passage::new(stop.clone());
    let answer = Arc::new(DevAnswer { watch, news, framework, passage, names, stop: stop.clone() });
    let limits = ConnectionLimits { drain_timeout: DRAIN, ..ConnectionLimits::default() };

    let tasks = TaskTracker::new();
    if let Some(keyboard) = keyboard {
        tasks.spawn(keyboard.listen(stop.clone()));
    }
    tasks.spawn(supervisor.run(stop.clone()));
    tasks.spawn(Faults::new(project.root().to_owned(), heard, fault, console.clone()).listen(stop.clone()));
    tasks.spawn(ears.listen(console, stop.clone()));
    tasks.spawn(rebuilder.run(stop.clone()));
    // Found out while the first build is made. Whether there is anything to start is known after it.
    let prepared = runtime.clone();
    tasks.spawn(async move { drop(prepared.isolation().await) });
    let crew = Crew::here();
    match tls {
        None => ship_edge::serve(listener, crew, Arc::clone(&answer), limits, stop).await,
        Some(tls) => ship_edge::serve_tls(listener, tls, crew, Arc::clone(&answer), limits, stop).await,
    }
    answer.passage.closed().await;
    drop(answer);
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

/// What serves TLS at `address`, and how it comes to be trusted.
fn certified(settings: &Settings, address: SocketAddr, output: &Output) -> Result<Arc<ServerConfig>, CommandError> {
    let authority = LocalAuthority::in_folder(settings.home.local_authority());
    if authority.make()? == AuthorityAge::New {
        let file = authority.certificate_file();
        output.status(format_args!("Made a certificate authority for this machine: {}", file.display()));
        output.hint(format_args!("browsers warn until they trust it: `ship dev --help` and docs/dev.md say how"));
    }
    Ok(authority.server_config(address.ip())?)
}

/// Takes the folder for what this dev server keeps.
fn take_folder(parent: PathBuf) -> Result<DevFolder, CommandError> {
    DevFolder::take(&parent).map_err(|error| match error {
        source if is_full_disk(&source) => EmbeddedError::Files { path: parent, source }.into(),
        error => CommandError::project(error),
    })
}

/// Listens where somebody said, exactly, or at the first free port from that or the usual one on.
async fn listen(asked: Listen) -> Result<TcpListener, CommandError> {
    let first = asked.first();
    let tries = if matches!(asked, Listen::At(_)) { 1 } else { PORTS_TRIED };
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
fn is_own_origin(origin: &str, address: SocketAddr, scheme: Scheme) -> bool {
    let authority = origin.strip_prefix(scheme.as_str()).and_then(|rest| rest.strip_prefix("://"));
    let Some(authority) = authority else { return false };
    let usual = if scheme == Scheme::Https { 443 } else { 80 };
    let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse().ok()).unwrap_or(usual);
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
            assert!(is_own_origin(origin, address, Scheme::Http), "{origin}");
        }
        for origin in
            ["http://localhost:3001", "https://localhost:3000", "http://localhost", "null", "http://a.test:3000"]
        {
            assert!(!is_own_origin(origin, address, Scheme::Http), "{origin}");
        }
    }

    /// A taken port is passed over unless somebody asked for it.
    #[tokio::test]
    async fn taken_ports() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let error = listen(Listen::At(address)).await.unwrap_err();
        let [line] = &error.to_lines()[..] else { panic!("{error:?}") };
        assert!(line.starts_with(&format!("{address} is taken by ")), "{line}");
        assert!(line.ends_with(&format!("(pid {})", std::process::id())), "{line}");
        let next = listen(Listen::FromPort(address.port())).await.unwrap().local_addr().unwrap();
        assert!(next.port() > address.port(), "{next}");
        assert!(listen(Listen::Anywhere).await.is_ok());
    }
}
