//! Forms that were sent.

use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts as _, Request};
use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Deserializer};
use ship_api::{ErrorCode, ErrorDetail};
use subtle::ConstantTimeEq as _;

use super::Dashboard;
use super::failure::Failure;
use super::seat::Seat;

/// The largest form, in bytes: its longest field is a name or a token.
const FORM_BYTES: usize = 16 * 1024;

/// What each form has beside what it asks for.
#[derive(serde::Deserialize)]
struct Proof {
    #[serde(default)]
    proof: String,
}

/// A form that says nothing but that it was sent.
#[derive(serde::Deserialize)]
pub(super) struct Agreed {}

/// Reads a field that may be left empty.
pub(super) fn filled<'de, D, T>(field: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = String::deserialize(field)?;
    let text = text.trim();
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(serde::de::Error::custom) }
}

/// A form that somebody who is logged in sent from a page of their own session.
pub(super) struct Posted<T> {
    pub(super) seat: Seat,
    pub(super) form: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<Dashboard>> for Posted<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, dashboard: &Arc<Dashboard>) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let seat = Seat::from_request_parts(&mut parts, dashboard).await?;
        let wrong = |code, message: String| seat.failure(&ErrorDetail::new(code, message));
        let bytes = axum::body::to_bytes(body, FORM_BYTES).await;
        let bytes = bytes.map_err(|_| wrong(ErrorCode::PayloadTooLarge, "the form is too large".to_owned()))?;
        let Proof { proof } = serde_urlencoded::from_bytes(&bytes).unwrap_or(Proof { proof: String::new() });
        if !bool::from(proof.as_bytes().ct_eq(seat.proof().as_bytes())) {
            let message = "the form was not made for this login: go back, load the page again, and send it once more";
            return Err(wrong(ErrorCode::Forbidden, message.to_owned()));
        }
        match serde_urlencoded::from_bytes(&bytes) {
            Ok(form) => Ok(Self { seat, form }),
            Err(error) => Err(wrong(ErrorCode::BadRequest, format!("the form cannot be read: {error}"))),
        }
    }
}
