//! The dev server from its start to its end: its parts, and how they stop.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ship_builder::BuildTarget;
use ship_core::RequestId;
use ship_edge::{ConnectionLimits, Scheme};
use ship_runtime::{CompiledCode, Isolation, LogSink, OWN_PROGRAM, Reach, Runtime, RuntimeOptions};
use tokio::runtime::Handle;
use tokio::sync::mpsc::channel;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Console;
use super::answer::{DevAnswer, HostNames};
use super::faults::{Fault, Faults};
use super::folder::DevFolder;
use super::framework::{Framework, Passage, Supervisor};
use super::keyboard::Keyboard;
use super::listener::{DevListener, Listen};
use super::rebuild::{Rebuilder, Replay};
use super::reload::News;
use super::replay::KeptRequest;
use super::shown::{Shown, View};
use super::store::DevStore;
use super::watch::Watch;
use crate::connection;
use crate::embedded::{EmbeddedError, StartPolicy};
use crate::error::{CommandError, ErrorKind};
use crate::kept_variables::{self, KeptVariables};
use crate::output::{Keys, Output};
use crate::project::{self, Project};
use crate::settings::Settings;

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

/// Serves a folder until `stop`.
pub(crate) async fn serve(
    options: DevOptions,
    settings: &Settings,
    output: &Output,
    stop: CancellationToken,
) -> Result<(), CommandError> {
    let project = project::open_folder(&options.path, settings)?;
    let listener = DevListener::open(options.listen, options.scheme, settings, output).await?;
    let replay = match &options.replay {
        Some(id) => {
            let request = KeptRequest::find(id, &options.path, settings, output).await?;
            Some(Replay { request, destination: listener.destination() })
        }
        None => None,
    };
    let folder = take_folder(settings.home.dev(project.root()))?;
    let (console, console_writer) = Console::start(output.clone());
    let (records, heard) = channel(MAX_RECORDS);
    let said = console.heard_by(records);
    let runtime = start_runtime(&folder, &said, settings)?;
    let (watch, ears) = Watch::start(project.root(), &folder.cookies())?;
    let (framework, fault) = (Framework::new(), watch::Sender::new(None));
    let (settings, output, tasks) = (settings.clone(), output.clone(), TaskTracker::new());
    let server = Server { settings, output, console, watch, framework, fault, runtime, tasks, stop };

    let (shown_sender, shown) = watch::channel(Shown { edits: 0, view: View::Nothing });
    let rebuilder = Rebuilder {
        variables: kept_for_development(&options.path, &server.settings, &server.output).await,
        path: options.path,
        root: project.root().to_owned(),
        framework: server.framework.clone(),
        fault: server.fault.clone(),
        settings: server.settings.clone(),
        output: server.output.clone(),
        console: said,
        url: listener.url(),
        replay,
        next_step: server.listen_to_keys(listener.url()),
        edits: server.watch.edits.clone(),
        shown: shown_sender,
        store: Arc::new(Mutex::new(DevStore::open(folder.stores())?)),
        runtime: server.runtime.clone(),
        retirements: TaskTracker::new(),
        own_origins: Arc::new(listener.own_origins()),
    };
    let faults = Faults::new(project.root().to_owned(), heard, server.fault.clone(), server.console.clone());
    server.tasks.spawn(faults.listen(server.stop.clone()));
    server.tasks.spawn(ears.listen(server.console.clone(), server.stop.clone()));
    server.tasks.spawn(rebuilder.run(server.stop.clone()));
    server.run(listener, shown).await;
    // Everything that speaks through the console is gone by now, which ends its writer.
    console_writer.await.map_err(|error| CommandError::new(ErrorKind::Host, error))
}

/// What the parts of a dev server share while it runs.
struct Server {
    settings: Settings,
    output: Output,
    console: Console,
    watch: Watch,
    framework: Framework,
    fault: watch::Sender<Option<Fault>>,
    runtime: Runtime,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Server {
    /// Listens to keys where there is a terminal, and says what a person who reads the first line can do then.
    fn listen_to_keys(&self, url: String) -> &'static str {
        let keys = if self.output.is_json() { None } else { Keys::begin().ok().flatten() };
        let Some(keys) = keys else { return "" };
        let keyboard = Keyboard {
            keys,
            url,
            settings: self.settings.clone(),
            output: self.output.clone(),
            console: self.console.clone(),
            edits: self.watch.edits.clone(),
            framework: self.framework.clone(),
        };
        self.tasks.spawn(keyboard.listen(self.stop.clone()));
        "; h lists keys"
    }

    /// Answers at `listener` with what is shown until the stop, and ends everything then.
    async fn run(self, listener: DevListener, shown: watch::Receiver<Shown>) {
        let Self { output, console, watch, framework, fault, runtime, tasks, stop, .. } = self;
        let address = listener.address();
        let supervisor = Supervisor::new(&framework, watch.edits.subscribe(), console, output, address.to_string());
        tasks.spawn(supervisor.run(stop.clone()));
        // Found out while the first build is made. Whether there is anything to start is known after it.
        let prepared = runtime.clone();
        tasks.spawn(async move { drop(prepared.isolation().await) });
        let answer = Arc::new(DevAnswer {
            watch,
            news: News { shown, framework: framework.state(), fault: fault.subscribe() },
            framework,
            passage: Passage::new(stop.clone()),
            names: if address.ip().is_loopback() { HostNames::ThisMachine } else { HostNames::Any },
            stop: stop.clone(),
        });
        let limits = ConnectionLimits { drain_timeout: DRAIN, ..ConnectionLimits::default() };
        listener.serve(Arc::clone(&answer), limits, stop).await;
        answer.passage.closed().await;
        drop(answer);
        tasks.close();
        tasks.wait().await;
        runtime.shutdown().await;
    }
}

/// What runs the functions.
fn start_runtime(folder: &DevFolder, said: &Console, settings: &Settings) -> Result<Runtime, CommandError> {
    Ok(Runtime::new(RuntimeOptions {
        socket_dir: folder.run(),
        nursery: OWN_PROGRAM.into(),
        compiled_code: CompiledCode::Forgotten,
        least_isolation: Isolation::Process,
        reach: Reach::Everywhere,
        logs: Arc::new(said.clone()) as Arc<dyn LogSink>,
        interpreters: settings.interpreters(),
        background: Handle::current(),
        drain_timeout: DRAIN,
    })?)
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
        source if source.raw_os_error().is_some() => EmbeddedError::Files { path: parent, source }.into(),
        error => CommandError::project(error),
    })
}
