//! Hosts that end, and hosts that are replaced.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::Instant;

use ship_tests::http3::{Asked, Connection};
use ship_tests::{Gate, PATIENCE, TestEnv, Waiting, http};

use crate::stage::Stage;

/// `H3_NO_ERROR`.
const NO_ERROR: u64 = 0x100;

/// A request that has begun, and waits at a gate.
fn begin(visitor: &mut Connection, gate: &Gate) -> (Asked, Waiting) {
    let mut asked = visitor.ask("GET", &format!("/api/function?{}", gate.query()), &[]).expect("the host is asked");
    asked.finish().expect("the host reads");
    assert_eq!(asked.head().expect("the host answers").status(), 200);
    let waiting = gate.wait_for_arrival();
    assert_eq!(asked.piece().expect("it goes on").as_deref(), Some(&b"data: begun\n\n"[..]));
    (asked, waiting)
}

fn finish(mut asked: Asked, waiting: Waiting) {
    waiting.open();
    assert_eq!(asked.piece().expect("it goes on").as_deref(), Some(&b"data: finished\n\n"[..]));
    assert_eq!(asked.piece().expect("it ends well"), None);
}

/// A host that ends says so to each connection, takes no further request, and finishes what it has.
#[test]
fn farewell() {
    let environment = TestEnv::new();
    let mut stage = Stage::start(&environment);
    let gate = Gate::new();
    let (mut busy, idle) = (stage.connect(), stage.connect());
    let (asked, waiting) = begin(&mut busy, &gate);
    stage.host.ask_to_end();
    assert_eq!(idle.ended(), Some(NO_ERROR));
    let refused = stage.refused();
    assert!(refused, "nobody new is let in");
    finish(asked, waiting);
    assert_eq!(busy.ended(), Some(NO_ERROR));
    let _ = stage.host.ended().success();
}

impl Stage<'_> {
    /// Whether somebody who comes now is told that nobody is there.
    fn refused(&self) -> bool {
        let refused = Connection::open(&self.authority, &self.name).map(drop).map_err(|error| error.to_string());
        refused.is_err_and(|error| error.contains("refused"))
    }

    fn upgrade(&self) {
        let _ = self.host.ship(["host", "upgrade"]).run().success();
    }
}

/// Three processes, one after the other: each finishes what it has, over QUIC, and what is new comes to the last. Nothing fails, also of what is
/// asked without end meanwhile.
#[test]
fn upgrades() {
    let environment = TestEnv::new();
    let stage = Stage::start(&environment);
    let (gate, done, visits) = (Gate::new(), AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        let load = EndsLoad(&done);
        for kept in [10, 50] {
            let (stage, done, visits) = (&stage, &done, &visits);
            scope.spawn(move || {
                while !done.load(Ordering::SeqCst) {
                    let mut visitor = stage.connect();
                    for _ in 0..kept {
                        // Who was told to go asks on another connection; what was asked before is answered.
                        let Ok(mut asked) = visitor.ask("GET", "/", &[]) else { break };
                        // Who hears of it only while asking was not heard, and asks again as well.
                        if asked.finish().is_err() {
                            assert_eq!(visitor.ended(), Some(NO_ERROR), "the host reads");
                            break;
                        }
                        assert_eq!(asked.answer().expect("every visit is answered").text(), "<p>here</p>");
                        visits.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
        let mut visitors: Vec<Connection> = Vec::new();
        let mut begun = Vec::new();
        for generation in 0..3 {
            let mut visitor = stage.connect();
            begun.push(begin(&mut visitor, &gate));
            visitors.push(visitor);
            if generation < 2 {
                stage.upgrade();
            }
            let (seen, deadline) = (visits.load(Ordering::SeqCst), Instant::now() + PATIENCE);
            while visits.load(Ordering::SeqCst) < seen + 20 {
                assert!(Instant::now() < deadline, "nobody is served");
                thread::yield_now();
            }
        }
        let told = http::get_secure(&stage.url("/"), &stage.authority).header("alt-svc");
        assert_eq!(told, Some(format!("h3=\":{}\"; ma=86400", stage.port())));
        // The oldest first: what is its comes by way of two others.
        for (asked, waiting) in begun {
            finish(asked, waiting);
        }
        let mut last = visitors.pop().expect("there are three");
        for visitor in visitors {
            assert_eq!(visitor.ended(), Some(NO_ERROR), "who was there before was told to come again");
        }
        assert_eq!(last.get("/").expect("the last process stays").text(), "<p>here</p>");
        drop(load);
    });
}

/// Ends the load when the story ends, also where it fails.
struct EndsLoad<'d>(&'d AtomicBool);

impl Drop for EndsLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}
