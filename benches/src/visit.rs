//! Visitors who mean well, in a process and a session of their own: each asks for a page now and then, on one connection in HTTP/2.

use std::io;
use std::net::Ipv4Addr;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use ship_tests::TestAuthority;
use ship_tests::http2::{self, Connection, flag, kind};

use crate::load::Report;
use crate::talk;

/// The first argument of a process that visits.
pub(crate) const COMMAND: &str = "visit";

/// How many visitors there are, and how often each asks in a second.
const VISITORS: u32 = 4;
const PER_SECOND: u32 = 100;

/// Whom to visit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Visit {
    /// The server, as `name:port` of this machine.
    pub(crate) authority: String,
    /// Who vouches for it, in PEM.
    pub(crate) trusted: String,
    /// What its page says.
    pub(crate) page: String,
    /// The address that they come from, one of this machine's.
    pub(crate) from: Ipv4Addr,
    /// For how long, in seconds.
    pub(crate) seconds: f64,
}

impl Visit {
    /// Visits, and says how long the visitors waited. All of them got the page each time.
    pub(crate) fn carry_out(&self) -> Report {
        let mut command = Command::new("setsid");
        command.arg(std::env::current_exe().expect("the running program has a path"));
        command.arg(COMMAND).arg(serde_json::to_string(self).expect("an order has only string keys"));
        let output = command.stderr(Stdio::inherit()).output().expect("this program can start itself");
        assert!(output.status.success(), "every visitor gets the page");
        serde_json::from_slice(&output.stdout).expect("the visitors print their report")
    }
}

/// Visits as `order` says and prints the report.
pub(crate) fn main(order: &str) -> ExitCode {
    let Ok(visit) = serde_json::from_str::<Visit>(order) else { return ExitCode::FAILURE };
    let begun = Instant::now();
    let nanos: Vec<u32> = thread::scope(|scope| {
        let visitors: Vec<_> = (0..VISITORS)
            .map(|number| {
                scope.spawn({
                    let visit = &visit;
                    move || waits(visit, number)
                })
            })
            .collect();
        visitors.into_iter().flat_map(|visitor| visitor.join().expect("every visitor gets the page")).collect()
    });
    let report = Report::of(nanos, 0, begun.elapsed());
    talk::print(&serde_json::to_string(&report).expect("a report has only string keys"));
    ExitCode::SUCCESS
}

/// How long one visitor waited each time, in nanoseconds.
fn waits(visit: &Visit, number: u32) -> Vec<u32> {
    let trusted = TestAuthority::known_by(visit.trusted.as_bytes());
    let mut connection =
        Connection::open_from(visit.from, &trusted, &visit.authority).expect("the server lets a visitor in");
    let head = http2::get(&visit.authority, "/");
    let apart = Duration::from_secs(1) / PER_SECOND;
    let end = Instant::now() + Duration::from_secs_f64(visit.seconds);
    // They take turns, and do not all ask in the same moment.
    let mut due = Instant::now() + apart * number / VISITORS;
    let mut nanos = Vec::new();
    for stream in (1..).step_by(2) {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let now = Instant::now();
        if now > end {
            break;
        }
        // Who had to wait for the last answer asks later than they wanted to, which is part of the wait; to be woken late is not.
        let since =
            if nanos.last().is_some_and(|last| Duration::from_nanos(u64::from(*last)) > apart) { due } else { now };
        let page = ask(&mut connection, stream, &head).or_else(|_| {
            // A server may close a connection between two requests. Whoever asks then connects anew.
            connection = Connection::open_from(visit.from, &trusted, &visit.authority)?;
            ask(&mut connection, stream, &head)
        });
        assert_eq!(page.expect("every visitor is answered"), visit.page);
        nanos.push(u32::try_from(since.elapsed().as_nanos()).unwrap_or(u32::MAX));
        due += apart;
    }
    nanos
}

/// Asks for a page, and gives what it says.
fn ask(connection: &mut Connection, stream: u32, head: &[u8]) -> io::Result<String> {
    connection.send(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, head)?;
    let mut page = Vec::new();
    loop {
        let frame = connection.next_frame()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        match (frame.stream == stream, frame.kind) {
            (true, kind::DATA) => page.extend_from_slice(&frame.payload),
            (true, kind::RST_STREAM) => return Err(io::ErrorKind::ConnectionReset.into()),
            _ => {}
        }
        if frame.stream == stream && frame.flags & flag::END_STREAM != 0 {
            return Ok(String::from_utf8_lossy(&page).into_owned());
        }
    }
}
