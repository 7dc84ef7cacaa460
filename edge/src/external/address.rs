//! Which addresses a request may be passed on to.

use std::net::IpAddr;

use ship_core::{embedded_address, is_public_address};

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
        is_public_address(address) || (self == Self::PublicAndLoopback && embedded_address(address).is_loopback())
    }
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
