//! Pages that say why there is no other.

use axum::response::{IntoResponse, Response};

/// A page that says why there is no other.
pub(super) struct Failure(Box<Response>);

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Response> for Failure {
    fn from(page: Response) -> Self {
        Self(Box::new(page))
    }
}
