//! The types that handlers may take and give, turned from and into those of the server.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;

use bytes::Bytes;
use http_body_util::combinators::{BoxBody, UnsyncBoxBody};
use http_body_util::{BodyExt, Empty, Full, StreamBody};
use hyper::body::{Body, Incoming};

/// Any error.
pub type AnyError = Box<dyn std::error::Error + Send + Sync>;
/// What the server sends.
pub type Sent = UnsyncBoxBody<Bytes, AnyError>;

/// What a handler may take.
pub trait FromRequest: Sized + Send {
    /// It, of what has arrived.
    fn from_request(request: http::Request<Incoming>) -> impl Future<Output = Result<Self, AnyError>> + Send;
}

impl<B: FromBody> FromRequest for http::Request<B> {
    async fn from_request(request: http::Request<Incoming>) -> Result<Self, AnyError> {
        let (parts, body) = request.into_parts();
        Ok(http::Request::from_parts(parts, B::from_body(body).await?))
    }
}

/// What the body of a handler's request may be.
pub trait FromBody: Sized + Send {
    /// It, of what arrives.
    fn from_body(body: Incoming) -> impl Future<Output = Result<Self, AnyError>> + Send;
}

impl FromBody for Incoming {
    async fn from_body(body: Incoming) -> Result<Self, AnyError> {
        Ok(body)
    }
}

impl FromBody for () {
    async fn from_body(_: Incoming) -> Result<Self, AnyError> {
        Ok(())
    }
}

impl FromBody for Bytes {
    async fn from_body(body: Incoming) -> Result<Self, AnyError> {
        Ok(body.collect().await?.to_bytes())
    }
}

impl FromBody for Vec<u8> {
    async fn from_body(body: Incoming) -> Result<Self, AnyError> {
        Ok(Bytes::from_body(body).await?.into())
    }
}

impl FromBody for String {
    async fn from_body(body: Incoming) -> Result<Self, AnyError> {
        Ok(String::from_utf8(Vec::from_body(body).await?)?)
    }
}

impl FromBody for Full<Bytes> {
    async fn from_body(body: Incoming) -> Result<Self, AnyError> {
        Ok(Full::new(Bytes::from_body(body).await?))
    }
}

impl<E: From<hyper::Error> + 'static> FromBody for BoxBody<Bytes, E> {
    async fn from_body(body: Incoming) -> Result<Self, AnyError> {
        Ok(body.map_err(E::from).boxed())
    }
}

#[cfg(feature = "axum")]
impl FromBody for axum::body::Body {
    async fn from_body(body: Incoming) -> Result<Self, AnyError> {
        Ok(axum::body::Body::new(body))
    }
}

/// What a handler may give: a response, or that or an error.
pub trait Outcome {
    /// The response, or what went wrong, in words.
    fn into_result(self) -> Result<http::Response<Sent>, String>;
}

impl<A: Answer, E: Display> Outcome for Result<A, E> {
    fn into_result(self) -> Result<http::Response<Sent>, String> {
        self.map(Answer::into_answer).map_err(|error| error.to_string())
    }
}

impl<B: IntoBody> Outcome for http::Response<B> {
    fn into_result(self) -> Result<http::Response<Sent>, String> {
        Ok(self.into_answer())
    }
}

/// What a handler's response may be.
pub trait Answer {
    /// It, as the server sends it.
    fn into_answer(self) -> http::Response<Sent>;
}

impl<B: IntoBody> Answer for http::Response<B> {
    fn into_answer(self) -> http::Response<Sent> {
        self.map(IntoBody::into_body)
    }
}

impl Answer for String {
    fn into_answer(self) -> http::Response<Sent> {
        http::Response::new(self.into_body())
    }
}

impl Answer for &'static str {
    fn into_answer(self) -> http::Response<Sent> {
        http::Response::new(self.into_body())
    }
}

/// What the body of a handler's response may be.
pub trait IntoBody {
    /// It, as the server sends it.
    fn into_body(self) -> Sent;
}

fn sent<B: Body<Data = Bytes> + Send + 'static>(body: B) -> Sent
where
    B::Error: Into<AnyError>,
{
    body.map_err(Into::into).boxed_unsync()
}

fn full(bytes: impl Into<Bytes>) -> Sent {
    Full::new(bytes.into()).map_err(|never: Infallible| match never {}).boxed_unsync()
}

macro_rules! bytes_like {
    ($($body:ty),*) => {
        $(impl IntoBody for $body {
            fn into_body(self) -> Sent {
                full(self)
            }
        })*
    };
}

bytes_like!(Bytes, Vec<u8>, String, &'static str, &'static [u8]);

impl IntoBody for () {
    fn into_body(self) -> Sent {
        full(Bytes::new())
    }
}

impl IntoBody for Full<Bytes> {
    fn into_body(self) -> Sent {
        sent(self)
    }
}

impl IntoBody for Empty<Bytes> {
    fn into_body(self) -> Sent {
        sent(self)
    }
}

impl IntoBody for Incoming {
    fn into_body(self) -> Sent {
        sent(self)
    }
}

impl<E: Into<AnyError> + 'static> IntoBody for BoxBody<Bytes, E> {
    fn into_body(self) -> Sent {
        sent(self)
    }
}

impl<E: Into<AnyError> + 'static> IntoBody for UnsyncBoxBody<Bytes, E> {
    fn into_body(self) -> Sent {
        sent(self)
    }
}

impl<S> IntoBody for StreamBody<S>
where
    Self: Body<Data = Bytes> + Send + 'static,
    <Self as Body>::Error: Into<AnyError>,
{
    fn into_body(self) -> Sent {
        sent(self)
    }
}

#[cfg(feature = "axum")]
impl IntoBody for axum::body::Body {
    fn into_body(self) -> Sent {
        sent(self)
    }
}
