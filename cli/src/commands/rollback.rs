//! `ship rollback`: production goes back to what it led to before.

use ship_api::{ClientError, DeploymentReference, ErrorCode};

use crate::commands::promote::{check_of, report};
use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::project::{self, Wanted};
use crate::settings::Settings;

/// Move production back to the deployment before or a given one
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RollbackArgs {
    /// An id, its first 4 characters or more, or a URL (default: what production led to before)
    #[arg(value_name = "ID|URL")]
    deployment: Option<DeploymentReference>,
    /// Move it even if a function of the deployment does not start
    #[arg(long)]
    no_check: bool,
}

pub(crate) async fn run(arguments: RollbackArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let project = match (&settings.project, &arguments.deployment) {
        (None, Some(reference)) => host.client.deployment(reference).await?.deployment.project,
        _ => project::name_here(settings)?,
    };
    let moved = host.client.rollback(&project, arguments.deployment.as_ref(), check_of(arguments.no_check)).await;
    if let Err(ClientError::Refused { detail, .. }) = &moved
        && detail.code == ErrorCode::NothingToRollBack
    {
        // The name may be that of no project, which has no production either.
        project::on_host(&host.client, &project, Wanted::There).await?;
    }
    let moved = moved?;
    report(&moved, output)
}
