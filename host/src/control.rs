//! The control API: what `ship` asks of a host. Each route is in the file of its resource; all pass through [`auth`].

mod auth;
mod blobs;
mod deployments;
mod error;
mod extract;
mod logs;
mod metrics;
mod projects;
mod protection;
mod server;
mod status;
mod variables;
mod views;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use jiff::Timestamp;
use ship_runtime::Runtime;
use ship_store::Store;
use tokio_util::sync::CancellationToken;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::auth::Authenticator;
pub(crate) use self::error::ApiError;
pub(crate) use self::server::ControlAnswer;
use crate::journal::Journal;
use crate::metrics::Metrics;
use crate::options::MetricsAccess;
use crate::protection::Protections;
use crate::publisher::Publisher;
use crate::reads::ReadLog;
use crate::urls::Urls;

/// What the routes share.
pub(crate) struct Control {
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) publisher: Publisher,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) metrics_access: MetricsAccess,
    pub(crate) journal: Arc<Journal>,
    pub(crate) reads: Arc<ReadLog>,
    pub(crate) protections: Protections,
    pub(crate) urls: Urls,
    pub(crate) authenticator: Authenticator,
    pub(crate) shutdown: CancellationToken,
    pub(crate) started_at: Timestamp,
    pub(crate) sites_address: SocketAddr,
    pub(crate) own_address: SocketAddr,
    pub(crate) data: PathBuf,
}

/// The state each route gets.
pub(crate) type State = axum::extract::State<Arc<Control>>;

#[derive(OpenApi)]
#[openapi(
    info(title = "ship host", description = "The control API of a ship host. Every route but this document takes a bearer token."),
    security(("token" = []))
)]
struct Description;

fn routes() -> OpenApiRouter<Arc<Control>> {
    guarded().routes(routes!(metrics::metrics))
}

/// What always takes a token.
fn guarded() -> OpenApiRouter<Arc<Control>> {
    OpenApiRouter::with_openapi(Description::openapi())
        .routes(routes!(status::status))
        .routes(routes!(status::shutdown))
        .routes(routes!(blobs::missing))
        .routes(routes!(blobs::upload))
        .routes(routes!(blobs::put))
        .routes(routes!(deployments::list))
        .routes(routes!(deployments::inspect, deployments::remove))
        .routes(routes!(deployments::publish))
        .routes(routes!(deployments::publish_known))
        .routes(routes!(projects::list))
        .routes(routes!(projects::remove))
        .routes(routes!(projects::promote))
        .routes(routes!(projects::rollback))
        .routes(routes!(logs::logs))
        .routes(routes!(protection::show, protection::set))
        .routes(routes!(variables::list))
        .routes(routes!(variables::readable))
        .routes(routes!(variables::set, variables::remove))
}

/// The document that describes the API.
fn description() -> utoipa::openapi::OpenApi {
    let mut description = routes().into_openapi();
    let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    description.components.get_or_insert_default().add_security_scheme("token", scheme);
    description
}

/// The document that describes the control API, as JSON.
#[expect(clippy::missing_panics_doc, reason = "it cannot panic: the description is made of plain values")]
pub fn openapi_json() -> String {
    description().to_pretty_json().expect("the description is made of plain values")
}

/// The control API with all that every route has in common.
pub(crate) fn router(control: Arc<Control>) -> Router {
    let open = Router::new().route("/v1/openapi.json", axum::routing::get(openapi));
    let (routes, open) = match control.metrics_access {
        MetricsAccess::Token => (routes(), open),
        MetricsAccess::Everybody => {
            (guarded(), open.merge(Router::from(OpenApiRouter::new().routes(routes!(metrics::metrics)))))
        }
    };
    let (routes, _) = routes.split_for_parts();
    routes
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&control), auth::require_token))
        .merge(open)
        .with_state(control)
}

/// The description is the same for everybody and holds nothing of this host, so it needs no token.
async fn openapi() -> impl axum::response::IntoResponse {
    ([(http::header::CONTENT_TYPE, "application/json")], openapi_json())
}
