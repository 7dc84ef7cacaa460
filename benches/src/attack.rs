//! Visitors who mean no good, in a process and a session of their own: where the kernel shares processors out by session, they get no more
//! of them than the host that they attack, however many threads they have.

mod crowds;
mod floods;
mod wire;

use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::Ipv4Addr;
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::{Arc, mpsc};
use std::thread;

use serde::{Deserialize, Serialize};
use ship_tests::TestAuthority;

use crate::talk;

/// The first argument of a process that attacks.
pub(crate) const COMMAND: &str = "attack";

/// How many attack at once. Each waits for the server as anybody does, so there have to be some for the server to have a queue.
const ATTACKERS: usize = 16;

/// What attackers do, without pause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Attack {
    /// Heads that come byte by byte.
    SlowHeads,
    /// Bodies that come byte by byte.
    SlowBodies,
    /// Large answers that nobody takes, in HTTP/1.1.
    SlowReaders,
    /// Twenty thousand connections that say nothing.
    Crowd,
    /// TLS connections that are given up as soon as there are.
    Handshakes,
    /// Requests that are taken back at once (CVE-2023-44487).
    RapidReset,
    /// Heads without an end.
    Continuation,
    /// Questions whether the server is there (CVE-2019-9512).
    Ping,
    /// Settings that change the windows of a hundred streams (CVE-2019-9515).
    Settings,
    /// Windows that are opened a byte at a time (CVE-2019-9511).
    WindowUpdate,
    /// A hundred large answers on each connection, none of which may begin (CVE-2019-9517).
    NoWindow,
    /// Bodies of nothing, without an end (CVE-2019-9518).
    EmptyData,
}

/// Whom to attack, and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// What to do.
    pub(crate) attack: Attack,
    /// The server, as `name:port` of this machine.
    pub(crate) authority: String,
    /// Who vouches for it, in PEM.
    pub(crate) trusted: String,
    /// The address that they come from, one of this machine's.
    pub(crate) from: Ipv4Addr,
}

/// Attackers at work. They end when this is dropped.
pub(crate) struct Attackers(Child);

impl Order {
    /// Begins, and waits until all are there who have to be.
    pub(crate) fn begin(&self) -> Attackers {
        let mut command = Command::new("setsid");
        command.arg(std::env::current_exe().expect("the running program has a path"));
        command.arg(COMMAND).arg(serde_json::to_string(self).expect("an order has only string keys"));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("this program can start itself");
        let said = child.stdout.take().expect("it is piped");
        let ready = BufReader::new(said).lines().next();
        assert!(matches!(ready, Some(Ok(_))), "the attackers are ready");
        Attackers(child)
    }
}

impl Drop for Attackers {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Attacks as `order` says until it is ended.
pub(crate) fn main(order: &str) -> ExitCode {
    match serde_json::from_str::<Order>(order) {
        Ok(order) => attack(order),
        Err(error) => {
            talk::say(&format!("nobody can be attacked: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// Attacks until whoever gave the order is gone, however they ended: their end of standard input is closed then.
fn attack(order: Order) -> ExitCode {
    let order = Arc::new(order);
    let attackers = if crowds::is_for(order.attack) { 1 } else { ATTACKERS };
    let (ready, are_ready) = mpsc::channel();
    for _ in 0..attackers {
        let (order, ready) = (Arc::clone(&order), ready.clone());
        // They end with this process.
        drop(thread::spawn(move || attack_without_end(&order, &ready)));
    }
    let is_ready = are_ready.iter().take(attackers).count() == attackers;
    if is_ready {
        talk::print("ready");
        // An error is an end as well.
        let _ = io::stdin().read_to_end(&mut Vec::new());
    }
    ExitCode::SUCCESS
}

fn attack_without_end(order: &Order, ready: &mpsc::Sender<()>) {
    let trusted = TestAuthority::known_by(order.trusted.as_bytes());
    let place = wire::Place { authority: &order.authority, trusted: &trusted, from: order.from };
    let mut crowd = crowds::of(order.attack, &place);
    // Nobody who does not wait for it is there any more.
    let _ = ready.send(());
    loop {
        match &mut crowd {
            Some(crowd) => crowd.go_on(&place),
            // A server that ends a connection, or lets nobody in, is attacked anew.
            None => drop(floods::once(order.attack, &place)),
        }
    }
}
