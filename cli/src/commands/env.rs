//! `ship env`: the variables that a host keeps for a project.

mod ls;
mod pull;
mod rm;
mod set;

use ship_api::VariableView;
use ship_core::{BranchName, VariableTarget};

use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;

/// Set, list, remove and pull the variables of a project
///
/// Functions find them set from the next `ship deploy` on. A value can be read by the functions that it is for and by nobody else,
/// unless it was set with --plain or for development.
#[derive(Clone, Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub(crate) struct EnvArgs {
    #[command(subcommand)]
    command: EnvCommand,
}

#[derive(Clone, Debug, clap::Subcommand)]
enum EnvCommand {
    // `add` is what Vercel calls it.
    #[command(alias = "add")]
    Set(set::SetArgs),
    Ls(ls::LsArgs),
    Rm(rm::RmArgs),
    Pull(pull::PullArgs),
}

pub(crate) async fn run(arguments: EnvArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    match arguments.command {
        EnvCommand::Set(arguments) => set::run(arguments, settings, output).await,
        EnvCommand::Ls(arguments) => ls::run(&arguments, settings, output).await,
        EnvCommand::Rm(arguments) => rm::run(arguments, settings, output).await,
        EnvCommand::Pull(arguments) => pull::run(arguments, settings, output).await,
    }
}

/// What variables are for, in words: `production and preview (feature/a)`.
fn scopes(variables: &[VariableView]) -> String {
    let scope = |variable: &VariableView| scope(variable.target, variable.branch.as_ref());
    variables.iter().map(scope).collect::<Vec<_>>().join(" and ")
}

fn scope(target: VariableTarget, branch: Option<&BranchName>) -> String {
    branch.map_or_else(|| target.to_string(), |branch| format!("{target} ({branch})"))
}
