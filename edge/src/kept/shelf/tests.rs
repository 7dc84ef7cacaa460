//! What is kept, for how long, and who has to make room.

use std::num::NonZeroU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use http::Response;
use jiff::Timestamp;
use ship_core::route::RouteTable;
use ship_core::{CacheState, Expiration, Manifest};

use super::*;
use crate::kept::Answer;

const MINUTE: Expiration = Expiration::AfterSecs(NonZeroU32::new(60).unwrap());

/// A shelf, and a deployment that has answers there.
struct Desk {
    shelf: Arc<Shelf>,
    deployment: Arc<LiveDeployment>,
}

impl Desk {
    fn new(max_bytes: usize) -> Self {
        Self::at(&Arc::new(Shelf::new(max_bytes)), "a")
    }

    fn at(shelf: &Arc<Shelf>, name: &str) -> Self {
        let manifest = Manifest::new(vec![], vec![], RouteTable::new(), vec![]).unwrap();
        let (project, id) = (name.parse().unwrap(), DeploymentId::of_bytes(name.as_bytes()));
        let deployment = LiveDeployment::from_parts(project, id, manifest, Vec::new());
        Self { shelf: Arc::clone(shelf), deployment }
    }

    fn key(&self, asked: &str) -> AnswerKey {
        let (deployment, environment) = (*self.deployment.id(), Digest::of(b""));
        AnswerKey { deployment, environment, function: FunctionIndex(0), asked: asked.into() }
    }

    fn keep(&self, asked: &str, kept: Kept) {
        self.shelf.keep(&self.deployment, &self.key(asked), kept);
    }

    fn keep_first(&self, asked: &str, kept: Kept) {
        self.shelf.keep_first(&self.deployment, &self.key(asked), kept);
    }

    fn state(&self, asked: &str, now: Instant) -> Option<(CacheState, bool)> {
        match self.shelf.find(&self.key(asked), now)? {
            Entry::Kept(kept) => Some((kept.state(now), kept.is_due(now))),
            Entry::Passed(_) => Some((CacheState::Bypass, false)),
            Entry::Varies(_) => None,
        }
    }

    /// How many of so many answers, numbered, are here.
    fn count(&self, numbers: std::ops::Range<usize>) -> usize {
        numbers.filter(|number| self.shelf.knows(&self.key(&number.to_string()))).count()
    }
}

fn answer(size_bytes: usize) -> Arc<Answer> {
    let body = Bytes::from(vec![b'x'; size_bytes]);
    Arc::new(Answer::new(Response::new(()).into_parts().0, body, Timestamp::now()))
}

fn always(size_bytes: usize) -> Kept {
    Kept::made_now(answer(size_bytes), Expiration::Never, Instant::now())
}

/// An answer is fresh for its time, then stale and due; after a failure it rests before it is due again.
#[test]
fn times() {
    let (desk, now) = (Desk::new(1 << 20), Instant::now());
    let at = |seconds: u64| now + Duration::from_secs(seconds);
    desk.keep("", Kept::made_now(answer(10), MINUTE, now));
    assert_eq!(desk.state("", at(59)), Some((CacheState::Hit, false)));
    assert_eq!(desk.state("", at(60)), Some((CacheState::Stale, true)));
    desk.shelf.rest(&desk.deployment, &desk.key(""), at(60));
    assert_eq!(desk.state("", at(89)), Some((CacheState::Stale, false)));
    assert_eq!(desk.state("", at(90)), Some((CacheState::Stale, true)));
    desk.keep("", Kept::made_now(answer(10), Expiration::Never, at(90)));
    assert_eq!(desk.state("", at(1 << 30)), Some((CacheState::Hit, false)));
}

/// What was made with the site is as old as the site; what stands in for another page is due at once. Neither replaces what
/// a function made.
#[test]
fn fallbacks() {
    let (desk, now) = (Desk::new(1 << 20), Instant::now());
    let before = |seconds| Kept::made_before(answer(10), MINUTE, Duration::from_secs(seconds), now);
    desk.keep_first("young", before(10));
    desk.keep_first("old", before(1000));
    desk.keep_first("stand-in", Kept::in_place(answer(10), now));
    let later = now + Duration::from_secs(49);
    assert_eq!(desk.state("young", later), Some((CacheState::Prerender, false)));
    assert_eq!(desk.state("old", now), Some((CacheState::Stale, true)));
    assert_eq!(desk.state("stand-in", now), Some((CacheState::Prerender, true)));
    desk.keep("young", Kept::made_now(answer(10), Expiration::Never, now));
    desk.keep_first("young", before(0));
    assert_eq!(desk.state("young", now), Some((CacheState::Hit, false)));
}

/// An answer that is for one visitor at a time is passed for a while, also where it was kept before.
#[test]
fn passing() {
    let (desk, now) = (Desk::new(1 << 20), Instant::now());
    desk.keep("", always(10));
    let until = now + Duration::from_secs(10);
    desk.shelf.pass(&desk.deployment, &desk.key(""), until);
    assert_eq!(desk.state("", now), Some((CacheState::Bypass, false)));
    assert_eq!(desk.state("", until), None);
}

/// However many answers there are, they take no more than their room, and those of one deployment no more than half of it; two
/// deployments share none.
#[test]
fn room() {
    let all = Arc::new(Shelf::new(1 << 20));
    assert_eq!((all.max_answer_bytes(), Shelf::new(64 << 20).max_answer_bytes()), (1 << 19, MAX_ANSWER_BYTES));
    let desks = ["a", "b", "c"].map(|name| Desk::at(&all, name));
    for number in 0..200 {
        for desk in &desks {
            desk.keep(&number.to_string(), always(20_000));
        }
    }
    assert!(all.bytes() <= 1 << 20);
    assert!(all.len() >= 40, "most of the room is used");
    let alone = Desk::new(1 << 20);
    for number in 0..200 {
        alone.keep(&number.to_string(), always(20_000));
    }
    assert!((20..=26).contains(&alone.count(0..200)), "{}", alone.count(0..200));
    alone.keep("", always(1));
    assert!(alone.shelf.knows(&alone.key("")) && !alone.shelf.knows(&Desk::at(&alone.shelf, "b").key("")));
}

/// Of one deployment's answers, those go that nobody has asked for.
#[test]
fn used_ones_stay() {
    let desk = Desk::new(1 << 20);
    desk.keep("0", always(20_000));
    for number in 1..200 {
        desk.keep(&number.to_string(), always(20_000));
        assert!(desk.state("0", Instant::now()).is_some(), "after {number} others");
    }
}

/// When a deployment is gone, so is all that was kept of it, and nothing of others.
#[test]
fn gone_with_its_deployment() {
    let all = Arc::new(Shelf::new(1 << 20));
    let (gone, stays) = (Desk::at(&all, "gone"), Desk::at(&all, "stays"));
    for number in 0..10 {
        gone.keep(&number.to_string(), always(100));
        stays.keep(&number.to_string(), always(100));
    }
    drop(gone);
    assert_eq!((all.len(), stays.count(0..10)), (10, 10));
    drop(stays);
    assert_eq!((all.len(), all.bytes()), (0, 0));
}

/// Bodies are held while they are kept or a visitor reads them, twice what is kept at the most.
#[test]
fn held_for_slow_visitors() {
    let shelf = Shelf::new(1 << 20);
    let body = vec![b'x'; shelf.max_answer_bytes()];
    let held: Vec<_> = std::iter::from_fn(|| shelf.hold(&body)).collect();
    assert_eq!((held.len(), shelf.pinned.load(Relaxed)), (4, 2 << 20));
    drop(held);
    assert_eq!((shelf.hold(&vec![0; body.len() + 1]), shelf.pinned.load(Relaxed)), (None, 0));
}
