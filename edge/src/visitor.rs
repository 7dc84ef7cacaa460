//! Who asks, and how they reached the host.

use std::net::SocketAddr;

/// The other end of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visitor {
    /// Its address.
    pub peer: SocketAddr,
    /// How it reached the host.
    pub scheme: Scheme,
}

/// How a visitor reached the host.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// Plainly.
    Http,
    /// Through TLS.
    Https,
}

impl Scheme {
    /// The word in `x-forwarded-proto`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}
