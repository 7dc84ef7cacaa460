//! Crash points at the file operations of the store itself, on a disk that breaks on purpose. What is not synced can be lost
//! there, which is what a power cut does; the operations of `SQLite` are not among them, but in `tests/crashes`.

use std::fmt::Write as _;
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

/// What the crash points of a step are called, in their order.
fn points(scenario: &Scenario, step: Step) -> Vec<String> {
    let data = scenario.begin();
    let disk = Arc::new(FaultyDisk::working(u64::MAX, Fault::Dead));
    let store = open_on(data.path(), &disk);
    step.perform(&store).unwrap();
    disk.points()
}

/// The operation at which something happens.
struct Point {
    nth: u64,
    said: String,
}

/// Tries `once` at each crash point of a step, with what is said where it fails there.
fn at_each_point(scenario: &Scenario, step: Step, once: impl Fn(&Point) -> Arc<FaultyDisk>) {
    let points = points(scenario, step);
    for (nth, name) in (1..).zip(&points) {
        let disk = once(&Point { nth, said: format!("{step:?} at `{name}` ({nth} of {})", points.len()) });
        assert_eq!(disk.point().as_ref(), Some(name), "{step:?} is the same each time");
    }
    let past_all = Point { nth: points.len() as u64 + 1, said: format!("{step:?} gets through") };
    assert_eq!(once(&past_all).point(), None, "{step:?} has no more file operations");
}

/// Every point at which a step may die on this disk, by name. Steps that only move aliases have none: each is a transaction of `SQLite`,
/// whose system calls `tests/crashes` goes through.
#[test]
fn table() {
    let mut table = String::new();
    for step in Step::ALL {
        let points = points(&Scenario::of(step), step);
        writeln!(table, "{step:?}: {} points", points.len()).unwrap();
        for (number, name) in (1..).zip(&points) {
            writeln!(table, "  {number:>2} {name}").unwrap();
        }
    }
    insta::assert_snapshot!(table);
}

/// The process dies, and perhaps the power goes with it.
#[test]
fn dies_anywhere() {
    for step in Step::ALL {
        let scenario = Scenario::of(step);
        for lost in [None, Some(Lost::Content), Some(Lost::ContentAndNames)] {
            at_each_point(&scenario, step, |point| {
                let data = scenario.begin();
                let disk = Arc::new(FaultyDisk::working(point.nth, Fault::Dead));
                let store = open_on(data.path(), &disk);
                let is_acknowledged = step.perform(&store).is_ok();
                drop(store);
                if let Some(lost) = lost {
                    disk.cut_power(lost);
                }
                scenario.check(data.path(), is_acknowledged, &format!("dies: {}, {lost:?} lost", point.said));
                disk
            });
        }
    }
}

/// One file operation fails and the process lives on: nothing half done is seen, and the same step succeeds afterwards.
#[test]
fn fails_anywhere() {
    for step in Step::ALL {
        let scenario = Scenario::of(step);
        for error in [Errno::NOSPC, Errno::IO, Errno::INTR] {
            at_each_point(&scenario, step, |point| {
                let data = scenario.begin();
                let disk = Arc::new(FaultyDisk::working(point.nth, Fault::Once(error)));
                let store = open_on(data.path(), &disk);
                let is_acknowledged = step.perform(&store).is_ok();
                let context = format!("{error}: {}", point.said);
                if !is_acknowledged {
                    step.perform(&store).unwrap_or_else(|error| panic!("{context}, and again: {error}"));
                }
                disk.disarm();
                scenario.check_open(&store, true, &context);
                disk
            });
        }
    }
}
