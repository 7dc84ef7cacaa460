//! `ship rm`: a deployment or a whole project goes.

use ship_api::{DeploymentReference, RemovedView};
use ship_core::ProjectName;

use crate::connection::{Connection, connect};
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, count};
use crate::project;
use crate::settings::{Confirmation, Settings};

/// Remove a deployment, or with --project alone a whole project
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RmArgs {
    /// An id, its first 4 characters or more, or a URL
    #[arg(value_name = "ID|URL")]
    deployment: Option<DeploymentReference>,
}

pub(crate) async fn run(arguments: RmArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let removed = match (&arguments.deployment, &settings.project) {
        (None, None) => {
            return Err(CommandError::usage("nothing to remove is named").hint(
                "`ship rm ID` removes a deployment, `ship rm --project NAME` a project with all of its deployments",
            ));
        }
        (Some(reference), project) => {
            let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
            remove_deployment(&host, reference, project.as_ref()).await?
        }
        (None, Some(project)) => {
            let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
            confirm(&host, project, settings, output).await?;
            host.client.remove_project(project).await?
        }
    };
    let number = count(removed.deployments.len() as u64, "deployment");
    output.status(format_args!("Removed {number} of {}", removed.project));
    output.data(&removed, |_| {
        removed.deployments.iter().map(ship_core::DeploymentId::as_str).collect::<Vec<_>>().join("\n")
    })
}

async fn remove_deployment(
    host: &Connection,
    reference: &DeploymentReference,
    project: Option<&ProjectName>,
) -> Result<RemovedView, CommandError> {
    if project.is_some() {
        project::deployment_of(&host.client, reference, project).await?;
    }
    Ok(host.client.remove(reference).await?)
}

/// A project cannot be brought back, so somebody has to say that it shall go.
async fn confirm(
    host: &Connection,
    project: &ProjectName,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    if settings.confirmation == Confirmation::Given {
        return Ok(());
    }
    let known = project::on_host(&host.client, project).await?;
    let number = count(known.deployments, "deployment");
    match output.confirm(format!("Remove the project {project} with {number}, for good?")).await {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::project(format!("`{project}` was not removed"))),
        None => Err(CommandError::usage(format!("removing `{project}` with {number} needs a confirmation"))
            .hint(format!("`ship rm --project {project} --yes`"))),
    }
}
