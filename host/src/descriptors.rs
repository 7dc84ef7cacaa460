//! File descriptors: how many the host may have, and so how many visitors it lets in.

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are no visitor's: the store's files, listeners, and those of instances.
const OWN_DESCRIPTORS: u64 = 256;

/// What a visitor takes at the most: its socket, and a connection to a function or a file that is read.
const PER_VISITOR: u64 = 3;

/// How many visitors are let in at the most, however many descriptors there are: what their memory allows.
const MAX_VISITORS: u64 = 8192;

/// How many visitors are let in at the least: with fewer descriptors than that takes, a site is not served in earnest.
const MIN_VISITORS: u64 = 16;

/// How many descriptors the kernel's table has room for from the start, unless the limit is lower: 128 KiB.
const ROOM: u64 = 16 * 1024;

/// Raises this process's limit to what the system lets it have, and has the kernel make room for descriptors. To be called before
/// the process has a second thread.
///
/// Shells and service managers give a program 1,024 descriptors for the sake of `select`, which nothing here uses. And while a
/// table that threads share grows, whoever opens the next file waits until every processor has let go of the old one: 20 ms
/// in the middle of a request.
pub fn prepare_descriptors() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::warn!(%error, "the limit on open files cannot be raised");
    }
    let last = maximum.unwrap_or(ROOM).min(ROOM).saturating_sub(1);
    let high = i32::try_from(last).map(|last| fcntl_dupfd_cloexec(std::io::stderr(), last));
    if let Ok(Err(error)) = high {
        tracing::debug!(%error, "no room was made for descriptors");
    }
}

/// How many visitors may be connected at once.
pub(crate) fn visitors() -> usize {
    visitors_within(getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX))
}

fn visitors_within(descriptors: u64) -> usize {
    let visitors = (descriptors.saturating_sub(OWN_DESCRIPTORS) / PER_VISITOR).clamp(MIN_VISITORS, MAX_VISITORS);
    usize::try_from(visitors).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Visitors never take the descriptors that the host itself needs, as far as that can be.
    #[test]
    fn bounds() {
        assert_eq!([64, 1024, 4096, 1 << 20, u64::MAX].map(visitors_within), [16, 256, 1280, 8192, 8192]);
    }
}
