//! `ship promote`: production moves to a deployment that exists.

use ship_api::{AliasMoveView, CheckFunctions, DeploymentReference};

use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;

/// Move production to a deployment
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct PromoteArgs {
    /// An id, its first 4 characters or more, or a URL
    #[arg(value_name = "ID|URL")]
    deployment: DeploymentReference,
    /// Move it even if a function of the deployment does not start
    #[arg(long)]
    no_check: bool,
}

pub(crate) async fn run(arguments: PromoteArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let project = match &settings.project {
        Some(project) => project.clone(),
        None => host.client.deployment(&arguments.deployment).await?.deployment.project,
    };
    let moved = host.client.promote(&project, &arguments.deployment, check_of(arguments.no_check)).await?;
    report(&moved, output)
}

/// What `--no-check` means.
pub(super) const fn check_of(no_check: bool) -> CheckFunctions {
    if no_check { CheckFunctions::Skip } else { CheckFunctions::Start }
}

/// Says where production leads now and where it led before. The URL is the data.
pub(super) fn report(moved: &AliasMoveView, output: &Output) -> Result<(), CommandError> {
    let short =
        |id: &Option<ship_core::DeploymentId>| id.map_or_else(|| "nothing".to_owned(), |id| id.short().to_owned());
    if moved.from == moved.to {
        output.status(format_args!("Production leads to {} already", short(&moved.to)));
    } else {
        output.status(format_args!("Production moved from {} to {}", short(&moved.from), short(&moved.to)));
    }
    output.data(moved, |_| moved.url.clone())
}
