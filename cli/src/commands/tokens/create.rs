//! `ship tokens create`: a token for a person, a machine or a pipeline.

use ship_api::{Client, CreateTokenRequest};
use ship_core::TokenName;

use super::GrantArgs;
use crate::commands::whoami::of_token;
use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;

/// Make a token and print it, once; with --project it is good for that project alone
#[derive(Clone, Debug, clap::Args)]
pub(super) struct CreateArgs {
    #[command(flatten)]
    grant: GrantArgs,
    /// What it is called in lists and in the audit log [default: its role and project]
    #[arg(long, value_name = "NAME")]
    name: Option<TokenName>,
}

pub(super) async fn run(
    arguments: &CreateArgs,
    client: &Client,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let role = arguments.grant.role;
    let name = match &arguments.name {
        Some(name) => name.clone(),
        None => default_name(role.as_str(), settings)?,
    };
    let request =
        CreateTokenRequest { name, role, project: settings.project.clone(), expires: arguments.grant.expires };
    let created = client.create_token(&request).await?;
    output.status(of_token(&created.view));
    output.status("It is shown once; `ship tokens rm` takes it away");
    output.data(&created, |_| created.token.clone())
}

/// `deployer of blue`, `viewer of all projects`. A project's name always fits, if need be cut.
fn default_name(role: &str, settings: &Settings) -> Result<TokenName, CommandError> {
    let place = settings.project.as_ref().map_or("all projects", |project| project.as_str());
    let name: String = format!("{role} of {place}").chars().take(TokenName::CHARACTERS).collect();
    name.parse().map_err(CommandError::project)
}
