//! How often a wrong password may be tried: by one address, and by everybody together.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ship_core::ProjectName;

/// How many passwords an address may try at a project in [`WINDOW`].
const OF_ADDRESS: u32 = 10;

/// How many all addresses together may. Guessing from many places stays as slow as a million guesses a year.
const OF_PROJECT: u32 = 100;

/// For how long attempts are counted.
const WINDOW: Duration = Duration::from_mins(5);

/// How many addresses are remembered. Beyond that, those whose time is over are forgotten, and new ones count for the project alone.
const REMEMBERED: usize = 10_000;

/// What was tried lately.
#[derive(Default)]
pub(super) struct Attempts {
    counts: Mutex<HashMap<(ProjectName, Option<IpAddr>), Count>>,
}

#[derive(Clone, Copy)]
struct Count {
    since: Instant,
    attempts: u32,
}

impl Attempts {
    /// Counts an attempt; an error says in how many seconds there may be another.
    pub(super) fn begin(&self, project: &ProjectName, peer: IpAddr, now: Instant) -> Result<(), u32> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= REMEMBERED {
            counts.retain(|_, count| now.saturating_duration_since(count.since) < WINDOW);
        }
        let is_full = counts.len() >= REMEMBERED;
        for (who, most) in [(Some(network_of(peer)), OF_ADDRESS), (None, OF_PROJECT)] {
            let key = (project.clone(), who);
            if is_full && who.is_some() && !counts.contains_key(&key) {
                continue;
            }
            let count = counts.entry(key).or_insert(Count { since: now, attempts: 0 });
            if now.saturating_duration_since(count.since) >= WINDOW {
                *count = Count { since: now, attempts: 0 };
            }
            if count.attempts >= most {
                let left = WINDOW.saturating_sub(now.saturating_duration_since(count.since));
                return Err(u32::try_from(left.as_secs()).unwrap_or(u32::MAX).max(1));
            }
            count.attempts += 1;
        }
        Ok(())
    }

    /// The attempt was right, so those of this address before it were mistakes.
    pub(super) fn forgive(&self, project: &ProjectName, peer: IpAddr) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(&(project.clone(), Some(network_of(peer))));
        if let Some(all) = counts.get_mut(&(project.clone(), None)) {
            all.attempts = all.attempts.saturating_sub(1);
        }
    }
}

/// Who has an IPv6 address has all of its /64.
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// An address has so many attempts, others have theirs, and after the window all have them again; a right password clears.
    #[test]
    fn of_one_address() {
        let (attempts, project, now) = (Attempts::default(), "site".parse().unwrap(), Instant::now());
        let (one, other) = (address("2001:db8::1"), address("2001:db8:0:1::1"));
        for _ in 0..OF_ADDRESS {
            assert_eq!(attempts.begin(&project, one, now), Ok(()));
        }
        assert_eq!(attempts.begin(&project, address("2001:db8::2"), now), Err(300), "it is the same network");
        assert_eq!(attempts.begin(&project, other, now), Ok(()));
        assert_eq!(attempts.begin(&"another".parse().unwrap(), one, now), Ok(()));
        assert_eq!(attempts.begin(&project, one, now + Duration::from_secs(299)), Err(1));
        assert_eq!(attempts.begin(&project, one, now + WINDOW), Ok(()));
        attempts.forgive(&project, other);
        for _ in 0..OF_ADDRESS {
            assert_eq!(attempts.begin(&project, other, now), Ok(()));
        }
    }

    /// Many addresses together have no more than the project's share.
    #[test]
    fn of_all() {
        let (attempts, project, now) = (Attempts::default(), "site".parse().unwrap(), Instant::now());
        let tries = (0..=u8::MAX).map(|last| attempts.begin(&project, address(&format!("192.0.2.{last}")), now));
        assert_eq!(tries.flatten().count(), OF_PROJECT as usize);
    }
}
