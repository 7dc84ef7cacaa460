//! What the dashboard shows, for programs: what deployments changed, what was counted over time, and the way in.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use ship_core::{DeploymentId, FunctionName, ProjectName};

use super::transport::LONG_ANSWER_TIMEOUT;
use super::{Client, ClientError};
use crate::reference::DeploymentReference;
use crate::views::{BuildView, ChangesView, CompositionView, DeploymentList, HistoryRange, HistoryView, SessionLink};

impl Client {
    /// The deployments of a project that have a text in their id, label, branch, commit or publisher's name, newest first, each with how
    /// much it changed: those before `older_than`, at most so many, and no more than 50.
    pub async fn search_deployments(
        &self,
        project: &ProjectName,
        text: &str,
        older_than: Option<&DeploymentId>,
        limit: usize,
    ) -> Result<DeploymentList, ClientError> {
        let text = utf8_percent_encode(text, NON_ALPHANUMERIC);
        let older = older_than.map(|id| format!("&older_than={id}")).unwrap_or_default();
        let path = format!("/v1/deployments?project={project}&changes=true&limit={limit}&text={text}{older}");
        self.transport.ask(Method::GET, &path, None::<&()>).await
    }

    /// What a deployment changed, compared to the one before it.
    pub async fn changes(&self, reference: &DeploymentReference) -> Result<ChangesView, ClientError> {
        self.transport.ask(Method::GET, &format!("/v1/deployments/{reference}/changes"), None::<&()>).await
    }

    /// How a deployment came to be.
    pub async fn build(&self, reference: &DeploymentReference) -> Result<BuildView, ClientError> {
        self.transport.ask(Method::GET, &format!("/v1/deployments/{reference}/build"), None::<&()>).await
    }

    /// Says how a deployment came to be. What was said of it before stays.
    pub async fn describe_build(&self, id: &DeploymentId, build: &BuildView) -> Result<(), ClientError> {
        let path = format!("/v1/deployments/{id}/build");
        self.transport.ask::<_, BuildView>(Method::PUT, &path, Some(build)).await.map(drop)
    }

    /// What a function of a deployment is made of.
    pub async fn composition(
        &self,
        reference: &DeploymentReference,
        function: &FunctionName,
    ) -> Result<CompositionView, ClientError> {
        let function = utf8_percent_encode(function.as_str(), NON_ALPHANUMERIC);
        let path = format!("/v1/deployments/{reference}/composition?function={function}");
        self.transport.ask_patiently(Method::GET, &path, None::<&()>, LONG_ANSWER_TIMEOUT).await
    }

    /// What was counted over time, of a project or of all together.
    pub async fn history(
        &self,
        project: Option<&ProjectName>,
        range: HistoryRange,
    ) -> Result<HistoryView, ClientError> {
        let of = project.map(|project| format!("projects/{project}/")).unwrap_or_default();
        self.transport.ask(Method::GET, &format!("/v1/{of}history?range={}", range.as_str()), None::<&()>).await
    }

    /// An address that logs the browser in to the dashboard that opens it first, and how many seconds it waits for that.
    pub async fn dashboard(&self) -> Result<(String, u64), ClientError> {
        let link: SessionLink = self.transport.ask(Method::POST, "/v1/sessions", None::<&()>).await?;
        Ok((self.transport.address_of(&link.path), link.expires_secs))
    }
}
