//! How visitors are let in who come over QUIC.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use quinn::{ConnectionError, Endpoint, Incoming, Runtime as _, VarInt};
use rustls::ServerConfig as TlsConfig;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::connection::{self, Company};
use super::door::QuicDoor;
use super::runtime::{Tasks, beginning};
use super::settings;
use super::socket::SharedSocket;
use crate::serve::queue::ConnectionQueue;
use crate::serve::shares::{Pass, Seat, in_turn};
use crate::serve::state::ConnectionState;
use crate::serve::streams::StreamPlaces;
use crate::serve::tls::wait_for;
use crate::serve::turns::begin_in_turn;
use crate::serve::{Answer, Arrivals, Closing, ConnectionLimits, Crew, PLACE_PAUSE, Place};

/// How many handshakes may be under way with visitors who have not shown where they are. Beyond it they are asked to, which takes them a round
/// trip, and this host a packet and no memory.
const UNPROVED: usize = 32;

/// How long visitors are waited for to whom it was said last that their connections end.
const FAREWELL: Duration = Duration::from_millis(500);

/// Serves HTTP/3 at a door until it is closed, lets the requests in flight end and returns. Visitors are let in here, and answered by the
/// `crew`. It speaks TLS 1.3 by `tls`, which has to offer `h3`.
pub async fn serve_http3<A: Answer>(
    door: QuicDoor,
    tls: Arc<TlsConfig>,
    crew: Crew,
    answer: Arc<A>,
    limits: ConnectionLimits,
    closing: impl Into<Closing>,
) -> io::Result<()> {
    let closing = closing.into();
    let QuicDoor { socket, secrets, before, handover } = door;
    // Dropped at the end of this, the endpoint ends; and with it quinn's tasks.
    let quinns = TaskTracker::new();
    let runtime = Arc::new(Tasks(quinns.clone()));
    socket.set_nonblocking(true)?;
    let socket = Arc::new(SharedSocket::new(runtime.wrap_udp_socket(socket)?, &secrets, before, handover.clone())?);
    let config = settings::of_connections(&tls, &secrets)?;
    let abstract_socket = Arc::clone(&socket);
    let of_endpoint = settings::of_endpoint(&secrets);
    let endpoint = Endpoint::new_with_abstract_socket(of_endpoint, Some(config), abstract_socket, runtime)?;
    let mut hall = Hall {
        queue: ConnectionQueue::new(limits.max_connections),
        places: Arc::new(Semaphore::new(limits.max_connections)),
        requests: Arc::new(StreamPlaces::new(limits.max_connections)),
        unproved: Arc::default(),
        tasks: TaskTracker::new(),
        crew,
        answer,
        limits,
    };
    hall.admit(&endpoint, &closing).await;
    let has_successor = match handover.take() {
        Some(Ok(line)) => {
            socket.leave(line);
            true
        }
        Some(Err(error)) => {
            tracing::warn!(%error, "two processes read what comes over QUIC");
            true
        }
        None => false,
    };
    tokio::select! {
        () = hall.empty(&closing) => {}
        () = turn_away(&endpoint, has_successor) => {}
    }
    // It was said to each connection that it ends; a moment for those to whom it is said once more.
    if timeout(FAREWELL, endpoint.wait_idle()).await.is_err() {
        endpoint.close(VarInt::from_u32(0), &[]);
    }
    drop((endpoint, socket));
    quinns.close();
    if timeout(FAREWELL, quinns.wait()).await.is_err() {
        tracing::debug!("connections over QUIC go on to end");
    }
    Ok(())
}

/// Where visitors are.
struct Hall<A> {
    queue: ConnectionQueue,
    places: Arc<Semaphore>,
    requests: Arc<StreamPlaces>,
    unproved: Arc<AtomicUsize>,
    tasks: TaskTracker,
    crew: Crew,
    answer: Arc<A>,
    limits: ConnectionLimits,
}

impl<A: Answer> Hall<A> {
    /// Lets visitors in until the door closes.
    async fn admit(&mut self, endpoint: &Endpoint, closing: &Closing) {
        let mut arrivals = Arrivals::default();
        loop {
            let incoming = tokio::select! {
                biased;
                () = closing.door().cancelled() => return,
                incoming = endpoint.accept() => incoming,
            };
            let Some(incoming) = incoming else { return };
            if arrivals.turn_is_over() {
                yield_now().await;
            }
            let peer = incoming.remote_address();
            if !incoming.remote_address_validated() && self.unproved.load(Relaxed) >= UNPROVED {
                // It fails only for those who have shown it.
                let _ = incoming.retry();
                continue;
            }
            let Ok(seat) = self.crew.shares().seat(peer, self.places.available_permits()) else {
                arrivals.refused(peer);
                incoming.refuse();
                continue;
            };
            match self.place().await {
                Some(place) => self.let_in(incoming, peer, Place { seat, _among_all: place }),
                // They come over TCP.
                None => incoming.refuse(),
            }
        }
    }

    /// A place, if need be that of somebody who only waits. `None` where there is none for a moment.
    async fn place(&mut self) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Some(place);
        }
        self.queue.close_oldest_waiting();
        timeout(PLACE_PAUSE, Arc::clone(&self.places).acquire_owned()).await.ok()?.ok()
    }

    fn let_in(&mut self, incoming: Incoming, peer: SocketAddr, place: Place) {
        let state = Arc::new(ConnectionState::new(self.limits));
        self.queue.push(&state);
        let post = self.crew.post();
        let unproved = (!incoming.remote_address_validated()).then(|| Unproved::one_of(&self.unproved));
        let (runtime, handshakes) = (post.runtime().clone(), Arc::clone(post.handshakes()));
        let (answer, limits) = (Arc::clone(&self.answer), self.limits);
        let company = Company { answer, limits, tasks: self.tasks.clone(), places: Arc::clone(&self.requests) };
        let visit = async move {
            let handshake = shake_hands(incoming, &handshakes, place.seat.as_ref());
            let connection = wait_for(handshake, peer, &state, limits).await;
            drop(unproved);
            if let Some(connection) = connection {
                connection::run(connection, &place, &state, company).await;
            }
            drop((place, post));
        };
        self.tasks.spawn_on(visit, &runtime);
    }

    /// Waits until the last visitor has left, who is told to.
    async fn empty(&self, closing: &Closing) {
        self.tasks.close();
        self.queue.leave_all();
        tokio::select! {
            () = self.tasks.wait() => return,
            () = closing.hurry().cancelled() => self.queue.drain_all(),
        }
        if timeout(self.limits.drain_timeout, self.tasks.wait()).await.is_err() {
            tracing::warn!(connections = self.tasks.len(), "requests were still in flight after the drain timeout");
            self.queue.close_all();
            self.tasks.wait().await;
        }
    }
}

/// Tells those who come that nobody is there. Where there is a successor they are not answered, and ask again: it reads what they say then.
async fn turn_away(endpoint: &Endpoint, has_successor: bool) {
    while let Some(incoming) = endpoint.accept().await {
        if has_successor {
            incoming.ignore();
        } else {
            incoming.refuse();
        }
    }
    // Nothing comes any more, and those who are there are still waited for.
    std::future::pending::<()>().await;
}

/// The handshake, of which the work comes at its beginning: one at a time on each thread, as over TCP.
async fn shake_hands(
    incoming: Incoming,
    handshakes: &Semaphore,
    seat: Option<&Arc<Seat>>,
) -> Result<quinn::Connection, ConnectionError> {
    let mut pass = Pass::of(seat);
    let begin = async { beginning(seat, || incoming.accept()) };
    begin_in_turn(handshakes, Box::pin(in_turn(&mut pass, begin))).await?.await
}

/// A handshake with a visitor who has not shown where they are, as long as this lives.
struct Unproved(Arc<AtomicUsize>);

impl Unproved {
    fn one_of(all: &Arc<AtomicUsize>) -> Self {
        all.fetch_add(1, Relaxed);
        Self(Arc::clone(all))
    }
}

impl Drop for Unproved {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
