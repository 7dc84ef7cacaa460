//! The typed client of the control API.

mod backup;
mod dashboard;
mod error;
mod logs;
mod projects;
mod transport;
mod trusts;
mod upload;

use std::time::Duration;

use reqwest::Method;
use ship_core::{DeploymentId, DomainName, LogMoment, LoginCode, Manifest, ProjectName, TokenId, TokenName};

pub use self::backup::{BACKUP_BLOBS, BACKUP_DEPLOYMENTS, BACKUP_MEDIA_TYPE, BackupStream};
pub use self::error::ClientError;
pub use self::logs::{LogQuery, LogStream};
pub use self::transport::ClientOptions;
use self::transport::{ANSWER_TIMEOUT, LONG_ANSWER_TIMEOUT, Transport};
pub use self::upload::{BlobSource, Copies, PackForm, Span, UploadBlob};
use crate::reference::DeploymentReference;
use crate::upload_id::UploadId;
use crate::views::{
    AliasMoveView, ApproveLoginRequest, ApprovedLogin, AuditList, BeginLoginRequest, BegunLogin, CheckFunctions,
    ChunkList, ChunksOf, CreateTokenRequest, CreatedToken, DeploymentDetail, DeploymentList, DomainList, DomainRequest,
    DomainView, FsckView, GcRequest, GcView, HostStatus, LoginView, MissingBlobs, MissingBlobsRequest, ProjectList,
    PromoteRequest, PublishOptions, PublishRequest, PublishedView, RemovedToken, RemovedView, RollbackRequest,
    TokenList, UpgradeRequest, UpgradedView, UploadReport, WaitLoginRequest, WaitedLogin, WhoAmI,
};

/// How many functions a host starts at once when it publishes, and how many files it looks at in a second at the least.
const STARTS_AT_ONCE: usize = 16;
const LOOKS_PER_SEC: u64 = 100;

/// How long publishing may take a host that is in order: it looks whether each file is there, and starts each function, twice where the first start
/// found something to mend.
fn publishing_time(manifest: &Manifest) -> Duration {
    let longest = manifest.functions().iter().map(|function| function.limits.init_timeout_secs).max().unwrap_or(0);
    let turns = manifest.functions().len().div_ceil(STARTS_AT_ONCE) as u64;
    Duration::from_secs(manifest.assets().len() as u64 / LOOKS_PER_SEC + 2 * turns * u64::from(longest))
}

/// A connection to the control API of one host.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
}

impl Client {
    /// A client for the host at `options.base_url`. Nothing is sent yet.
    pub fn new(options: ClientOptions) -> Result<Self, ClientError> {
        Ok(Self { transport: Transport::new(options)? })
    }

    /// What the host says about itself.
    pub async fn status(&self) -> Result<HostStatus, ClientError> {
        self.transport.ask(Method::GET, "/v1/status", None::<&()>).await
    }

    /// Asks the host to finish what it does and to exit.
    pub async fn shutdown(&self) -> Result<(), ClientError> {
        self.transport.tell(Method::POST, "/v1/shutdown").await
    }

    /// Has the host read everything again that it keeps, and say what is damaged. Takes as long as reading that takes.
    pub async fn fsck(&self) -> Result<FsckView, ClientError> {
        self.transport.ask(Method::POST, "/v1/fsck", None::<&()>).await
    }

    /// Has the host remove what nobody needs, or say what that is.
    pub async fn gc(&self, request: &GcRequest) -> Result<GcView, ClientError> {
        self.transport.ask(Method::POST, "/v1/gc", Some(request)).await
    }

    /// Has another process take over from the host. It serves when this returns.
    pub async fn upgrade(&self, request: &UpgradeRequest) -> Result<UpgradedView, ClientError> {
        self.transport.ask(Method::POST, "/v1/upgrade", Some(request)).await
    }

    /// Which of these blobs the host lacks, and what it has of them from uploads that were cut. One of the same name that is still under
    /// way, because the host has not noticed that it was cut, ends before the answer.
    pub async fn missing(&self, upload: &UploadId, request: &MissingBlobsRequest) -> Result<MissingBlobs, ClientError> {
        let path = format!("/v1/blobs/missing?upload={upload}");
        self.transport.ask_patiently(Method::POST, &path, Some(request), LONG_ANSWER_TIMEOUT).await
    }

    /// Sends blobs in one stream. `sent` hears how many bytes of content went out, as they do.
    pub async fn upload<F>(
        &self,
        upload: &UploadId,
        form: PackForm,
        blobs: Vec<UploadBlob>,
        sent: F,
    ) -> Result<UploadReport, ClientError>
    where
        F: Fn(u64) + Send + Sync + 'static,
    {
        upload::upload(&self.transport, upload, form, blobs, sent).await
    }

    /// What stands where `of` says in the newest deployment of a project that has something there, in chunks.
    pub async fn chunks(&self, project: &ProjectName, of: &ChunksOf) -> Result<ChunkList, ClientError> {
        let path = format!("/v1/projects/{project}/chunks?{}", of.to_query());
        self.transport.ask_patiently(Method::GET, &path, None::<&()>, LONG_ANSWER_TIMEOUT).await
    }

    /// Publishes a deployment whose blobs the host has.
    pub async fn publish(&self, project: &ProjectName, request: &PublishRequest) -> Result<PublishedView, ClientError> {
        let path = format!("/v1/projects/{project}/deployments");
        let patience = LONG_ANSWER_TIMEOUT + publishing_time(&request.manifest);
        self.transport.ask_patiently(Method::POST, &path, Some(request), patience).await
    }

    /// Publishes a deployment that the host knows already, `None` if it does not.
    pub async fn publish_known(
        &self,
        project: &ProjectName,
        (id, manifest): (&DeploymentId, &Manifest),
        options: &PublishOptions,
    ) -> Result<Option<PublishedView>, ClientError> {
        let path = format!("/v1/projects/{project}/deployments/{id}/publish");
        let patience = ANSWER_TIMEOUT + publishing_time(manifest);
        match self.transport.ask_patiently(Method::POST, &path, Some(options), patience).await {
            Err(ClientError::Refused { status: 404, .. }) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// The deployments of a project, or of all, newest first.
    pub async fn deployments(
        &self,
        project: Option<&ProjectName>,
        limit: usize,
    ) -> Result<DeploymentList, ClientError> {
        self.deployments_before(project, limit, None).await
    }

    /// The same, of those that were published before another one.
    pub async fn deployments_before(
        &self,
        project: Option<&ProjectName>,
        limit: usize,
        older_than: Option<&DeploymentId>,
    ) -> Result<DeploymentList, ClientError> {
        let project = project.map(|project| format!("&project={project}")).unwrap_or_default();
        let older_than = older_than.map(|id| format!("&older_than={id}")).unwrap_or_default();
        let path = format!("/v1/deployments?limit={limit}{project}{older_than}");
        self.transport.ask(Method::GET, &path, None::<&()>).await
    }

    /// One deployment with what it holds.
    pub async fn deployment(&self, reference: &DeploymentReference) -> Result<DeploymentDetail, ClientError> {
        self.transport.ask(Method::GET, &format!("/v1/deployments/{reference}"), None::<&()>).await
    }

    /// Removes a deployment.
    pub async fn remove(&self, reference: &DeploymentReference) -> Result<RemovedView, ClientError> {
        self.transport.ask(Method::DELETE, &format!("/v1/deployments/{reference}"), None::<&()>).await
    }

    /// Who the token is that this client has.
    pub async fn whoami(&self) -> Result<WhoAmI, ClientError> {
        self.transport.ask(Method::GET, "/v1/whoami", None::<&()>).await
    }

    /// The tokens of the host that are good for no more than this client's.
    pub async fn tokens(&self) -> Result<TokenList, ClientError> {
        self.transport.ask(Method::GET, "/v1/tokens", None::<&()>).await
    }

    /// Makes a token.
    pub async fn create_token(&self, request: &CreateTokenRequest) -> Result<CreatedToken, ClientError> {
        self.transport.ask(Method::POST, "/v1/tokens", Some(request)).await
    }

    /// Removes a token.
    pub async fn remove_token(&self, id: &TokenId) -> Result<RemovedToken, ClientError> {
        self.transport.ask(Method::DELETE, &format!("/v1/tokens/{id}"), None::<&()>).await
    }

    /// Begins a login of this machine.
    pub async fn begin_login(&self, name: TokenName) -> Result<BegunLogin, ClientError> {
        self.transport.ask(Method::POST, "/v1/logins", Some(&BeginLoginRequest { name })).await
    }

    /// Waits some seconds for the token of a login.
    pub async fn wait_for_login(&self, secret: String) -> Result<WaitedLogin, ClientError> {
        self.transport.ask(Method::POST, "/v1/logins/wait", Some(&WaitLoginRequest { secret })).await
    }

    /// Who waits with a code.
    pub async fn login(&self, code: LoginCode) -> Result<LoginView, ClientError> {
        self.transport.ask(Method::GET, &format!("/v1/logins/{code}"), None::<&()>).await
    }

    /// Lets the machine in that shows a code.
    pub async fn approve_login(
        &self,
        code: LoginCode,
        request: &ApproveLoginRequest,
    ) -> Result<ApprovedLogin, ClientError> {
        self.transport.ask(Method::POST, &format!("/v1/logins/{code}/approve"), Some(request)).await
    }

    /// The newest entries of the audit log.
    pub async fn audit(
        &self,
        project: Option<&ProjectName>,
        since: Option<LogMoment>,
        limit: usize,
    ) -> Result<AuditList, ClientError> {
        let project = project.map(|project| format!("&project={project}")).unwrap_or_default();
        let since = since.map(|since| format!("&since={since}")).unwrap_or_default();
        self.transport.ask(Method::GET, &format!("/v1/audit?limit={limit}{project}{since}"), None::<&()>).await
    }

    /// The projects of the host.
    pub async fn projects(&self) -> Result<ProjectList, ClientError> {
        self.transport.ask(Method::GET, "/v1/projects", None::<&()>).await
    }

    /// Removes a project with all its deployments.
    pub async fn remove_project(&self, project: &ProjectName) -> Result<RemovedView, ClientError> {
        self.transport.ask(Method::DELETE, &format!("/v1/projects/{project}"), None::<&()>).await
    }

    /// Moves a project's production to a deployment.
    pub async fn promote(
        &self,
        project: &ProjectName,
        reference: &DeploymentReference,
        check: CheckFunctions,
    ) -> Result<AliasMoveView, ClientError> {
        let request = PromoteRequest { deployment: reference.to_string(), check, expected: None };
        self.transport.ask(Method::POST, &format!("/v1/projects/{project}/promote"), Some(&request)).await
    }

    /// Moves a project's production back: to the deployment before, or to the one named.
    pub async fn rollback(
        &self,
        project: &ProjectName,
        to: Option<&DeploymentReference>,
        check: CheckFunctions,
    ) -> Result<AliasMoveView, ClientError> {
        let request = RollbackRequest { deployment: to.map(ToString::to_string), check, expected: None };
        self.transport.ask(Method::POST, &format!("/v1/projects/{project}/rollback"), Some(&request)).await
    }

    /// The domains of a project, or of all.
    pub async fn domains(&self, project: Option<&ProjectName>) -> Result<DomainList, ClientError> {
        let query = project.map(|project| format!("?project={project}")).unwrap_or_default();
        self.transport.ask(Method::GET, &format!("/v1/domains{query}"), None::<&()>).await
    }

    /// Claims a domain for a project.
    pub async fn add_domain(&self, project: &ProjectName, request: &DomainRequest) -> Result<DomainView, ClientError> {
        self.transport.ask(Method::POST, &format!("/v1/projects/{project}/domains"), Some(request)).await
    }

    /// Has the host look for the proof that a domain is whose it is said to be.
    pub async fn verify_domain(&self, project: &ProjectName, name: &DomainName) -> Result<DomainView, ClientError> {
        self.transport.ask(Method::POST, &format!("/v1/projects/{project}/domains/{name}/verify"), None::<&()>).await
    }

    /// Gives a domain up.
    pub async fn remove_domain(&self, project: &ProjectName, name: &DomainName) -> Result<DomainView, ClientError> {
        self.transport.ask(Method::DELETE, &format!("/v1/projects/{project}/domains/{name}"), None::<&()>).await
    }
}
