//! Where functions may connect to: the policy, and the host's side of a cell's network.
//!
//! A cell's own network has nothing in it, so whatever a process does there by itself reaches nobody. A call of `connect` waits for
//! the host, which looks at a copy of the address: where it may go, the host makes the connection in its own network and puts
//! it in the place of the process's socket. From then on the two sides talk as if there were nobody between, because there is
//! nobody. The host never lets the kernel go on with a call by itself: between the look and the call, another thread could
//! change the address.

mod aside;
mod names;

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::net::AddressFamily;
use ship_core::{AddressRange, LogLevel, NetworkAccess, embedded_address, is_public_address};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::aside::Aside;
use crate::journal::Journal;
use crate::linux::dial::{self, Blocking, Destination};
use crate::linux::foreign::Foreign;
use crate::linux::notify::{Notice, Questions, SocketCall, Wish};
use crate::linux::nursery::Doorkeeper;

/// How many connections of an instance are made at once. Others wait; most take less than a round trip.
const MOST_AT_ONCE: usize = 64;

/// How many refusals of an instance are told to its log, each once.
const MOST_REMARKS: usize = 20;

/// How long to wait before a local socket whose queue is full is tried again.
const QUEUE_PAUSE: Duration = Duration::from_millis(5);

/// What the operator allows beside the public internet.
#[derive(Clone, Default, Debug)]
pub(crate) struct Policy {
    allowed: Arc<[AddressRange]>,
}

/// What is to become of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// It is made in the host's network.
    Outside,
    /// It stays in the cell's own network.
    Inside,
    /// It is not made.
    Refused,
}

impl Policy {
    pub(crate) fn new(allowed: &[AddressRange]) -> Self {
        Self { allowed: allowed.into() }
    }

    /// The one place where it is decided where a function may connect to. `is_own` says whether an address is one of this
    /// machine's.
    fn judge(&self, access: NetworkAccess, address: SocketAddr, is_own: impl Fn(SocketAddr) -> bool) -> Verdict {
        let ip = embedded_address(address.ip());
        let is_loopback = ip.is_loopback() || ip.is_unspecified();
        let is_named = || self.allowed.iter().any(|range| range.contains(address));
        match access {
            NetworkAccess::All => Verdict::Outside,
            NetworkAccess::Public if is_named() => Verdict::Outside,
            NetworkAccess::Public | NetworkAccess::None if is_loopback => Verdict::Inside,
            NetworkAccess::Public if is_public_address(ip) && !is_own(SocketAddr::new(ip, address.port())) => {
                Verdict::Outside
            }
            NetworkAccess::Public | NetworkAccess::None => Verdict::Refused,
        }
    }
}

/// Serves the network of a process, if it has one of its own.
pub(crate) async fn serve(connections: Option<&CellConnections>) -> ! {
    match connections {
        Some(connections) => connections.serve().await,
        None => std::future::pending().await,
    }
}

/// Whether an address is one of this machine's: a socket can be bound to it.
fn is_own(address: SocketAddr) -> bool {
    std::net::UdpSocket::bind(SocketAddr::new(address.ip(), 0)).is_ok()
}

/// What is known of the function whose connections they are.
#[derive(Debug)]
struct Owner {
    access: NetworkAccess,
    policy: Policy,
    journal: Journal,
}

/// The host's side of a cell's network.
#[derive(Debug)]
pub(crate) struct CellConnections {
    desk: Arc<Desk>,
    names: Option<names::NameService>,
    aside: Arc<Aside>,
    /// The calls that are being answered. They go on when another serves: first it is who keeps the cell ready, then who looks after its
    /// instance, and a call that came in between would never be answered.
    under_way: Mutex<JoinSet<()>>,
    /// How many more there may be.
    places: Arc<Semaphore>,
}

/// Where calls of `connect`, `bind` and `listen` are decided and carried out. The function can hold up whoever does so.
#[derive(Debug)]
struct Desk {
    questions: Questions,
    /// Whose they are, once that is known. Until then they lead nowhere outside of the cell.
    owner: OnceLock<Owner>,
    /// What has been told to the log.
    told: Mutex<HashSet<String>>,
    /// Whether the cell was given a socket of the host's network.
    has_given: AtomicBool,
}

impl CellConnections {
    /// Takes what came with a cell: the listener of its filter, and its sockets for questions about names.
    pub(crate) fn new(descriptors: Vec<OwnedFd>) -> io::Result<Option<Self>> {
        let mut descriptors = descriptors.into_iter();
        let Some(listener) = descriptors.next() else { return Ok(None) };
        let names = match (descriptors.next(), descriptors.next()) {
            (Some(datagrams), Some(streams)) => Some(names::NameService::new(datagrams, streams)?),
            _ => None,
        };
        let questions = Questions::new(listener)?;
        let desk = Arc::new(Desk {
            questions,
            owner: OnceLock::new(),
            told: Mutex::default(),
            has_given: AtomicBool::new(false),
        });
        let places = Arc::new(Semaphore::new(MOST_AT_ONCE));
        Ok(Some(Self { desk, names, aside: Arc::default(), under_way: Mutex::default(), places }))
    }

    /// Says whose they are.
    pub(crate) fn belong_to(&self, access: NetworkAccess, policy: Policy, journal: Journal) {
        let _ = self.desk.owner.set(Owner { access, policy, journal });
    }

    /// Makes connections and answers questions about names until it is dropped.
    pub(crate) async fn serve(&self) -> ! {
        let (calls, names) = tokio::join!(self.serve_calls(), self.serve_names());
        match (calls, names) {}
    }

    async fn serve_names(&self) -> std::convert::Infallible {
        match (&self.names, self.desk.owner.get()) {
            (Some(names), Some(owner)) if owner.access == NetworkAccess::None => {
                names.refuse(|name| self.desk.tell_refusal(&format!("ask for the name {name}"))).await
            }
            (Some(names), Some(_)) => names.serve().await,
            _ => std::future::pending().await,
        }
    }

    async fn serve_calls(&self) -> std::convert::Infallible {
        loop {
            let place = Arc::clone(&self.places).acquire_owned().await;
            // Without questions there is no instance any more.
            let Ok(notice) = self.desk.questions.next().await else { return std::future::pending().await };
            let answered = answer(Arc::clone(&self.desk), Arc::clone(&self.aside), notice);
            self.begin(async move {
                let _place = place;
                answered.await;
            });
            // Others get their turn even if the function does nothing but connect.
            tokio::task::yield_now().await;
        }
    }

    fn begin(&self, answering: impl Future<Output = ()> + Send + 'static) {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        while under_way.try_join_next().is_some() {}
        under_way.spawn(answering);
    }
}

/// Carries out what a call asks for, and says what it gave.
async fn answer(desk: Arc<Desk>, aside: Arc<Aside>, notice: Notice) {
    let (of_begin, of_end) = (Arc::clone(&desk), Arc::clone(&desk));
    let result = match aside.run(move || of_begin.answer_at_once(notice)).await {
        Ok(None) => return,
        Ok(Some(attempt)) => {
            let attempt = Arc::new(attempt);
            let finished = attempt.finish(&aside).await;
            aside.run(move || of_end.end(&attempt, finished)).await.flatten()
        }
        Err(error) => Err(error),
    };
    desk.conclude(notice, result);
}

impl Desk {
    /// Carries out what a call asks for, and says what it gave, if that is known at once: who asks need not wait for another thread. Otherwise gives
    /// what is under way.
    fn answer_at_once(&self, notice: Notice) -> Option<Attempt> {
        let result = match self.begin(notice) {
            Ok(Begun::Done) => Ok(()),
            Ok(Begun::GoesOn) => {
                self.questions.let_go_on(notice);
                return None;
            }
            Ok(Begun::UnderWay(attempt)) => return Some(attempt),
            Err(error) => Err(error),
        };
        self.conclude(notice, result);
        None
    }

    fn conclude(&self, notice: Notice, result: io::Result<()>) {
        self.questions.conclude(notice, result.map_err(|error| errno_of(&error)));
    }

    /// Begins what a call asks for.
    fn begin(&self, notice: Notice) -> io::Result<Begun> {
        let call = self.questions.read(notice)?;
        match notice.wish {
            Wish::Connect => self.begin_to_connect(call),
            Wish::Bind => self.bind(call),
            Wish::Listen { backlog } => self.listen(call, backlog),
        }
    }

    /// Names a socket. One of the host's network gets no name: it would be a port of the machine.
    fn bind(&self, call: SocketCall) -> io::Result<Begun> {
        let socket = call.socket.as_fd();
        if is_internet(socket)? {
            if dial::is_of_host(socket)? {
                return Err(os_error(libc::EINVAL));
            }
            dial::bind(socket, &call.address)?;
            call.let_go();
            return Ok(Begun::Done);
        }
        // As long as there is none that another thread could put in the place of this one, the kernel may do it: it does best.
        if !self.has_given.load(Ordering::Relaxed) {
            return Ok(Begun::GoesOn);
        }
        let bound = match Destination::read(&call.address) {
            Some(Destination::Path(path)) if dial::family(socket)? == AddressFamily::UNIX => {
                dial::bind_to_path(socket, &path, call.thread(), call.owner_of_files()?)
            }
            _ => dial::bind(socket, &call.address),
        };
        bound.map(|()| Begun::Done)
    }

    /// Has a socket take connections. One of the host's network takes none: they would come from the machine's network.
    fn listen(&self, call: SocketCall, backlog: i32) -> io::Result<Begun> {
        let socket = call.socket.as_fd();
        if is_internet(socket)? {
            if dial::is_of_host(socket)? {
                return Err(os_error(libc::EINVAL));
            }
            rustix::net::listen(socket, backlog)?;
            call.let_go();
            return Ok(Begun::Done);
        }
        if !self.has_given.load(Ordering::Relaxed) {
            // As with a name. Who connects to a local socket is told who has made it listen.
            return Ok(Begun::GoesOn);
        }
        rustix::net::listen(socket, backlog)?;
        Ok(Begun::Done)
    }

    fn begin_to_connect(&self, call: SocketCall) -> io::Result<Begun> {
        let destination = Destination::read(&call.address).ok_or_else(|| os_error(libc::EINVAL))?;
        let is_stream = dial::is_stream(call.socket.as_fd())?;
        let verdict = match &destination {
            Destination::Internet(address) => match self.owner.get() {
                Some(owner) => owner.policy.judge(owner.access, *address, is_own),
                None => Policy::default().judge(NetworkAccess::None, *address, is_own),
            },
            // Taking a connection back would leave a socket of the host's network without one.
            Destination::Other(libc::AF_UNSPEC) if is_stream => return Err(os_error(libc::EAFNOSUPPORT)),
            Destination::Path(_) | Destination::Other(_) => Verdict::Inside,
        };
        match verdict {
            Verdict::Refused => {
                if let Destination::Internet(address) = destination {
                    self.tell_refusal(&format!("connect to {address}"));
                }
                Err(os_error(libc::EACCES))
            }
            // Datagrams could be sent anywhere from such a socket.
            Verdict::Outside if is_stream && is_internet(call.socket.as_fd())? => self.begin_outside(call, destination),
            Verdict::Outside | Verdict::Inside => begin_inside(call, destination),
        }
    }

    fn begin_outside(&self, call: SocketCall, destination: Destination) -> io::Result<Begun> {
        let is_blocking = dial::is_blocking(call.socket.as_fd())?;
        let twin = Foreign::new(dial::twin(call.socket.as_fd())?);
        let result = dial::connect(twin.as_fd(), &call.address);
        if dial::doorkeeper() == Doorkeeper::Kernel {
            dial::leave_no_port(twin.as_fd())?;
        }
        let is_begun = result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::EINPROGRESS));
        let attempt = Attempt { call, destination, twin: Some(twin), restores: None };
        if is_begun && is_blocking {
            return Ok(Begun::UnderWay(attempt));
        }
        if is_begun || result.is_ok() {
            self.hand_over(&attempt)?;
        }
        result.map(|()| Begun::Done)
    }

    /// Ends what a call asked for.
    fn end(&self, attempt: &Attempt, finished: io::Result<()>) -> io::Result<()> {
        let result = finished.and_then(|()| self.hand_over(attempt));
        let _ = attempt.restore();
        result
    }

    /// Puts the connection that was made outside in its place.
    fn hand_over(&self, attempt: &Attempt) -> io::Result<()> {
        let Attempt { call, twin: Some(twin), .. } = attempt else { return Ok(()) };
        if dial::is_blocking(call.socket.as_fd())? {
            dial::set_blocking(twin.as_fd(), Blocking::Yes)?;
        }
        self.has_given.store(true, Ordering::Relaxed);
        self.questions.replace(call, twin.as_fd())
    }

    /// Tells the log of what was refused, so that nobody has to guess why it does not work.
    fn tell_refusal(&self, what: &str) {
        let Some(owner) = self.owner.get() else { return };
        let message = format!("The function may not {what}: its network is `{}`.", owner.access);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() == MOST_REMARKS || !told.insert(message.clone()) {
            return;
        }
        owner.journal.remark(LogLevel::Warning, Vec::new(), message);
        if told.len() == MOST_REMARKS {
            let last = format!("Those were {MOST_REMARKS} refusals. This instance's log tells no more of them.");
            owner.journal.remark(LogLevel::Warning, Vec::new(), last);
        }
    }
}

/// A connection within the cell is made by the socket that is there, which belongs to the cell's network.
fn begin_inside(call: SocketCall, destination: Destination) -> io::Result<Begun> {
    if is_internet(call.socket.as_fd())? && dial::is_of_host(call.socket.as_fd())? {
        return Err(os_error(libc::EISCONN));
    }
    let is_blocking = dial::is_blocking(call.socket.as_fd())?;
    let restores = is_blocking.then_some(Blocking::Yes);
    let attempt = Attempt { call, destination, twin: None, restores };
    let result = attempt.connect();
    let is_unfinished = |error: &io::Error| matches!(error.raw_os_error(), Some(libc::EINPROGRESS | libc::EAGAIN));
    match result {
        Err(error) if is_blocking && is_unfinished(&error) => Ok(Begun::UnderWay(attempt)),
        result => {
            attempt.restore()?;
            result.map(|()| Begun::Done)
        }
    }
}

/// What became of a call at once.
enum Begun {
    /// It is connected, or named.
    Done,
    /// The kernel does it.
    GoesOn,
    /// It takes time, and its process waits.
    UnderWay(Attempt),
}

/// A connection that is being made.
struct Attempt {
    call: SocketCall,
    destination: Destination,
    /// The socket of the host's network, if it is made there.
    twin: Option<Foreign>,
    /// What the process's own socket is to be again.
    restores: Option<Blocking>,
}

impl Attempt {
    fn connect(&self) -> io::Result<()> {
        let Self { call, destination, restores, .. } = self;
        if restores.is_some() {
            dial::set_blocking(call.socket.as_fd(), Blocking::No)?;
        }
        match destination {
            Destination::Path(path) => dial::connect_to_path(call.socket.as_fd(), path, call.thread()),
            _ => dial::connect(call.socket.as_fd(), &call.address),
        }
    }

    /// Waits until it is made.
    async fn finish(self: &Arc<Self>, aside: &Aside) -> io::Result<()> {
        if let Some(twin) = &self.twin {
            return dial::connected(twin.as_fd()).await;
        }
        if matches!(self.destination, Destination::Internet(_)) {
            return dial::connected(self.call.socket.as_fd()).await;
        }
        loop {
            let again = Arc::clone(self);
            match aside.run(move || again.connect()).await.flatten() {
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => tokio::time::sleep(QUEUE_PAUSE).await,
                result => return result,
            }
        }
    }

    fn restore(&self) -> io::Result<()> {
        match (&self.twin, self.restores) {
            (None, Some(blocking)) => dial::set_blocking(self.call.socket.as_fd(), blocking),
            _ => Ok(()),
        }
    }
}

fn is_internet(socket: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(matches!(dial::family(socket)?, AddressFamily::INET | AddressFamily::INET6))
}

fn os_error(errno: i32) -> io::Error {
    io::Error::from_raw_os_error(errno)
}

fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(libc::EIO)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The public internet, what the operator allows, and nothing of this machine and its surroundings.
    #[test]
    fn policy() {
        let policy = Policy::new(&["10.1.0.0/16".parse().unwrap(), "127.0.0.1:5432".parse().unwrap()]);
        let own: SocketAddr = "93.184.216.99:80".parse().unwrap();
        let judge = |access, address: &str| policy.judge(access, address.parse().unwrap(), |other| other == own);
        for (address, public, none) in [
            ("1.1.1.1:443", Verdict::Outside, Verdict::Refused),
            ("[2606:4700::1111]:443", Verdict::Outside, Verdict::Refused),
            ("93.184.216.99:80", Verdict::Refused, Verdict::Refused),
            ("[64:ff9b::5db8:d863]:80", Verdict::Refused, Verdict::Refused),
            ("169.254.169.254:80", Verdict::Refused, Verdict::Refused),
            ("[::ffff:169.254.169.254]:80", Verdict::Refused, Verdict::Refused),
            ("10.0.0.1:80", Verdict::Refused, Verdict::Refused),
            ("10.1.2.3:80", Verdict::Outside, Verdict::Refused),
            ("127.0.0.1:5432", Verdict::Outside, Verdict::Inside),
            ("127.0.0.1:7701", Verdict::Inside, Verdict::Inside),
            ("[::1]:80", Verdict::Inside, Verdict::Inside),
            ("0.0.0.0:80", Verdict::Inside, Verdict::Inside),
        ] {
            assert_eq!(judge(NetworkAccess::Public, address), public, "{address}");
            assert_eq!(judge(NetworkAccess::None, address), none, "{address}");
        }
    }
}
