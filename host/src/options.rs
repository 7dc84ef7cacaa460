//! What a host is told when it starts.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use ship_core::AddressRange;
use ship_edge::ShareRules;
use ship_runtime::{Interpreters, Isolation};
use ship_store::Retention;

use crate::telemetry::TelemetryOptions;
use crate::tls::TlsOptions;
use crate::upgrade::SuccessorCommand;

/// What a host is told when it starts.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The data directory: created if absent, locked while the host runs.
    pub data: PathBuf,
    /// Where visitors are served.
    pub sites: SocketAddr,
    /// How visitors are served through TLS, if they are. Those who come without it are then led there.
    pub tls: Option<TlsOptions>,
    /// Where the control API is served.
    pub control: SocketAddr,
    /// The domain below which sites stand, in lower case: `localhost`.
    pub domain: String,
    /// The server that is asked for proofs of domains; those of the machine where there is none.
    pub dns_server: Option<SocketAddr>,
    /// The file that holds the admin token, readable by its owner only. Made at the first start.
    pub token_file: PathBuf,
    /// A file with the key that variables are sealed under, where somebody else keeps it, such as a credential of systemd. Without it
    /// the key stands in the data directory, and is made when it is first needed.
    pub host_key_file: Option<PathBuf>,
    /// What runs functions in Node and Python.
    pub interpreters: Interpreters,
    /// The least that functions are kept from; where the machine does not allow that much, no host starts. Without it functions get
    /// what the machine allows, but those of a host that is root get a sandbox or are not started.
    pub least_isolation: Option<Isolation>,
    /// Where functions may connect to beside the public internet.
    pub allowed_addresses: Vec<AddressRange>,
    /// How visitors' addresses share the host.
    pub shares: ShareRules,
    /// What to do when a port is taken.
    pub ports: PortChoice,
    /// Where telemetry is sent, if it is.
    pub telemetry: Option<TelemetryOptions>,
    /// Who may read what the host counts.
    pub metrics: MetricsAccess,
    /// How much of the disk one project's log may take, in bytes.
    pub log_bytes: u64,
    /// Which deployments stay when garbage is collected; without it all do.
    pub retention: Option<Retention>,
    /// How everything that is kept is read again in the background.
    pub scrub: ScrubPace,
    /// How long requests in flight may take to finish when the host stops.
    pub drain: Duration,
    /// How another host is started that takes over from this one; `None` where none can be.
    pub successor: Option<SuccessorCommand>,
}

/// How everything that is kept is read again in the background, to find damage before somebody asks for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ScrubPace {
    /// How long after its start the host begins.
    pub first: Duration,
    /// How much is read in a second, in bytes, over a whole pass.
    pub bytes_a_second: NonZeroU64,
}

/// Who may read `/metrics` of the control API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MetricsAccess {
    /// Who has a token, as for everything else.
    Token,
    /// Whoever reaches the control API.
    Everybody,
}

/// What to do when a port is taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PortChoice {
    /// Say so and stop: somebody asked for this very port.
    Exact,
    /// Take the next free one: nobody asked for a port.
    NextFree,
}
