//! New request ids: the time, and bits that nobody can guess.

use std::cell::RefCell;

use jiff::Timestamp;
use ship_core::RequestId;

/// The random bits of one id, in bytes.
const ID_BYTES: usize = 10;

/// How many ids one call into the kernel gives bits for: enough that the call costs a request nearly nothing.
const IDS_PER_FILL: usize = 100;

/// Random bytes of one thread, taken from the end.
struct Pool {
    bytes: [u8; ID_BYTES * IDS_PER_FILL],
    left: usize,
}

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { bytes: [0; ID_BYTES * IDS_PER_FILL], left: 0 }) };
}

/// An id for a request that arrived at `at`.
pub(crate) fn new_request_id(at: Timestamp) -> RequestId {
    let millis = u64::try_from(at.as_millisecond()).unwrap_or(0);
    RequestId::from_parts(millis, POOL.with_borrow_mut(Pool::take))
}

impl Pool {
    fn take(&mut self) -> [u8; ID_BYTES] {
        if self.left == 0 {
            getrandom::fill(&mut self.bytes).expect("Linux gives random bytes to every process once it has booted");
            self.left = IDS_PER_FILL;
        }
        self.left -= 1;
        let mut taken = [0; ID_BYTES];
        taken.copy_from_slice(&self.bytes[self.left * ID_BYTES..][..ID_BYTES]);
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// Ids of one moment differ, also across refills.
    #[test]
    fn unique() {
        let at = Timestamp::UNIX_EPOCH;
        let ids: HashSet<RequestId> = (0..3 * IDS_PER_FILL).map(|_| new_request_id(at)).collect();
        assert_eq!(ids.len(), 3 * IDS_PER_FILL);
    }
}
