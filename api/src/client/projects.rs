//! What a host keeps for projects: their variables, and who may see their sites.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use ship_core::{BranchName, ProjectName, VariableName, VariableTarget};

use super::{Client, ClientError};
use crate::protection::{ProtectionRequest, ProtectionView};
use crate::variables::{ReadableVariables, RemovedVariablesView, SetVariableRequest, SetVariableView, VariableList};

impl Client {
    /// The variables of a project, without their values.
    pub async fn variables(&self, project: &ProjectName) -> Result<VariableList, ClientError> {
        self.transport.ask(Method::GET, &format!("/v1/projects/{project}/env"), None::<&()>).await
    }

    /// Sets a variable.
    pub async fn set_variable(
        &self,
        project: &ProjectName,
        name: &VariableName,
        request: &SetVariableRequest,
    ) -> Result<SetVariableView, ClientError> {
        self.transport.ask(Method::PUT, &format!("/v1/projects/{project}/env/{name}"), Some(request)).await
    }

    /// Removes a variable: for some targets, or for one branch, or altogether where neither is named.
    pub async fn remove_variable(
        &self,
        project: &ProjectName,
        name: &VariableName,
        targets: &[VariableTarget],
        branch: Option<&BranchName>,
    ) -> Result<RemovedVariablesView, ClientError> {
        let names: Vec<&str> = targets.iter().map(|target| target.as_str()).collect();
        let of_targets = (!names.is_empty()).then(|| format!("targets={}", names.join(",")));
        let query: Vec<String> = of_targets.into_iter().chain(branch.map(of_branch)).collect();
        let path = format!("/v1/projects/{project}/env/{name}?{}", query.join("&"));
        self.transport.ask(Method::DELETE, path.trim_end_matches('?'), None::<&()>).await
    }

    /// The values of a target that may be read.
    pub async fn readable_variables(
        &self,
        project: &ProjectName,
        target: VariableTarget,
        branch: Option<&BranchName>,
    ) -> Result<ReadableVariables, ClientError> {
        let branch = branch.map(|branch| format!("&{}", of_branch(branch))).unwrap_or_default();
        let path = format!("/v1/projects/{project}/readable-env?target={target}{branch}");
        self.transport.ask(Method::GET, &path, None::<&()>).await
    }
}

impl Client {
    /// Who may see the sites of a project.
    pub async fn protection(&self, project: &ProjectName) -> Result<ProtectionView, ClientError> {
        self.transport.ask(Method::GET, &format!("/v1/projects/{project}/protection"), None::<&()>).await
    }

    /// Changes who may see the sites of a project.
    pub async fn set_protection(
        &self,
        project: &ProjectName,
        request: &ProtectionRequest,
    ) -> Result<ProtectionView, ClientError> {
        self.transport.ask(Method::PUT, &format!("/v1/projects/{project}/protection"), Some(request)).await
    }
}

fn of_branch(branch: &BranchName) -> String {
    format!("branch={}", utf8_percent_encode(branch.as_str(), NON_ALPHANUMERIC))
}
