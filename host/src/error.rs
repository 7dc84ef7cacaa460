//! Why a host does not start or stops.

use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a host does not start or stops.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Another program listens at the address.
    #[error("{address} is taken{}", holder.as_deref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    PortTaken {
        /// The address.
        address: SocketAddr,
        /// The flag that names it: `--listen`, `--tls-listen` or `--control`.
        flag: &'static str,
        /// The program that holds it, if the system says.
        holder: Option<String>,
    },
    /// The address cannot be listened at.
    #[error("cannot listen at {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A socket that the host was given cannot be used.
    #[error("a socket that this host was started with cannot be used")]
    GivenSocket(#[source] std::io::Error),
    /// The host to take over from hands nothing over.
    #[error("there is nothing to take over")]
    Handover(#[source] std::io::Error),
    /// The data directory cannot be opened.
    #[error(transparent)]
    Open(#[from] ship_store::OpenError),
    /// The state cannot be read.
    #[error("the host's state cannot be read")]
    State(#[from] ship_store::StateError),
    /// The token file cannot be read or written.
    #[error("the token file {} cannot be used", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No random bytes can be had for a token.
    #[error("the system gives no random bytes: {reason}")]
    Random {
        /// Why.
        reason: getrandom::Error,
    },
    /// A password cannot be hashed.
    #[error("a password cannot be hashed")]
    Password,
    /// There are no threads to answer visitors on.
    #[error("visitors cannot be given threads of their own")]
    Cores(#[source] std::io::Error),
    /// A certificate of the operator's cannot be used.
    #[error("visitors cannot be served through TLS")]
    Certificate(#[source] crate::tls::CertificateError),
    /// TLS cannot be set up.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// Telemetry cannot be sent as it is asked for.
    #[error(
        "telemetry cannot be sent: a header for the collector is none, or the certificates of this machine cannot be read"
    )]
    Telemetry,
    /// Functions cannot be kept from the machine as the operator wants.
    #[error("functions cannot have a sandbox on this machine")]
    Isolation(#[source] ship_runtime::SpawnError),
    /// Functions cannot be run.
    #[error(transparent)]
    Runtime(#[from] ship_runtime::RuntimeError),
}

/// An error and what caused it, in one line.
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
