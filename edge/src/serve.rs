//! The data path's listeners: HTTP/1.1 in the clear, HTTP/1.1 and HTTP/2 through TLS. Each connection is a task of its own, under
//! limits that hold whatever visitors do.
//!
//! A connection costs one task, one timer and one entry in a queue. While requests flow none of them is touched: time limits
//! are notes in atomics that the one timer reads when it fires.

mod as_http1;
mod closing;
mod complete_head;
mod connection;
mod crew;
mod drive;
mod errand;
mod fast_stream;
pub(crate) mod frame_guard;
pub(crate) mod head_guard;
mod http2;
pub(crate) mod http3;
mod pace;
mod queue;
mod refusal;
pub(crate) mod shares;
mod state;
mod stream;
mod streams;
mod tls;
mod turns;

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, TcpStream as StdStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Request, Response};
use rustix::net::sockopt::set_socket_linger;
use rustls::ServerConfig;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio_util::task::TaskTracker;

use crate::body::EdgeBody;
use crate::fast_path::{PlainRequest, Prompt};
use crate::visitor::{Scheme, Visitor};
use crate::visitor_body::VisitorBody;
pub use closing::Closing;
pub use crew::Crew;
pub(crate) use errand::Errand;
pub(crate) use http2::Http2Body;
pub(crate) use http3::{Http3Body, Http3BodyError};
pub use http3::{QuicDoor, QuicHandover, QuicSecrets, serve_http3};
use queue::ConnectionQueue;
use shares::Seat;
pub use shares::{ShareRules, Shares};
use state::ConnectionState;
use stream::VisitorStream;
use streams::StreamPlaces;

/// What it means that a visitor in HTTP/1.1 sends nothing more while a request is being answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndOfSending {
    /// The visitor has left, and the request is given up.
    Departure,
    /// The visitor may still read, and gets what is answered here. Where somebody else has to be asked, it is a departure.
    PerhapsOnlyThat,
}

/// What answers the requests of a listener.
pub trait Answer: Send + Sync + 'static {
    /// What it means that a visitor in HTTP/1.1 sends nothing more.
    const END_OF_SENDING: EndOfSending = EndOfSending::Departure;

    /// Answers one request of a visitor. One of HTTP/2 looks like one of HTTP/1.1.
    fn answer(
        &self,
        request: Request<VisitorBody>,
        visitor: Visitor,
    ) -> impl Future<Output = Response<EdgeBody>> + Send;

    /// Answers a plain request as [`Answer::answer`] would, if nothing but a function has to be waited for. `None`, which is always right,
    /// has it answered the other way.
    fn answer_at_once(&self, request: &PlainRequest<'_>, visitor: Visitor) -> Option<Prompt> {
        let _ = (request, visitor);
        None
    }
}

/// What a visitor's connection may take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConnectionLimits {
    /// From the first byte of a request (for the first request: from the connection) to the end of its headers. Who sends
    /// one byte now and then is closed after it.
    pub header_read_timeout: Duration,
    /// How long a connection is kept between two requests.
    pub idle_timeout: Duration,
    /// How long a visitor may take no byte of a response that is waiting for it.
    pub write_timeout: Duration,
    /// How many connections there are at once, and how many requests of HTTP/2 besides one for each of them. A further one takes the place of the oldest that waits for a request; where
    /// all are busy it waits in the kernel's queue.
    pub max_connections: usize,
    /// How many bytes the request line and headers may have, and with them the read buffer of a connection. At least 8 KiB.
    pub max_header_bytes: usize,
    /// How long requests in flight may still take once the listener stops.
    pub drain_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            header_read_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_mins(1),
            max_connections: 8192,
            max_header_bytes: 64 * 1024,
            drain_timeout: Duration::from_secs(30),
        }
    }
}

/// The shortest and the longest pause after `accept` failed, for want of file descriptors for example.
const ACCEPT_PAUSE: (Duration, Duration) = (Duration::from_millis(5), Duration::from_secs(1));

/// How long a place is waited for before another look for a connection that only waits.
const PLACE_PAUSE: Duration = Duration::from_millis(50);

/// How often it is said that visitors are refused.
const REFUSALS_TOLD_EVERY: Duration = Duration::from_mins(1);

/// How many visitors are let in, or refused, before those who are there have their turn.
const ARRIVALS_IN_TURN: usize = 8;

/// Serves a listener in the clear until it is closed, lets the requests in flight end and returns. Visitors are let in here, and
/// answered by the `crew`.
pub async fn serve<A: Answer>(
    listener: TcpListener,
    crew: Crew,
    answer: Arc<A>,
    limits: ConnectionLimits,
    closing: impl Into<Closing>,
) {
    let converse = move |arrival: Arrival| {
        let (answer, visitor) = (Arc::clone(&answer), Visitor { peer: arrival.peer, scheme: Scheme::Http });
        async move {
            let stream = VisitorStream::new(arrival.socket, Arc::clone(&arrival.state), arrival.place);
            connection::run(stream, visitor, arrival.state, answer, limits).await;
        }
    };
    admit(listener, crew, limits, closing.into(), converse).await;
}

/// Serves a listener through TLS, otherwise as [`serve`]. Visitors who agree on `h2` (ALPN) are spoken to in HTTP/2, those who agree
/// on `http/1.1` or on nothing in HTTP/1.1, and those who agree on anything else came for the handshake alone.
pub async fn serve_tls<A: Answer>(
    listener: TcpListener,
    tls: Arc<ServerConfig>,
    crew: Crew,
    answer: Arc<A>,
    limits: ConnectionLimits,
    closing: impl Into<Closing>,
) {
    let places = Arc::new(StreamPlaces::new(limits.max_connections));
    let converse =
        move |arrival: Arrival| tls::run(arrival, Arc::clone(&tls), Arc::clone(&answer), limits, Arc::clone(&places));
    admit(listener, crew, limits, closing.into(), converse).await;
}

/// A visitor who was let in.
struct Arrival {
    socket: TcpStream,
    peer: SocketAddr,
    place: Place,
    state: Arc<ConnectionState>,
    /// What the listener waits for when it ends.
    tasks: TaskTracker,
    /// Turns to shake hands on the thread that answers them.
    handshakes: Arc<Semaphore>,
}

/// A place among all connections, and the seat among those of its address.
struct Place {
    seat: Option<Arc<Seat>>,
    _among_all: OwnedSemaphorePermit,
}

/// Lets visitors in until `closing`; what is said with each is the listener's business. It is a type of its own for each kind of
/// listener, so a connection in the clear costs nothing for there being others.
async fn admit<C, F>(listener: TcpListener, crew: Crew, limits: ConnectionLimits, closing: Closing, converse: C)
where
    C: Fn(Arrival) -> F + Clone + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let mut queue = ConnectionQueue::new(limits.max_connections);
    let tasks = TaskTracker::new();
    let mut door = match Door::new(listener, limits) {
        Ok(door) => door,
        Err(error) => return tracing::error!(%error, "nobody is let in: the listener cannot be watched"),
    };
    let mut arrivals = Arrivals::default();
    loop {
        if arrivals.turn_is_over() {
            yield_now().await;
        }
        let (socket, peer) = tokio::select! {
            biased;
            () = closing.door().cancelled() => break,
            accepted = door.accept(&mut queue) => accepted,
        };
        let Ok(seat) = crew.shares().seat(peer, door.places.available_permits()) else {
            arrivals.refused(peer);
            reset(&socket);
            continue;
        };
        // Whoever was let in is answered, also if the door is closed while there is no place.
        let place = tokio::select! {
            biased;
            () = closing.hurry().cancelled() => break,
            place = door.place(&mut queue) => Place { seat, _among_all: place },
        };
        let state = Arc::new(ConnectionState::new(limits));
        queue.push(&state);
        let (post, converse, within) = (crew.post(), converse.clone(), tasks.clone());
        let runtime = post.runtime().clone();
        let connection = async move {
            let handshakes = Arc::clone(post.handshakes());
            match watched(socket) {
                Ok(socket) => converse(Arrival { socket, peer, place, state, tasks: within, handshakes }).await,
                Err(error) => tracing::warn!(%error, "a connection cannot be watched"),
            }
            drop(post);
        };
        tasks.spawn_on(connection, &runtime);
    }
    drop(door);
    tasks.close();
    queue.leave_all();
    tokio::select! {
        () = tasks.wait() => return,
        () = closing.hurry().cancelled() => queue.drain_all(),
    }
    if tokio::time::timeout(limits.drain_timeout, tasks.wait()).await.is_err() {
        tracing::warn!(connections = tasks.len(), "requests were still in flight after the drain timeout");
        queue.close_all();
        tasks.wait().await;
    }
}

/// Where visitors come in: the listener, and as many places as there may be connections.
struct Door {
    /// A visitor's socket is not watched here: whoever is refused costs no more than being told so, and the others are watched elsewhere.
    listener: AsyncFd<StdListener>,
    places: Arc<Semaphore>,
}

impl Door {
    #[expect(
        deprecated,
        reason = "it is unsound for types that give away what they watch, which a listener of the standard library never does"
    )]
    fn new(listener: TcpListener, limits: ConnectionLimits) -> io::Result<Self> {
        let listener = AsyncFd::with_interest(listener.into_std()?, Interest::READABLE)?;
        Ok(Self { listener, places: Arc::new(Semaphore::new(limits.max_connections)) })
    }

    /// A place for a visitor.
    async fn place(&self, queue: &mut ConnectionQueue) -> OwnedSemaphorePermit {
        match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => self.make_place(queue).await,
        }
    }

    /// Closes a connection that only waits, as soon as there is one, and waits for a place.
    async fn make_place(&self, queue: &mut ConnectionQueue) -> OwnedSemaphorePermit {
        loop {
            queue.close_oldest_waiting();
            let place = Arc::clone(&self.places).acquire_owned();
            if let Ok(place) = tokio::time::timeout(PLACE_PAUSE, place).await {
                return place.expect("the semaphore is never closed");
            }
        }
    }

    /// The next visitor's socket, which nobody watches yet.
    async fn accept(&mut self, queue: &mut ConnectionQueue) -> (StdStream, SocketAddr) {
        let mut pause = ACCEPT_PAUSE.0;
        loop {
            match self.listener.async_io(Interest::READABLE, StdListener::accept).await {
                Ok(arrival) => return arrival,
                Err(error) if is_the_visitors(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections");
                    // Most likely there are no file descriptors left.
                    queue.close_oldest_waiting();
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(ACCEPT_PAUSE.1);
                }
            }
        }
    }
}

/// Who has come to a listener.
#[derive(Default)]
struct Arrivals {
    count: usize,
    told: Option<Instant>,
}

impl Arrivals {
    /// Counts one more. Whether those who are there have their turn first: however many arrive at once, visitors of this thread are
    /// answered in between.
    fn turn_is_over(&mut self) -> bool {
        self.count = self.count.wrapping_add(1);
        self.count.is_multiple_of(ARRIVALS_IN_TURN)
    }

    /// Notes that somebody is refused whose address has as many connections as it may. It is said once a minute: it may be an attack, or a
    /// proxy that nobody has named.
    fn refused(&mut self, peer: SocketAddr) {
        if self.told.is_none_or(|told| told.elapsed() >= REFUSALS_TOLD_EVERY) {
            self.told = Some(Instant::now());
            tracing::warn!(address = %peer.ip(), "connections are refused: their address has as many as it may; a proxy is named with --proxy");
        }
    }
}

/// A visitor's socket, watched by the runtime of this thread.
fn watched(socket: StdStream) -> io::Result<TcpStream> {
    socket.set_nonblocking(true)?;
    // Responses are written whole: waiting for more to send (Nagle) could only delay them.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "cannot set TCP_NODELAY");
    }
    TcpStream::from_std(socket)
}

/// Ends a connection with a reset: nothing is kept of it, here or in the kernel.
fn reset(socket: &StdStream) {
    if let Err(error) = set_socket_linger(socket, Some(Duration::ZERO)) {
        tracing::debug!(%error, "a connection ends without a reset");
    }
}

/// Whether an error of `accept` is about the connection that was to be accepted, and not about this host.
fn is_the_visitors(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
