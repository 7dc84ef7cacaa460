//! Which addresses belong to the public internet, and ranges of addresses that an operator names.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The IPv4 address that an IPv6 address leads to, by mapping or translation; otherwise the address itself.
pub fn embedded_address(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    let v4_at = |at: usize| {
        let ([a, b], [c, d]) = (segments[at].to_be_bytes(), segments[at + 1].to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match segments {
        // Mapped; compatible, as it once was (`::` and `::1` are addresses of their own); and NAT64.
        [0, 0, 0, 0, 0, 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => v4_at(6),
        [0, 0, 0, 0, 0, 0, high, _] if high != 0 => v4_at(6),
        // 6to4.
        [0x2002, ..] => v4_at(1),
        _ => address,
    }
}

/// The address of whoever has a line to the internet: one of IPv4, or the first half of one of IPv6, of which a single machine
/// chooses the second half as it likes (RFC 4291, section 2.5.1).
pub fn subscriber_address(address: IpAddr) -> IpAddr {
    match embedded_address(address) {
        IpAddr::V6(address) => Ipv6Addr::from(u128::from(address) >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

/// Whether an address, in whichever of its spellings, belongs to the public internet: not to a machine, a network, a test or a
/// group (the registries of special-purpose addresses, RFC 6890 and after).
pub fn is_public_address(address: IpAddr) -> bool {
    match embedded_address(address) {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
            // The metadata of Azure's machines, at an address that is routed like any other.
            | [168, 63, 129, 16]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 0, 0 | 2, _]
            | [192, 88, 99, _]
            | [192, 168, ..]
            | [198, 18 | 19, ..]
            | [198, 51, 100, _]
            | [203, 0, 113, _]
    )
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let is_global_unicast = first & 0xe000 == 0x2000;
    // Protocol assignments with Teredo, documentation in both of its ranges.
    let is_special = matches!((first, second), (0x2001, 0..0x200 | 0xdb8) | (0x3fff, 0..0x1000));
    is_global_unicast && !is_special
}

/// Addresses that an operator names: one (`10.0.0.5`), one with a port (`127.0.0.1:5432`, `[::1]:5432`), or a network
/// (`10.0.0.0/8`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressRange {
    network: IpAddr,
    prefix: u8,
    port: Option<u16>,
}

impl AddressRange {
    /// Whether an address is one of them.
    pub fn contains(&self, address: SocketAddr) -> bool {
        let ip = embedded_address(address.ip());
        let is_near = match (self.network, ip) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                same_start(network.to_bits().into(), ip.to_bits().into(), self.prefix, 32)
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => same_start(network.to_bits(), ip.to_bits(), self.prefix, 128),
            _ => false,
        };
        is_near && self.port.is_none_or(|port| port == address.port())
    }
}

/// Whether two addresses of `bits` bits have the same first bits.
fn same_start(one: u128, other: u128, prefix: u8, bits: u8) -> bool {
    let behind = u32::from(bits - prefix);
    (one ^ other).checked_shr(behind).unwrap_or(0) == 0
}

impl FromStr for AddressRange {
    type Err = InvalidAddressRange;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidAddressRange { found: text.to_owned() };
        if let Ok(address) = text.parse::<SocketAddr>() {
            let network = embedded_address(address.ip());
            return Ok(Self { network, prefix: whole(network), port: Some(address.port()) });
        }
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let network: IpAddr = address.parse().map_err(|_| invalid())?;
        let prefix = prefix.map_or(Ok(whole(network)), |prefix| prefix.parse().map_err(|_| invalid()))?;
        if prefix > whole(network) {
            return Err(invalid());
        }
        Ok(Self { network, prefix, port: None })
    }
}

const fn whole(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.network, port).fmt(f),
            None if self.prefix == whole(self.network) => self.network.fmt(f),
            None => write!(f, "{}/{}", self.network, self.prefix),
        }
    }
}

/// The text names no addresses.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` names no addresses: expected one (10.0.0.5), one with a port (127.0.0.1:5432) or a network (10.0.0.0/8)"
)]
pub struct InvalidAddressRange {
    found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A machine of IPv6 is one subscriber, whichever of its addresses it comes from; one of IPv4 is itself, however it is spelled.
    #[test]
    fn subscribers() {
        let of = |text: &str| subscriber_address(text.parse().unwrap()).to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(["192.0.2.1", "::ffff:192.0.2.1"].map(of), ["192.0.2.1", "192.0.2.1"]);
    }

    /// Each form names what it says, and no neighbour.
    #[test]
    fn ranges() {
        for (range, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1:80", "11.0.0.1:80"),
            ("127.0.0.1:5432", "127.0.0.1:5432", "127.0.0.1:5433"),
            ("127.0.0.1:5432", "[::ffff:127.0.0.1]:5432", "127.0.0.2:5432"),
            ("192.168.1.5", "192.168.1.5:1", "192.168.1.4:1"),
            ("fd00::/8", "[fd12::1]:80", "[fe80::1]:80"),
            ("[::1]:80", "[::1]:80", "[::2]:80"),
            ("0.0.0.0/0", "8.8.8.8:53", "[::1]:53"),
        ] {
            let parsed: AddressRange = range.parse().unwrap();
            assert_eq!(parsed.to_string(), range);
            assert!(parsed.contains(inside.parse().unwrap()), "{range} {inside}");
            assert!(!parsed.contains(outside.parse().unwrap()), "{range} {outside}");
        }
        for wrong in ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "::/129", "1.2.3.4:99999"] {
            assert!(wrong.parse::<AddressRange>().is_err(), "{wrong}");
        }
    }
}
