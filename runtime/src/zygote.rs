//! Zygotes: processes that have loaded a function in Python, and fork the instances that serve it.
//!
//! What takes long in the start of such a function is what it imports. Once one instance is awake that took its time, a process
//! beside it loads the function once more and waits; the second instance and all further ones are copies of that process, which
//! share its memory until they write to it. One copy is made ahead. What forks is the function's own process, which is trusted
//! with nothing: a copy is held by its handle, and gets leave to begin when it is in control groups of its own.

use std::collections::{HashMap, VecDeque};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ship_core::FunctionRuntime;
use tokio::sync::{SetOnce, oneshot};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::error::{ExitStatus, SpawnError};
use crate::journal::Journal;
use crate::launch::{Launch, Purpose};
use crate::limits::{FORK_TIMEOUT, SPARES_PAUSE};
use crate::linux::cell::{Cell, OutputOwner};
use crate::linux::cgroup::GroupFamily;
use crate::linux::foreign::Foreign;
use crate::linux::fork::{ForkWarden, Unheard, Word, ZygoteCell, ZygoteSocket, exit_status};
use crate::linux::nursery::Isolation;
use crate::linux::socket::SocketAddress;
use crate::network::{CellConnections, serve};
use crate::output::Output;
use crate::pool::Surroundings;
use crate::spares::Spare;
use crate::spec::{CompiledCode, FunctionSpec};

/// A process that has loaded a function and forks its instances.
pub(crate) struct Zygote {
    /// What is executed, for people.
    pub(crate) program: PathBuf,
    surroundings: Arc<Surroundings>,
    cell: Arc<ZygoteCell>,
    /// Whose the output of its forks is.
    output_owner: OutputOwner,
    /// What its forks may use together.
    family: Arc<GroupFamily>,
    socket: Arc<ZygoteSocket>,
    asked: Arc<Asked>,
    /// An instance that was forked before anybody needs it.
    ahead: Mutex<Option<Forked>>,
}

/// A process that was forked and waits for leave to begin.
pub(crate) struct Forked {
    pub(crate) warden: ForkWarden,
    pub(crate) address: SocketAddress,
    pub(crate) stdout: OwnedFd,
    pub(crate) stderr: OwnedFd,
}

/// Those who have asked for a process, in the order in which they are answered.
#[derive(Default)]
struct Asked {
    waiting: Mutex<VecDeque<oneshot::Sender<Born>>>,
    /// Set when nobody answers any more.
    is_over: AtomicBool,
}

/// A process that was just forked.
struct Born {
    handle: Foreign,
    told: Arc<SetOnce<ExitStatus>>,
}

impl Asked {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<oneshot::Sender<Born>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Zygote {
    /// Loads a function to fork it; `None` if that is impossible for this one, or here.
    pub(crate) async fn start(
        spec: &FunctionSpec,
        surroundings: &Arc<Surroundings>,
        journal: Journal,
    ) -> Result<Option<Self>, SpawnError> {
        if spec.function.runtime != FunctionRuntime::Python || surroundings.compiled_code != CompiledCode::Kept {
            return Ok(None);
        }
        let Launch { program, recipe, assignment, document, .. } =
            Launch::of(spec, surroundings, Purpose::Fork).await?;
        let spares = &surroundings.spares;
        // Elsewhere nothing would end what a fork leaves behind, or keep one's memory from another's.
        if recipe.boot.is_none() || recipe.isolation != Isolation::Sandbox {
            return Ok(None);
        }
        let Some(family) = spares.family(&spec.function.limits)? else { return Ok(None) };
        let spare = match spares.take_ready(&recipe) {
            Some(spare) => spare,
            None => spares.make(&recipe).await?,
        };
        let Spare { mut cell, connections, afterwards } = spare;
        if let Some(connections) = &connections {
            connections.belong_to(spec.function.limits.network, surroundings.reach.policy(), journal.clone());
        }
        cell.run(assignment, document, &spec.function.limits)?;
        drop(afterwards);
        let Cell { warden, address, stdout, stderr, .. } = cell;
        let socket =
            address.dial().and_then(ZygoteSocket::new).map(Arc::new).map_err(during("connect to a process"))?;
        let output_owner = OutputOwner::of(&stdout)?;
        let output = Output::new(stdout, stderr, journal).map_err(during("watch the output of the process"))?;
        let (ready, is_ready) = oneshot::channel();
        let (asked, stop) = (Arc::<Asked>::default(), CancellationToken::new());
        let (socket_of_task, asked_of_task) = (Arc::clone(&socket), Arc::clone(&asked));
        let tending = Tending { socket: socket_of_task, asked: asked_of_task, output, ready: Some(ready) };
        let (spares, stopped) = (Arc::clone(spares), stop.clone());
        surroundings.background.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = spares.closing() => {}
                () = tending.tend(connections.as_deref()) => {}
            }
        });
        let cell = Arc::new(ZygoteCell::new(warden, stop.drop_guard()));
        let patience = Duration::from_secs(u64::from(spec.function.limits.init_timeout_secs));
        match timeout(patience, is_ready).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(refusal))) => {
                tracing::debug!(%refusal, function = %spec.function.name, "a function is not forked");
                return Ok(None);
            }
            // It has told its log why it ended.
            Ok(Err(_)) | Err(_) => return Ok(None),
        }
        let surroundings = Arc::clone(surroundings);
        Ok(Some(Self { program, surroundings, cell, output_owner, family, socket, asked, ahead: Mutex::default() }))
    }

    /// A new process of the function, which waits for leave to begin. The next one is made ahead.
    pub(crate) async fn take(self: &Arc<Self>) -> Result<Forked, SpawnError> {
        let ahead = self.ahead().take();
        let taken = match ahead.filter(|forked| !forked.warden.is_gone()) {
            Some(forked) => forked,
            None => self.surroundings.background.watching(self.fork()).await?,
        };
        self.fork_ahead();
        Ok(taken)
    }

    /// Forks a process that nobody needs yet.
    pub(crate) fn fork_ahead(self: &Arc<Self>) {
        let (zygote, spares) = (Arc::clone(self), Arc::clone(&self.surroundings.spares));
        self.surroundings.background.spawn(async move {
            let fork = async {
                sleep(SPARES_PAUSE).await;
                if zygote.ahead().is_none()
                    && let Ok(forked) = zygote.fork().await
                {
                    *zygote.ahead() = Some(forked);
                }
            };
            tokio::select! {
                () = spares.closing() => {}
                () = fork => {}
            }
        });
    }

    /// Whether no instance of it is there.
    pub(crate) fn is_unused(&self) -> bool {
        let own = 1 + usize::from(self.ahead().is_some());
        Arc::strong_count(&self.cell) <= own
    }

    async fn fork(&self) -> Result<Forked, SpawnError> {
        let (listener, address) = self.surroundings.spares.listen()?;
        let groups = self.family.make().map_err(during("make a control group"))?;
        let (stdout, their_stdout) = self.output_owner.pipe()?;
        let (stderr, their_stderr) = self.output_owner.pipe()?;
        let (may_begin, leave) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
            .map_err(|errno| during("make a pipe")(errno.into()))?;
        let born = {
            let (sender, born) = oneshot::channel();
            let mut waiting = self.asked.waiting();
            if self.asked.is_over.load(Ordering::Relaxed) {
                return Err(during("ask for a fork")(std::io::ErrorKind::NotConnected.into()));
            }
            let ends = [listener.as_fd(), their_stdout.as_fd(), their_stderr.as_fd(), may_begin.as_fd()];
            self.socket.ask(ends).map_err(during("ask for a fork"))?;
            waiting.push_back(sender);
            born
        };
        let Ok(Ok(Born { handle, told })) = timeout(FORK_TIMEOUT, born).await else {
            return Err(during("fork a process")(std::io::ErrorKind::TimedOut.into()));
        };
        let zygote = self.cell.zygote();
        let enclosed = tokio::task::spawn_blocking(move || {
            ForkWarden::enclose(handle, zygote, &groups).map(|(handle, id)| (handle, id, groups))
        });
        let enclosed = enclosed.await.map_err(|error| during("limit a fork")(std::io::Error::other(error)))?;
        let (handle, id, groups) = enclosed.map_err(during("limit a fork"))?;
        let warden = ForkWarden::new(handle, id, groups, leave, told, Arc::clone(&self.cell));
        let warden = warden.map_err(during("watch a process"))?;
        Ok(Forked { warden, address, stdout, stderr })
    }

    fn ahead(&self) -> MutexGuard<'_, Option<Forked>> {
        self.ahead.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A function was loaded, and says that it cannot be forked.
#[derive(Debug, thiserror::Error)]
#[error("it says {reason:?}")]
struct ForkRefusal {
    /// In the function's own words.
    reason: String,
}

/// What is done for a zygote while it is there.
struct Tending {
    socket: Arc<ZygoteSocket>,
    asked: Arc<Asked>,
    output: Output,
    /// Who waits until it can fork, or is told why not.
    ready: Option<oneshot::Sender<Result<(), ForkRefusal>>>,
}

impl Tending {
    async fn tend(mut self, connections: Option<&CellConnections>) {
        tokio::select! {
            () = self.listen() => {}
            never = serve(connections) => never,
        }
        self.output.finish();
        let mut waiting = self.asked.waiting();
        self.asked.is_over.store(true, Ordering::Relaxed);
        waiting.clear();
    }

    /// Hears it and reads what it prints, until it is gone.
    async fn listen(&mut self) {
        let (mut unheard, mut living) = (Unheard::default(), HashMap::new());
        loop {
            tokio::select! {
                heard = self.socket.hear(&mut unheard) => match heard {
                    Ok(Some((word, handle))) => {
                        if !self.note(word, handle, &mut living) {
                            return;
                        }
                    }
                    Ok(None) | Err(_) => return,
                },
                () = self.output.readable() => {
                    self.output.read();
                    tokio::task::yield_now().await;
                }
            }
        }
    }

    /// Takes note of a word. False for one that nobody has asked for: what says such is no zygote any more.
    fn note(
        &mut self,
        word: Word,
        handle: Option<Foreign>,
        living: &mut HashMap<u32, Arc<SetOnce<ExitStatus>>>,
    ) -> bool {
        match (word, handle) {
            (Word::Forked { pid }, Some(handle)) => {
                let told = Arc::new(SetOnce::new());
                let Some(waiting) = self.asked.waiting().pop_front() else { return false };
                living.insert(pid, Arc::clone(&told));
                // A process that nobody waits for any more has no leave to begin, and ends.
                let _ = waiting.send(Born { handle, told });
                true
            }
            (Word::Forked { .. }, None) => false,
            (Word::Ended { pid, exit }, _) => {
                living.remove(&pid).is_some_and(|told| told.set(exit_status(exit)).is_ok())
            }
            (Word::Ready { .. }, _) => self.say(Ok(())),
            (Word::Refused { error }, _) => self.say(Err(ForkRefusal { reason: error })),
        }
    }

    fn say(&mut self, outcome: Result<(), ForkRefusal>) -> bool {
        self.ready.take().is_some_and(|ready| ready.send(outcome).is_ok())
    }
}

fn during(action: &'static str) -> impl Fn(std::io::Error) -> SpawnError {
    move |source| SpawnError::Io { action, source }
}
