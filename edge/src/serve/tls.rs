//! A connection through TLS: the handshake, and which HTTP follows it.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::drive::poll_patience;
use super::shares::{Pass, in_turn};
use super::state::{ConnectionState, Order};
use super::stream::VisitorStream;
use super::streams::StreamPlaces;
use super::turns::begin_in_turn;
use super::{Answer, Arrival, ConnectionLimits, connection, http2};
use crate::visitor::{Scheme, Visitor};

/// Shakes hands with a visitor and speaks with them as they agreed. They have their place, and can lose it to another, from before
/// the first byte; the time for the first head is also the time for the handshake.
pub(super) async fn run<A: Answer>(
    arrival: Arrival,
    tls: Arc<ServerConfig>,
    answer: Arc<A>,
    limits: ConnectionLimits,
    places: Arc<StreamPlaces>,
) {
    let Arrival { socket, peer, place, state, tasks, handshakes } = arrival;
    let handshake = shake_hands(socket, tls, &handshakes, Pass::of(place.seat.as_ref()));
    let Some(tls) = wait_for(handshake, peer, &state, limits).await else { return };
    let visitor = Visitor { peer, scheme: Scheme::Https };
    match tls.get_ref().1.alpn_protocol() {
        Some(b"h2") => {
            let stream = VisitorStream::of_frames(tls, Arc::clone(&state), place);
            http2::run(stream, visitor, state, answer, limits, (tasks, places)).await;
        }
        None | Some(b"http/1.1") => {
            let stream = VisitorStream::new(tls, Arc::clone(&state), place);
            connection::run(stream, visitor, state, answer, limits).await;
        }
        // Whoever agreed on another protocol wanted to see a certificate, as an ACME server does.
        Some(_) => {}
    }
}

/// The handshake, one at a time on each thread. It takes longer than most answers, and anybody can ask for one: so between two of them those
/// have their turn whose bytes have arrived, however many wait to be let in.
async fn shake_hands(
    socket: TcpStream,
    tls: Arc<ServerConfig>,
    handshakes: &Semaphore,
    mut pass: Pass,
) -> io::Result<TlsStream<TcpStream>> {
    // To read what somebody says first is little work.
    let hello = in_turn(&mut pass, LazyConfigAcceptor::new(Acceptor::default(), socket)).await?;
    // What is left for the visitor's answer is little.
    let handshake = async { hello.into_stream(tls).await };
    // Of its own, and only now: those who never say anything are not to take room for it.
    begin_in_turn(handshakes, Box::pin(in_turn(&mut pass, handshake))).await
}

/// What comes of a handshake. `None` if it fails, takes too long, or the listener needs the place.
pub(super) async fn wait_for<T, E: fmt::Display>(
    handshake: impl Future<Output = Result<T, E>>,
    peer: SocketAddr,
    state: &ConnectionState,
    limits: ConnectionLimits,
) -> Option<T> {
    let mut handshake = pin!(handshake);
    let mut watch = pin!(tokio::time::sleep(limits.header_read_timeout));
    poll_fn(|context| {
        match state.order(context) {
            // Whoever was let in is answered, also by a listener that is left.
            Order::Serve | Order::Leave => {}
            Order::MakeRoom | Order::Drain | Order::Close => return Poll::Ready(None),
        }
        match handshake.as_mut().poll(context) {
            Poll::Ready(Ok(stream)) => return Poll::Ready(Some(stream)),
            Poll::Ready(Err(error)) => {
                tracing::debug!(%error, %peer, "a TLS handshake failed");
                return Poll::Ready(None);
            }
            Poll::Pending => {}
        }
        poll_patience(watch.as_mut(), state, limits, context).map(|()| None)
    })
    .await
}
