//! Connections to other hosts: what a name resolves to is looked at before it is connected to.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;

use super::address::ExternalReach;

/// How long a connection may take to be made, over all addresses of a host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A host that is not connected to.
#[derive(Debug, thiserror::Error)]
pub(super) enum TargetError {
    /// Its name leads nowhere.
    #[error("the host name has no address")]
    NotFound(#[source] io::Error),
    /// It leads to where visitors must not be led.
    #[error("the host is not part of the public internet")]
    Private,
}

/// Makes connections, if they may be made.
#[derive(Clone)]
pub(super) struct GuardedConnector {
    http: HttpConnector<GuardedResolver>,
    reach: ExternalReach,
}

impl GuardedConnector {
    pub(super) fn new(reach: ExternalReach) -> Self {
        let mut http = HttpConnector::new_with_resolver(GuardedResolver { reach });
        // TLS comes on top of it.
        http.enforce_http(false);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        http.set_nodelay(true);
        Self { http, reach }
    }
}

type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl Service<Uri> for GuardedConnector {
    type Response = <HttpConnector<GuardedResolver> as Service<Uri>>::Response;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Connecting<Self::Response, Self::Error>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.http.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        // An address that is written out is never resolved, so it is looked at here.
        let written = target.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if written.parse().is_ok_and(|address: IpAddr| !self.reach.allows(address)) {
            return Box::pin(std::future::ready(Err(TargetError::Private.into())));
        }
        let connecting = self.http.call(target);
        Box::pin(async move { connecting.await.map_err(Into::into) })
    }
}

/// Resolves names to the addresses that may be connected to.
#[derive(Clone)]
pub(super) struct GuardedResolver {
    reach: ExternalReach,
}

impl Service<Name> for GuardedResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = TargetError;
    type Future = Connecting<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let reach = self.reach;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(TargetError::NotFound)?;
            let allowed: Vec<SocketAddr> = found.filter(|address| reach.allows(address.ip())).collect();
            if allowed.is_empty() { Err(TargetError::Private) } else { Ok(allowed.into_iter()) }
        })
    }
}
