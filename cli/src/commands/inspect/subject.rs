//! What is looked at: what is deployed, or what is only built.

use ship_api::{DeploymentDetail, DeploymentReference};

use crate::building::{self, BuildFrom, BuildRequest, Built};
use crate::connection::{Connection, connect};
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::pictures::Site;
use crate::project::{self, Wanted};
use crate::settings::Settings;

/// What is looked at.
pub(super) enum Subject {
    /// A deployment.
    Deployed { host: Connection, detail: Box<DeploymentDetail> },
    /// What was built before.
    Built(Box<Built>),
}

impl Subject {
    /// A deployment, or what production of the current folder's project leads to.
    pub(super) async fn deployed(
        reference: Option<DeploymentReference>,
        settings: &Settings,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
        let reference = match reference {
            Some(reference) => reference,
            None => project::on_host(&host.client, &project::name_here(settings)?, Wanted::There).await?.url.parse()?,
        };
        let detail = project::deployment_of(&host.client, &reference, settings.project.as_ref()).await?;
        Ok(Self::Deployed { host, detail: Box::new(detail) })
    }

    /// What was built in the current folder before.
    pub(super) async fn built(settings: &Settings, output: &Output) -> Result<Self, CommandError> {
        let request = BuildRequest { from: BuildFrom::Prebuilt, ..BuildRequest::default() };
        Ok(Self::Built(Box::new(building::build(".".as_ref(), request, settings, output).await?)))
    }

    /// The same as pictures see it.
    pub(super) fn site(&self) -> Site {
        match self {
            Self::Deployed { detail, .. } => Site::of_deployment(detail),
            Self::Built(built) => Site::of_build(built),
        }
    }
}
