//! Care for what a host keeps: whether it is still there and what it was.

mod fsck;

pub use self::fsck::examine;
