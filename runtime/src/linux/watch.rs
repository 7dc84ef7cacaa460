//! Descriptors that the async runtime watches.
#![expect(
    unsafe_code,
    reason = "tokio asks for a promise that a descriptor stays open, which its type does not express"
)]

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::foreign::Foreign;

/// Watches a descriptor that does not block for something to read.
pub(crate) fn watch(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    register(descriptor, Interest::READABLE)
}

/// The same for a descriptor whose other end is a function's, and which may carry descriptors that nobody has taken.
pub(crate) fn watch_foreign(descriptor: Foreign) -> io::Result<AsyncFd<Foreign>> {
    // SAFETY: as below; nobody takes the descriptor out of what the `AsyncFd` owns.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) };
    Ok(watched?)
}

/// Watches a descriptor that does not block for room to write.
pub(crate) fn watch_for_room(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    register(descriptor, Interest::WRITABLE)
}

fn register(descriptor: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is an open descriptor until it is dropped and never changes its number, and the `AsyncFd` owns it.
    let watched = unsafe { AsyncFd::register_with_interest(descriptor, interest) };
    Ok(watched?)
}
