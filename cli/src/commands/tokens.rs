//! `ship tokens`: who may use the host.

mod approve;
mod create;
mod ls;
mod rm;
mod trust;

use clap::Subcommand;
use ship_core::{Lifetime, Role, TokenId};

use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;

/// Give others access to the host, and take it away
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct TokensArgs {
    #[command(subcommand)]
    command: TokensCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum TokensCommand {
    /// Make a token and print it, once; with --project it is good for that project alone
    Create(create::CreateArgs),
    /// List tokens, without the tokens themselves
    Ls,
    /// Remove a token: from then on it opens nothing
    Rm {
        /// The id, as `ship tokens ls` shows it
        #[arg(value_name = "ID")]
        id: TokenId,
    },
    /// Let the machine in that shows a code; with --project into that project alone
    Approve(approve::ApproveArgs),
    /// Let jobs of GitHub Actions and GitLab CI in without a secret
    #[command(subcommand)]
    Trust(trust::TrustCommand),
}

/// What somebody is let do.
#[derive(Clone, Debug, clap::Args)]
struct GrantArgs {
    /// How much: a `viewer` sees, a `deployer` also publishes, an `admin` does all
    #[arg(long, value_name = "ROLE")]
    role: Role,
    /// For how long: 90d, 12h; at most 366d, and never longer than your own token
    #[arg(long, value_name = "TIME")]
    expires: Option<Lifetime>,
}

pub(crate) async fn run(arguments: TokensArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    match arguments.command {
        TokensCommand::Create(arguments) => create::run(&arguments, &host.client, settings, output).await,
        TokensCommand::Ls => ls::run(&host.client, output).await,
        TokensCommand::Rm { id } => rm::run(&id, &host.client, settings, output).await,
        TokensCommand::Approve(arguments) => approve::run(&arguments, &host.client, settings, output).await,
        TokensCommand::Trust(command) => trust::run(command, &host.client, settings, output).await,
    }
}
