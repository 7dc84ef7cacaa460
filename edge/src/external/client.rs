//! The HTTP client towards other hosts: kept-alive connections, TLS with the certificates that the machine trusts.

use std::error::Error;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::rt::TokioTimer;
use rustls::ClientConfig;
use rustls_platform_verifier::BuilderVerifierExt as _;
use ship_core::PlatformError;

use super::address::ExternalReach;
use super::connector::{GuardedConnector, TargetError};
use crate::client_connections::ClientConnections;
use crate::inbound_body::InboundBody;

/// How long a connection is kept that nobody needs. Shorter than most servers keep theirs, so that they seldom close one that is
/// about to be used.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// How many such connections there are to one host.
const IDLE_CONNECTIONS: usize = 32;

type Pool = Client<HttpsConnector<GuardedConnector>, InboundBody>;

/// The client, made when it is first needed: most sites never need it, and reading the machine's certificates takes time and
/// memory.
pub(super) struct ExternalClient {
    reach: ExternalReach,
    pool: OnceLock<Pool>,
    connections: ClientConnections,
}

/// Why another host did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// The certificates that the machine trusts cannot be read.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// It could not be reached, or broke off.
    #[error("{}", with_causes(.0))]
    Client(#[source] ClientError),
}

impl ExternalClient {
    pub(super) fn new(reach: ExternalReach) -> Self {
        Self { reach, pool: OnceLock::new(), connections: ClientConnections::default() }
    }

    /// Asks the host that the request's URI names.
    pub(super) async fn ask(&self, request: Request<InboundBody>) -> Result<Response<Incoming>, AskError> {
        let pool = if let Some(pool) = self.pool.get() {
            pool
        } else {
            let pool = self.make_pool().map_err(AskError::Tls)?;
            self.pool.get_or_init(|| pool)
        };
        pool.request(request).await.map_err(AskError::Client)
    }

    /// Closes all connections.
    pub(super) async fn stop(&self) {
        self.connections.close().await;
    }

    fn make_pool(&self) -> Result<Pool, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_platform_verifier()?
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(GuardedConnector::new(self.reach));
        Ok(Client::builder(self.connections.clone())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_timer(TokioTimer::new())
            .build(connector))
    }
}

/// What a visitor is told.
pub(super) fn blame(error: &AskError) -> PlatformError {
    let AskError::Client(error) = error else { return PlatformError::Internal };
    for cause in causes(error) {
        match cause.downcast_ref::<TargetError>() {
            Some(TargetError::NotFound(_)) => return PlatformError::DnsHostnameNotFound,
            Some(TargetError::Private) => return PlatformError::DnsHostnameResolvedPrivate,
            None => {}
        }
        if is_of_tls(cause) {
            return PlatformError::ExternalTargetHandshakeError;
        }
    }
    if error.is_connect() { PlatformError::ExternalTargetConnectionError } else { PlatformError::ExternalTargetError }
}

/// Whether an error is TLS's: errors of I/O carry it inside of each other.
fn is_of_tls(error: &(dyn Error + 'static)) -> bool {
    let inside = || error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || inside().is_some_and(|inner| is_of_tls(inner))
}

fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

fn with_causes(error: &ClientError) -> String {
    causes(error).map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
