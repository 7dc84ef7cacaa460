//! What an address asks for: the parts of its path and its query. Where they cannot be read there is a page that says why.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::de::DeserializeOwned;
use ship_api::{ErrorCode, ErrorDetail};

use super::Dashboard;
use super::failure::Failure;
use super::seat::Seat;
use crate::control::{why_path, why_query};

/// The parts of a path that stand for something.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Dashboard>> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Arc<Dashboard>) -> Result<Self, Failure> {
        match axum::extract::Path::from_request_parts(parts, dashboard).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            // What is no name and no id is that of nothing.
            Err(rejection) => Err(refusal(parts, dashboard, ErrorCode::NotFound, why_path(&rejection)).await),
        }
    }
}

/// The fields of a query.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Dashboard>> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, dashboard: &Arc<Dashboard>) -> Result<Self, Failure> {
        match axum::extract::Query::from_request_parts(parts, dashboard).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(refusal(parts, dashboard, ErrorCode::BadRequest, why_query(&rejection)).await),
        }
    }
}

/// The page for whoever is logged in; others are led to the login, whatever they ask for.
async fn refusal(parts: &mut Parts, dashboard: &Arc<Dashboard>, code: ErrorCode, message: String) -> Failure {
    match Seat::from_request_parts(parts, dashboard).await {
        Ok(seat) => seat.failure(&ErrorDetail::new(code, message)),
        Err(failure) => failure,
    }
}
