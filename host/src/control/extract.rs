//! Reading requests: bodies, path parameters and queries, each with an error in the API's own form.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use serde::de::DeserializeOwned;
use ship_api::ErrorCode;
use ship_core::SiteLimits;

use super::ApiError;
use super::room::{self, Place};
use crate::access::Actor;
use crate::blocking::blocking;

/// From which size on a body is parsed on a thread of its own, so that other clients need not wait for it.
const LARGE_BODY_BYTES: usize = 64 * 1024;

/// The largest body of somebody who has shown no token, in bytes: what is held in memory of strangers. An identity of a job has two
/// thousand, and is taken with up to sixteen.
const STRANGERS_BODY_BYTES: usize = 64 * 1024;

/// A JSON body, of any declared type, up to the size of the largest manifest; of strangers, up to what they have to say.
pub(super) struct Body<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send + 'static> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let is_known = request.extensions().get::<Actor>().is_some();
        let limit = if is_known { SiteLimits::DEFAULT.manifest_bytes } else { STRANGERS_BODY_BYTES };
        let place = request.extensions().get::<Place>().cloned();
        let bytes = room::read(request.into_body(), limit, place.as_ref()).await?;
        if bytes.len() < LARGE_BODY_BYTES {
            return parse(&bytes).map(Self);
        }
        // The place goes along: it is taken for as long as the bytes are, also when the client is gone.
        let parsing = blocking(move || {
            let (_place, bytes) = (place, bytes);
            parse(&bytes)
        });
        parsing.await.map(Self)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(bytes)
        .map_err(|error| ApiError::new(ErrorCode::BadRequest, format!("the body cannot be read: {error}")))
}

/// The parameters in a path.
pub(super) struct Path<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Path(value) = axum::extract::Path::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

/// The parameters in a query.
pub(super) struct Query<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let axum::extract::Query(value) = axum::extract::Query::from_request_parts(parts, state).await?;
        Ok(Self(value))
    }
}

impl From<PathRejection> for ApiError {
    fn from(rejection: PathRejection) -> Self {
        Self::new(ErrorCode::BadRequest, why_path(&rejection))
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> Self {
        Self::new(ErrorCode::BadRequest, why_query(&rejection))
    }
}

/// Why the parts of a path cannot be read, without the library's words in front of it.
pub(crate) fn why_path(rejection: &PathRejection) -> String {
    without("Invalid URL: ", rejection.body_text())
}

/// The same of a query: the field and what is wrong with it.
pub(crate) fn why_query(rejection: &QueryRejection) -> String {
    without("Failed to deserialize query string: ", rejection.body_text())
}

fn without(words: &str, text: String) -> String {
    text.strip_prefix(words).map(str::to_owned).unwrap_or(text)
}
