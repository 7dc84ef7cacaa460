//! Which addresses a request may be passed on to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far routes that lead to other hosts may reach.
///
/// Whoever deploys names the host, but what a name resolves to is decided by others, at any time. A host that serves the public
/// therefore never connects to its own machine or network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ExternalReach {
    /// Addresses of the public internet only.
    Public,
    /// Also those of this machine itself: for development, where a backend runs beside the site.
    PublicAndLoopback,
}

impl ExternalReach {
    /// Whether a connection to `address` may be made.
    pub(super) fn allows(self, address: IpAddr) -> bool {
        let address = embedded(address);
        is_public(address) || (self == Self::PublicAndLoopback && address.is_loopback())
    }
}

/// The IPv4 address that an IPv6 address leads to, by mapping or translation; otherwise the address itself.
fn embedded(address: IpAddr) -> IpAddr {
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

/// Whether an address belongs to the public internet: not to a machine, a network, a test or a group (the registries of
/// special-purpose addresses, RFC 6890 and after).
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !matches!(
        address.octets(),
        [0 | 10 | 127 | 224..=255, ..]
            | [100, 64..=127, ..]
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is not of the public internet is refused in each of its spellings; this machine is reached in development.
    #[test]
    fn addresses() {
        let allows = |reach: ExternalReach, address: &str| reach.allows(address.parse().unwrap());
        for public in
            ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.128.0.1", "192.0.1.1", "2606:4700::1111", "2a00::1"]
        {
            assert!(allows(ExternalReach::Public, public), "{public}");
        }
        for internal in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "192.0.2.1",
            "203.0.113.9",
            "::",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "fec0::1",
            "2001:db8::1",
            "2001::1",
            "100::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:a00:1::",
            "64:ff9b:1::1",
        ] {
            assert!(!allows(ExternalReach::Public, internal), "{internal}");
            assert!(!allows(ExternalReach::PublicAndLoopback, internal), "{internal}");
        }
        for loopback in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1"] {
            assert!(!allows(ExternalReach::Public, loopback), "{loopback}");
            assert!(allows(ExternalReach::PublicAndLoopback, loopback), "{loopback}");
        }
    }
}
