//! Care for what a host keeps: whether it is still there and what it was, and that what nobody needs goes.

mod caretaker;
mod fsck;
mod gc;
mod meters;
mod scrub;

pub(crate) use self::caretaker::take_care;
pub(crate) use self::fsck::examine;
pub use self::fsck::examine_at;
pub(crate) use self::gc::Collector;
pub(crate) use self::meters::{CareCounts, CareMeters};
pub(crate) use self::scrub::scrub;
