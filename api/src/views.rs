//! The wire types of the control API.

mod access;
mod build;
mod care;
mod changes;
mod composition;
mod domains;
mod history;
mod trust;
mod upgrade;
mod upload;

use jiff::Timestamp;
use ship_core::{
    AuthorName, BranchName, CommitSubject, DeploymentId, Digest, FunctionLimits, FunctionName, FunctionRuntime,
    Manifest, NetworkAccess, ProjectName, Target, TokenName, WarmSchedule,
};
use utoipa::ToSchema;

pub use self::access::{
    ApproveLoginRequest, ApprovedLogin, AuditList, AuditView, BeginLoginRequest, BegunLogin, CreateTokenRequest,
    CreatedToken, LoginView, RemovedToken, SessionLink, TokenList, TokenView, WaitLoginRequest, WaitedLogin, WhoAmI,
};
pub use self::build::{BuildLogView, BuildView};
pub use self::care::{
    DamagedBlobView, DamagedFunctionView, FsckView, GcRequest, GcView, HeapView, LeftoversView, RemovedDeploymentView,
    TouchedView,
};
pub use self::changes::{ChangeCounts, ChangesView, Differences};
pub use self::composition::{CompositionView, OthersView, PackageFileView, PackageView};
pub use self::domains::{DomainList, DomainRequest, DomainView};
pub use self::history::{HistoryPoint, HistoryRange, HistoryView, ParseHistoryRangeError};
pub use self::trust::{AddTrustRequest, ExchangeRequest, RemovedTrust, TrustList, TrustView};
pub use self::upgrade::{UpgradeRequest, UpgradedView};
pub use self::upload::{BegunBlob, ChunkList, ChunksOf, MissingBlobs, MissingBlobsRequest, UploadReport};

/// What a host says about itself.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct HostStatus {
    /// The version of ship that runs.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Where sites are served, as a URL.
    pub sites: String,
    /// Where this API is served, as a URL.
    pub control: String,
    /// The domain below which sites stand.
    pub domain: String,
    /// The data directory.
    pub data: String,
    /// When it started to serve.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// How much of the machine functions are kept from here: `sandbox` or `process`; nothing where none can be started.
    #[serde(default)]
    pub isolation: Option<String>,
    /// What limits their memory, processes and processor time: `cgroup v2`, `cgroup v1`, or nothing.
    #[serde(default)]
    pub control_groups: Option<String>,
    /// How many projects there are.
    pub projects: u64,
    /// How many deployments there are.
    pub deployments: u64,
    /// The certificates that the host gets for itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<CertificateView>,
    /// The function instances that run now.
    pub instances: Vec<InstanceView>,
}

/// How it stands with a certificate that the host gets for itself.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct CertificateView {
    /// The host name that it is for, or `*.` and a domain.
    pub name: String,
    /// Until when it holds; nothing where there is none yet.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it is ordered next; nothing while it is.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// Why the last order failed.
    pub error: Option<String>,
}

/// A function instance that runs.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct InstanceView {
    /// The project of that deployment, where instances of several stand together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub project: Option<ProjectName>,
    /// The deployment it belongs to.
    #[schema(value_type = String)]
    pub deployment: DeploymentId,
    /// The function it is an instance of.
    #[schema(value_type = String)]
    pub function: FunctionName,
    /// Its process id.
    pub pid: u32,
    /// What it does: `starting`, `ready`, `busy`, `draining`, `stopping`.
    pub state: String,
    /// How many requests it works on.
    pub in_flight: u32,
}

/// A deployment to publish: all that it is, and how to publish it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// Files, functions, routes and cross-origin rules. Every blob it names was uploaded before.
    #[schema(value_type = Object)]
    pub manifest: Manifest,
    /// How to publish it.
    pub publish: PublishOptions,
}

/// How a deployment is published.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PublishOptions {
    /// Whether production moves to it. The first deployment of a project always becomes production.
    #[schema(value_type = String, example = "preview")]
    pub target: Target,
    /// The branch whose URL moves to it.
    #[schema(value_type = Option<String>)]
    pub branch: Option<BranchName>,
    /// The commit it was built from, as version control names it.
    pub commit: Option<String>,
    /// Whether to write history even if nothing moves.
    pub republish: Republish,
    /// Whether its functions must have started before anything points to it.
    pub check: CheckFunctions,
}

/// Whether publishing what is already published is written into history.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Republish {
    /// Only if an alias moves.
    #[default]
    IfChanged,
    /// In any case.
    Always,
}

/// Whether functions are started before a name leads to their deployment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CheckFunctions {
    /// Each must start and answer, or nothing moves.
    #[default]
    Start,
    /// They are started by their first request.
    Skip,
}

impl CheckFunctions {
    /// Whether it need not be said. Hosts of earlier versions do not know the word.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks so")]
    fn is_start(&self) -> bool {
        *self == Self::Start
    }
}

/// A published deployment.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct PublishedView {
    /// The deployment.
    pub deployment: DeploymentView,
    /// Its own URL, forever.
    pub url: String,
    /// The other URLs that lead to it now: its branch's, production's.
    pub aliases: Vec<String>,
    /// Whether this publish changed anything: a new deployment, or an alias that moved.
    pub changed: bool,
    /// Whether it is the project's first deployment, and so became production.
    pub first_of_project: bool,
}

/// A deployment in short.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct DeploymentView {
    /// Its id.
    #[schema(value_type = String)]
    pub id: DeploymentId,
    /// Its project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// What it was published for.
    #[schema(value_type = String, example = "preview")]
    pub target: Target,
    /// The branch it was published from.
    #[schema(value_type = Option<String>)]
    pub branch: Option<BranchName>,
    /// The commit it was built from.
    pub commit: Option<String>,
    /// What the token was called that first published it, in lists and of one deployment; nothing where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub published_by: Option<TokenName>,
    /// Who wrote the commit that it was built from, as version control knows them; nothing where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub author: Option<AuthorName>,
    /// The first line of that commit's message; nothing where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub subject: Option<CommitSubject>,
    /// When it was first published.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A list of deployments.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct DeploymentList {
    /// The deployments, newest first.
    pub deployments: Vec<ListedView>,
}

/// A deployment of a list, with what leads to it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ListedView {
    /// The deployment.
    pub deployment: DeploymentView,
    /// Its own URL.
    pub url: String,
    /// The other URLs that lead to it now.
    pub aliases: Vec<String>,
    /// Whether production leads to it now.
    pub is_production: bool,
    /// The bytes of all that it is made of, each file counted once.
    #[serde(default)]
    pub size_bytes: u64,
    /// What it changed, where that was asked for and can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changes: Option<ChangeCounts>,
}

/// A deployment with what it holds.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct DeploymentDetail {
    /// The deployment.
    pub deployment: DeploymentView,
    /// Its own URL.
    pub url: String,
    /// The other URLs that lead to it now.
    pub aliases: Vec<String>,
    /// Whether production leads to it.
    pub is_production: bool,
    /// Its functions.
    pub functions: Vec<FunctionView>,
    /// Its files in sum.
    pub r#static: StaticView,
    /// Its routes, in the form of the Build Output API.
    #[schema(value_type = Vec<Object>)]
    pub routes: ship_core::route::RouteTable,
    /// The patterns in them that may take many steps on a short path, because they look around or back. A request on which one takes
    /// too many is answered with `ROUTE_PATTERN_EXHAUSTED`.
    #[serde(default)]
    pub hard_patterns: Vec<String>,
    /// The paths that are to be asked at times. They are kept; this version of ship does not ask.
    #[serde(default)]
    pub crons: Vec<CronView>,
}

/// A path that is to be asked at times.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct CronView {
    /// The path.
    #[schema(example = "/api/daily")]
    pub path: String,
    /// When: minute, hour, day of the month, month, day of the week.
    #[schema(example = "0 5 * * *")]
    pub schedule: String,
}

/// A function of a deployment.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct FunctionView {
    /// Its name.
    #[schema(value_type = String)]
    pub name: FunctionName,
    /// The path it answers at.
    pub route: String,
    /// How it runs.
    #[schema(value_type = String, example = "go")]
    pub runtime: FunctionRuntime,
    /// The digest of its artifact.
    #[schema(value_type = String)]
    pub digest: Digest,
    /// The size of its artifact in bytes.
    pub size_bytes: u64,
    /// How much of the machine it is kept from on this host: `sandbox` or `process`; nothing where it cannot be started.
    #[serde(default)]
    pub isolation: Option<String>,
    /// What it may use.
    pub limits: LimitsView,
    /// Those of its limits that bound nothing on this host, by their names in `ship.toml`: without a sandbox, or without control groups.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits_not_held: Vec<String>,
    /// When other numbers of instances are kept than its limits say.
    #[serde(default)]
    pub warm: Vec<WarmView>,
    /// Its instances that run now.
    pub instances: Vec<InstanceView>,
}

/// What a function may use, every limit, in the words and units of `ship.toml`.
#[derive(Clone, Copy, PartialEq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(default)]
pub struct LimitsView {
    /// Seconds until a response begins, and between its pieces.
    pub timeout_secs: u32,
    /// Seconds from the start of an instance until it answers.
    pub init_timeout_secs: u32,
    /// Memory of an instance, in MiB.
    pub memory_mb: u32,
    /// Processors of an instance; none is 95 hundredths of all.
    #[schema(example = 0.5)]
    pub cpu: Option<f64>,
    /// The largest body of a request, in MiB; none is no bound.
    pub max_body_mb: Option<u32>,
    /// Processes and threads of an instance.
    pub max_processes: u32,
    /// Open descriptors of a process.
    pub max_files: u32,
    /// The size of `/tmp`, in MiB: never more than half of the memory.
    pub tmp_mb: u32,
    /// Where it may connect to.
    #[schema(value_type = String, example = "public")]
    pub network: NetworkAccess,
    /// Requests at once in an instance.
    pub concurrency: u32,
    /// Instances that are kept although nobody asks.
    pub min_instances: u32,
    /// Instances at the most.
    pub max_instances: u32,
    /// Seconds that an instance without a request is kept.
    pub idle_secs: u32,
    /// How full instances may be before a further one is started: 1 is full.
    #[schema(example = 0.7)]
    pub target_utilization: f64,
}

impl Default for LimitsView {
    fn default() -> Self {
        FunctionLimits::default().into()
    }
}

impl From<FunctionLimits> for LimitsView {
    fn from(limits: FunctionLimits) -> Self {
        Self {
            timeout_secs: limits.timeout_secs,
            init_timeout_secs: limits.init_timeout_secs,
            memory_mb: limits.memory_mb,
            cpu: limits.cpu_thousandths.map(|thousandths| f64::from(thousandths) / 1_000.0),
            max_body_mb: limits.max_body_mb,
            max_processes: limits.max_processes,
            max_files: limits.max_files,
            tmp_mb: limits.usable_tmp_mb(),
            network: limits.network,
            concurrency: limits.concurrency,
            min_instances: limits.min_instances,
            max_instances: limits.max_instances,
            idle_secs: limits.idle_secs,
            target_utilization: f64::from(limits.target_utilization_percent) / 100.0,
        }
    }
}

/// From when on how many instances are kept.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct WarmView {
    /// When: minute, hour, day of the month, month, day of the week.
    #[schema(example = "0 8 * * 1-5")]
    pub cron: String,
    /// How many are kept from then on, until the next of the function's schedules begins.
    pub min_instances: u32,
    /// Whose clocks are meant.
    #[schema(example = "Europe/Zurich")]
    pub time_zone: String,
}

impl From<&WarmSchedule> for WarmView {
    fn from(schedule: &WarmSchedule) -> Self {
        Self {
            cron: schedule.cron.to_string(),
            min_instances: schedule.min_instances,
            time_zone: schedule.time_zone.as_str().to_owned(),
        }
    }
}

/// The files of a deployment in sum.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct StaticView {
    /// How many there are.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The projects of a host.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ProjectList {
    /// The projects, by name.
    pub projects: Vec<ProjectView>,
}

/// A project.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct ProjectView {
    /// Its name.
    #[schema(value_type = String)]
    pub name: ProjectName,
    /// The URL of its production site.
    pub url: String,
    /// What production leads to.
    #[schema(value_type = Option<String>)]
    pub production: Option<DeploymentId>,
    /// How many deployments it has.
    pub deployments: u64,
    /// When it was last published to.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// Which deployment production shall lead to.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PromoteRequest {
    /// An id, the beginning of one, or a URL.
    pub deployment: String,
    /// Whether its functions are started first.
    #[serde(default, skip_serializing_if = "CheckFunctions::is_start")]
    pub check: CheckFunctions,
    /// Where production leads as far as whoever asks knows: nothing moves if that has changed meanwhile. Without it nothing is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expected: Option<DeploymentId>,
}

/// Which deployment production shall go back to.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RollbackRequest {
    /// An id, the beginning of one, or a URL; the one before the current if absent.
    pub deployment: Option<String>,
    /// Whether its functions are started first.
    #[serde(skip_serializing_if = "CheckFunctions::is_start")]
    pub check: CheckFunctions,
    /// Where production leads as far as whoever asks knows: nothing moves if that has changed meanwhile. Without it nothing is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub expected: Option<DeploymentId>,
}

/// An alias that moved.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct AliasMoveView {
    /// The URL that moved.
    pub url: String,
    /// Where it led before.
    #[schema(value_type = Option<String>)]
    pub from: Option<DeploymentId>,
    /// Where it leads now.
    #[schema(value_type = Option<String>)]
    pub to: Option<DeploymentId>,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// What was removed.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct RemovedView {
    /// The project.
    #[schema(value_type = String)]
    pub project: ProjectName,
    /// The deployments that are gone.
    #[schema(value_type = Vec<String>)]
    pub deployments: Vec<DeploymentId>,
}
