//! The control API: what `ship` asks of a host. Each route is in the file of its resource; [`auth`] says who asks, [`guard`] whether
//! they may.

mod audit;
mod auth;
mod backup;
mod blobs;
mod build;
mod care;
mod changes;
mod composition;
mod deployments;
mod domains;
mod error;
mod exchange;
mod extract;
mod guard;
mod history;
mod logins;
mod logs;
mod metrics;
mod patience;
mod projects;
mod protection;
mod room;
mod routes;
mod server;
mod sessions;
mod status;
mod tokens;
mod trusts;
mod upgrade;
mod variables;
mod views;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use jiff::Timestamp;
use ship_core::Action;
use ship_edge::Closing;
use ship_runtime::Runtime;
use ship_store::Store;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::routes;

pub(crate) use self::auth::{Doors, admit, turn_away_code};
pub(crate) use self::blobs::Uploads;
pub(crate) use self::error::ApiError;
pub(crate) use self::extract::{why_path, why_query};
pub(crate) use self::room::Rooms;
use self::routes::{Of, Routes};
pub(crate) use self::server::{ControlAnswer, Peer};
use crate::care::Collector;
use crate::comparison::Comparisons;
use crate::dashboard::{self, Dashboard, Entries};
use crate::domains::ProofReader;
use crate::history::Recorder;
use crate::identity::Identities;
use crate::journal::Journal;
use crate::keyring::Keyring;
use crate::logins::Logins;
use crate::metrics::Metrics;
use crate::options::MetricsAccess;
use crate::protection::Protections;
use crate::publisher::Publisher;
use crate::register::Register;
use crate::tls::AcmeReport;
use crate::upgrade::{Changes, UnderWay, Upgrader};
use crate::urls::Urls;

/// What the routes share.
pub(crate) struct Control {
    pub(crate) store: Store,
    pub(crate) runtime: Runtime,
    pub(crate) publisher: Publisher,
    pub(crate) collector: Collector,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) metrics_access: MetricsAccess,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) comparisons: Arc<Comparisons>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) acme: AcmeReport,
    pub(crate) proofs: ProofReader,
    pub(crate) protections: Protections,
    pub(crate) urls: Urls,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) register: Register,
    pub(crate) doors: Doors,
    pub(crate) logins: Logins,
    pub(crate) entries: Entries,
    pub(crate) identities: Identities,
    /// Whose turn it is to give tokens for trusts, or to take trusts away.
    pub(crate) exchanging: Mutex<()>,
    pub(crate) closing: Closing,
    pub(crate) changes: Arc<Changes>,
    pub(crate) upgrader: Upgrader,
    pub(crate) started_at: Timestamp,
    pub(crate) own_address: SocketAddr,
    pub(crate) data: PathBuf,
    /// Whose turn it is to have everything read again.
    pub(crate) examining: tokio::sync::Mutex<()>,
    pub(crate) uploads: Uploads,
    /// The room that bodies of requests take in memory.
    pub(crate) rooms: Arc<Rooms>,
    /// Whose turn it is to have a function taken apart, which is held in memory.
    pub(crate) composing: tokio::sync::Mutex<()>,
    /// Whose turn it is to have a blob cut into chunks.
    pub(crate) chunking: tokio::sync::Mutex<()>,
}

impl Control {
    /// Begins a change of the state that no route of the API makes.
    pub(crate) async fn begin_change(&self) -> Result<UnderWay, ApiError> {
        self.changes.begin().await.map_err(|_moved| upgrade::moved())
    }

    /// Waits for the turn to change which tokens there are for trusts, in the store and in memory.
    fn exchanging(&self) -> MutexGuard<'_, ()> {
        self.exchanging.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The state each route gets.
pub(crate) type State = axum::extract::State<Arc<Control>>;

#[derive(OpenApi)]
#[openapi(
    info(title = "ship host", description = "The control API of a ship host. Every route but this document takes a bearer token."),
    security(("token" = []))
)]
struct Description;

/// Every route with what it does, and to what.
fn routes(metrics: MetricsAccess) -> Routes {
    let routes = Routes::new()
        .on(Action::ReadStatus, Of::Host, routes!(status::status))
        .on(Action::StopHost, Of::Host, routes!(status::shutdown))
        .on(Action::UpgradeHost, Of::Host, routes!(upgrade::upgrade))
        .on(Action::BackUp, Of::Host, routes!(backup::backup))
        .on(Action::Examine, Of::Host, routes!(care::fsck))
        .on(Action::CollectGarbage, Of::Host, routes!(care::gc))
        .on(Action::WriteBlobs, Of::Own, routes!(blobs::missing))
        .on(Action::WriteBlobs, Of::Own, routes!(blobs::upload))
        .on(Action::WriteBlobs, Of::Own, routes!(blobs::put))
        .on(Action::WriteBlobs, Of::Project, routes!(blobs::chunks::list))
        .on(Action::ReadDeployments, Of::Own, routes!(deployments::list))
        .on(Action::ReadDeployments, Of::Deployment, routes!(deployments::inspect))
        .on(Action::ReadDeployments, Of::Deployment, routes!(changes::changes))
        .on(Action::ReadDeployments, Of::Deployment, routes!(composition::composition))
        .on(Action::ReadLogs, Of::Deployment, routes!(build::show))
        .on(Action::DescribeBuild, Of::Deployment, routes!(build::describe))
        .on(Action::RemoveDeployment, Of::Deployment, routes!(deployments::remove))
        .on(Action::Publish, Of::Project, routes!(deployments::publish))
        .on(Action::Publish, Of::Project, routes!(deployments::publish_known))
        .on(Action::ReadProjects, Of::Own, routes!(projects::list))
        .on(Action::RemoveProject, Of::Project, routes!(projects::remove))
        .on(Action::Promote, Of::Project, routes!(projects::promote))
        .on(Action::RollBack, Of::Project, routes!(projects::rollback))
        .on(Action::ReadProtection, Of::Project, routes!(protection::show))
        .on(Action::SetProtection, Of::Project, routes!(protection::set))
        .on(Action::ListVariables, Of::Project, routes!(variables::list))
        .on(Action::ReadVariables, Of::Project, routes!(variables::readable))
        .on(Action::SetVariable, Of::Project, routes!(variables::set))
        .on(Action::RemoveVariable, Of::Project, routes!(variables::remove))
        .on(Action::ReadDomains, Of::Own, routes!(domains::list))
        .on(Action::AddDomain, Of::Project, routes!(domains::add))
        .on(Action::VerifyDomain, Of::Project, routes!(domains::verify))
        .on(Action::RemoveDomain, Of::Project, routes!(domains::remove))
        .on(Action::ReadLogs, Of::Project, routes!(logs::logs))
        .on(Action::ReadHistory, Of::Project, routes!(history::of_project))
        .on(Action::ReadMetrics, Of::Host, routes!(history::of_host))
        .on(Action::OpenSession, Of::Own, routes!(sessions::begin))
        .on(Action::WhoAmI, Of::Own, routes!(tokens::whoami))
        .on(Action::ReadTokens, Of::Own, routes!(tokens::list))
        .on(Action::CreateToken, Of::Own, routes!(tokens::create))
        .on(Action::RemoveToken, Of::Own, routes!(tokens::remove))
        .on(Action::ReadTrusts, Of::Own, routes!(trusts::list))
        .on(Action::AddTrust, Of::Own, routes!(trusts::add))
        .on(Action::RemoveTrust, Of::Own, routes!(trusts::remove))
        .open(routes!(exchange::exchange))
        .open(routes!(logins::begin))
        .open(routes!(logins::wait))
        .on(Action::ReadLogins, Of::Own, routes!(logins::inspect))
        .on(Action::ApproveLogin, Of::Own, routes!(logins::approve))
        .on(Action::ReadAudit, Of::Own, routes!(audit::audit));
    match metrics {
        MetricsAccess::Token => routes.on(Action::ReadMetrics, Of::Host, routes!(metrics::metrics)),
        MetricsAccess::Everybody => routes.open(routes!(metrics::metrics)),
    }
}

/// The document that describes the API.
fn description() -> utoipa::openapi::OpenApi {
    let mut description = routes(MetricsAccess::Token).describe(Description::openapi());
    let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    description.components.get_or_insert_default().add_security_scheme("token", scheme);
    description
}

/// The document that describes the control API, as JSON.
#[expect(clippy::missing_panics_doc, reason = "it cannot panic: the description is made of plain values")]
pub fn openapi_json() -> String {
    description().to_pretty_json().expect("the description is made of plain values")
}

/// The control API with all that every route has in common, and the dashboard, which asks the same routes.
pub(crate) fn router(control: Arc<Control>) -> Router {
    let (guarded, open) = routes(control.metrics_access).into_routers(&control);
    let guarded = guarded
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&control), upgrade::hold_changes))
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&control.rooms), room::hold_place));
    let dashboard = Dashboard::new(&control, guarded.clone().with_state(Arc::clone(&control)));
    let no_such_page = axum::middleware::from_fn_with_state(Arc::clone(&dashboard), dashboard::no_such_page);
    let open = open
        .route("/v1/openapi.json", axum::routing::get(openapi))
        .method_not_allowed_fallback(error::method_not_allowed);
    guarded
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&control), auth::require_token))
        .layer(no_such_page)
        .merge(open)
        .with_state(control)
        .merge(dashboard::router(dashboard))
}

/// The description is the same for everybody and holds nothing of this host, so it needs no token.
async fn openapi() -> impl axum::response::IntoResponse {
    ([(http::header::CONTENT_TYPE, "application/json")], openapi_json())
}
