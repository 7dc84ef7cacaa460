//! All instances of one function, and the requests that want them.
//!
//! The books ([`roster`]) are behind a lock that is held for a few lines and never across an await: a request on a warm
//! function takes and gives back its instance without talking to anybody. Everything that takes time, starting and
//! stopping, is done by one task per function ([`keeper`]), which is woken by events and deadlines.

mod backoff;
mod forks;
mod keeper;
mod lease;
mod roster;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use ship_core::RequestId;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use forks::Forks;
pub(crate) use lease::Lease;
use roster::{Admission, InstanceNumber, Overtime, Released, Roster, Slot};

use crate::background::Background;
use crate::code_cache::CodeCaches;
use crate::connection::Connection;
use crate::error::{Failure, InvokeError, SpawnError};
use crate::instance::{EndReason, Instance};
use crate::interpreter::Interpreters;
use crate::journal::Journal;
use crate::life::InstanceState;
use crate::limits::RETRY_AFTER_LEAST_SECS;
use crate::meters::Meters;
use crate::request::Outgoing;
use crate::spares::Spares;
use crate::spec::{CompiledCode, FunctionSpec, InstanceView, LogSink, Reach};
use crate::supervisor::Child;
use crate::trunk::{Driver, Trunk};

/// What all pools of a runtime share.
pub(crate) struct Surroundings {
    pub(crate) spares: Arc<Spares>,
    pub(crate) caches: CodeCaches,
    pub(crate) compiled_code: CompiledCode,
    /// Where they may connect to.
    pub(crate) reach: Reach,
    pub(crate) logs: Arc<dyn LogSink>,
    pub(crate) interpreters: Interpreters,
    pub(crate) meters: Arc<Meters>,
    /// Owns every task of the runtime: keepers, supervisors, probes, and connections with an upload under way.
    pub(crate) tasks: TaskTracker,
    /// The same for those that no request waits for.
    pub(crate) background: Background,
}

/// The instances of one function.
pub(crate) struct Pool {
    spec: Arc<FunctionSpec>,
    surroundings: Arc<Surroundings>,
    journal: Journal,
    books: Mutex<Books>,
    forks: Forks,
    events: mpsc::UnboundedSender<Event>,
    /// Set when the keeper has ended.
    closed: CancellationToken,
}

struct Books {
    roster: Roster<Member, Waiter>,
    /// Why the last start failed.
    last_failure: Option<Arc<Failure>>,
}

impl Books {
    /// What a request is answered for which there are too many others.
    fn too_many(&mut self, now: Instant) -> InvokeError {
        InvokeError::Throttled { retry_after_secs: self.roster.retry_after_secs(now) }
    }
}

/// What the books hold of an instance.
struct Member {
    instance: Arc<Instance>,
    /// Connections that no request uses.
    idle: Vec<Connection>,
    /// The trunks to it, at most one for each runtime that asks.
    trunks: Vec<TrunkPlace>,
}

/// Where the trunk of one runtime is kept.
struct TrunkPlace {
    runtime: tokio::runtime::Id,
    /// `None` while it is opened, and if it could not be.
    trunk: Option<Trunk>,
}

/// A request that waits for an instance.
struct Waiter {
    applicant: Applicant,
    place: oneshot::Sender<Result<Lease, InvokeError>>,
}

/// Who wants an instance.
#[derive(Clone, Copy)]
struct Applicant {
    /// The request; `None` for a check.
    request: Option<RequestId>,
    /// Where it runs.
    runtime: tokio::runtime::Id,
}

/// What the keeper is told.
enum Event {
    /// The books say that something is to be done.
    Due,
    /// A process was started, or could not be.
    Started(Result<Child, SpawnError>),
    /// The process of an instance is gone.
    Gone(InstanceNumber),
    /// Serve what waits, then stop everything.
    Close,
    /// Stop everything now.
    Abandon,
}

/// No instance was given.
pub(crate) enum AcquireError {
    /// The pool has gone to sleep or was retired in this moment: ask the runtime for the function's pool again.
    Closed,
    /// The request gets this answer.
    Refused(InvokeError),
}

impl Pool {
    /// A pool for `spec`, and the task that keeps it.
    pub(crate) fn open(
        spec: Arc<FunctionSpec>,
        surroundings: &Arc<Surroundings>,
        on_close: impl FnOnce(&Arc<Self>) + Send + 'static,
    ) -> Arc<Self> {
        let (events, inbox) = mpsc::unbounded_channel();
        let roster = Roster::new(spec.function.limits);
        let pool = Arc::new(Self {
            journal: Journal::new(Arc::clone(&surroundings.logs), Arc::clone(&spec), Arc::clone(&surroundings.meters)),
            spec,
            surroundings: Arc::clone(surroundings),
            books: Mutex::new(Books { roster, last_failure: None }),
            forks: Forks::default(),
            events,
            closed: CancellationToken::new(),
        });
        let kept = Arc::clone(&pool);
        surroundings.tasks.spawn(async move {
            keeper::keep(&kept, inbox).await;
            kept.forks.give_up();
            on_close(&kept);
            kept.closed.cancel();
        });
        pool
    }

    /// The function.
    pub(crate) const fn spec(&self) -> &Arc<FunctionSpec> {
        &self.spec
    }

    /// How long a request may take until its response begins, and until each next piece.
    pub(crate) fn request_timeout(&self) -> Duration {
        Duration::from_secs(u64::from(self.spec.function.limits.timeout_secs))
    }

    /// The tasks of the runtime.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.surroundings.tasks
    }

    /// An instance for a request: one with room, or the first that gets room. A sleeping function is woken.
    pub(crate) async fn acquire(self: &Arc<Self>, id: Option<RequestId>) -> Result<Lease, AcquireError> {
        let place = match self.try_acquire(id)? {
            Place::Served(lease) => return Ok(lease),
            Place::Queued(place) => place,
        };
        let limits = &self.spec.function.limits;
        let patience = Duration::from_secs(u64::from(limits.init_timeout_secs) + u64::from(limits.timeout_secs));
        match tokio::time::timeout(patience, place).await {
            Ok(Ok(outcome)) => outcome.map_err(AcquireError::Refused),
            // The sender is dropped with the books of a pool that was abandoned.
            Ok(Err(_)) => Err(AcquireError::Refused(throttled())),
            Err(_) => Err(AcquireError::Refused(self.books().too_many(Instant::now()))),
        }
    }

    fn try_acquire(self: &Arc<Self>, request: Option<RequestId>) -> Result<Place, AcquireError> {
        let applicant = Applicant { request, runtime: Handle::current().id() };
        let now = Instant::now();
        let mut books = self.books();
        match books.roster.admit(now) {
            Admission::Serve(slot) => {
                let lease = self.lease(slot, applicant);
                if books.roster.is_over_target() {
                    self.tell(Event::Due);
                }
                Ok(Place::Served(lease))
            }
            Admission::Wait => {
                let (sender, place) = oneshot::channel();
                books.roster.enqueue(Waiter { applicant, place: sender }, now);
                drop(books);
                self.tell(Event::Due);
                Ok(Place::Queued(place))
            }
            Admission::QueueFull => Err(AcquireError::Refused(books.too_many(now))),
            Admission::Failing => {
                let failure = books.last_failure.clone();
                Err(AcquireError::Refused(failure.map_or_else(throttled, InvokeError::from)))
            }
            Admission::Closed => Err(AcquireError::Closed),
        }
    }

    /// Has the next request start an instance, whatever became of those before.
    pub(crate) fn forget_failures(&self) {
        self.books().roster.forget_failures();
    }

    /// An instance for a request, if one is awake and has room.
    pub(crate) fn acquire_at_once(self: &Arc<Self>, id: RequestId) -> Option<Lease> {
        let applicant = Applicant { request: Some(id), runtime: Handle::current().id() };
        let mut books = self.books();
        let Admission::Serve(slot) = books.roster.admit(Instant::now()) else { return None };
        let lease = self.lease(slot, applicant);
        if books.roster.is_over_target() {
            self.tell(Event::Due);
        }
        Some(lease)
    }

    /// A lease on an instance that has been counted for it already.
    fn lease(self: &Arc<Self>, slot: &mut Slot<Member>, Applicant { request, runtime }: Applicant) -> Lease {
        let Member { instance, idle, trunks } = &mut slot.member;
        if let Some(id) = request {
            instance.output.begin(id);
        }
        let kept = idle.iter().rposition(|connection| connection.is_at_home(runtime)).map(|at| idle.swap_remove(at));
        let trunk = trunks.iter().find(|place| place.runtime == runtime).and_then(|place| place.trunk.clone());
        Lease::new(Arc::clone(self), slot.number, Arc::clone(instance), request, kept, trunk)
    }

    /// Opens the trunk of this runtime to an instance, if nobody has tried before.
    fn open_trunk(self: &Arc<Self>, number: InstanceNumber, instance: &Arc<Instance>) {
        let runtime = Handle::current().id();
        let mut books = self.books();
        let Some(slot) = books.roster.slot_mut(number) else { return };
        let trunks = &mut slot.member.trunks;
        if trunks.iter().any(|place| place.runtime == runtime) {
            return;
        }
        trunks.push(TrunkPlace { runtime, trunk: None });
        drop(books);
        let (pool, instance) = (Arc::clone(self), Arc::clone(instance));
        self.tasks().spawn(async move {
            if let Some(driver) = pool.connect_trunk(number, &instance).await {
                driver.drive().await;
            }
        });
    }

    /// Makes a trunk of a new connection and keeps it for the requests of this runtime. What the function says to it is its
    /// own business: without a trunk it is asked as before.
    async fn connect_trunk(&self, number: InstanceNumber, instance: &Instance) -> Option<Driver> {
        let mut connection = Connection::new(instance.address.connect().ok()?);
        let mut wish = Outgoing::opening_trunk();
        let answer = tokio::select! {
            answer = connection.ask(&mut wish) => answer.ok()?,
            _ = instance.ended() => return None,
        };
        if answer.status != StatusCode::SWITCHING_PROTOCOLS {
            return None;
        }
        let (socket, inbox) = connection.into_socket()?;
        let (trunk, driver) = Driver::new(socket, inbox, self.request_timeout());
        let runtime = Handle::current().id();
        let mut books = self.books();
        let places = &mut books.roster.slot_mut(number)?.member.trunks;
        places.iter_mut().find(|place| place.runtime == runtime)?.trunk = Some(trunk);
        Some(driver)
    }

    /// Hands free instances to the requests that wait.
    fn serve_waiting(self: &Arc<Self>) {
        loop {
            let mut books = self.books();
            let Some((waiter, slot)) = books.roster.assign(|waiter| waiter.place.is_closed()) else { return };
            let lease = self.lease(slot, waiter.applicant);
            drop(books);
            // If the request was given up in this moment, its lease is dropped here and goes to the next.
            let _ = waiter.place.send(Ok(lease));
        }
    }

    /// A request is over. Called by its lease.
    fn release(self: &Arc<Self>, number: InstanceNumber, connection: Option<Connection>) {
        let mut books = self.books();
        let is_something_due = match books.roster.release(number, Instant::now()) {
            Released::Reusable(slot) => {
                let idle = &mut slot.member.idle;
                // Those of a runtime that asks no more are the oldest.
                if connection.is_some() && idle.len() >= self.spec.function.limits.concurrency as usize {
                    idle.remove(0);
                }
                idle.extend(connection);
                false
            }
            Released::LastOfLeaving => true,
            Released::Nothing => false,
        };
        let is_anybody_waiting = books.roster.is_anybody_waiting();
        drop(books);
        if is_anybody_waiting {
            self.serve_waiting();
        }
        if is_something_due {
            self.tell(Event::Due);
        }
    }

    /// An instance has answered. Called by the lease of the request that it answered.
    fn note_ready(self: &Arc<Self>, number: InstanceNumber, instance: &Instance) {
        if let Some(init) = instance.set_ready(Instant::now()) {
            self.journal.became_ready(init);
            self.consider_forks(init);
        }
        self.books().roster.ready(number);
    }

    /// A request ran into its timeout. Called by its lease.
    fn note_overtime(&self, number: InstanceNumber) {
        let mut books = self.books();
        if let Overtime::Kill(number) = books.roster.overtime(number)
            && let Some(slot) = books.roster.slot_mut(number)
        {
            slot.member.instance.kill(EndReason::Timeout);
        }
        drop(books);
        // Another instance may be wanted for those that wait.
        self.tell(Event::Due);
    }

    /// An instance refuses connections. Called by the lease of a request that could not reach it.
    fn note_unreachable(&self, number: InstanceNumber) {
        self.books().roster.leave(number);
        self.tell(Event::Due);
    }

    /// Starts an instance if there is none.
    pub(crate) fn prewarm(&self) {
        self.books().roster.want_one();
        self.tell(Event::Due);
    }

    /// Keeps so many instances from now on. False if the pool has closed meanwhile.
    pub(crate) fn keep(&self, instances: u32) -> bool {
        let is_open = self.books().roster.keep(instances);
        self.tell(Event::Due);
        is_open
    }

    /// The instances that could be stopped at once, each with the time since when nobody has asked it.
    pub(crate) fn idle(&self) -> Vec<(InstanceNumber, Instant)> {
        self.books().roster.idle()
    }

    /// Stops an idle instance to make room for others. False if it is idle no more.
    pub(crate) fn evict(&self, number: InstanceNumber) -> bool {
        let is_leaving = self.books().roster.evict(number);
        self.tell(Event::Due);
        is_leaving
    }

    /// Gives up what no instance needs that is there.
    pub(crate) fn save_memory(&self) {
        self.forks.give_up_unused();
    }

    /// Takes no new requests, serves those that wait, and stops everything.
    pub(crate) fn close(&self) {
        self.tell(Event::Close);
    }

    /// Waits until the pool is closed and all its processes are gone.
    pub(crate) async fn closed(&self) {
        self.closed.cancelled().await;
    }

    /// Stops everything, requests or not: SIGTERM, then SIGKILL after a grace.
    pub(crate) fn abandon(&self) {
        self.tell(Event::Abandon);
    }

    /// How many requests wait for an instance.
    pub(crate) fn queue_depth(&self) -> usize {
        self.books().roster.queue_depth()
    }

    /// The instances as they are now.
    pub(crate) fn view(&self) -> Vec<InstanceView> {
        let now = Instant::now();
        let memory = |instance: &Instance| instance.memory.in_use(now, || instance.warden.memory_bytes());
        let view = |slot: &Slot<Member>| InstanceView {
            memory_bytes: memory(&slot.member.instance),
            project: self.spec.project.clone(),
            deployment: self.spec.deployment,
            function: self.spec.function.name.clone(),
            pid: slot.member.instance.warden.id(),
            state: slot.state,
            in_flight: slot.in_flight,
            started_at: slot.member.instance.started_at,
        };
        self.books().roster.slots().iter().filter(|slot| slot.state != InstanceState::Stopped).map(view).collect()
    }

    fn tell(&self, event: Event) {
        // The keeper only goes away when the books are closed and empty; then there is nothing to tell it.
        let _ = self.events.send(event);
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a request is.
enum Place {
    Served(Lease),
    Queued(oneshot::Receiver<Result<Lease, InvokeError>>),
}

const fn throttled() -> InvokeError {
    InvokeError::Throttled { retry_after_secs: RETRY_AFTER_LEAST_SECS }
}
