//! A host is shared out among the addresses that visitors come from: none of them can take what all others need, and none is held back
//! while nobody else is there.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ship_tests::http2::{self, Connection, flag, kind};
use ship_tests::{PATIENCE, TestAuthority, TestEnv, TestHost, http};

/// Visitors of three addresses; the first is that of the host itself, where proxies are if nobody says otherwise.
const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;
const ONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// A host that has few descriptors, and so places for 520 visitors. An address may have a quarter of those that are left.
const FEW: [&str; 2] = ["prlimit", "--nofile=1816:1816"];
const ITS_SHARE: usize = 104;

/// `connection: keep-alive` of a visitor in the clear, who waits for the answer.
fn is_answered(stream: &mut TcpStream, authority: &str) -> io::Result<bool> {
    stream.write_all(format!("GET / HTTP/1.1\r\nhost: {authority}\r\n\r\n").as_bytes())?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"HTTP/1.1 200")
}

/// As many connections as an address gets, all of which are answered, and how the next one ends. At most so many.
fn crowd(from: Ipv4Addr, authority: &str, most: usize) -> (Vec<TcpStream>, Option<io::ErrorKind>) {
    let mut crowd = Vec::new();
    while crowd.len() < most {
        let answered = http::connect_from(from, authority)
            .and_then(|mut stream| is_answered(&mut stream, authority).map(|answered| (stream, answered)));
        match answered {
            Ok((stream, answered)) => {
                assert!(answered, "whoever is let in gets the page");
                crowd.push(stream);
            }
            Err(error) => return (crowd, Some(error.kind())),
        }
    }
    (crowd, None)
}

fn deploy(environment: &TestEnv, host: &TestHost<'_>) -> String {
    let project = environment
        .project("site")
        .file("public/index.html", "here")
        .file("public/large.bin", "x".repeat(4 * 1024 * 1024));
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    host.site_url("site").replace("http://", "")
}

/// An address that has its share of the places gets no more of them: its next connection is reset. Visitors of others are let in, and when
/// its own have left they may come again.
#[test]
fn places() {
    let environment = TestEnv::new();
    let mut host = TestHost::start_by_with(&environment, &FEW, &[]);
    let authority = deploy(&environment, &host);
    let (mut first, ended) = crowd(ONE, &authority, 1000);
    assert_eq!((first.len(), ended), (ITS_SHARE, Some(io::ErrorKind::ConnectionReset)));
    let (others, ended) = crowd(OTHER, &authority, 50);
    assert_eq!((others.len(), ended), (50, None));
    // Those who were there before stay.
    assert!(first.iter_mut().all(|stream| {
        let mut rest = [0; 4096];
        let _ = stream.read(&mut rest).expect("the rest of the first answer");
        is_answered(stream, &authority).expect("the connection is kept")
    }));
    drop(first);
    let deadline = Instant::now() + PATIENCE;
    while crowd(ONE, &authority, 1).0.is_empty() {
        assert!(Instant::now() < deadline, "the places of those who left are taken for ever");
    }
    // However many were refused, the operator is told once a minute.
    host.ask_to_end();
    let ended = host.ended();
    assert_eq!(ended.stderr().matches("connections are refused: ").count(), 1, "{}", ended.stderr());
}

/// A proxy speaks for many: one on the host's machine has as many places as there are, and one elsewhere if the operator says so.
#[test]
fn proxies() {
    let environment = TestEnv::new();
    let host = TestHost::start_by_with(&environment, &FEW, &[]);
    let authority = deploy(&environment, &host);
    let (local, ended) = crowd(LOCAL, &authority, 3 * ITS_SHARE);
    assert_eq!((local.len(), ended), (3 * ITS_SHARE, None));
    drop((local, host));

    let environment = TestEnv::new();
    let host = TestHost::start_by_with(&environment, &FEW, &["--proxy", "127.0.0.2/31"]);
    let authority = deploy(&environment, &host);
    let (elsewhere, ended) = crowd(ONE, &authority, 3 * ITS_SHARE);
    assert_eq!((elsewhere.len(), ended), (3 * ITS_SHARE, None));
}

/// However much visitors of one address ask for, on ever new connections, they get their share of a processor while somebody else is
/// there, and that somebody is answered.
#[test]
fn processor() {
    /// How many of their connections are answered meanwhile.
    const CONNECTIONS: usize = 15;
    /// How much of a processor the host may use: their share is a tenth, beside it is what was saved up, the somebody, and what is no
    /// visitor's work. Without a bound it is more than one where there are two.
    const MOST: f64 = 0.5;
    let environment = TestEnv::new();
    let authority = TestAuthority::new();
    let (certificate, key) = authority.write(&environment.folder().join("pair"), &["*.ship.test"]);
    let files = [certificate, key].map(|path| path.display().to_string());
    let [certificate, key] = files.each_ref().map(String::as_str);
    let served = ["--domain", "ship.test", "--tls-listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
    let host = TestHost::start_with(&environment, &[&served[..], &["--address-share", "10"]].concat());
    let _ = deploy(&environment, &host);
    let name = host.secure_url("site.ship.test").replace("https://", "");
    let ask = |connection: &mut Connection, stream: u32, path: &str| {
        connection.send(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &http2::get(&name, path))
    };
    let mut visitor = Connection::open_from(OTHER, &authority, &name).expect("the host lets a visitor in");
    let (is_over, (answered, answers)) = (AtomicBool::new(false), mpsc::channel());
    thread::scope(|scope| {
        for _ in 0..8 {
            let answered = answered.clone();
            let (ask, authority, name, is_over) = (&ask, &authority, &name, &is_over);
            scope.spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    let Ok(mut connection) = Connection::open_from(ONE, authority, name) else { continue };
                    let asked = (0..100).try_for_each(|number| ask(&mut connection, 2 * number + 1, "/large.bin"));
                    if asked.is_ok() && matches!(connection.next_of(kind::DATA), Ok(Some(_))) {
                        // Enough were answered if nobody listens.
                        let _ = answered.send(());
                    }
                }
            });
        }
        let (begun, ticks) = (Instant::now(), host.process().processor_ticks());
        for number in 0..CONNECTIONS {
            answers.recv_timeout(PATIENCE).expect("their requests are answered");
            let stream = u32::try_from(2 * number + 1).expect("there are few");
            ask(&mut visitor, stream, "/").expect("the visitor stays connected");
            assert_eq!(visitor.body(stream), "here");
        }
        let used = Duration::from_millis(10 * (host.process().processor_ticks() - ticks));
        let share = used.as_secs_f64() / begun.elapsed().as_secs_f64();
        is_over.store(true, Ordering::Relaxed);
        assert!(share < MOST, "{share:.2} of a processor");
    });
}
