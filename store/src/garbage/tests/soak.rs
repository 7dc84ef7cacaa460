//! The soak: deploys, removals, moves of aliases and collections of garbage at the same time, each as often as it can be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::*;
use crate::deployments::StageError;
use crate::testing::{TestSite, noon};
use crate::{Durability, Leftovers, Retention};

/// How often garbage is collected in a usual run. `SHIP_SOAK_CYCLES` says otherwise: some thousands take a minute.
const CYCLES: u64 = 300;

/// How many deploys there must be besides, so that something is tried also where the threads that deploy get a processor late, and
/// how many collections are enough to wait for them.
const LEAST_DEPLOYS: u64 = 100;
const MOST_CYCLES: u64 = 1_000_000;

const DEPLOYERS: u64 = 3;

/// How many sites there are: few, so that what one removes another is just deploying.
const SITES: u64 = 24;

/// How often a client whose lease is over sends again what is missing. Leases end as often as garbage is collected here, so
/// one that is unlucky needs several.
const TRIES: usize = 1000;

/// Choices that can be repeated (xorshift64*, Vigna 2016).
struct Choices(u64);

impl Choices {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % end
    }
}

/// One of the sites. They share files with each other, and some share a function.
fn site(number: u64) -> TestSite {
    let site = TestSite::new(if number.is_multiple_of(2) { "even" } else { "odd" })
        .on(if number.is_multiple_of(3) { "main" } else { "fix" })
        .file("index.html", format!("page {number}"))
        .file("a.txt", format!("shared {}", number / 4))
        .file("b.txt", format!("shared {}", number % 5).repeat(40));
    let site = if number.is_multiple_of(4) { site.function(&format!("#!{}", number / 8)) } else { site };
    if number.is_multiple_of(6) { site.for_production() } else { site }
}

/// Whether leases end while uploads are under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Leases {
    Last,
    EndAnyTime,
}

struct Soak {
    store: Store,
    leases: Leases,
    is_over: AtomicBool,
    deploys: AtomicU64,
    /// How often publishing was refused because blobs were missing.
    refused: AtomicU64,
}

impl Soak {
    /// What a client does: it asks what is missing, sends that, and publishes; if it is told that something is missing it
    /// begins anew.
    fn deploy(&self, site: &TestSite) {
        let digests: Vec<Digest> = site.manifest().blobs().into_iter().map(|(digest, _)| digest).collect();
        for _ in 0..TRIES {
            let missing = self.store.blobs().missing_for_upload(&digests);
            let mut batch = self.store.blobs().batch().unwrap();
            for content in site.contents().filter(|content| missing.contains(&Digest::of(content))) {
                let mut writer = batch.begin(Digest::of(content), content.len() as u64).unwrap();
                writer.write(content).unwrap();
                writer.finish().unwrap();
            }
            batch.commit().unwrap();
            match site.stage(&self.store, noon()) {
                Ok(staged) => {
                    if site.has_function() {
                        self.store.functions().unpack(&site.artifact()).unwrap();
                    }
                    self.store.deployments().publish(staged, site.publish_options(noon())).unwrap();
                    self.deploys.fetch_add(1, Ordering::Relaxed);
                    return self.look_at(site);
                }
                Err(error) => {
                    let error = error.downcast::<StageError>().unwrap();
                    assert!(matches!(*error, StageError::MissingBlobs(_)), "{error}");
                    assert_eq!(self.leases, Leases::EndAnyTime, "what was leased is gone: {error}");
                    self.refused.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        panic!("a client was refused {TRIES} times");
    }

    /// What was published is whole for as long as nobody has removed it.
    fn look_at(&self, site: &TestSite) {
        let is_there = || self.store.deployments().get(&site.id()).unwrap().is_some();
        let is_lost = || is_there() && !site.is_whole(&self.store) && is_there();
        // Somebody may have removed it and deployed it again in between, but not each time.
        assert!((0..TRIES).any(|_| !is_lost()), "a blob of a published deployment is lost");
    }

    /// Ends what the others do when it is dropped, also where something is lost.
    fn until_done(&self) -> impl Drop {
        struct Over<'o>(&'o AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        Over(&self.is_over)
    }

    fn run(&self, seed: u64, act: impl Fn(&mut Choices)) {
        let mut choices = Choices(seed);
        let _over = self.until_done();
        while !self.is_over.load(Ordering::Relaxed) {
            act(&mut choices);
        }
    }

    fn remove(&self, choices: &mut Choices) {
        let site = site(choices.below(SITES));
        match choices.below(20) {
            0 => drop(self.store.deployments().remove_project(&site.project, noon())),
            1..4 => {
                let retention = Retention { keep: 3, keep_days: 0 };
                let later = noon() + jiff::SignedDuration::from_secs(1);
                let mut expiry = self.store.deployments().expiry(retention, later).unwrap();
                while expiry.next_project().is_some() {
                    expiry.remove_some().unwrap();
                }
            }
            _ => drop(self.store.deployments().remove(&site.id(), noon())),
        }
    }

    fn move_aliases(&self, choices: &mut Choices) {
        let site = site(choices.below(SITES));
        // Either may be refused because the deployment is not there.
        match choices.below(2) {
            0 => drop(self.store.deployments().promote(&site.project, &site.id(), noon())),
            _ => drop(self.store.deployments().rollback(&site.project, None, noon())),
        }
    }
}

fn soak(leases: Leases, seed: u64) {
    let cycles = std::env::var("SHIP_SOAK_CYCLES").ok().map_or(CYCLES, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    let (deploys, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let soak = Soak { store, leases, is_over: AtomicBool::new(false), deploys, refused };
    let mut removed = Heap::default();
    thread::scope(|scope| {
        for number in 0..DEPLOYERS {
            let soak = &soak;
            scope.spawn(move || soak.run(seed + number, |choices| soak.deploy(&site(choices.below(SITES)))));
        }
        scope.spawn(|| soak.run(seed + 100, |choices| soak.remove(choices)));
        scope.spawn(|| soak.run(seed + 200, |choices| soak.move_aliases(choices)));
        let _over = soak.until_done();
        let has_tried_enough = |cycle: u64, removed: &Heap| {
            cycle >= cycles && removed.number > 0 && soak.deploys.load(Ordering::Relaxed) >= LEAST_DEPLOYS
        };
        for cycle in 0..MOST_CYCLES {
            if soak.is_over.load(Ordering::Relaxed) || has_tried_enough(cycle, &removed) {
                break;
            }
            if leases == Leases::EndAnyTime {
                soak.store.blobs().age_leases();
            }
            let garbage = soak.store.collect_garbage(Collection::Remove, &HashSet::new()).unwrap();
            removed.number += garbage.blobs.number;
            removed.bytes += garbage.blobs.bytes;
        }
    });
    let (deploys, refused) = (soak.deploys.into_inner(), soak.refused.into_inner());
    assert!(deploys >= LEAST_DEPLOYS && removed.number > 0, "{deploys} deploys, {removed:?} (seed {seed:#x})");

    for _ in 0..2 {
        soak.store.blobs().age_leases();
    }
    soak.store.collect_garbage(Collection::Remove, &HashSet::new()).unwrap();
    let report = soak.store.fsck().unwrap();
    assert!(report.is_clean(), "{report:?} (seed {seed:#x})");
    assert_eq!(report.leftovers, Leftovers::default(), "what is on the disk is what is needed (seed {seed:#x})");
    for site in (0..SITES).map(site).filter(|site| soak.store.deployments().get(&site.id()).unwrap().is_some()) {
        assert!(site.is_whole(&soak.store), "seed {seed:#x}");
    }
    // Shown with `--nocapture`, for whoever runs more cycles by hand.
    let said = format!("{leases:?}: {cycles} cycles, {deploys} deploys, {refused} refused, {removed:?} removed\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), said.as_bytes());
}

/// While leases last, no client is ever refused, whatever is removed and collected beside it.
#[test]
fn nothing_is_lost() {
    soak(Leases::Last, 0x5eed_0001);
}

/// Where leases end in the middle of uploads, clients are refused, send what is missing, and nothing published is lost.
#[test]
fn slow_clients() {
    soak(Leases::EndAnyTime, 0x5eed_0002);
}
