//! The owner of one process: reads its output, ends it when asked, collects it, and says how it went.

use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ship_core::{FunctionRuntime, LogLevel, RequestId};
use tokio::time::{Instant, sleep_until};

use crate::error::{ExitStatus, SpawnError};
use crate::instance::Instance;
use crate::journal::Journal;
use crate::linux::leftovers::RunFolder;
use crate::linux::process::{ExitWatch, ProcessGroup};
use crate::linux::socket;
use crate::linux::spawn::{self, LISTEN_FD, Launch};
use crate::output::Output;
use crate::pool::Surroundings;
use crate::spec::FunctionSpec;

/// Numbers the passing names of sockets.
static NEXT_SOCKET: AtomicU64 = AtomicU64::new(0);

/// The search path of a function: where a system has its programs, whatever the host's own path is.
const FUNCTION_PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// A process that was started and is to be supervised.
pub(crate) struct Child {
    instance: Arc<Instance>,
    exit: ExitWatch,
    journal: Journal,
    folder: Arc<RunFolder>,
}

/// Starts a process for `spec`. Its socket listens before the process exists, so requests can be sent at once.
pub(crate) fn start(spec: &FunctionSpec, surroundings: &Surroundings, journal: Journal) -> Result<Child, SpawnError> {
    let folder = &surroundings.folder;
    let command = surroundings.interpreters.command(spec.function.runtime)?;
    let name = format!("{}.sock", NEXT_SOCKET.fetch_add(1, Ordering::Relaxed));
    let (listener, address) = socket::listen(folder.handle(), &name)
        .map_err(|source| SpawnError::Io { action: "make a listening socket", source })?;
    let mut env = environment(spec);
    if spec.function.runtime == FunctionRuntime::Python {
        env.push(("SHIP_INTERPRETERS".to_owned(), surroundings.interpreters.search_path()));
    }
    let spawned = spawn::spawn(&Launch { command: &command, root: &spec.root, env: &env, listener: listener.as_fd() })?;
    // From here on the process exists: a failure ends it again when the guard is dropped.
    let group = KillOnDrop(Some(ProcessGroup::new(spawned.pid)));
    let exit = ExitWatch::open(group.get())?;
    let output = Output::new(spawned.stdout, spawned.stderr, journal.clone())
        .map_err(|source| SpawnError::Io { action: "watch the output of the process", source })?;
    if let Err(error) = folder.remember(group.get().id()) {
        tracing::warn!(%error, pid = group.get().id(), "a function's process could not be recorded");
    }
    let instance = Arc::new(Instance::new(group.release(), address, output));
    Ok(Child { instance, exit, journal, folder: Arc::clone(folder) })
}

/// The whole environment of a function: what its owner set, and over it what the platform promises.
fn environment(spec: &FunctionSpec) -> Vec<(String, String)> {
    let platform = [
        ("PATH", FUNCTION_PATH.to_owned()),
        ("HOME", "/tmp".to_owned()),
        ("TMPDIR", "/tmp".to_owned()),
        ("SHIP_LISTEN_FD", LISTEN_FD.to_string()),
        ("SHIP_FUNCTION", spec.function.name.to_string()),
        ("SHIP_DEPLOYMENT", spec.deployment.to_string()),
        ("SHIP_PROJECT", spec.project.to_string()),
    ];
    let own = spec.env.iter().filter(|(name, _)| !platform.iter().any(|(taken, _)| taken == name)).cloned();
    own.chain(platform.iter().map(|(name, value)| ((*name).to_owned(), value.clone()))).collect()
}

/// Kills a process group that nobody came to own.
struct KillOnDrop(Option<ProcessGroup>);

impl KillOnDrop {
    const fn get(&self) -> &ProcessGroup {
        self.0.as_ref().expect("the group is there until it is released")
    }

    fn release(mut self) -> ProcessGroup {
        self.0.take().expect("the group is there until it is released")
    }
}

impl Drop for KillOnDrop {
    fn drop(&mut self) {
        if let Some(group) = &self.0 {
            group.kill_and_collect();
        }
    }
}

impl Child {
    /// The instance.
    pub(crate) const fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Looks after the process until it is gone, collected, and its last output read.
    pub(crate) async fn supervise(self) {
        self.run_until_exit().await;
        let status = self.exit.reap(&self.instance.group);
        self.folder.forget(self.instance.group.id());
        let requests = self.instance.output.current_requests();
        self.instance.output.finish();
        self.journal.ended(self.instance.end_reason(), status);
        self.remark_exit(status, requests);
        self.instance.set_exit(status);
    }

    async fn run_until_exit(&self) {
        let mut kill_at: Option<Instant> = None;
        loop {
            tokio::select! {
                () = self.exit.exited() => return,
                () = self.instance.output.readable() => {
                    self.instance.output.read();
                    // Others get their turn even if the function prints without pause.
                    tokio::task::yield_now().await;
                }
                deadline = self.instance.stop_asked(), if kill_at.is_none() => {
                    self.instance.group.terminate();
                    kill_at = Some(deadline);
                }
                () = sleep_until(kill_at.unwrap_or_else(Instant::now)), if kill_at.is_some() => {
                    self.instance.group.kill();
                    self.exit.exited().await;
                    return;
                }
            }
        }
    }

    /// Tells the log of an end that nobody asked for.
    fn remark_exit(&self, status: ExitStatus, requests: Vec<RequestId>) {
        if self.instance.end_reason().is_none() {
            let message = match requests.len() {
                0 => format!("The function's process ended with {status}."),
                1 => format!("The function's process ended with {status} while it was answering a request."),
                many => format!("The function's process ended with {status} while it was answering {many} requests."),
            };
            self.journal.remark(LogLevel::Fatal, requests, message);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Only if the task was dropped with the whole async runtime: its process must not outlive it.
        if self.instance.exit().is_none() {
            self.instance.group.kill();
        }
    }
}
