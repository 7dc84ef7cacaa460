//! `ship rm`: a deployment or a whole project goes.

use ship_api::{DeploymentReference, DeploymentView, RemovedView};
use ship_core::ProjectName;

use crate::connection::{Connection, connect};
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, count, short_time};
use crate::project::{self, Wanted};
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
        (Some(reference), _) => {
            let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
            remove_deployment(&host, reference, settings, output).await?
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
    settings: &Settings,
    output: &Output,
) -> Result<RemovedView, CommandError> {
    if settings.project.is_none() && settings.confirmation == Confirmation::Given {
        return Ok(host.client.remove(reference).await?);
    }
    let detail = project::deployment_of(&host.client, reference, settings.project.as_ref()).await?;
    let id = &detail.deployment.id;
    // The host refuses to remove what production leads to, so there is nothing to ask. A script names what it means and goes on unasked;
    // a person may have mistyped the beginning of an id, and sees here what it fits.
    if settings.confirmation == Confirmation::Ask && !detail.is_production {
        let answer = output.confirm(question(&detail.deployment)).await;
        if answer == Some(false) {
            return Err(CommandError::project(format!("the deployment {} was not removed", id.short())));
        }
    }
    Ok(host.client.remove(&DeploymentReference::from(id)).await?)
}

/// What is asked before a deployment goes: enough of it to know it by.
fn question(deployment: &DeploymentView) -> String {
    let DeploymentView { id, project, branch, created_at, .. } = deployment;
    let branch = branch.as_ref().map_or_else(String::new, |branch| format!(" from `{branch}`"));
    format!("Remove the deployment {} of {project}{branch}, {} (UTC), for good?", id.short(), short_time(*created_at))
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
    let known = project::on_host(&host.client, project, Wanted::Gone).await?;
    let number = count(known.deployments, "deployment");
    match output.confirm(format!("Remove the project {project} with {number}, for good?")).await {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::project(format!("`{project}` was not removed"))),
        None => Err(CommandError::usage(format!("removing `{project}` with {number} needs a confirmation"))
            .hint(format!("`ship rm --project {project} --yes`"))),
    }
}
