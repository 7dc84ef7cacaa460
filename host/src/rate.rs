//! How often an address may get something wrong.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::clock::{Clock as _, MonotonicClock};
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};
use ship_core::subscriber_address;

/// How many addresses are told apart: some megabytes. While there are as many, all that come share one allowance.
const ADDRESSES: usize = 10_000;

/// How often addresses that have got nothing wrong for a while are forgotten, where there are too many.
const FORGET_EVERY: Duration = Duration::from_secs(1);

/// Whose allowance is shared while there are [`ADDRESSES`].
const THE_OTHERS: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

type Limiter = RateLimiter<
    IpAddr,
    HashMapStateStore<IpAddr>,
    MonotonicClock,
    NoOpMiddleware<<MonotonicClock as governor::clock::Clock>::Instant>,
>;

/// An allowance for each address.
pub(crate) struct AddressLimit {
    limiter: Limiter,
    forgotten: Mutex<Instant>,
}

impl AddressLimit {
    /// `burst` at once, and then one for every `every`.
    pub(crate) fn new(burst: NonZeroU32, every: Duration) -> Self {
        let quota = Quota::with_period(every).unwrap_or(Quota::per_second(NonZeroU32::MIN)).allow_burst(burst);
        let limiter = RateLimiter::new(quota, HashMapStateStore::default(), MonotonicClock);
        Self { limiter, forgotten: Mutex::new(Instant::now()) }
    }

    /// Takes one from the allowance of an address, or says after how long there is another.
    pub(crate) fn take(&self, address: IpAddr) -> Result<(), Duration> {
        let mut key = subscriber_address(address);
        if self.limiter.len() >= ADDRESSES {
            self.forget();
            if self.limiter.len() >= ADDRESSES {
                key = THE_OTHERS;
            }
        }
        self.limiter.check_key(&key).map_err(|until| until.wait_time_from(MonotonicClock.now()))
    }

    fn forget(&self) {
        let mut forgotten = self.forgotten.lock().unwrap_or_else(PoisonError::into_inner);
        if forgotten.elapsed() >= FORGET_EVERY {
            self.limiter.retain_recent();
            *forgotten = Instant::now();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn limit() -> AddressLimit {
        AddressLimit::new(NonZeroU32::new(2).unwrap(), Duration::from_hours(1))
    }

    /// Each address has its own allowance, and a machine of IPv6 has one, whichever of its addresses it comes from.
    #[test]
    fn addresses_are_apart() {
        let limit = limit();
        let take = |text: &str| limit.take(text.parse().unwrap()).is_ok();
        assert!(take("192.0.2.1") && take("192.0.2.1") && !take("192.0.2.1"));
        assert!(take("192.0.2.2"));
        assert!(take("2001:db8::1") && take("2001:db8::2") && !take("2001:db8::3"));
        assert!(take("2001:db8:0:1::1"));
        assert!(take("::ffff:192.0.2.3") && take("::ffff:192.0.2.3") && take("::ffff:192.0.2.4"));
        let wait = limit.take("192.0.2.1".parse().unwrap()).unwrap_err();
        assert!(wait > Duration::from_mins(50) && wait <= Duration::from_hours(1), "{wait:?}");
    }

    /// However many addresses come, no more than so many are remembered; the others share one allowance.
    #[test]
    fn bounded() {
        let limit = limit();
        for number in 0..2 * u32::try_from(ADDRESSES).unwrap() {
            let _ = limit.take(Ipv4Addr::from(number).into());
        }
        assert!(limit.limiter.len() <= ADDRESSES + 1);
        assert!(limit.take(Ipv4Addr::from(u32::MAX).into()).is_err());
    }
}
