//! Visitors over QUIC who mean no good, or who send what is none.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use quinn::{Endpoint, ReadError, RecvStream, SendStream, VarInt, WriteError};
use ship_tests::http3::{Connection, client_config};
use ship_tests::{Gate, PATIENCE, TestEnv};

use crate::raw::{DATA, HEADERS, UNKNOWN, frame, head, request};
use crate::stage::Stage;

/// Codes of HTTP/3 (RFC 9114, section 8.1).
const NO_ERROR: u64 = 0x100;
const INTERNAL_ERROR: u64 = 0x102;
const FRAME_UNEXPECTED: u64 = 0x105;
const REQUEST_INCOMPLETE: u64 = 0x10d;
const MESSAGE_ERROR: u64 = 0x10e;

/// `431` as it is written in a head (RFC 7541, appendix B).
const SAID_431: [u8; 3] = [105, 144, 255];

/// How much the host may grow under any of the attacks, in bytes.
const MAX_GROWTH: u64 = 64 * 1024 * 1024;

/// What a stream of bytes comes to.
#[derive(PartialEq, Eq, Debug)]
enum Outcome {
    /// An answer that ends, with so many bytes of it.
    Answered,
    /// The host reset the stream with this code.
    Reset(u64),
    /// It ended the connection with this code.
    Closed(u64),
}

async fn outcome(mut receive: RecvStream) -> (Outcome, Vec<u8>) {
    let mut seen = Vec::new();
    let mut space = [0; 4096];
    loop {
        match receive.read(&mut space).await {
            Ok(Some(bytes)) => seen.extend_from_slice(&space[..bytes]),
            Ok(None) => return (Outcome::Answered, seen),
            Err(ReadError::Reset(code)) => return (Outcome::Reset(code.into_inner()), seen),
            Err(ReadError::ConnectionLost(quinn::ConnectionError::ApplicationClosed(close))) => {
                return (Outcome::Closed(close.error_code.into_inner()), seen);
            }
            Err(error) => panic!("{error}"),
        }
    }
}

async fn write(send: &mut SendStream, bytes: &[u8]) {
    match send.write_all(bytes).await {
        Ok(()) | Err(WriteError::Stopped(_) | WriteError::ConnectionLost(_)) => {}
        Err(error) => panic!("{error}"),
    }
}

/// Sends a request's stream in these pieces, each of which is on its way before the next, and sees what comes of it.
fn send(visitor: &Connection, pieces: &[&[u8]]) -> (Outcome, Vec<u8>) {
    visitor.wait_for(async {
        let (mut send, receive) = visitor.quic().open_bi().await.expect("there is room");
        for piece in pieces {
            write(&mut send, piece).await;
            tokio::task::yield_now().await;
        }
        let _ = send.finish();
        outcome(receive).await
    })
}

/// What is no request is refused, its stream alone where that is possible; and what means nothing changes nothing.
#[test]
fn malformed() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let name = stage.name.as_str();
    let page = request("GET", name, "/", &[]);
    let echo = |further: &[(&str, &str)]| request("POST", name, "/api/function?echo", further);
    let visitor = stage.connect();
    for (what, pieces) in [
        ("a stream that ends before it begins", vec![]),
        ("a head that is cut off", vec![&page[..20]]),
        ("a head that is larger than any", vec![&head(HEADERS, 1 << 40)[..], &[0; 4096]]),
    ] {
        assert_eq!(send(&visitor, &pieces).0, Outcome::Reset(REQUEST_INCOMPLETE), "{what}");
    }
    for further in [
        &[("transfer-encoding", "chunked")][..],
        &[("connection", "close")],
        &[("upgrade", "websocket")],
        &[("content-length", "1"), ("content-length", "2")],
        &[("Upper", "case")],
        &[(":protocol", "\0")],
        &[(":protocol", "webtransport")],
    ] {
        let seen = send(&visitor, &[&request("GET", name, "/", further)]).0;
        assert_eq!(seen, Outcome::Reset(MESSAGE_ERROR), "{further:?}");
    }
    // 10,000 headers are more than the host reads; their number is what is too large.
    let many: Vec<(&str, &str)> = (0..3000).map(|_| ("a", "b")).collect();
    let (seen, answer) = send(&visitor, &[&request("GET", name, "/", &many)]);
    assert_eq!(seen, Outcome::Answered);
    assert!(answer.windows(3).any(|part| part == SAID_431), "{answer:?}");

    // A body is as long as its head says, is not over with an empty frame, and is none where it is cut off.
    let said = |answer: &[u8]| String::from_utf8_lossy(answer).into_owned();
    let (body, empty, unknown) = (frame(DATA, b"hello"), frame(DATA, b""), frame(UNKNOWN, &[0; 100]));
    let whole: [&[u8]; 6] = [&unknown, &echo(&[("content-length", "10")]), &body, &empty, &unknown, &body];
    let (seen, answer) = send(&visitor, &whole);
    assert_eq!(seen, Outcome::Answered);
    assert!(said(&answer).contains("\"length\":10"), "{}", said(&answer));
    for (what, pieces) in [
        ("longer", vec![echo(&[("content-length", "4")]), body.clone()]),
        ("shorter", vec![echo(&[("content-length", "6")]), body.clone()]),
        ("cut off", vec![echo(&[]), head(DATA, 100), b"hello".to_vec()]),
    ] {
        let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
        let (seen, answer) = send(&visitor, &pieces);
        assert!(!said(&answer).contains("\"length\""), "{what}: {seen:?} {}", said(&answer));
    }
    for pieces in [vec![&body[..]], vec![&frame(5, &[0]), &page]] {
        let visitor = stage.connect();
        let seen = send(&visitor, &pieces).0;
        // The stream may be heard of before the connection that ends with it.
        assert!(matches!(seen, Outcome::Closed(FRAME_UNEXPECTED) | Outcome::Reset(REQUEST_INCOMPLETE)), "{seen:?}");
        assert_eq!(visitor.ended(), Some(FRAME_UNEXPECTED));
    }
    let mut visitor = visitor;
    assert_eq!(visitor.get("/").expect("the connection goes on").text(), "<p>here</p>");
}

/// Who does not finish the head of a request loses it after ten seconds, and a connection on which nothing is asked ends then; those who
/// have asked for something stay.
#[test]
fn slow_heads() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let (silent, mut slow) = (stage.connect(), stage.connect());
    assert_eq!(slow.get("/").expect("there is a page").status, 200);
    let begun = Instant::now();
    let half = request("GET", &stage.name, "/", &[]);
    let seen = slow.wait_for(async {
        let (mut send, receive) = slow.quic().open_bi().await.expect("there is room");
        write(&mut send, &half[..half.len() - 1]).await;
        outcome(receive).await.0
    });
    assert_eq!(seen, Outcome::Reset(REQUEST_INCOMPLETE));
    assert!(begun.elapsed() > Duration::from_secs(8), "ten seconds are given: {:?}", begun.elapsed());
    assert_eq!(silent.ended(), Some(NO_ERROR));
    assert_eq!(slow.get("/").expect("the connection goes on").status, 200);
}

/// Requests that are made and taken back as fast as it goes end the connection, and nobody else notices.
#[test]
fn rapid_reset() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let before = stage.host.process().resident_bytes();
    let visitor = stage.connect();
    let asking = request("GET", &stage.name, "/api/function?gate=127.0.0.1:1&silent", &[]);
    visitor.wait_for(async {
        loop {
            let Ok((mut send, mut receive)) = visitor.quic().open_bi().await else { return };
            write(&mut send, &asking).await;
            let _ = (send.reset(VarInt::from_u32(0x10c)), receive.stop(VarInt::from_u32(0x10c)));
        }
    });
    assert!(visitor.ended().is_some(), "the host has had enough");
    assert_eq!(stage.connect().get("/").expect("others are answered").status, 200);
    let grown = stage.host.process().resident_bytes().saturating_sub(before);
    assert!(grown < MAX_GROWTH, "{grown} bytes more");
}

/// Visitors who ask for much and take nothing have the host hold no more than what fits into their window, and are not waited for longer
/// than a minute.
#[test]
fn shut_windows() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let before = stage.host.process().anonymous_bytes();
    let shut = |transport: &mut quinn::TransportConfig| {
        transport.stream_receive_window(VarInt::from_u32(1000));
    };
    let visitor = Connection::open_with(Ipv4Addr::LOCALHOST, &stage.authority, &stage.name, shut).expect("it speaks");
    let asking = request("GET", &stage.name, "/large.bin", &[]);
    let begun = Instant::now();
    let ends = visitor.wait_for(async {
        let mut streams = Vec::new();
        for _ in 0..50 {
            let (mut send, receive) = visitor.quic().open_bi().await.expect("there is room");
            write(&mut send, &asking).await;
            let _ = send.finish();
            streams.push((send, receive));
        }
        let mut ends = Vec::new();
        for (_, mut receive) in streams {
            ends.push(receive.received_reset().await.expect("the connection stays").map(VarInt::into_inner));
        }
        ends
    });
    let grown = stage.host.process().anonymous_bytes().saturating_sub(before);
    assert_eq!(ends, vec![Some(INTERNAL_ERROR); 50]);
    assert!(begun.elapsed() > Duration::from_secs(50), "a minute is given: {:?}", begun.elapsed());
    assert!(grown < MAX_GROWTH, "{grown} bytes more");
}

/// A first packet of a handshake, as it goes over the wire.
fn first_packet(stage: &Stage<'_>) -> Vec<u8> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("there is a runtime");
    runtime.block_on(async {
        let capture = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).expect("loopback has a free port");
        let to = capture.local_addr().expect("it is bound");
        let config = client_config(&stage.authority, |_| {});
        let _connecting = endpoint.connect_with(config, to, "site.ship.test").expect("the name is one");
        let mut packet = vec![0; 2048];
        let bytes = capture.recv(&mut packet).await.expect("somebody comes");
        packet.truncate(bytes);
        packet
    })
}

/// Who does not show where they are is sent no more than three times what they sent, up to the end of a datagram; and where many such come, they are asked to show it
/// first. Others are let in meanwhile, who do.
#[test]
fn forged_addresses() {
    /// A packet that asks to show where one is (RFC 9000, section 17.2.5), as its first byte says.
    const RETRY: u8 = 0xf0;
    /// The size of a datagram, as QUIC begins with.
    const DATAGRAM: usize = 1200;
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let mut forger = Vec::new();
    let mut retried = false;
    for number in 0..60 {
        let (packet, socket) =
            (first_packet(&stage), UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port"));
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket takes a timeout");
        let sent = socket.send_to(&packet, ("127.0.0.1", stage.port())).expect("loopback takes it");
        let mut answer = [0; 2048];
        let bytes = socket.recv(&mut answer).expect("the host answers");
        let is_retry = answer[0] & 0xf0 == RETRY;
        assert_eq!(is_retry, number >= 32, "{number}");
        if is_retry {
            assert!(bytes < 200, "{bytes}");
            retried = true;
        }
        forger.push((socket, sent, bytes));
    }
    assert!(retried);
    let begun = Instant::now();
    assert_eq!(stage.connect().get("/").expect("who shows it is let in").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    // Until the host gives those handshakes up, it asks them again; and then there is an end of it.
    std::thread::scope(|scope| {
        for (socket, sent, first) in &forger {
            scope.spawn(move || {
                socket.set_read_timeout(Some(Duration::from_secs(12))).expect("a socket takes a timeout");
                let (mut all, mut answer) = (*first, [0; 2048]);
                while let Ok(bytes) = socket.recv(&mut answer) {
                    all += bytes;
                }
                assert!(all < 3 * sent + DATAGRAM, "{all} bytes for {sent}");
            });
        }
    });
}

/// Of one address no more is let in than its share, over QUIC as over TCP; and those who come from another have places.
#[test]
fn shares() {
    let environment = TestEnv::new();
    // Otherwise what comes from this machine is taken for a proxy's.
    let stage = Stage::start_with(&environment, &["--proxy", "192.0.2.1"]);
    let gate = Gate::new();
    let from = |last| {
        let from = Ipv4Addr::new(127, 0, 0, last);
        Connection::open_with(from, &stage.authority, &stage.name, |_| {})
    };
    let mut busy = from(2).expect("it is the first");
    let mut asked = busy.ask("GET", &format!("/api/function?{}", gate.query()), &[]).expect("the host is asked");
    asked.finish().expect("the host reads");
    let waiting = gate.wait_for_arrival();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("there is a runtime");
    let let_in = runtime.block_on(async {
        let endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::new(127, 0, 0, 3), 0))).expect("it is loopback");
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, stage.port()));
        let mut connections = Vec::new();
        loop {
            let config = client_config(&stage.authority, |_| {});
            match endpoint.connect_with(config, to, "site.ship.test").expect("the name is one").await {
                Ok(connection) => connections.push(connection),
                Err(error) => {
                    assert!(error.to_string().contains("refused"), "{error}");
                    return connections;
                }
            }
            assert!(connections.len() < 2000, "there is no end");
        }
    });
    assert!(let_in.len() >= 64, "{}", let_in.len());
    assert_eq!(from(4).expect("another address has places").get("/").expect("there is a page").status, 200);
    waiting.open();
    assert!(asked.answer().expect("it goes on").text().ends_with("data: finished\n\n"));
}
