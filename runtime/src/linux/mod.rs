//! All that only Linux has: the nursery and its cells, process handles, and sockets reached through
//! `/proc`. Nothing outside of this folder calls the operating system directly.

pub(crate) mod cell;
pub(crate) mod cgroup;
pub(crate) mod dial;
pub(crate) mod folder;
pub(crate) mod foreign;
pub(crate) mod fork;
pub(crate) mod holdings;
mod memory;
pub mod message;
pub(crate) mod names;
pub(crate) mod notify;
pub(crate) mod nursery;
mod process;
mod program;
pub(crate) mod rights;
pub(crate) mod signals;
pub(crate) mod socket;
pub(crate) mod spawn;
pub(crate) mod stream;
pub(crate) mod tree;
pub(crate) mod turns;
pub(crate) mod warden;
pub(crate) mod watch;
