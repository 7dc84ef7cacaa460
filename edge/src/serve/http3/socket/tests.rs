//! Whose datagrams are whose, at a real socket.

use std::future::poll_fn;
use std::net::UdpSocket;

use quinn::{ConnectionIdGenerator as _, Runtime as _, TokioRuntime};

use super::*;
use crate::serve::http3::door::QuicDoor;

/// A socket, what a visitor sends to it with, and the secrets of its process.
fn stage() -> (SharedSocket, UdpSocket, QuicSecrets, QuicHandover) {
    let door = QuicDoor::new(UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
    let visitor = UdpSocket::bind("127.0.0.1:0").unwrap();
    visitor.connect(door.socket.local_addr().unwrap()).unwrap();
    door.socket.set_nonblocking(true).unwrap();
    let socket = TokioRuntime.wrap_udp_socket(door.socket).unwrap();
    let shared = SharedSocket::new(socket, &door.secrets, None, door.handover.clone()).unwrap();
    (shared, visitor, door.secrets, door.handover)
}

/// How many bytes of the next datagram are for this process.
async fn kept(socket: &SharedSocket) -> usize {
    let mut bytes = [0; 2048];
    let mut metas = [RecvMeta::default()];
    let received = poll_fn(|context| socket.poll_recv(context, &mut [IoSliceMut::new(&mut bytes)], &mut metas));
    assert_eq!(received.await.unwrap(), 1);
    metas[0].len
}

/// A packet on a connection of the process whose secrets these are.
fn packet(secrets: &QuicSecrets) -> Vec<u8> {
    [b"\x40", &Ids::of(secrets).generate_cid()[..], b"sealed"].concat()
}

/// While a successor may read the socket as well, what may be of its connections is not answered; before that and when there was none
/// after all, nobody else can have it.
#[tokio::test]
async fn packets_of_a_successor() {
    let (socket, visitor, secrets, handover) = stage();
    let later = packet(&secrets.clone().next().unwrap());
    let (own, beginning) = (packet(&secrets), [b"\xc0\x00\x00\x00\x01\x08", &[7; 20][..]].concat());
    for (is_begun, of_later) in [(false, later.len()), (true, 0), (false, later.len())] {
        let line = is_begun.then(|| handover.line().unwrap());
        for (datagram, expected) in [(&later, of_later), (&own, own.len()), (&beginning, beginning.len())] {
            visitor.send(datagram).unwrap();
            assert_eq!(kept(&socket).await, expected, "{is_begun} {datagram:?}");
        }
        handover.forget();
        drop(line);
    }
}
