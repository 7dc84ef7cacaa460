//! `ship domains`: names of the world that lead to projects.

mod change;
mod ls;

use clap::Subcommand;
use ship_core::DomainName;

use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::project;
use crate::settings::Settings;

/// Manage the domains of a project
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DomainsArgs {
    #[command(subcommand)]
    command: DomainsCommand,
}

#[derive(Clone, Debug, Subcommand)]
enum DomainsCommand {
    /// Claim a domain for the project, and show how to prove that it is yours
    Add {
        /// The domain, in letters of any script
        name: DomainName,
        /// Lead its visitors to this domain of the project, as from www.example.com to example.com
        #[arg(long, value_name = "NAME")]
        redirect_to: Option<DomainName>,
    },
    /// Look for the proof, and serve the domain from then on
    Verify {
        /// The domain
        name: DomainName,
    },
    /// Show the domains of all projects, or with --project of one
    Ls,
    /// Give a domain up; for 30 days no other project can take it
    Rm {
        /// The domain
        name: DomainName,
    },
}

pub(crate) async fn run(arguments: DomainsArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    match arguments.command {
        DomainsCommand::Ls => ls::run(&host.client, settings.project.as_ref(), output).await,
        DomainsCommand::Add { name, redirect_to } => {
            change::add(&host.client, &project::name_here(settings)?, name, redirect_to, output).await
        }
        DomainsCommand::Verify { name } => {
            change::verify(&host.client, &project::name_here(settings)?, &name, output).await
        }
        DomainsCommand::Rm { name } => {
            change::remove(&host.client, &project::name_here(settings)?, &name, output).await
        }
    }
}
