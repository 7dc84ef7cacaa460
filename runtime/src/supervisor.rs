//! The owner of one process: reads its output, ends it when asked, and says how it went.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ship_core::{LogLevel, RequestId};
use tokio::time::sleep_until;

use crate::background::Background;
use crate::error::{ExitStatus, SpawnError};
use crate::instance::Instance;
use crate::journal::Journal;
use crate::launch::{KeptCode, Launch, Purpose, catch_up};
use crate::limits::CACHE_PAUSE;
use crate::linux::cell::{Cell, Ending};
use crate::linux::nursery::Recipe;
use crate::linux::warden::Warden;
use crate::network::{CellConnections, serve};
use crate::output::Output;
use crate::pool::Surroundings;
use crate::spares::Spare;
use crate::spec::FunctionSpec;
use crate::stop::{Stop, Work};
use crate::zygote::Forked;

/// The signal that ends a process without asking it.
const KILLED: i32 = 9;

/// A process that was started and is to be supervised.
pub(crate) struct Child {
    instance: Arc<Instance>,
    journal: Journal,
    connections: Option<Arc<CellConnections>>,
    /// How much memory it may use.
    memory_mb: u32,
}

/// Has a process run `spec`. Its socket listens already, so requests can be sent at once.
pub(crate) async fn start(
    spec: &Arc<FunctionSpec>,
    surroundings: &Arc<Surroundings>,
    journal: Journal,
) -> Result<Child, SpawnError> {
    let launch = Launch::of(spec, surroundings, Purpose::Serve).await?;
    let Launch { program, recipe, assignment, document, kept } = launch;
    let Spare { mut cell, connections, afterwards } = spare_for(surroundings, recipe).await?;
    if let Some(connections) = &connections {
        connections.belong_to(spec.function.limits.network, surroundings.reach.policy(), journal.clone());
    }
    cell.run(assignment, document, &spec.function.limits)?;
    let (used, missing) = match kept {
        KeptCode::Found(cache) => (Some(cache), None),
        KeptCode::Missing(name) => (None, Some(name)),
        KeptCode::Not => (None, None),
    };
    catch_up(surroundings, spec.function.runtime, used);
    let Cell { warden, address, stdout, stderr, .. } = cell;
    let output = watch_output(stdout, stderr, &journal, &surroundings.background)?;
    let instance = Arc::new(Instance::new(Warden::Cell(warden), program, address, output));
    if let Some(name) = missing {
        let (spec, surroundings, instance) = (Arc::clone(spec), Arc::clone(surroundings), Arc::clone(&instance));
        surroundings.background.clone().spawn(async move {
            tokio::select! {
                () = surroundings.spares.closing() => {}
                made = make_cache(name, &spec, &surroundings, &instance) => {
                    if let Err(error) = made {
                        tracing::warn!(%error, function = %spec.function.name, "a function's code could not be kept");
                    }
                }
            }
        });
    }
    drop(afterwards);
    Ok(Child { instance, journal, connections, memory_mb: spec.function.limits.memory_mb })
}

/// Has a process that was forked serve `spec`.
pub(crate) fn start_forked(
    forked: Forked,
    program: PathBuf,
    spec: &FunctionSpec,
    journal: Journal,
    background: &Background,
) -> Result<Child, SpawnError> {
    let Forked { warden, address, stdout, stderr } = forked;
    warden.begin(&spec.function.limits)?;
    let output = watch_output(stdout, stderr, &journal, background)?;
    let instance = Arc::new(Instance::new(Warden::Fork(warden), program, address, output));
    // Its zygote's are its own.
    Ok(Child { instance, journal, connections: None, memory_mb: spec.function.limits.memory_mb })
}

fn watch_output(
    stdout: OwnedFd,
    stderr: OwnedFd,
    journal: &Journal,
    background: &Background,
) -> Result<Output, SpawnError> {
    let _there = background.enter();
    Output::new(stdout, stderr, journal.clone())
        .map_err(|source| SpawnError::Io { action: "watch the output of the process", source })
}

/// A process for a function. Where none waits that has its interpreter's start behind it, one that starts the interpreter for this
/// function alone is there sooner than one that first prepares for any.
async fn spare_for(surroundings: &Surroundings, recipe: Recipe) -> Result<Spare, SpawnError> {
    if recipe.boot.is_some() {
        if let Some(spare) = surroundings.spares.take_ready(&recipe) {
            return Ok(spare);
        }
        return surroundings.spares.take(&Recipe { prelude: None, boot: None, ..recipe }).await;
    }
    surroundings.spares.take(&recipe).await
}

/// Has a process of the function fill its cache of code, once it was seen that the function starts.
async fn make_cache(
    name: String,
    spec: &FunctionSpec,
    surroundings: &Surroundings,
    instance: &Instance,
) -> Result<(), SpawnError> {
    tokio::select! {
        _ = instance.became_ready() => {}
        _ = instance.ended() => return Ok(()),
    }
    // Whoever woke it is answered first.
    tokio::time::sleep(CACHE_PAUSE).await;
    let Some(unfinished) = surroundings.caches.begin(&name).await else { return Ok(()) };
    let Launch { recipe, assignment, document, .. } = Launch::of(spec, surroundings, Purpose::MakeCache).await?;
    let Spare { mut cell, connections, .. } = surroundings.spares.make(&recipe).await?;
    cell.run(assignment, document, &spec.function.limits)?;
    let patience = Duration::from_secs(u64::from(spec.function.limits.init_timeout_secs));
    let ended = tokio::select! {
        ended = cell.warden.ended_with_cache() => ended,
        never = serve(connections.as_deref()) => never,
        () = tokio::time::sleep(patience) => return Ok(()),
    };
    if let (Ending::Exited(ExitStatus::Code(0)), Some(filled)) = ended {
        // Before that there may be somebody who writes to it.
        cell.warden.gone().await;
        unfinished.keep(filled).await.map_err(|source| SpawnError::Io { action: "keep a cache of code", source })?;
    }
    Ok(())
}

impl Child {
    /// The instance.
    pub(crate) const fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Looks after the process until it is gone and its last output read.
    pub(crate) async fn supervise(self) {
        let ending = tokio::select! {
            ending = self.run_until_end() => ending,
            never = serve(self.connections.as_deref()) => never,
            never = self.watch_memory() => never,
            never = self.remark_storms() => never,
        };
        // What is left of it is ended by the cell's first process.
        self.instance.warden.gone().await;
        let ending = self.with_reason(ending);
        let requests = self.instance.output.current_requests();
        self.instance.output.finish();
        self.journal.ended(self.instance.end_reason(), &ending);
        self.remark_end(&ending, requests).await;
        self.instance.set_ending(ending);
    }

    /// Whoever uses up its memory is killed, and with it perhaps who would tell of it.
    fn with_reason(&self, ending: Ending) -> Ending {
        let is_killed = matches!(ending, Ending::Exited(ExitStatus::Signal(KILLED) | ExitStatus::Unknown));
        if is_killed && self.instance.warden.ran_out_of_memory() { Ending::OutOfMemory } else { ending }
    }

    async fn watch_memory(&self) -> ! {
        self.instance.warden.watch_memory(u64::from(self.memory_mb) * 1024 * 1024).await;
        std::future::pending().await
    }

    /// Tells the log when the function is slowed down for what it does to others.
    async fn remark_storms(&self) -> ! {
        if let Some(mut slowed) = self.instance.warden.slowed() {
            while slowed.changed().await.is_ok() {
                let seconds = slowed.borrow_and_update().as_secs();
                let message = format!(
                    "The function begins processes without pause, which holds up everybody else on the machine. It has next to \
                     nothing of the processors for the next {seconds} seconds."
                );
                self.journal.remark(LogLevel::Error, self.instance.output.current_requests(), message);
            }
        }
        std::future::pending().await
    }

    async fn run_until_end(&self) -> Ending {
        let mut stop: Option<Stop> = None;
        loop {
            tokio::select! {
                ending = self.instance.warden.ended() => return ending,
                () = self.instance.output.readable() => {
                    self.instance.output.read();
                    // Others get their turn even if the function prints without pause.
                    tokio::task::yield_now().await;
                }
                () = self.instance.output.stands_still() => self.instance.output.give_out_pending(),
                asked = self.instance.stop_asked(), if stop.is_none() => {
                    self.instance.warden.terminate();
                    stop = Some(asked);
                }
                () = self.grace_is_over(stop) => {
                    self.instance.warden.kill();
                    return self.instance.warden.ended().await;
                }
            }
        }
    }

    /// Waits until an instance that was asked to stop has had its time: more of it if it says that its work goes on. Never returns
    /// where none was asked.
    async fn grace_is_over(&self, stop: Option<Stop>) {
        let Some(stop) = stop else { return std::future::pending().await };
        sleep_until(stop.kill_at(Work::Unsaid)).await;
        self.instance.output.read();
        sleep_until(stop.kill_at(self.instance.output.work())).await;
    }

    /// Tells the log of an end that nobody asked for.
    async fn remark_end(&self, ending: &Ending, requests: Vec<RequestId>) {
        if self.instance.end_reason().is_some() {
            return;
        }
        let message = match ending {
            Ending::Exited(status) if !self.instance.was_ready().await => {
                format!("The function's process ended with {status} while it was starting.")
            }
            Ending::Exited(status) => match requests.len() {
                0 => format!("The function's process ended with {status}."),
                1 => format!("The function's process ended with {status} while it was answering a request."),
                many => format!("The function's process ended with {status} while it was answering {many} requests."),
            },
            Ending::OutOfMemory => "The function ran out of memory.".to_owned(),
            never => match never.spawn_error(self.instance.program()) {
                Some(error) => format!("The function could not be started: {error}."),
                None => return,
            },
        };
        self.journal.remark(LogLevel::Fatal, requests, message);
    }
}
