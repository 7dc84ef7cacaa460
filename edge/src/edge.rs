//! The edge itself: what happens to a request from its head to its response, in order.

mod at_once;
mod decision;
mod function;
mod gatekeeping;
mod middleware;
mod options;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header, request};
use ship_core::route::Outcome;
use ship_core::{AssetIndex, Found, FunctionIndex, LogLevel, LogRecord, LogSource, PlatformError, ProjectName};
use ship_runtime::{LogSink, Runtime};
use ship_store::Store;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::assets::{AssetRequest, AssetServer, ContentCache, PageScript, REVALIDATE, VariantWorker};
use crate::body::EdgeBody;
use crate::caching::{CachingServer, Sharing};
use crate::cors::CorsVisit;
use crate::error_page::ErrorPages;
use crate::external::{ExternalRequest, ExternalServer};
use crate::failure::Failure;
use crate::fast_path::Continuation;
use crate::functions::FunctionServer;
use crate::gate::{ROBOTS_TAG, Shown, has_shown};
use crate::kept::Shelf;
use crate::live_deployment::LiveDeployment;
use crate::meters::{EdgeCounts, Meters, RequestKind};
use crate::prerender::PrerenderServer;
use crate::protocol::accept_page::ErrorForm;
use crate::protocol::authority::request_authority;
use crate::protocol::headers;
use crate::protocol::normal_path::NormalPath;
use crate::request_log::{LogDesk, RequestLog, Visit};
use crate::server_timing::{self, ServerTiming};
use crate::trace;
use crate::visitor::Visitor;
use crate::visitor_body::VisitorBody;
use decision::decide;
use function::Call;
use gatekeeping::Arrival;

pub use options::{EdgeOptions, Indexing, Site, Traces};

/// A site's own page for what it does not have.
const NOT_FOUND_PAGE: &str = "/404.html";

/// Below it paths are for programs: an error there is JSON unless a page is asked for.
const API_PREFIX: &str = "/api/";

/// Answers visitors' requests.
pub struct Edge {
    desk: Arc<LogDesk>,
    assets: Arc<AssetServer>,
    functions: Arc<FunctionServer>,
    prerendered: PrerenderServer,
    cached: CachingServer,
    /// What both of them keep.
    shelf: Arc<Shelf>,
    external: ExternalServer,
    pages: ErrorPages,
    meters: Arc<Meters>,
    traces: Traces,
}

/// A response on its way, and what the log will say of it.
struct Reply {
    response: Response<EdgeBody>,
    kind: RequestKind,
    function: Option<FunctionIndex>,
    error: Option<PlatformError>,
}

/// A request, taken apart: its head, and its body as long as nobody took it.
struct Asked<'r> {
    visit: &'r Visit,
    visitor: &'r Visitor,
    parts: request::Parts,
    body: VisitorBody,
    /// What it shows to a gate.
    shown: Shown,
    /// Whether it may be answered with what others were told.
    sharing: Sharing,
}

impl Edge {
    /// An edge over a store and a runtime.
    pub fn new(store: Store, runtime: Runtime, logs: Arc<dyn LogSink>, options: EdgeOptions) -> Self {
        let assets = Arc::new(AssetServer {
            store: store.clone(),
            cache: ContentCache::new(options.cache_bytes),
            variants: VariantWorker::new(store.clone()),
            page_script: options.page_script.map(PageScript::new),
        });
        let meters = Arc::<Meters>::default();
        let functions = Arc::new(FunctionServer {
            store,
            runtime,
            meters: Arc::clone(&meters),
            websockets: TaskTracker::new(),
            tasks: TaskTracker::new(),
            stop: CancellationToken::new(),
        });
        let desk = Arc::new(LogDesk { sink: logs, meters: Arc::clone(&meters) });
        let shelf = Arc::new(Shelf::new(options.page_cache_bytes));
        let of_pages = (Arc::clone(&functions), Arc::clone(&assets), Arc::clone(&desk));
        let prerendered = PrerenderServer::new(of_pages.0, of_pages.1, of_pages.2, Arc::clone(&shelf));
        let cached = CachingServer::new(Arc::clone(&functions), Arc::clone(&desk), Arc::clone(&shelf));
        let external = ExternalServer::new(options.external_reach, options.max_body_bytes);
        Self {
            desk,
            assets,
            functions,
            prerendered,
            cached,
            shelf,
            external,
            pages: ErrorPages::new(),
            meters,
            traces: options.traces,
        }
    }

    /// Has the compressed variants of a deployment's assets made in the background. To be called after publish, and whenever
    /// a deployment is loaded.
    pub fn prepare(&self, deployment: &Arc<LiveDeployment>) {
        self.assets.variants.prepare(deployment);
    }

    /// Waits until the last WebSocket has ended by itself. No request may come in any more.
    pub async fn websockets_ended(&self) {
        self.functions.websockets.close();
        self.functions.websockets.wait().await;
    }

    /// Ends what the edge does in the background: open WebSocket connections and those to other hosts
    /// are closed, pages are not made anew any more, compression stops after the file it is at.
    pub async fn shutdown(&self) {
        self.prerendered.shutdown().await;
        self.cached.shutdown().await;
        self.functions.stop.cancel();
        self.functions.websockets.close();
        self.functions.websockets.wait().await;
        self.functions.tasks.close();
        self.functions.tasks.wait().await;
        self.external.stop().await;
        self.assets.variants.stop().await;
    }

    /// Answers a request for `site`. Never fails: what goes wrong becomes an error response with a code. One log record is
    /// written when the response has ended, or when the visitor has left.
    pub async fn respond(&self, site: &Site, request: Request<VisitorBody>, visitor: &Visitor) -> Response<EdgeBody> {
        // What was begun with a deployment ends with it.
        let (begun_site, begun_log) = Continuation::beginning(request.extensions()).unzip();
        let site = begun_site.as_ref().unwrap_or(site);
        let (mut parts, body) = request.into_parts();
        let is_asked_for = site.gate.is_some() || has_shown(&parts.uri);
        let shown = if is_asked_for { Shown::take(&mut parts) } else { Shown::default() };
        // What is shown to a gate is no part of the log.
        let mut log = begun_log.unwrap_or_else(|| {
            let visit = Visit::begin(&parts.method, &parts.uri, &parts.headers);
            RequestLog::begin(visit, Arc::clone(&site.deployment), Arc::clone(&self.desk))
        });
        headers::drop_forged(&mut parts.headers);
        if self.traces == Traces::Joined {
            log.visit.trace = Some(trace::join(log.visit.id, &mut parts.headers));
        }
        let sharing = if site.gate.is_some() { Sharing::Forbidden } else { Sharing::Allowed };
        let reply = self.reply(site, Asked { visit: &log.visit, visitor, parts, body, shown, sharing }).await;
        let Reply { mut response, kind, function, error } = reply;
        complete(site, &log.visit, response.headers_mut());
        (log.status, log.kind, log.function, log.error) = (response.status(), kind, function, error);
        response.body_mut().log_at_end(log);
        response
    }

    /// What was counted since the edge began.
    pub fn counts(&self) -> EdgeCounts {
        let (kept_answers, kept_bytes) = (self.shelf.len(), self.shelf.bytes());
        EdgeCounts { kept_answers, kept_bytes, ..self.meters.counts() }
    }

    /// Forgets what was counted of a project that was removed.
    pub fn forget(&self, project: &ProjectName) {
        self.meters.forget(project);
    }

    /// The answer where no deployment stands at a host name.
    pub fn not_found_site<B>(&self, request: &Request<B>) -> Response<EdgeBody> {
        self.meters.homeless.increment();
        self.platform_error(PlatformError::DeploymentNotFound, request)
    }

    /// The answer for an error outside of any deployment. It is not logged: there is no project whose log it would belong to.
    pub fn platform_error<B>(&self, error: PlatformError, request: &Request<B>) -> Response<EdgeBody> {
        let visit = Visit::begin(request.method(), request.uri(), request.headers());
        let form = error_form(request.uri().path(), request.headers());
        let mut response = self.pages.respond(error.into(), visit.id, form, self.assets.page_script.as_ref());
        response.headers_mut().insert(headers::SHIP_ID, visit.id_header());
        response
    }

    /// A redirect outside of any deployment, to stay for good and with the same method. It is not logged either.
    pub fn redirect<B>(&self, location: &str, request: &Request<B>) -> Response<EdgeBody> {
        let Ok(mut response) = redirect(StatusCode::PERMANENT_REDIRECT.as_u16(), location) else {
            return self.platform_error(PlatformError::MalformedRequest, request);
        };
        response
            .headers_mut()
            .insert(headers::SHIP_ID, Visit::begin(request.method(), request.uri(), request.headers()).id_header());
        response
    }

    async fn reply(&self, site: &Site, mut asked: Asked<'_>) -> Reply {
        let deployment = &site.deployment;
        let (uri, request_headers) = (&asked.parts.uri, &asked.parts.headers);
        let path = request_authority(uri, request_headers).and_then(|_| NormalPath::parse(uri.path()).ok());
        let Some(path) = path else { return self.fail(PlatformError::MalformedRequest.into(), &asked) };
        let rules = deployment.manifest().cors();
        let cors = CorsVisit::begin(rules, path.as_str(), request_headers, &*site.own_origins);
        if let Some(preflight) = cors.as_ref().and_then(|cors| cors.preflight(&asked.parts.method, request_headers)) {
            return Reply { response: preflight, kind: RequestKind::Routing, function: None, error: None };
        }
        if let Some(gate) = &site.gate {
            let Asked { visit, visitor, ref parts, ref mut body, ref shown, .. } = asked;
            let arrival = Arrival { visit, visitor, parts, shown, body };
            // Boxed, because its future is large and most sites have none.
            if let Some(mut refused) = Box::pin(self.pass_gate(&**gate, arrival)).await {
                if let Some(cors) = cors {
                    cors.finish(refused.response.headers_mut());
                }
                return refused;
            }
        }
        let resolution = decide(deployment, path, &asked.parts);
        if site.timing == ServerTiming::Shown {
            asked.visit.findings.routed(asked.visit.started.elapsed());
        }
        let mut reply = self.follow(deployment, resolution, asked).await;
        if let Some(cors) = cors {
            cors.finish(reply.response.headers_mut());
        }
        reply
    }

    async fn perform(&self, deployment: &Arc<LiveDeployment>, outcome: Outcome, asked: Asked<'_>) -> Reply {
        let mut kind = RequestKind::Routing;
        let made = match outcome {
            Outcome::Found { found: Found::Asset(asset), status, .. } => {
                kind = RequestKind::Static;
                self.asset(deployment, asset, status, &asked).await
            }
            Outcome::Found { found: Found::Function(function), query, status } => {
                // Boxed, because its future is large and most requests are for assets.
                return Box::pin(self.function(deployment, Call { function, query, status }, asked)).await;
            }
            Outcome::Redirect { status, location } => redirect(status, &location),
            Outcome::Status(status) => status_only(status),
            // `follow` asks it; where it comes here nobody has, so nothing passes.
            Outcome::Middleware { .. } => Err(PlatformError::MiddlewareInvocationFailed.into()),
            Outcome::NotFound => match deployment.index().find(NOT_FOUND_PAGE) {
                // A person sees the site's own page; a program that calls the API does not.
                Some(Found::Asset(page)) if !is_for_programs(asked.parts.uri.path()) => {
                    kind = RequestKind::Static;
                    self.asset(deployment, page, Some(404), &asked).await
                }
                _ => Err(PlatformError::NotFound.into()),
            },
            // Boxed, like a function's.
            Outcome::External { url, status } => return Box::pin(self.external(&url, status, asked)).await,
            Outcome::Exhausted { pattern } => {
                self.tell_exhausted(deployment, &pattern, asked.visit);
                Err(PlatformError::RoutePatternExhausted.into())
            }
        };
        match made {
            Ok(response) => Reply { response, kind, function: None, error: None },
            Err(failure) => Reply { kind, ..self.fail(failure, &asked) },
        }
    }

    /// Says in the log which pattern took too many steps, now and then: visitors choose how often it does.
    fn tell_exhausted(&self, deployment: &LiveDeployment, pattern: &str, visit: &Visit) {
        tracing::debug!(deployment = %deployment.id(), %pattern, "a route's pattern took too many steps");
        if deployment.last_exhaustion().take(visit.started) {
            let message = format!("the route pattern `{pattern}` took too many steps on a path");
            let source = LogSource::Platform { function: None, message };
            let (deployment_id, requests) = (*deployment.id(), vec![visit.id]);
            let record =
                LogRecord { at: visit.at, level: LogLevel::Error, deployment: deployment_id, requests, source };
            self.desk.sink.record(deployment.project(), record);
        }
    }

    async fn asset(
        &self,
        deployment: &Arc<LiveDeployment>,
        index: AssetIndex,
        status: Option<u16>,
        asked: &Asked<'_>,
    ) -> Result<Response<EdgeBody>, Failure> {
        let status = status.map(status_code).transpose()?;
        let method = &asked.parts.method;
        let reads = *method == Method::GET || *method == Method::HEAD;
        match status {
            Some(status) if status.as_u16() >= 400 && !reads => return Err(Failure::from_route(status)),
            _ if !reads => return Err(PlatformError::MethodNotAllowed.into()),
            _ => {}
        }
        // While a site is made, each change gives a new deployment, and its functions are built when they are asked for.
        let is_live = self.assets.page_script.is_none();
        if is_live && *method == Method::GET && deployment.asset(index).is_page() {
            self.functions.wake(deployment);
        }
        let request = AssetRequest { is_head: *method == Method::HEAD, headers: &asked.parts.headers, status };
        Ok(self.assets.serve(deployment, index, &request).await?)
    }

    async fn external(&self, url: &str, status: Option<u16>, asked: Asked<'_>) -> Reply {
        let Asked { visit, visitor, parts, body, .. } = asked;
        let form = error_form(parts.uri.path(), &parts.headers);
        let passed = self.external.pass(ExternalRequest { url, parts, body, visitor }).await;
        let (mut response, error) = match passed {
            Ok(response) => (response, None),
            Err(failure) => {
                let page = self.pages.respond(failure, visit.id, form, self.assets.page_script.as_ref());
                (page, failure.error)
            }
        };
        if let (Some(Ok(status)), None) = (status.map(status_code), error) {
            *response.status_mut() = status;
        }
        Reply { response, kind: RequestKind::External, function: None, error }
    }

    fn fail(&self, failure: Failure, asked: &Asked<'_>) -> Reply {
        let form = error_form(asked.parts.uri.path(), &asked.parts.headers);
        let response = self.pages.respond(failure, asked.visit.id, form, self.assets.page_script.as_ref());
        Reply { response, kind: RequestKind::Routing, function: None, error: failure.error }
    }
}

/// Says in an answer what every answer of a site says.
pub(crate) fn complete(site: &Site, visit: &Visit, headers: &mut HeaderMap) {
    headers.insert(headers::SHIP_ID, visit.id_header());
    if site.indexing == Indexing::Forbidden {
        headers.insert(ROBOTS_TAG, HeaderValue::from_static("noindex"));
    }
    if site.timing == ServerTiming::Shown {
        server_timing::tell(&visit.findings.so_far(), headers);
    }
}

fn is_for_programs(path: &str) -> bool {
    path.starts_with(API_PREFIX) || path == API_PREFIX.trim_end_matches('/')
}

fn error_form(path: &str, headers: &HeaderMap) -> ErrorForm {
    let otherwise = if is_for_programs(path) { ErrorForm::Json } else { ErrorForm::Text };
    ErrorForm::of(headers, otherwise)
}

fn status_code(status: u16) -> Result<StatusCode, Failure> {
    StatusCode::from_u16(status).map_err(|_| PlatformError::Internal.into())
}

fn status_only(status: u16) -> Result<Response<EdgeBody>, Failure> {
    let status = status_code(status)?;
    if status.as_u16() >= 400 {
        return Err(Failure::from_route(status));
    }
    let mut response = Response::new(EdgeBody::empty());
    *response.status_mut() = status;
    Ok(response)
}

fn redirect(status: u16, location: &str) -> Result<Response<EdgeBody>, Failure> {
    let mut response = status_only(status)?;
    let location = HeaderValue::from_str(location).map_err(|_| PlatformError::MalformedRequest)?;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, REVALIDATE);
    Ok(response)
}

/// Sets the headers that routes ask for. They replace the edge's own, except for what frames the message, and what would have
/// an error kept.
fn set_route_headers(response: &mut Response<EdgeBody>, route_headers: Vec<(String, String)>) {
    let is_error = response.status().as_u16() >= 400;
    for (name, value) in route_headers {
        let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) else { continue };
        match name {
            header::CACHE_CONTROL if is_error => {}
            header::VARY => headers::add_vary(response.headers_mut(), &[value.to_str().unwrap_or_default()]),
            name if headers::belongs_to_platform(&name) => {}
            name => {
                response.headers_mut().insert(name, value);
            }
        }
    }
}
