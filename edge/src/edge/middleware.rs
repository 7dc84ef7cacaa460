//! Middleware: functions that routes ask before they go on. One that fails lets nothing pass.

use std::sync::Arc;

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{Request, Response, Uri};
use http_body_util::Empty;
use ship_core::route::{Heading, Outcome, Pause, Resolution};
use ship_core::{Found, FunctionName, PlatformError, UrlPath};
use ship_runtime::FunctionBody;

use super::decision::decide_again;
use super::{Asked, Edge, Reply, set_route_headers};
use crate::body::EdgeBody;
use crate::caching::Sharing;
use crate::early_hints::hint_by_routes;
use crate::failure::Failure;
use crate::live_deployment::LiveDeployment;
use crate::meters::RequestKind;
use crate::middleware::{Continuation, Rewrite, Verdict};
use crate::passage;
use crate::protocol::headers;

/// What a request meets behind a middleware.
struct Passed {
    resolution: Resolution,
    continuation: Continuation,
}

impl Edge {
    /// Does what the routes have decided, after asking the middleware on the way.
    pub(super) async fn follow(
        &self,
        deployment: &Arc<LiveDeployment>,
        mut resolution: Resolution,
        mut asked: Asked<'_>,
    ) -> Reply {
        let mut passed: Vec<Continuation> = Vec::new();
        let mut reply = loop {
            let Resolution { outcome, headers } = resolution;
            let (function, pause) = match outcome {
                Outcome::Middleware { function, pause } => (function, *pause),
                outcome => {
                    if matches!(outcome, Outcome::Found { found: Found::Function(_), .. }) {
                        hint_by_routes(&asked.parts, &headers);
                    }
                    let mut reply = self.perform(deployment, outcome, asked).await;
                    if reply.error.is_none() {
                        set_route_headers(&mut reply.response, headers);
                    }
                    break reply;
                }
            };
            // Boxed, because its future is large and most sites have none.
            match Box::pin(self.pass(deployment, &function, pause, &mut asked)).await {
                Ok(next) => {
                    resolution = next.resolution;
                    passed.push(next.continuation);
                }
                Err(reply) => break *reply,
            }
        };
        for continuation in passed {
            continuation.add_to(reply.response.headers_mut());
        }
        reply
    }

    /// Asks a middleware. What it changes is changed in `asked`; a response of its own comes back as an error.
    async fn pass(
        &self,
        deployment: &Arc<LiveDeployment>,
        name: &FunctionName,
        pause: Pause,
        asked: &mut Asked<'_>,
    ) -> Result<Passed, Box<Reply>> {
        let function = deployment.manifest().function_at(name);
        // What the middleware judges is what is looked up behind it, and what functions there see: one reading of the path.
        match normalised(&asked.parts.uri) {
            Some(uri) => asked.parts.uri = uri,
            None => return Err(Box::new(self.fail(PlatformError::MalformedRequest.into(), asked))),
        }
        let failed = |failure: Failure, asked: &Asked<'_>| Reply {
            kind: RequestKind::Function,
            function,
            ..self.fail(failure, asked)
        };
        let mut response = match self.ask_middleware(deployment, name, asked).await {
            Ok(response) => response,
            Err(failure) => return Err(Box::new(failed(failure, asked))),
        };
        let verdict = Verdict::take(response.headers_mut(), asked.parts.headers.get(http::header::HOST));
        let continuation = match verdict {
            Ok(Verdict::Continue(continuation)) => continuation,
            Ok(Verdict::Answer) => {
                let mut response = response.map(EdgeBody::function);
                set_route_headers(&mut response, pause.into_headers());
                return Err(Box::new(Reply { response, kind: RequestKind::Function, function, error: None }));
            }
            Err(error) => {
                tracing::warn!(deployment = %deployment.id(), %error, "a middleware's answer cannot be followed");
                return Err(Box::new(failed(PlatformError::MiddlewareInvocationFailed.into(), asked)));
            }
        };
        if continuation.changes_headers() {
            // What it says of this visitor is no part of any key.
            asked.sharing = Sharing::Forbidden;
        }
        continuation.change(&mut asked.parts.headers);
        let resolution = match &continuation.rewrite {
            None => decide_again(deployment, &asked.parts, pause, Heading::AsBefore),
            Some(Rewrite::Here(target)) => {
                asked.parts.uri = Uri::from(target.clone());
                decide_again(deployment, &asked.parts, pause, Heading::Rewritten)
            }
            Some(Rewrite::Elsewhere(url)) => {
                let outcome = Outcome::External { url: url.clone(), status: None };
                Resolution { outcome, headers: pause.into_headers() }
            }
        };
        Ok(Passed { resolution, continuation })
    }

    /// What a middleware says to a request. It sees all of it but its body.
    async fn ask_middleware(
        &self,
        deployment: &Arc<LiveDeployment>,
        name: &FunctionName,
        asked: &Asked<'_>,
    ) -> Result<Response<FunctionBody>, Failure> {
        let parts = &asked.parts;
        passage::check_circles(&parts.headers)?;
        let function = deployment.manifest().function_at(name).ok_or(PlatformError::MiddlewareInvocationFailed)?;
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = parts.uri.path_and_query().cloned().map_or_else(Uri::default, Uri::from);
        *request.headers_mut() = parts.headers.clone();
        let sent = request.headers_mut();
        headers::drop_hop_by_hop(sent);
        sent.remove(CONTENT_LENGTH);
        headers::set_forwarded(sent, asked.visitor.peer.ip(), asked.visitor.scheme.as_str());
        passage::mark(sent);
        let answer = self.functions.ask(deployment, function, asked.visit, request).await;
        answer.map_err(|failure| match failure.error {
            // It is not the site's fault, and will pass.
            Some(PlatformError::FunctionThrottled) => failure,
            Some(PlatformError::FunctionInvocationTimeout) => PlatformError::MiddlewareInvocationTimeout.into(),
            _ => PlatformError::MiddlewareInvocationFailed.into(),
        })
    }
}

/// The path as routing reads it, with the query as it was sent.
fn normalised(uri: &Uri) -> Option<Uri> {
    let path = UrlPath::parse(uri.path()).ok()?.to_escaped();
    let target = uri.query().map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    target.parse().ok()
}
