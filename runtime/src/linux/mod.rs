//! All that only Linux has: spawning without a fork of the host, process handles, sockets reached through `/proc`, and the
//! search for processes that a killed host left behind. Nothing outside of this folder calls the operating system directly.

pub(crate) mod leftovers;
mod memory;
pub(crate) mod process;
pub(crate) mod socket;
pub(crate) mod spawn;
pub(crate) mod stream;
pub(crate) mod watch;
