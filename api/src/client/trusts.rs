//! Trusts, and the exchange of identities for tokens.

use reqwest::Method;
use ship_core::TrustId;

use super::{Client, ClientError};
use crate::views::{AddTrustRequest, CreatedToken, ExchangeRequest, RemovedTrust, TrustList, TrustView};

impl Client {
    /// The trusts that are good for no more than this client's token.
    pub async fn trusts(&self) -> Result<TrustList, ClientError> {
        self.transport.ask(Method::GET, "/v1/trusts", None::<&()>).await
    }

    /// Trusts jobs of a platform.
    pub async fn add_trust(&self, request: &AddTrustRequest) -> Result<TrustView, ClientError> {
        self.transport.ask(Method::POST, "/v1/trusts", Some(request)).await
    }

    /// Trusts jobs no longer, and ends the tokens that they have.
    pub async fn remove_trust(&self, id: &TrustId) -> Result<RemovedTrust, ClientError> {
        self.transport.ask(Method::DELETE, &format!("/v1/trusts/{id}"), None::<&()>).await
    }

    /// Exchanges an identity for a token. Each identity is good for one.
    pub async fn exchange(&self, request: &ExchangeRequest) -> Result<CreatedToken, ClientError> {
        self.transport.ask(Method::POST, "/v1/exchange", Some(request)).await
    }
}
