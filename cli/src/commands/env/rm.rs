//! `ship env rm`: a variable goes, for some targets or altogether.

use ship_core::{BranchName, VariableName, VariableTarget};

use super::scopes;
use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::project;
use crate::settings::Settings;

/// Remove a variable
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct RmArgs {
    /// Its name
    #[arg(value_name = "KEY")]
    name: VariableName,
    /// Only for this target; may be repeated
    #[arg(long, value_name = "TARGET")]
    target: Vec<VariableTarget>,
    /// Only what is set for previews of this branch
    #[arg(long, value_name = "B")]
    branch: Option<BranchName>,
}

pub(super) async fn run(arguments: RmArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let RmArgs { name, target, branch } = arguments;
    let project = project::name_here(settings)?;
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let removed = host.client.remove_variable(&project, &name, &target, branch.as_ref()).await?;
    output.status(format_args!("Removed {name} for {} of {project}", scopes(&removed.removed)));
    output.hint("deployments that see it keep it until they are deployed again or removed");
    output.data(&removed, |_| String::new())
}
