//! Rebuilding: the only task that builds, one build at a time, each of everything that was edited until it began.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ship_builder::BuildTarget;
use ship_core::{DeploymentId, FunctionName, Manifest};
use ship_edge::{Edge, EdgeOptions, ExternalReach, Indexing, LiveDeployment, ServerTiming, Site};
use ship_runtime::{LogSink, Runtime};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::excerpt::with_excerpts;
use super::faults::Fault;
use super::replay::{Destination, KeptRequest};
use super::report::Report;
use super::shown::{Failure, Live, Shown, View, only_functions_changed, only_styles_differ};
use super::store::DevStore;
use super::watch::Edits;
use super::{Console, Framework, reload};
use crate::building::{self, BuildRequest, Built, FrontendBy};
use crate::error::CommandError;
use crate::kept_variables::KeptVariables;
use crate::output::{Output, count, duration};
use crate::settings::Settings;

/// How long nothing must be edited before a build begins: editors write one change as several operations.
const QUIET: Duration = Duration::from_millis(10);

/// How long a build is put off at most, however much is being edited.
const MAX_DELAY: Duration = Duration::from_millis(50);

/// How often a build is tried whose files change while it runs. Each change is an edit, so a last word follows anyway.
const MAX_TRIES: u32 = 3;

/// How many routes of functions the first line names.
const MAX_ROUTES: usize = 3;

/// Assets that one version of the site keeps in memory. A dev server has one visitor.
const CACHE_BYTES: usize = 1024 * 1024;

/// All that a build needs, and what it changes.
pub(super) struct Rebuilder {
    /// The project's folder.
    pub(super) path: PathBuf,
    /// The same, absolute.
    pub(super) root: PathBuf,
    /// The framework's own server, if it has one.
    pub(super) framework: Framework,
    /// What went wrong in a function, until it is built anew.
    pub(super) fault: watch::Sender<Option<Fault>>,
    /// What every command knows.
    pub(super) settings: Settings,
    /// How things are said.
    pub(super) output: Output,
    /// Where they are said.
    pub(super) console: Console,
    /// The URL of the server.
    pub(super) url: String,
    /// A request that is sent again after each build.
    pub(super) replay: Option<Replay>,
    /// What a person who reads the first line can do next.
    pub(super) next_step: &'static str,
    /// What a host keeps for development.
    pub(super) variables: KeptVariables,
    /// What was edited.
    pub(super) edits: Edits,
    /// What is shown, changed here and nowhere else.
    pub(super) shown: watch::Sender<Shown>,
    /// Where artifacts and files go.
    pub(super) store: Arc<Mutex<DevStore>>,
    /// What runs the functions.
    pub(super) runtime: Runtime,
    /// What ends in the background.
    pub(super) retirements: TaskTracker,
    /// Whether an origin is the server's own.
    pub(super) own_origins: Arc<dyn Fn(&str) -> bool + Send + Sync>,
}

/// A request that is sent again.
#[derive(Clone, Debug)]
pub(super) struct Replay {
    /// The request.
    pub(super) request: KeptRequest,
    /// Where it is sent.
    pub(super) destination: Destination,
}

/// Why something is built.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Occasion {
    /// The dev server starts.
    Start,
    /// Something was edited.
    Edit,
}

impl Rebuilder {
    /// Builds whenever something was edited, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        let mut edits = self.edits.subscribe();
        loop {
            let contained = self.shown.borrow().edits;
            tokio::select! {
                () = stop.cancelled() => break,
                newer = edits.wait_for(|count| *count > contained) => if newer.is_err() { break },
            }
            let occasion = if contained == 0 { Occasion::Start } else { Occasion::Edit };
            if occasion == Occasion::Edit {
                settle(&mut edits).await;
            }
            let count = self.edits.count();
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.rebuild(count, occasion) => {}
            }
            if occasion == Occasion::Start
                && let Some(replay) = &self.replay
            {
                self.console.warning(replay.request.caveat());
            }
            // An answer is not waited for when it would be that of an older build.
            let mut newer = self.edits.subscribe();
            tokio::select! {
                () = stop.cancelled() => break,
                () = self.replay() => {}
                _ = newer.wait_for(|newer| *newer > count) => {}
            }
        }
        self.retire(self.live(), None);
        self.retirements.close();
        self.retirements.wait().await;
    }

    async fn rebuild(&self, edits: u64, occasion: Occasion) {
        let changed = self.edits.take_paths();
        if occasion == Occasion::Edit {
            self.console.rebuilding(&changed);
        }
        let started = Instant::now();
        match self.build().await {
            Ok(built) => {
                self.warn_of_lost(&built, &changed);
                let before = self.live().map(|live| live.version);
                self.show(&built, edits);
                let is_same = self.live().map(|live| live.version) == before;
                match occasion {
                    Occasion::Start => {
                        let _ = self.framework.settled().await;
                        self.greet(self.summary(&built, started.elapsed()));
                    }
                    // The framework's server says what it makes of an edit that changes nothing else.
                    Occasion::Edit if is_same && self.framework.name().is_some() => {
                        self.console.ready(&self.url, None);
                    }
                    Occasion::Edit => {
                        let took = duration(started.elapsed());
                        self.console.ready(&self.url, Some(format!("Rebuilt in {took}{}", because_of(&changed))));
                    }
                }
            }
            Err(error) => {
                let error = error.in_project(&self.root);
                self.show_failure(&error, edits, &changed);
                if occasion == Occasion::Start {
                    self.greet("The site is shown once it builds".to_owned());
                }
                self.console.failed(&error, &self.root, &self.output);
            }
        }
    }

    /// Says of files that were functions until they were edited that they are none any more. A file that is gone is no surprise.
    fn warn_of_lost(&self, built: &Built, changed: &[String]) {
        let Some(before) = self.live() else { return };
        let is_there = |name: &FunctionName| built.output.functions().iter().any(|built| built.function.name == *name);
        for function in before.site.deployment.manifest().functions().iter().filter(|it| !is_there(&it.name)) {
            let is_its_file = |path: &&String| {
                path.rsplit_once('.').is_some_and(|(stem, _)| stem == function.name.as_str())
                    && self.root.join(path).is_file()
            };
            if let Some(file) = changed.iter().find(is_its_file) {
                self.console.warning(&format!("`{file}` is no function any more: nothing in it answers requests"));
            }
        }
    }

    /// Sends the request again that somebody wants to see answered. A build that failed answers nothing.
    async fn replay(&self) {
        let Some(Replay { request, destination }) = &self.replay else { return };
        if !matches!(self.shown.borrow().view, View::Live(_)) {
            return;
        }
        match request.send(destination).await {
            Ok(answer) => self.console.replayed(request, &answer),
            Err(error) => self.console.warning(&format!("the request was not answered: {error}")),
        }
    }

    /// Says for the first time where the site is.
    fn greet(&self, text: String) {
        self.console.greet(&self.url, text);
    }

    /// What there is, in one line.
    fn summary(&self, built: &Built, took: Duration) -> String {
        let functions = built.output.functions();
        let routes: Vec<&str> = functions.iter().map(|function| function.route.as_str()).take(MAX_ROUTES).collect();
        let more = functions.len() - routes.len();
        let mut parts = Vec::new();
        if !routes.is_empty() {
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            parts.push(format!("{} ({}{more})", count(functions.len() as u64, "function"), routes.join(", ")));
        }
        match self.framework.name() {
            Some(name) if parts.is_empty() => parts.push(name),
            Some(name) => parts.push(format!("{name} for the rest")),
            None if built.output.static_files() > 0 || parts.is_empty() => {
                parts.push(count(built.output.static_files() as u64, "file"));
            }
            None => {}
        }
        format!("{}: {}, ready in {}{}", built.name, parts.join(", "), duration(took), self.next_step)
    }

    /// Builds the project and puts what was made into the store.
    async fn build(&self) -> Result<Built, CommandError> {
        let mut tries = 0;
        let request = BuildRequest {
            target: BuildTarget::Development,
            url: self.url.split_once("://").map(|(_, authority)| authority.to_owned()),
            variables: self.variables.clone(),
            frontend: FrontendBy::OwnServer(self.framework.clone()),
            ..BuildRequest::default()
        };
        loop {
            tries += 1;
            // What the build of the frontend writes is no edit: it would build for ever.
            self.edits.pass_over(building::frontend_traces(&self.path, &self.settings));
            let built = building::build(&self.path, request.clone(), &self.settings, &self.output).await?;
            let store = Arc::clone(&self.store);
            let kept = tokio::task::spawn_blocking(move || lock(&store).keep(&built.output).map(|()| built)).await;
            match kept.map_err(CommandError::project)? {
                Err(error) if error.is_changed_file() && tries < MAX_TRIES => {}
                kept => return Ok(kept?),
            }
        }
    }

    fn show(&self, built: &Built, edits: u64) {
        let before = self.live();
        let live = self.bring_to_life(built, before.as_ref());
        let functions = *live.site.deployment.id();
        if before.as_ref().is_none_or(|before| *before.site.deployment.id() != functions) {
            self.fault.send_if_modified(|fault| fault.take().is_some());
        }
        self.shown.send_modify(|shown| *shown = Shown { edits, view: View::Live(live) });
        self.retire(before, Some(functions));
    }

    /// Shows why the site does not build. Pages that are as they were go on being served.
    fn show_failure(&self, error: &CommandError, edits: u64, changed: &[String]) {
        let before = self.live();
        let pages = before.clone().filter(|live| only_functions_changed(changed, live.site.deployment.manifest()));
        let retired = if pages.is_some() { None } else { before };
        let text = with_excerpts(&error.to_lines_with_hints().join("\n"), &self.root);
        let failure = Failure { report: Report::new("The site does not build", &text), pages };
        self.shown.send_modify(|shown| *shown = Shown { edits, view: View::Failed(failure) });
        self.retire(retired, None);
    }

    /// The site that is served, if only its pages.
    fn live(&self) -> Option<Live> {
        match &self.shown.borrow().view {
            View::Live(live) => Some(live.clone()),
            View::Failed(failure) => failure.pages.clone(),
            View::Nothing => None,
        }
    }

    /// Ends what ran for a site that is shown no more, its functions only if it is not `kept` that run now. That waits for
    /// requests that are being answered, and the next build does not wait for it.
    fn retire(&self, before: Option<Live>, kept: Option<DeploymentId>) {
        let Some(Live { site, edge, .. }) = before else { return };
        let (id, runtime) = (*site.deployment.id(), self.runtime.clone());
        self.retirements.spawn(async move {
            edge.shutdown().await;
            if kept != Some(id) {
                runtime.retire(&id).await;
            }
        });
    }

    /// A site of what was built. Its functions go on running where they did not change.
    fn bring_to_life(&self, built: &Built, before: Option<&Live>) -> Live {
        let manifest = Manifest::clone(built.output.manifest());
        let version = manifest.deployment_id(&built.name);
        let styles_since = before
            .filter(|before| only_styles_differ(before.site.deployment.manifest(), &manifest))
            .map(|before| before.version);
        let (store, generation) = {
            let store = lock(&self.store);
            (store.current(), store.generation())
        };
        let id = id_of_functions(&manifest, generation, &built.environment);
        let options = EdgeOptions {
            page_script: Some(reload::page_script(&version)),
            cache_bytes: CACHE_BYTES,
            external_reach: ExternalReach::PublicAndLoopback,
            ..EdgeOptions::default()
        };
        let logs = Arc::new(self.console.clone()) as Arc<dyn LogSink>;
        let edge = Arc::new(Edge::new(store, self.runtime.clone(), logs, options));
        let deployment = LiveDeployment::from_parts(built.name.clone(), id, manifest, built.environment.clone());
        let site = Site {
            deployment,
            own_origins: Arc::clone(&self.own_origins),
            timing: ServerTiming::Shown,
            // What runs here is found by nobody else, and may be seen by whoever can reach it.
            indexing: Indexing::Allowed,
            gate: None,
        };
        Live { version, styles_since, site, edge }
    }
}

/// The id under which functions run: the same as long as neither they nor their environment change, whatever happens to files
/// beside them, and as long as the store stays that they were unpacked in.
fn id_of_functions(manifest: &Manifest, generation: u32, environment: &[(String, String)]) -> DeploymentId {
    let functions = (manifest.functions(), environment);
    let functions = serde_json::to_vec(&functions).expect("functions have no fallible encoders");
    DeploymentId::of_bytes(&[generation.to_le_bytes().as_slice(), &functions].concat())
}

fn lock(store: &Mutex<DevStore>) -> MutexGuard<'_, DevStore> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits until nothing more is edited, but not for long.
async fn settle(edits: &mut watch::Receiver<u64>) {
    let deadline = tokio::time::Instant::now() + MAX_DELAY;
    loop {
        let _ = edits.borrow_and_update();
        let quiet = (tokio::time::Instant::now() + QUIET).min(deadline);
        match tokio::time::timeout_at(quiet, edits.changed()).await {
            Ok(Ok(())) if tokio::time::Instant::now() < deadline => {}
            _ => return,
        }
    }
}

/// What a build was made for, at most two of it by name.
fn because_of(changed: &[String]) -> String {
    match changed {
        [] => String::new(),
        [_] | [_, _] => format!(": {}", changed.join(", ")),
        [first, second, more @ ..] => format!(": {first}, {second} and {} more", more.len()),
    }
}
