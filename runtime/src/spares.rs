//! Processes that are prepared before anybody needs them.
//!
//! There is a shelf for each kind of process that was ever needed. Whoever takes from a shelf has it filled again in the
//! background; a shelf that was found empty gets larger, and one that is left alone shrinks back.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ship_core::FunctionLimits;
use tokio::sync::{OnceCell, oneshot};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::background::Background;
use crate::error::SpawnError;
use crate::limits::{
    EMPTY_SPARES_FIRST, EMPTY_SPARES_MOST, SPARE_TIMEOUT, SPARES_CALM, SPARES_LEAST, SPARES_MOST, SPARES_PAUSE,
};
use crate::linux::cell::{Cell, Nursery};
use crate::linux::cgroup::{CellGroups, ControlGroupVersion, ControlGroups, GroupFamily};
use crate::linux::folder::RunFolder;
use crate::linux::nursery::{CellNetwork, Isolation, Recipe};
use crate::linux::socket::{self, SocketAddress};
use crate::network::CellConnections;
use crate::prelude::Prelude;

/// Numbers the passing names of sockets.
static NEXT_SOCKET: AtomicU64 = AtomicU64::new(0);

/// Prepared processes of every kind.
pub(crate) struct Spares {
    nursery: Nursery,
    folder: Arc<RunFolder>,
    groups: Option<Arc<ControlGroups>>,
    background: Background,
    stop: CancellationToken,
    least_isolation: Isolation,
    /// How much of the machine processes are kept from, once it is known.
    isolation: OnceCell<Isolation>,
    shelves: Mutex<HashMap<Recipe, Shelf>>,
    /// The preludes whose folders have been written.
    preludes: Mutex<BTreeSet<&'static str>>,
}

/// A process that waits for its function.
pub(crate) struct Spare {
    pub(crate) cell: Cell,
    /// Its network, if it is its own.
    pub(crate) connections: Option<Arc<CellConnections>>,
    /// What is to be done once it has its function: not before, because that wakes threads, which take the processors that it is to run on.
    pub(crate) afterwards: Afterwards,
}

/// Ends what was done for a process while it waited, and has its place filled again, when this is dropped.
pub(crate) struct Afterwards {
    /// What is done for its network.
    _waiting: DropGuard,
    /// Its place, if it was on a shelf.
    refill: Option<Refill>,
}

/// Has a shelf filled again when it is dropped.
struct Refill {
    spares: Arc<Spares>,
    recipe: Recipe,
}

impl Drop for Refill {
    fn drop(&mut self) {
        self.spares.fill(&self.recipe);
    }
}

/// Prepared processes of one kind.
struct Shelf {
    ready: VecDeque<Spare>,
    /// Those who need one that is not made yet, in the order in which they came.
    waiting: VecDeque<oneshot::Sender<Result<Spare, SpawnError>>>,
    /// How many are being made.
    making: usize,
    /// How many there should be.
    target: usize,
    /// How many there may be.
    most: usize,
    /// When one was last needed.
    needed: Option<Instant>,
    /// Whether somebody watches for it to be needed no more.
    is_watched: bool,
}

impl Shelf {
    fn of(recipe: &Recipe) -> Self {
        // What needs an interpreter gets a process without one only where none waits that has started it.
        let is_native = recipe.boot.is_none() && recipe.visible.is_empty();
        let (target, most) =
            if is_native { (EMPTY_SPARES_FIRST, EMPTY_SPARES_MOST) } else { (SPARES_LEAST, SPARES_MOST) };
        Self {
            ready: VecDeque::new(),
            waiting: VecDeque::new(),
            making: 0,
            target,
            most,
            needed: None,
            is_watched: false,
        }
    }

    /// The one that has waited longest, of those that are still there.
    fn take(&mut self) -> Option<Spare> {
        let is_first = self.needed.replace(Instant::now()).is_none();
        let taken = std::iter::from_fn(|| self.ready.pop_front()).find(|spare| !spare.cell.warden.is_gone());
        if self.ready.is_empty() && !is_first {
            self.target = (self.target * 2).min(self.most);
        }
        taken
    }

    /// Gives what was made to whoever has waited longest, or keeps it.
    fn put(&mut self, mut spare: Spare) {
        while let Some(waiting) = self.waiting.pop_front() {
            match waiting.send(Ok(spare)) {
                // It was given up.
                Err(Ok(unwanted)) => spare = unwanted,
                Ok(()) | Err(Err(_)) => return,
            }
        }
        self.ready.push_back(spare);
    }
}

impl Spares {
    pub(crate) fn new(
        nursery: Nursery,
        least_isolation: Isolation,
        folder: Arc<RunFolder>,
        background: Background,
    ) -> Self {
        Self {
            nursery,
            folder,
            groups: ControlGroups::open(),
            background,
            stop: CancellationToken::new(),
            least_isolation,
            isolation: OnceCell::new(),
            shelves: Mutex::default(),
            preludes: Mutex::default(),
        }
    }

    /// How much of the machine processes are kept from here: as much as it allows, or an error if that is not enough.
    pub(crate) async fn isolation(&self) -> Result<Isolation, SpawnError> {
        let probe = async || {
            let alone = |isolation| Recipe {
                isolation,
                network: CellNetwork::Own,
                artifacts: self.folder.path().to_owned(),
                caches: self.folder.path().to_owned(),
                visible: Vec::new(),
                prelude: None,
                boot: None,
            };
            let Err(error) = self.make(&alone(Isolation::Sandbox)).await else { return Ok(Isolation::Sandbox) };
            // What fails for a moment says nothing of the machine, and is tried again.
            if !error.is_for_good() {
                return Err(error);
            }
            if self.least_isolation == Isolation::Sandbox {
                return Err(SpawnError::NoSandbox(error.into()));
            }
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "functions have no sandbox here; `ship doctor` says more"
            );
            self.make(&alone(Isolation::Process)).await.map(|_| Isolation::Process)
        };
        self.isolation.get_or_try_init(probe).await.copied()
    }

    /// What limits the resources of processes here, if anything does.
    pub(crate) fn control_groups(&self) -> Option<ControlGroupVersion> {
        self.groups.as_ref().map(|groups| groups.version())
    }

    /// The folder of a prelude, written when it is first needed.
    pub(crate) fn prelude(&self, prelude: &Prelude<'_>) -> Result<PathBuf, SpawnError> {
        let folder = self.folder.path().join(prelude.folder);
        let mut written = self.preludes.lock().unwrap_or_else(PoisonError::into_inner);
        if !written.contains(prelude.folder) {
            // That of an earlier version of ship may stand there.
            prelude.write(&folder).map_err(|source| SpawnError::Io { action: "write a prelude", source })?;
            written.insert(prelude.folder);
        }
        Ok(folder)
    }

    /// Makes the first processes of a kind before anybody needs one.
    pub(crate) fn stock(self: &Arc<Self>, recipe: &Recipe) {
        self.shelves()
            .entry(recipe.clone())
            .or_insert_with(|| Shelf::of(recipe))
            .needed
            .get_or_insert_with(Instant::now);
        self.fill(recipe);
    }

    /// A process of a kind, if one waits. There will be one the next time.
    pub(crate) fn take_ready(self: &Arc<Self>, recipe: &Recipe) -> Option<Spare> {
        let taken = self.shelves().entry(recipe.clone()).or_insert_with(|| Shelf::of(recipe)).take();
        let refill = Refill { spares: Arc::clone(self), recipe: recipe.clone() };
        taken.map(|mut spare| {
            spare.afterwards.refill = Some(refill);
            spare
        })
    }

    /// A process of a kind: one that waits, or else the next that is ready, for which one more is made.
    pub(crate) async fn take(self: &Arc<Self>, recipe: &Recipe) -> Result<Spare, SpawnError> {
        if let Some(spare) = self.take_ready(recipe) {
            return Ok(spare);
        }
        let (sender, arrival) = oneshot::channel();
        if let Some(place) = self.shelves().get_mut(recipe) {
            place.waiting.push_back(sender);
            place.making += 1;
        }
        let (spares, recipe) = (Arc::clone(self), recipe.clone());
        self.in_background(async move {
            let made = spares.make(&recipe).await;
            spares.put(&recipe, made);
        });
        let stopped = || SpawnError::Io { action: "prepare a process", source: io::ErrorKind::Interrupted.into() };
        arrival.await.map_err(|_| stopped())?
    }

    /// Waits until no more are made.
    pub(crate) async fn closing(&self) {
        self.stop.cancelled().await;
    }

    /// Ends those that wait, and makes no more. Returns when they are gone.
    pub(crate) async fn close(&self) {
        self.stop.cancel();
        let waiting: Vec<Spare> = self.shelves().drain().flat_map(|(_, shelf)| shelf.ready).collect();
        for spare in &waiting {
            spare.cell.warden.kill();
        }
        for spare in &waiting {
            spare.cell.warden.gone().await;
        }
    }

    /// A process of a kind, made now and for nobody else.
    pub(crate) async fn make(&self, recipe: &Recipe) -> Result<Spare, SpawnError> {
        match self.background.watching(self.try_to_make(recipe)).await {
            // Whoever was to make it has ended with the order. The next order starts another.
            Err(SpawnError::Io { source, .. }) if source.kind() == io::ErrorKind::UnexpectedEof => {
                self.background.watching(self.try_to_make(recipe)).await
            }
            made => made,
        }
    }

    async fn try_to_make(&self, recipe: &Recipe) -> Result<Spare, SpawnError> {
        let ordered = self.nursery.order(recipe.clone(), self.listen()?, self.groups()?)?;
        let Ok(made) = timeout(SPARE_TIMEOUT, ordered.ready()).await else {
            self.nursery.give_up_if_stuck();
            return Err(SpawnError::Io { action: "prepare a process", source: io::ErrorKind::TimedOut.into() });
        };
        let mut cell = made?;
        let connections = CellConnections::new(std::mem::take(&mut cell.network))
            .map_err(|source| SpawnError::Io { action: "watch the network of a process", source })?
            .map(Arc::new);
        let stop = self.stop.child_token();
        if let Some(connections) = connections.clone() {
            // What an interpreter does while it starts may connect to itself.
            let stopped = stop.clone();
            self.background.spawn(async move {
                tokio::select! {
                    () = stopped.cancelled() => {}
                    never = connections.serve() => never,
                }
            });
        }
        let afterwards = Afterwards { _waiting: stop.drop_guard(), refill: None };
        Ok(Spare { cell, connections, afterwards })
    }

    /// A listening socket for a process, and the way to it.
    pub(crate) fn listen(&self) -> Result<(OwnedFd, SocketAddress), SpawnError> {
        let name = format!("{}.sock", NEXT_SOCKET.fetch_add(1, Ordering::Relaxed));
        socket::listen(self.folder.handle(), &name)
            .map_err(|source| SpawnError::Io { action: "make a listening socket", source })
    }

    /// Control groups for the processes that a zygote of a function forks, if there are any here.
    pub(crate) fn family(&self, limits: &FunctionLimits) -> Result<Option<Arc<GroupFamily>>, SpawnError> {
        let family = self.groups.as_ref().map(|groups| groups.make_family(limits)).transpose();
        family.map_err(|source| SpawnError::Io { action: "make a control group", source })
    }

    /// Control groups for a process, if there are any here.
    pub(crate) fn groups(&self) -> Result<Option<CellGroups>, SpawnError> {
        let groups = self.groups.as_ref().map(ControlGroups::make).transpose();
        groups.map_err(|source| SpawnError::Io { action: "make a control group", source })
    }

    /// Fills a shelf in the background.
    fn fill(self: &Arc<Self>, recipe: &Recipe) {
        if self.stop.is_cancelled() || self.background.is_closed() {
            return;
        }
        let spares = Arc::clone(self);
        let of_recipe = recipe.clone();
        self.in_background(async move {
            // Once none is left, the next start is as urgent as the last one.
            if !spares.is_empty(&of_recipe) {
                sleep(SPARES_PAUSE).await;
            }
            while spares.reserve(&of_recipe) {
                let made = spares.make(&of_recipe).await;
                let is_made = made.is_ok();
                spares.put(&of_recipe, made);
                if !is_made {
                    return;
                }
            }
        });
        let is_watched =
            self.shelves().get_mut(recipe).is_none_or(|shelf| std::mem::replace(&mut shelf.is_watched, true));
        if !is_watched {
            let (spares, recipe) = (Arc::clone(self), recipe.clone());
            self.in_background(async move {
                while let Some(rest) = spares.calm(&recipe) {
                    sleep(rest).await;
                }
            });
        }
    }

    /// Does something until it is done or the host stops.
    fn in_background(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        self.background.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = work => {}
            }
        });
    }

    fn is_empty(&self, recipe: &Recipe) -> bool {
        self.shelves().get(recipe).is_none_or(|shelf| shelf.ready.is_empty())
    }

    fn reserve(&self, recipe: &Recipe) -> bool {
        let mut all = self.shelves();
        let Some(place) = all.get_mut(recipe) else { return false };
        let is_wanted = place.ready.len() + place.making < place.target;
        place.making += usize::from(is_wanted);
        is_wanted
    }

    /// Puts what was made on its place. Who needs one hears if there will be none.
    fn put(&self, recipe: &Recipe, made: Result<Spare, SpawnError>) {
        let mut all = self.shelves();
        let Some(place) = all.get_mut(recipe) else { return };
        place.making -= 1;
        match made {
            Ok(spare) => place.put(spare),
            Err(error) => {
                tracing::warn!(%error, "a process could not be prepared");
                // What is made besides may be enough for all who wait.
                if place.making < place.waiting.len()
                    && let Some(waiting) = place.waiting.pop_front()
                {
                    let _ = waiting.send(Err(error));
                }
            }
        }
    }

    /// Lets a shelf shrink that nobody has needed for a while; or says when that may be so.
    fn calm(&self, recipe: &Recipe) -> Option<Duration> {
        let mut all = self.shelves();
        let place = all.get_mut(recipe)?;
        let rest = SPARES_CALM.saturating_sub(place.needed?.elapsed());
        if rest.is_zero() {
            place.target = SPARES_LEAST;
            place.ready.truncate(SPARES_LEAST);
            place.is_watched = false;
            return None;
        }
        Some(rest)
    }

    fn shelves(&self) -> MutexGuard<'_, HashMap<Recipe, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
