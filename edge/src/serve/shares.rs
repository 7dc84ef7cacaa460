//! How a host is shared out among the addresses that visitors come from, so that nobody can take from all others what they need.
//!
//! While visitors of more than one address are connected, each address has so much of a processor, and beyond a moment's work its
//! connections take [turns](pass::Pass), one at a time. No address has more than its share of the places for connections. An address
//! is that of a subscriber: of IPv6, the first half. A proxy speaks for many and is not held back.

mod account;
mod elsewhere;
mod pass;
mod seat;

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ship_core::{AddressRange, subscriber_address};

use account::Account;
pub(crate) use elsewhere::bill_elsewhere;
pub(super) use pass::{Pass, in_turn};
pub(super) use seat::Seat;

/// An address may have one in so many of the places that are left.
const PART_OF_PLACES: usize = 4;

/// So many connections an address may have in any case: a few browsers, each of which opens six to a site in HTTP/1.1.
const SURE_PLACES: usize = 64;

/// How many addresses there are at the least before those that are gone are looked for.
const MIN_SWEPT: usize = 1024;

/// How a host is shared out.
#[derive(Clone, Debug)]
pub struct ShareRules {
    /// Whose visitors are many: addresses of proxies before the host, which are not held back.
    pub proxies: Vec<AddressRange>,
    /// How much of one processor the visitors of an address get while others are connected, in percent.
    pub processor_percent: NonZeroU32,
}

/// How a host is shared out among addresses. Clones are the same; by default nobody is held back.
#[derive(Clone, Default)]
pub struct Shares(Option<Arc<Table>>);

/// An address has as many connections as it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HasItsShare;

impl Shares {
    /// Shares out by these rules.
    pub fn new(rules: ShareRules) -> Self {
        let (addresses, sweep_at) = (HashMap::new(), MIN_SWEPT);
        let register = Mutex::new(Register { addresses, sweep_at });
        Self(Some(Arc::new(Table { rules, register, connected: AtomicUsize::new(0) })))
    }

    /// A seat for a connection that comes from `peer`, where so many places are left. `None` if nobody is held back.
    pub(super) fn seat(&self, peer: SocketAddr, places_left: usize) -> Result<Option<Arc<Seat>>, HasItsShare> {
        let Some(table) = &self.0 else { return Ok(None) };
        let address = subscriber_address(peer.ip());
        let is_proxy = table.rules.proxies.iter().any(|proxy| proxy.contains(peer));
        let mut register = table.lock();
        let connections = register.addresses.get(&address).map_or(0, |entry| entry.connections);
        if !is_proxy && connections >= SURE_PLACES.max(places_left / PART_OF_PLACES) {
            return Err(HasItsShare);
        }
        register.sweep();
        let percent = table.rules.processor_percent;
        let entry = register
            .addresses
            .entry(address)
            .or_insert_with(|| Entry { account: Arc::new(Account::new(percent, Instant::now())), connections: 0 });
        entry.connections += 1;
        if entry.connections == 1 {
            table.connected.fetch_add(1, Relaxed);
        }
        let account = (!is_proxy).then(|| Arc::clone(&entry.account));
        drop(register);
        Ok(Some(Arc::new(Seat::new(Arc::clone(table), address, account))))
    }
}

impl fmt::Debug for Shares {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shares").field(&self.0.as_ref().map(|table| &table.rules)).finish()
    }
}

/// What is known of all addresses.
struct Table {
    rules: ShareRules,
    register: Mutex<Register>,
    /// How many addresses have a connection.
    connected: AtomicUsize,
}

struct Register {
    addresses: HashMap<IpAddr, Entry>,
    sweep_at: usize,
}

struct Entry {
    account: Arc<Account>,
    connections: usize,
}

impl Table {
    fn lock(&self) -> MutexGuard<'_, Register> {
        self.register.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether somebody of another address is connected, who could have to wait.
    fn has_others(&self) -> bool {
        self.connected.load(Relaxed) > 1
    }

    /// Notes that a connection from `address` has ended. What it owes is not forgotten.
    fn leaves(&self, address: IpAddr) {
        let mut register = self.lock();
        let Some(entry) = register.addresses.get_mut(&address) else { return };
        entry.connections -= 1;
        if entry.connections == 0 {
            self.connected.fetch_sub(1, Relaxed);
            if !entry.account.owes(Instant::now()) {
                register.addresses.remove(&address);
            }
        }
    }
}

impl Register {
    /// Forgets addresses that are gone and owe nothing, so seldom that each costs little.
    fn sweep(&mut self) {
        if self.addresses.len() < self.sweep_at {
            return;
        }
        let now = Instant::now();
        self.addresses.retain(|_, entry| entry.connections > 0 || entry.account.owes(now));
        self.sweep_at = (self.addresses.len() * 2).max(MIN_SWEPT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares() -> Shares {
        let proxies = vec!["10.0.0.0/8".parse().unwrap()];
        Shares::new(ShareRules { proxies, processor_percent: NonZeroU32::new(25).unwrap() })
    }

    /// How many connections get a seat that come from an address one after the other, and stay.
    fn seated(shares: &Shares, address: &str, places: usize) -> Vec<Arc<Seat>> {
        let peer = SocketAddr::new(address.parse().unwrap(), 1);
        (0..places).map_while(|taken| shares.seat(peer, places - taken).ok()?).collect()
    }

    /// An address has a part of the places, in whichever form it is written, and a few in any case; a proxy has all that there are.
    #[test]
    fn places() {
        let shares = shares();
        let some = seated(&shares, "192.0.2.1", 1000);
        assert_eq!(some.len(), 200, "a quarter of the 800 that are left");
        assert!(shares.seat("[::ffff:192.0.2.1]:9".parse().unwrap(), 800).is_err());
        assert_eq!(seated(&shares, "192.0.2.2", 100).len(), SURE_PLACES);
        assert_eq!(seated(&shares, "2001:db8::1", 1000).len(), 200);
        assert_eq!(seated(&shares, "10.1.2.3", 1000).len(), 1000);
        drop(some);
        assert_eq!(seated(&shares, "192.0.2.1", 1000).len(), 200, "who left may come again");
    }

    /// Addresses that are gone are forgotten.
    #[test]
    fn bounded() {
        let shares = shares();
        for number in 0..10_000_u32 {
            let peer = SocketAddr::new(std::net::Ipv4Addr::from(number).into(), 1);
            assert!(shares.seat(peer, 1000).is_ok());
        }
        let table = shares.0.as_ref().unwrap();
        assert_eq!((table.lock().addresses.len(), table.has_others()), (0, false));
    }
}
