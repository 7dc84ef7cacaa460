//! One invocation: the request is made fit for the function, and its response for the visitor.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::HOST;
use http::uri::PathAndQuery;
use http::{Request, Response, StatusCode, Uri, request};
use http_body::Body;
use hyper::upgrade::OnUpgrade;
use ship_core::{FunctionIndex, PlatformError};
use ship_runtime::{FunctionBody, InvokeError, Runtime};
use ship_store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::upgrade;
use crate::body::{BodyError, EdgeBody};
use crate::failure::Failure;
use crate::fast_path::{Continuation, GivenCall, Going};
use crate::inbound_body::InboundBody;
use crate::live_deployment::LiveDeployment;
use crate::meters::Meters;
use crate::passage;
use crate::protocol::headers;
use crate::request_log::Visit;
use crate::serve::Errand;
use crate::visitor::Visitor;
use crate::visitor_body::VisitorBody;

/// Invokes functions.
pub(crate) struct FunctionServer {
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) meters: Arc<Meters>,
    /// The WebSocket connections that are open.
    pub(crate) websockets: TaskTracker,
    /// What goes on without a visitor who waits for it.
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
}

/// A request for a function.
pub(crate) struct FunctionRequest<'r> {
    pub(crate) visit: &'r Visit,
    pub(crate) parts: request::Parts,
    pub(crate) body: VisitorBody,
    /// The query that the function sees: the visitor's, and what routes made of the path.
    pub(crate) query: Option<String>,
    pub(crate) visitor: &'r Visitor,
}

impl FunctionRequest<'_> {
    /// The path as the visitor sent it, with the query of the routes.
    pub(crate) fn function_uri(&self) -> Uri {
        function_uri(&self.parts.uri, self.query.as_deref())
    }
}

impl FunctionServer {
    /// Asks a function.
    pub(crate) async fn invoke(
        &self,
        deployment: &LiveDeployment,
        function: FunctionIndex,
        mut request: FunctionRequest<'_>,
    ) -> Result<Response<EdgeBody>, Failure> {
        let max_body_bytes = deployment.max_body_bytes(function);
        passage::check_size(&request.parts.headers, max_body_bytes)?;
        passage::check_circles(&request.parts.headers)?;
        let visitor_upgrade = prepare(&mut request);
        let (body, verdict) = InboundBody::new(request.body, max_body_bytes);
        let upload = deployment.upload_places(function).admit(body).await;
        let upload = upload.map_err(|_| verdict.failure().unwrap_or(PlatformError::MalformedRequest.into()))?;
        let place = upload.place();
        let outbound = Request::from_parts(request.parts, upload);
        let answered = self.ask(deployment, function, request.visit, outbound).await;
        if let Some(place) = place {
            place.leave();
        }
        let response = answered.map_err(|failure| verdict.failure().unwrap_or(failure))?;
        Ok(self.finish(response, visitor_upgrade)?)
    }

    /// Asks a function with a request that is fit for it. What comes back is fit for visitors, but for an upgrade.
    pub(crate) async fn ask<B>(
        &self,
        deployment: &LiveDeployment,
        function: FunctionIndex,
        visit: &Visit,
        request: Request<B>,
    ) -> Result<Response<FunctionBody>, Failure>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        Errand::begins(request.extensions());
        let given = Continuation::call(request.extensions());
        let asked = given.as_ref().map_or_else(Instant::now, |given| given.asked);
        visit.findings.asks(function);
        let answered = self.answer(deployment, function, visit, request, given).await;
        let meters = deployment.function_meters(&self.meters, function);
        let response = answered.inspect_err(|failure| meters.failed(asked.elapsed(), failure.error))?;
        Ok(self.answered(deployment, function, visit, asked, response))
    }

    /// Notes that a function has answered, and makes the answer fit for visitors.
    pub(crate) fn answered(
        &self,
        deployment: &LiveDeployment,
        function: FunctionIndex,
        visit: &Visit,
        asked: Instant,
        mut response: Response<FunctionBody>,
    ) -> Response<FunctionBody> {
        let course = response.body().course();
        deployment.function_meters(&self.meters, function).answered(asked.elapsed(), course);
        visit.findings.answered(course);
        headers::drop_hop_by_hop_but_trailers(response.headers_mut());
        headers::drop_platform(response.headers_mut());
        response
    }

    async fn answer<B>(
        &self,
        deployment: &LiveDeployment,
        function: FunctionIndex,
        visit: &Visit,
        request: Request<B>,
        given: Option<GivenCall>,
    ) -> Result<Response<FunctionBody>, Failure>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BodyError>,
    {
        let spec = deployment.function_spec(&self.store, function).await.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a function cannot be made ready");
            if error.is_damage() { PlatformError::BlobCorrupt } else { PlatformError::FunctionInvocationFailed }
        })?;
        let going = given.map(|given| given.going);
        let answered = match going {
            None => self.runtime.invoke(&spec, visit.id, request).await,
            // Boxed, because its future is large and most calls are made here.
            Some(Going::Begun(begun)) => Box::pin(self.runtime.go_on(&spec, visit.id, begun, request)).await,
            Some(Going::Answered(response)) => Ok(response),
        };
        answered.map_err(|error| {
            if let InvokeError::Failed(_) = &error {
                self.doubt(deployment, function);
            }
            blame(&error)
        })
    }

    /// The function's response as the visitor gets it.
    fn finish(
        &self,
        response: Response<FunctionBody>,
        visitor_upgrade: Option<OnUpgrade>,
    ) -> Result<Response<EdgeBody>, PlatformError> {
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(response.map(EdgeBody::function));
        }
        let (head, body) = response.into_parts();
        let (Some(visitor_upgrade), Some(function)) = (visitor_upgrade, body.into_upgraded()) else {
            return Err(PlatformError::InvalidFunctionResponse);
        };
        upgrade::join(visitor_upgrade, function, &self.websockets, self.stop.clone());
        let mut response = Response::from_parts(head, EdgeBody::empty());
        upgrade::announce(response.headers_mut());
        Ok(response)
    }
}

/// Makes a request's head fit for the function: the visitor's path with the query of the routes, no headers of this hop, and
/// where the request came from. Gives the visitor's connection if it is to become a WebSocket.
fn prepare(request: &mut FunctionRequest<'_>) -> Option<OnUpgrade> {
    let parts = &mut request.parts;
    let upgrade = parts.extensions.remove::<OnUpgrade>();
    let upgrade = upgrade.filter(|_| upgrade::asks_for_websocket(&parts.method, &parts.headers));
    parts.uri = function_uri(&parts.uri, request.query.as_deref());
    headers::drop_hop_by_hop_but_trailers(&mut parts.headers);
    if upgrade.is_some() {
        upgrade::announce(&mut parts.headers);
    }
    headers::set_forwarded(&mut parts.headers, request.visitor.peer.ip(), request.visitor.scheme.as_str());
    passage::mark(&mut parts.headers);
    debug_assert!(parts.headers.contains_key(HOST));
    upgrade
}

/// The path as the visitor sent it, with the query of the routes.
fn function_uri(asked: &Uri, query: Option<&str>) -> Uri {
    let same = || asked.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/"));
    let path_and_query = if asked.query() == query {
        same()
    } else {
        let written = query.map_or_else(|| asked.path().to_owned(), |query| format!("{}?{query}", asked.path()));
        // What routes add is escaped, so this fails only for a path and query that are together longer than a URI may be.
        written.parse().unwrap_or_else(|_| same())
    };
    Uri::from(path_and_query)
}

fn blame(error: &InvokeError) -> Failure {
    let retry_after_secs = match error {
        InvokeError::Throttled { retry_after_secs } => Some(*retry_after_secs),
        _ => None,
    };
    Failure { retry_after_secs, ..error.platform_error().into() }
}
