//! Visitors through TLS who mean no good. Beside each of them an honest visitor is answered as before, and the host's memory stays
//! within bounds.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ship_tests::http2::{self, Connection, flag, kind};
use ship_tests::{TestAuthority, TestEnv, TestHost, http};

/// How many requests an honest visitor makes to know how long they take.
const REQUESTS: usize = 100;

/// How much slower the middle one of those requests may be under an attack, which needs a processor of its own for its TLS: the
/// machine has two, and other tests run on them.
const SLOWER: u32 = 20;

/// A middle request that is faster than this is fast enough, whatever it is without an attack.
const FAST_ENOUGH: Duration = Duration::from_millis(50);

/// How much the host may grow under any of the attacks, in bytes.
const MAX_GROWTH: u64 = 128 * 1024 * 1024;

/// `SETTINGS_INITIAL_WINDOW_SIZE`.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// `ENHANCE_YOUR_CALM`, as the last four bytes of what GOAWAY says first.
const CALM: [u8; 4] = [0, 0, 0, 11];

/// A host with TLS and a site: a page, and a large file.
struct Stage<'e> {
    host: TestHost<'e>,
    authority: TestAuthority,
    name: String,
}

impl<'e> Stage<'e> {
    fn start(environment: &'e TestEnv) -> Self {
        let authority = TestAuthority::new();
        let (certificate, key) = authority.write(&environment.folder().join("pair"), &["*.ship.test"]);
        let files = [certificate, key].map(|path| path.display().to_string());
        let [certificate, key] = &files;
        let options =
            ["--domain", "ship.test", "--tls-listen", "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key];
        let host = TestHost::start_with(environment, &options);
        let project = environment
            .project("site")
            .file("public/index.html", "here")
            .file("public/large.bin", "x".repeat(4 * 1024 * 1024));
        let _ = host.ship(["deploy"]).within(project.folder()).run().success();
        let name = host.secure_url("site.ship.test").replace("https://", "");
        Self { host, authority, name }
    }

    fn connect(&self) -> Connection {
        Connection::open(&self.authority, &self.name).expect("the host shakes hands with everybody")
    }

    /// How long the middle one of an honest visitor's requests takes, and the slowest. All are answered.
    fn honest(&self) -> (Duration, Duration) {
        let mut connection = self.connect();
        let mut taken: Vec<Duration> = (0..REQUESTS)
            .map(|number| {
                let begun = Instant::now();
                let stream = u32::try_from(2 * number + 1).expect("there are few");
                ask(&mut connection, stream, &self.name, "/").expect("the host reads");
                assert_eq!(connection.body(stream), "here");
                begun.elapsed()
            })
            .collect();
        taken.sort_unstable();
        (taken[REQUESTS / 2], taken[REQUESTS - 1])
    }

    /// Lets some attack while an honest visitor goes on, at least once from beginning to end.
    fn under(&self, attackers: usize, attack: impl Fn(&Self) + Sync) {
        let (before, memory) = (self.honest(), self.host.process().resident_bytes());
        let is_over = AtomicBool::new(false);
        let during = thread::scope(|scope| {
            for _ in 0..attackers {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        attack(self);
                    }
                });
            }
            let during = self.honest();
            is_over.store(true, Ordering::Relaxed);
            during
        });
        let grown = self.host.process().resident_bytes().saturating_sub(memory);
        // The harness shows this with a failure; by hand, `--nocapture` does.
        let told = format!("middle and slowest: {before:?} before, {during:?} during; {} KiB more\n", grown / 1024);
        let _ = std::io::stderr().write_all(told.as_bytes());
        assert!(during.0 < FAST_ENOUGH.max(before.0 * SLOWER), "{told}");
        assert!(grown < MAX_GROWTH, "{told}");
        assert_eq!(http::get_secure(&format!("https://{}/", self.name), &self.authority).success().text(), "here");
    }
}

fn ask(connection: &mut Connection, stream: u32, name: &str, path: &str) -> std::io::Result<()> {
    connection.send(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &http2::get(name, path))
}

/// Writes until the host has had enough, up to a bound; then what it said as it ended the connection.
fn until_ended(
    connection: &mut Connection,
    mut write: impl FnMut(&mut Connection, u32) -> std::io::Result<()>,
) -> Vec<u8> {
    for number in 0..100_000 {
        if write(connection, number).is_err() {
            break;
        }
        assert!(number < 99_999, "the host takes it without end");
    }
    match connection.next_of(kind::GOAWAY) {
        Ok(Some(frame)) => frame.payload.get(4..8).unwrap_or_default().to_vec(),
        // What was still being written when the host closed the connection can overtake what it said.
        Ok(None) | Err(_) => CALM.to_vec(),
    }
}

/// Streams that are opened and reset at once (CVE-2023-44487).
#[test]
fn rapid_reset() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    stage.under(2, |stage| {
        let head = http2::get(&stage.name, "/large.bin");
        let said = until_ended(&mut stage.connect(), |connection, number| {
            let stream = 2 * number + 1;
            let open = http2::encoded(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &head);
            let reset = http2::encoded(kind::RST_STREAM, flag::NONE, stream, &[0, 0, 0, 8]);
            connection.write(&[open, reset].concat())
        });
        assert!(said == CALM || said == [0; 4], "{said:?}");
    });
}

/// Streams that the visitor has the host reset, by mistakes made on purpose (CVE-2025-8671).
#[test]
fn made_you_reset() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    stage.under(2, |stage| {
        let head = http2::get(&stage.name, "/large.bin");
        let said = until_ended(&mut stage.connect(), |connection, number| {
            let stream = 2 * number + 1;
            let open = http2::encoded(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, &head);
            let mistake = http2::encoded(kind::WINDOW_UPDATE, flag::NONE, stream, &[0; 4]);
            connection.write(&[open, mistake].concat())
        });
        assert_ne!(said, [0; 4], "the host says why");
    });
}

/// A head that never ends, in pieces of the largest size.
#[test]
fn continuation_flood() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    stage.under(2, |stage| {
        let piece = http2::headers(&[("x", &"y".repeat(16 * 1024 - 16))]);
        let mut connection = stage.connect();
        let _ = connection.send(kind::HEADERS, flag::END_STREAM, 1, &http2::get(&stage.name, "/"));
        let mut sent = 0;
        let _ = until_ended(&mut connection, |connection, _| {
            sent += piece.len();
            connection.send(kind::CONTINUATION, flag::NONE, 1, &piece)
        });
        assert!(sent < 64 * 1024 * 1024, "{sent} bytes of one head were read");
    });
}

/// A head of a megabyte that does end.
#[test]
fn large_head() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    stage.under(2, |stage| {
        let mut connection = stage.connect();
        let fields: Vec<String> = (0..64).map(|number| format!("x-{number}")).collect();
        let _ = connection.send(kind::HEADERS, flag::END_STREAM, 1, &http2::get(&stage.name, "/"));
        for (number, field) in fields.iter().enumerate() {
            let piece = http2::headers(&[(field, &"y".repeat(16 * 1024 - 32))]);
            let flags = if number + 1 == fields.len() { flag::END_HEADERS } else { flag::NONE };
            if connection.send(kind::CONTINUATION, flags, 1, &piece).is_err() {
                break;
            }
        }
        // Refused with a status, with a reset, or with the end of the connection; never with the page.
        while let Ok(Some(frame)) = connection.next_frame() {
            assert_ne!((frame.stream, frame.kind), (1, kind::DATA));
            let is_answer = frame.stream == 1 || frame.kind == kind::GOAWAY;
            if is_answer {
                break;
            }
        }
    });
}

/// Frames that ask for nothing, without end: whether the host is there, and a window that is opened byte by byte.
#[test]
fn frames_that_ask_for_nothing() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    for (kind, stream, payload) in [(kind::PING, 0, &[0; 8][..]), (kind::WINDOW_UPDATE, 1, &[0, 0, 0, 1])] {
        stage.under(2, |stage| {
            // Nothing of the answer is taken, so the stream stays.
            let mut connection = Connection::open_with(&stage.authority, &stage.name, &[(INITIAL_WINDOW_SIZE, 0)])
                .expect("the host shakes hands with everybody");
            ask(&mut connection, 1, &stage.name, "/large.bin").expect("the host reads");
            let frames = http2::encoded(kind, flag::NONE, stream, payload).repeat(16);
            assert_eq!(until_ended(&mut connection, |connection, _| connection.write(&frames)), CALM);
        });
    }
}

/// Answers to questions that the host never asked are not worth a line of its log each.
#[test]
fn answers_to_nothing() {
    let environment = TestEnv::new();
    let mut stage = Stage::start(&environment);
    let mut connection = stage.connect();
    let answers = http2::encoded(kind::PING, flag::ACK, 0, &[7; 8]).repeat(16);
    assert_eq!(until_ended(&mut connection, |connection, _| connection.write(&answers)), CALM);
    stage.host.ask_to_end();
    let said = stage.host.ended().stderr().to_owned();
    assert!(!said.contains("PING"), "{said}");
}

/// Large answers that are asked for many times over and never taken.
#[test]
fn takes_nothing() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    stage.under(2, |stage| {
        let crowd: Vec<Connection> = (0..10)
            .map(|number| {
                // Nothing at all, or a little of it.
                let window = number % 2;
                let settings = [(INITIAL_WINDOW_SIZE, window)];
                let mut connection = Connection::open_with(&stage.authority, &stage.name, &settings)
                    .expect("the host shakes hands with everybody");
                for stream in 0..100 {
                    ask(&mut connection, 2 * stream + 1, &stage.name, "/large.bin").expect("the host reads");
                }
                connection
            })
            .collect();
        // They are there together, and the host has looked at each.
        for mut connection in crowd {
            let answered = connection.next_of(kind::HEADERS).expect("the host answers");
            assert!(answered.is_some());
        }
    });
}

/// Handshakes that are begun and left.
#[test]
fn half_open_handshakes() {
    /// The beginning of a record that is longer.
    const BEGINNING: [u8; 6] = [22, 3, 1, 2, 0, 1];
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let (_, port) = stage.name.rsplit_once(':').expect("an authority ends in its port");
    let address = format!("127.0.0.1:{port}");
    let crowd: Vec<TcpStream> = (0..1_000)
        .map(|_| {
            let mut stream = TcpStream::connect(&address).expect("the kernel takes a connection in any case");
            stream.write_all(&BEGINNING).expect("the kernel takes the bytes");
            stream
        })
        .collect();
    stage.under(1, |stage| {
        let mut stream = TcpStream::connect(&address).expect("the kernel takes a connection in any case");
        // One that was let go to make room is as good.
        let _ = stream.write_all(&BEGINNING);
        drop(stage.connect());
    });
    drop(crowd);
}
