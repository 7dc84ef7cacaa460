//! The data path's listener for HTTP/3: QUIC over UDP, at the port at which TLS is spoken over TCP, with the same certificates.
//!
//! quinn speaks QUIC and h3 HTTP/3; who may take how much is said here, and is the same as in HTTP/2 where the same is there: places, turns,
//! shares of addresses, and the patience with visitors. What is different is said where it is:
//!
//! - Datagrams can come from anybody in anybody's name. Until a visitor has shown that they are where they seem to be, they are sent no more
//!   than three times what came from there (RFC 9000, section 8), and where many are about to come they are asked to show it first
//!   ([`admit`]).
//! - What a visitor does not have yet stays in this process, not in the kernel, so it has a [bound](settings).
//! - What quinn does for a connection is counted as its visitor's work and is never made to wait: arriving datagrams would pile up meanwhile.
//! - Nothing is taken before a handshake has ended (0-RTT): who has seen such a request could have it answered again.

mod admit;
mod body;
mod connection;
mod door;
mod errors;
pub(crate) mod frames;
mod ids;
mod line;
mod passed_on;
mod receiver;
mod request;
mod runtime;
mod sender;
mod settings;
mod socket;
mod transport;
mod watch;

pub(crate) use body::{Http3Body, Http3BodyError};
pub use door::{QuicDoor, QuicHandover, QuicSecrets};

pub use admit::serve_http3;
