//! `ship tokens approve`: a machine that shows a code is let in.

use ship_api::{ApproveLoginRequest, Client};
use ship_core::LoginCode;

use super::GrantArgs;
use crate::error::CommandError;
use crate::output::{Output, plain};
use crate::settings::{Confirmation, Settings};

/// Let the machine in that shows a code; with --project into that project alone
#[derive(Clone, Debug, clap::Args)]
pub(super) struct ApproveArgs {
    /// The code that `ship login` shows there
    #[arg(value_name = "CODE")]
    code: LoginCode,
    #[command(flatten)]
    grant: GrantArgs,
}

pub(super) async fn run(
    arguments: &ApproveArgs,
    client: &Client,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    let role = arguments.grant.role;
    let login = client.login(arguments.code).await?;
    let place = settings.project.as_ref().map_or_else(|| "every project".to_owned(), |project| format!("`{project}`"));
    let (name, peer) = (plain(login.name.as_str()), plain(&login.peer));
    if settings.confirmation == Confirmation::Ask {
        // A code that somebody else sent may be theirs: whoever approves it should know whose machine it is. What it calls itself comes
        // last, where it cannot pretend to be the address.
        match output.confirm(format!("Let in, as {role} of {place}, from {peer}: `{name}`?")).await {
            Some(true) => {}
            Some(false) => return Err(CommandError::project(format!("`{name}` was not let in"))),
            None => {
                return Err(CommandError::usage(format!("letting in, from {peer}, `{name}` needs a confirmation"))
                    .hint(format!("`ship tokens approve {} --role {role} --yes`", arguments.code)));
            }
        }
    }
    let request = ApproveLoginRequest { role, project: settings.project.clone(), expires: arguments.grant.expires };
    let approved = client.approve_login(arguments.code, &request).await?;
    output.status(format_args!("`{name}` at {peer} is let in as {role} of {place}"));
    output.data(&approved, |_| name.clone())
}
