//! A datagram as one process passes it on to another, with what the kernel said of it.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6};

use quinn::udp::{EcnCodepoint, RecvMeta};

/// The largest datagram that is passed on, in bytes: larger ones than 1,472 are never asked for.
const DATAGRAM_BYTES: usize = 2048;

/// What stands before it: marks of congestion, where it comes from, and the address that it was sent to.
const HEAD_BYTES: usize = 1 + ADDRESS_BYTES + 2 + 4 + ADDRESS_BYTES;

/// The family of an address, and the address.
const ADDRESS_BYTES: usize = 1 + 16;

/// How long a message is at the most.
pub(super) const MOST_BYTES: usize = HEAD_BYTES + DATAGRAM_BYTES;

/// Writes a datagram. What is longer than any is cut, and then is none.
pub(super) fn write(meta: &RecvMeta, datagram: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEAD_BYTES + datagram.len());
    message.push(meta.ecn.map_or(0, |mark| mark as u8));
    message.extend(address(Some(meta.addr.ip())));
    message.extend(meta.addr.port().to_be_bytes());
    let scope = if let SocketAddr::V6(address) = meta.addr { address.scope_id() } else { 0 };
    message.extend(scope.to_be_bytes());
    message.extend(address(meta.dst_ip));
    message.extend(&datagram[..datagram.len().min(DATAGRAM_BYTES)]);
    message
}

/// Reads what was written.
pub(super) fn read(message: &[u8]) -> Option<(RecvMeta, &[u8])> {
    let (head, datagram) = message.split_at_checked(HEAD_BYTES)?;
    let (mark, head) = head.split_first()?;
    let (from, head) = head.split_first_chunk::<ADDRESS_BYTES>()?;
    let (port, head) = head.split_first_chunk()?;
    let (scope, to) = head.split_first_chunk()?;
    let port = u16::from_be_bytes(*port);
    let addr = match address_of(from)? {
        IpAddr::V4(ip) => SocketAddr::from((ip, port)),
        IpAddr::V6(ip) => SocketAddrV6::new(ip, port, 0, u32::from_be_bytes(*scope)).into(),
    };
    let (ecn, dst_ip) = (EcnCodepoint::from_bits(*mark), address_of(to.first_chunk()?));
    let mut meta = RecvMeta::default();
    (meta.addr, meta.len, meta.stride, meta.ecn, meta.dst_ip) = (addr, datagram.len(), datagram.len(), ecn, dst_ip);
    Some((meta, datagram))
}

fn address(ip: Option<IpAddr>) -> [u8; ADDRESS_BYTES] {
    let (family, octets) = match ip {
        None => (0, [0; 16]),
        Some(IpAddr::V4(ip)) => (4, ip.to_ipv6_mapped().octets()),
        Some(IpAddr::V6(ip)) => (6, ip.octets()),
    };
    let mut bytes = [family; ADDRESS_BYTES];
    bytes[1..].copy_from_slice(&octets);
    bytes
}

fn address_of(bytes: &[u8; ADDRESS_BYTES]) -> Option<IpAddr> {
    let ip = Ipv6Addr::from(*bytes[1..].first_chunk::<16>()?);
    match bytes[0] {
        4 => ip.to_ipv4_mapped().map(IpAddr::V4),
        6 => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// What is read is what was written.
        #[test]
        fn round_trip(addr: SocketAddr, dst_ip: Option<IpAddr>, mark in 0..4_u8, datagram: Vec<u8>) {
            let mut meta = RecvMeta::default();
            (meta.addr, meta.dst_ip, meta.ecn) = (addr, dst_ip, EcnCodepoint::from_bits(mark));
            if let SocketAddr::V6(address) = &mut meta.addr {
                address.set_flowinfo(0);
            }
            let message = write(&meta, &datagram);
            let (seen, rest) = read(&message).unwrap();
            prop_assert_eq!((seen.addr, seen.dst_ip, seen.ecn), (meta.addr, dst_ip, meta.ecn));
            prop_assert_eq!((rest, seen.len, seen.stride), (&datagram[..], datagram.len(), datagram.len()));
        }

        /// Nothing that comes over a line makes trouble.
        #[test]
        fn anything(message: Vec<u8>) {
            if let Some((meta, datagram)) = read(&message) {
                prop_assert_eq!(meta.len, datagram.len());
            }
        }
    }
}
