//! Crash points at the file operations of the store itself, on a disk that breaks on purpose. What is not synced can be lost
//! there, which is what a power cut does; the operations of `SQLite` are not among them, but in `tests/crashes`.

use std::sync::Arc;

use rustix::io::Errno;

use super::scenario::{Scenario, Step};
use crate::disk::FileSystem;
use crate::disk::faulty::{Fault, FaultyDisk, Lost};
use crate::{Durability, Store};

fn open_on(data: &std::path::Path, disk: &Arc<FaultyDisk>) -> Store {
    let store = Store::open_on(data, Durability::Relaxed, Arc::clone(disk) as Arc<dyn FileSystem>).unwrap();
    disk.arm();
    store
}

/// Tries `once` with the first file operation, with the second, and so on, until the step is done before that. Gives how
/// many there were.
fn at_each_operation(once: impl Fn(u64) -> bool) -> u64 {
    let mut nth = 1;
    while once(nth) {
        nth += 1;
    }
    nth
}

/// How many of the steps' file operations there must be at least, so that a test that tries none is noticed. Steps that
/// only move aliases have none: they are transactions.
fn expected(step: Step) -> u64 {
    match step {
        Step::Deploy => 20,
        Step::Collect => 5,
        _ => 0,
    }
}

/// The process dies, and perhaps the power goes with it.
#[test]
fn dies_anywhere() {
    for step in Step::ALL {
        let scenario = Scenario::of(step);
        for lost in [None, Some(Lost::Content), Some(Lost::ContentAndNames)] {
            let tried = at_each_operation(|nth| {
                let data = scenario.begin();
                let disk = Arc::new(FaultyDisk::working(nth, Fault::Dead));
                let store = open_on(data.path(), &disk);
                let is_acknowledged = step.perform(&store).is_ok();
                drop(store);
                if let Some(lost) = lost {
                    disk.cut_power(lost);
                }
                scenario.check(data.path(), is_acknowledged, &format!("{step:?} dies at {nth}, {lost:?} lost"));
                disk.has_failed()
            });
            assert!(tried > expected(step), "{step:?} has {tried} file operations");
        }
    }
}

/// One file operation fails and the process lives on: nothing half done is seen, and the same step succeeds afterwards.
#[test]
fn fails_anywhere() {
    for step in Step::ALL {
        let scenario = Scenario::of(step);
        for error in [Errno::NOSPC, Errno::IO, Errno::INTR] {
            at_each_operation(|nth| {
                let data = scenario.begin();
                let disk = Arc::new(FaultyDisk::working(nth, Fault::Once(error)));
                let store = open_on(data.path(), &disk);
                let is_acknowledged = step.perform(&store).is_ok();
                let context = format!("{step:?} has {error} at {nth}");
                if !is_acknowledged {
                    step.perform(&store).unwrap_or_else(|error| panic!("{context}, and again: {error}"));
                }
                disk.disarm();
                scenario.check_open(&store, true, &context);
                disk.has_failed()
            });
        }
    }
}
