//! The ids of connections: each process makes its own, and knows those of the processes before it.

use std::sync::Arc;
use std::time::Duration;

use quinn::{ConnectionId, ConnectionIdGenerator};
use ring::hmac;

use super::door::QuicSecrets;

/// How long the ids of connections are, in bytes: chance, and what shows whose they are.
const ID_BYTES: usize = 8;
const CHANCE_BYTES: usize = 4;

/// The bit that tells packets with long heads, before a connection is there, from those in it (RFC 9000, section 17.2).
const LONG_HEAD: u8 = 0x80;

/// The ids of connections that a process makes, and those that it knows.
#[derive(Clone)]
pub(super) struct Ids {
    own: hmac::Key,
    others: Arc<[hmac::Key]>,
}

impl Ids {
    pub(super) fn of(secrets: &QuicSecrets) -> Self {
        let mut keys = secrets.keys.iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key.to_be_bytes()));
        let own = keys.next().expect("a process has a key");
        Self { own, others: keys.collect() }
    }

    pub(super) fn is_own(&self, id: &[u8]) -> bool {
        is_of(&self.own, id)
    }

    pub(super) fn is_others(&self, id: &[u8]) -> bool {
        self.others.iter().any(|key| is_of(key, id))
    }
}

fn is_of(key: &hmac::Key, id: &[u8]) -> bool {
    id.split_at_checked(CHANCE_BYTES).is_some_and(|(chance, shown)| {
        id.len() == ID_BYTES && hmac::sign(key, chance).as_ref()[..ID_BYTES - CHANCE_BYTES] == *shown
    })
}

impl ConnectionIdGenerator for Ids {
    fn generate_cid(&mut self) -> ConnectionId {
        let mut id = [0; ID_BYTES];
        // Where there is no chance to be had, connections fail; nothing else would be right.
        let _ = getrandom::fill(&mut id[..CHANCE_BYTES]);
        let shown = hmac::sign(&self.own, &id[..CHANCE_BYTES]);
        id[CHANCE_BYTES..].copy_from_slice(&shown.as_ref()[..ID_BYTES - CHANCE_BYTES]);
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

/// Whose connection a datagram belongs to says an id at its beginning (RFC 9000, section 17.2 and 17.3): of a length that stands before
/// it, or of that which this host's ids have.
pub(super) fn id_of(datagram: &[u8]) -> Option<&[u8]> {
    /// Of a packet with a long head: its kind, and the version.
    const BEFORE_LENGTH: usize = 5;
    if datagram.first()? & LONG_HEAD == 0 {
        return datagram.get(1..=ID_BYTES);
    }
    let length = usize::from(*datagram.get(BEFORE_LENGTH)?);
    datagram.get(BEFORE_LENGTH + 1..)?.get(..length)
}

/// Whether a datagram has a long head: with those connections begin, and the ids in them may be their visitors' own choice.
pub(super) fn begins(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| first & LONG_HEAD != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::http3::door::QuicDoor;

    fn secrets() -> QuicSecrets {
        let door = QuicDoor::new(std::net::UdpSocket::bind("127.0.0.1:0").unwrap()).unwrap();
        door.offer().unwrap().0
    }

    /// Each process knows its own connections, and those of the processes before it.
    #[test]
    fn ids() {
        let (first, stranger) = (secrets(), secrets());
        let second = first.clone().next().unwrap();
        let third = second.clone().next().unwrap();
        let id = Ids::of(&second).generate_cid();
        let seen = |secrets: &QuicSecrets| (Ids::of(secrets).is_own(&id), Ids::of(secrets).is_others(&id));
        assert_eq!(seen(&first), (false, false));
        assert_eq!(seen(&second), (true, false));
        assert_eq!(seen(&third), (false, true));
        assert_eq!(seen(&stranger), (false, false));
    }

    /// The id stands where it stands, and a datagram that is too short has none.
    #[test]
    fn whose() {
        let short = b"\x40ABCDEFGHrest";
        assert_eq!(id_of(short), Some(&b"ABCDEFGH"[..]));
        assert_eq!(id_of(&short[..8]), None);
        let long = b"\xc0\x00\x00\x00\x01\x03ABC\x00rest";
        assert_eq!(id_of(long), Some(&b"ABC"[..]));
        assert_eq!(id_of(&long[..8]), None);
        assert_eq!(id_of(&[]), None);
    }
}
