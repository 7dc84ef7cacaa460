//! Rings: what is added is there, and nothing else.

use proptest::prelude::*;

use super::*;
use crate::{Durability, Store};

fn sample(requests: u32) -> Sample {
    let mut durations = [0; ship_core::BUCKETS];
    durations[3] = requests;
    Sample { durations, instances: requests, storage_bytes: u64::from(requests), ..Sample::default() }
}

fn requests(samples: &[TimedSample]) -> Vec<(i64, u64)> {
    samples.iter().map(|(begins, sample)| (*begins, sample.requests())).collect()
}

/// What is added is there at each resolution, added up where pieces of time share a sample, also after the store was opened again; what
/// the ring has gone over, and what is of a time to come, is not.
#[test]
fn rings() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    let history = store.history();
    let blue = "blue".parse().unwrap();
    let of = HistoryOf::Project(&blue);
    assert_eq!(history.read(of, Resolution::Hour, 1_000).unwrap(), []);
    for (at, count) in [(1_000, 1), (1_009, 2), (1_010, 4), (1_061, 8)] {
        history.add(of, at, &sample(count)).unwrap();
    }
    drop(store);
    let store = Store::open(folder.path(), Durability::Relaxed).unwrap();
    let history = store.history();
    let read = |resolution, now| requests(&history.read(of, resolution, now).unwrap());
    assert_eq!(read(Resolution::Hour, 1_069), [(1_000, 3), (1_010, 4), (1_060, 8)]);
    assert_eq!(read(Resolution::Day, 1_069), [(960, 7), (1_020, 8)]);
    assert_eq!(read(Resolution::Month, 1_069), [(600, 15)]);
    let (_, whole) = history.read(of, Resolution::Month, 1_069).unwrap()[0];
    assert_eq!((whole.instances, whole.storage_bytes), (8, 8));
    assert_eq!(read(Resolution::Hour, 1_059), [(1_000, 3), (1_010, 4)], "the clock was set back");
    assert_eq!(read(Resolution::Hour, 1_000 + 3_600), [(1_010, 4), (1_060, 8)]);
    history.add(of, 1_000 + 3_600, &sample(16)).unwrap();
    assert_eq!(read(Resolution::Hour, 4_600), [(1_010, 4), (1_060, 8), (4_600, 16)]);
    assert_eq!(read(Resolution::Day, 4_600), [(960, 7), (1_020, 8), (4_560, 16)]);
    assert_eq!(history.read(HistoryOf::Host, Resolution::Day, 4_600).unwrap(), []);
    history.remove(&blue).unwrap();
    assert_eq!(read(Resolution::Day, 4_600), []);
    history.remove(&blue).unwrap();
}

/// However long a host runs, a file grows to a bound and no further.
#[test]
fn bounded() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::new(folder.path().to_owned());
    let most: usize = Resolution::ALL.iter().map(|resolution| resolution.slots() as usize * SLOT_BYTES).sum();
    for at in (0..100_000_000).step_by(60_007) {
        history.add(HistoryOf::Host, at, &sample(1)).unwrap();
    }
    let length = std::fs::metadata(folder.path().join("_host")).unwrap().len();
    assert!(length <= most as u64 && most < 800_000, "{length} of {most}");
}

/// What was cut, or damaged, is as if it were not; what stands beside it is there.
#[test]
fn damaged() {
    let folder = tempfile::tempdir().unwrap();
    let history = History::new(folder.path().to_owned());
    history.add(HistoryOf::Host, 1_000, &sample(1)).unwrap();
    history.add(HistoryOf::Host, 1_010, &sample(2)).unwrap();
    let path = folder.path().join("_host");
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"x", Resolution::Hour.place_of(1_000) + 30).unwrap();
    let read = || requests(&history.read(HistoryOf::Host, Resolution::Hour, 1_010).unwrap());
    assert_eq!(read(), [(1_010, 2)]);
    file.set_len(Resolution::Hour.place_of(1_010) + 60).unwrap();
    assert_eq!(read(), []);
    history.add(HistoryOf::Host, 1_010, &sample(4)).unwrap();
    assert_eq!(read(), [(1_010, 4)]);
}

proptest! {
    /// A sample is read as it was written, and zeros are none.
    #[test]
    fn written_and_read(
        begins: i64, durations: [u32; ship_core::BUCKETS], counts: [u32; 4], memory_bytes: u64, storage_bytes: u64,
    ) {
        let [refused, failed, cold_starts, instances] = counts;
        let sample = Sample { durations, refused, failed, cold_starts, instances, memory_bytes, storage_bytes };
        let slot = Slot { begins, sample };
        prop_assert_eq!(Slot::decode(&slot.encode()), Some(slot));
        prop_assert_eq!(Slot::decode(&[0; SLOT_BYTES]), None);
    }
}
