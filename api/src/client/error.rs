//! What can go wrong on the way to a host.

use std::error::Error;
use std::io;
use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, UnexpectedEof};
use std::path::PathBuf;

use crate::error::ErrorDetail;

/// A question to a host failed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not a URL.
    #[error("`{url}` is not the address of a host: expected `http://` or `https://` and a name")]
    BadAddress {
        /// What was given.
        url: String,
    },
    /// The address holds a user, and perhaps a password, which messages would show.
    #[error("the address of a host holds no user and no password: who may do what is in its token")]
    AddressWithUser,
    /// The host did not take the connection.
    #[error("the host at {url} cannot be reached")]
    Unreachable {
        /// Its address.
        url: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// The host took the connection and dropped it before it answered.
    #[error("the connection to the host at {url} broke off")]
    Disconnected {
        /// Its address.
        url: String,
        /// How.
        #[source]
        source: reqwest::Error,
    },
    /// The host answered with an error.
    #[error("{}", detail.message)]
    Refused {
        /// The status of the answer.
        status: u16,
        /// What the host says about it.
        detail: Box<ErrorDetail>,
    },
    /// Something else than a host's control API answered with an error, for example a host's sites or a proxy.
    #[error("no host's control API is at {url}: what answers there says {status}")]
    OtherServer {
        /// Its address.
        url: String,
        /// The status of the answer.
        status: reqwest::StatusCode,
    },
    /// The answer is not what this version of the API says.
    #[error("the host's answer cannot be read")]
    UnreadableAnswer {
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// The answer broke off.
    #[error("the host's answer broke off")]
    BrokenAnswer {
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A host that should answer, or that is followed and should say something now and then, said nothing.
    #[error("the host at {url} does not answer")]
    Silent {
        /// Its address.
        url: String,
    },
    /// A host took nothing more of what was being sent, or said nothing to it.
    #[error("the upload stood still")]
    Stalled,
    /// A file could not be read while it was sent.
    #[error("{} cannot be read", path.display())]
    UnreadableFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is not what it was when it was hashed.
    #[error("{} changed while it was sent", path.display())]
    FileChanged {
        /// The file.
        path: PathBuf,
    },
}

impl ClientError {
    /// Whether the way to the host was cut, or the host ended, rather than that it refused: the same may be possible a moment later.
    pub fn is_cut(&self) -> bool {
        match self {
            Self::Unreachable { .. }
            | Self::Disconnected { .. }
            | Self::BrokenAnswer { .. }
            | Self::Silent { .. }
            | Self::Stalled => true,
            // What a proxy says whose host is just being started again.
            Self::OtherServer { status, .. } => matches!(status.as_u16(), 502..=504),
            _ => false,
        }
    }

    /// Whether somebody at the address refused the connection, or dropped it at once: what a host looks like that is just being started again. A
    /// name that nobody has, a network that is gone or a certificate that is wrong stay what they are for longer.
    pub fn is_turned_away(&self) -> bool {
        let Self::Unreachable { source, .. } = self else { return false };
        let mut causes = std::iter::successors(Some(source as &(dyn Error + 'static)), |error| (**error).source());
        causes.any(|cause| {
            let cause = cause.downcast_ref::<io::Error>().map(io::Error::kind);
            matches!(cause, Some(ConnectionAborted | ConnectionRefused | ConnectionReset | UnexpectedEof))
        })
    }
}
