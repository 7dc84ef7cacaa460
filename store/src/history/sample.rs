//! What was counted in a piece of time, and how it stands on the disk.

use ship_core::BUCKETS;

/// What was counted in a piece of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sample {
    /// Requests that were answered, by how long that took: in the buckets of every histogram here.
    pub durations: [u32; BUCKETS],
    /// Those of them that were answered with a status from 400 to 499.
    pub refused: u32,
    /// Those of them that were answered with a status from 500 on.
    pub failed: u32,
    /// Calls that waited for a start.
    pub cold_starts: u32,
    /// The most instances that there were.
    pub instances: u32,
    /// The most memory that was in use, in bytes.
    pub memory_bytes: u64,
    /// What was stored last, in bytes.
    pub storage_bytes: u64,
}

impl Sample {
    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.durations.iter().map(|count| u64::from(*count)).sum()
    }

    /// What was counted in two pieces of time, of which the other is the later one.
    #[must_use]
    pub fn and(mut self, later: &Self) -> Self {
        for (count, more) in self.durations.iter_mut().zip(&later.durations) {
            *count = count.saturating_add(*more);
        }
        Self {
            durations: self.durations,
            refused: self.refused.saturating_add(later.refused),
            failed: self.failed.saturating_add(later.failed),
            cold_starts: self.cold_starts.saturating_add(later.cold_starts),
            instances: self.instances.max(later.instances),
            memory_bytes: self.memory_bytes.max(later.memory_bytes),
            storage_bytes: later.storage_bytes,
        }
    }
}

/// How many bytes a sample has on the disk: those of its parts, and a few that are free.
pub(super) const SLOT_BYTES: usize = 128;

/// Where the sum stands, which is over all before it.
const SUM_AT: usize = SLOT_BYTES - 8;

/// A sample as it stands in a ring.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Slot {
    /// When its time begins, in seconds since 1970.
    pub(super) begins: i64,
    pub(super) sample: Sample,
}

impl Slot {
    pub(super) fn encode(&self) -> [u8; SLOT_BYTES] {
        let Self { begins, sample } = self;
        let mut bytes = Vec::with_capacity(SLOT_BYTES);
        for number in [begins.cast_unsigned(), sample.memory_bytes, sample.storage_bytes] {
            bytes.extend(number.to_le_bytes());
        }
        let counts = [sample.refused, sample.failed, sample.cold_starts, sample.instances];
        for number in counts.into_iter().chain(sample.durations) {
            bytes.extend(number.to_le_bytes());
        }
        let mut slot = [0; SLOT_BYTES];
        slot[..bytes.len()].copy_from_slice(&bytes);
        let sum = sum_of(&slot[..SUM_AT]);
        slot[SUM_AT..].copy_from_slice(&sum.to_le_bytes());
        slot
    }

    /// `None` if it was never written, or not as a whole.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (body, sum) = bytes.split_at_checked(SUM_AT)?;
        if sum_of(body).to_le_bytes() != sum {
            return None;
        }
        let (wide, narrow) = body.split_at(3 * 8);
        let (wide, _) = wide.as_chunks::<8>();
        let (narrow, _) = narrow.as_chunks::<4>();
        let [begins, memory_bytes, storage_bytes] = std::array::from_fn(|at| u64::from_le_bytes(wide[at]));
        let [refused, failed, cold_starts, instances] = std::array::from_fn(|at| u32::from_le_bytes(narrow[at]));
        let durations = std::array::from_fn(|at| u32::from_le_bytes(narrow[4 + at]));
        let sample = Sample { durations, refused, failed, cold_starts, instances, memory_bytes, storage_bytes };
        Some(Self { begins: begins.cast_signed(), sample })
    }
}

/// FNV-1a in 64 bits, so begun that a slot of zeros does not fit its own: it tells what was written as a whole, and guards against no one.
fn sum_of(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
