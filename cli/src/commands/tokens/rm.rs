//! `ship tokens rm`: a token opens nothing any more.

use ship_api::Client;
use ship_core::TokenId;

use crate::error::CommandError;
use crate::output::Output;
use crate::settings::{Confirmation, Settings};

pub(super) async fn run(
    id: &TokenId,
    client: &Client,
    settings: &Settings,
    output: &Output,
) -> Result<(), CommandError> {
    if settings.confirmation != Confirmation::Given && client.whoami().await?.token.id == *id {
        confirm(id, output).await?;
    }
    let removed = client.remove_token(id).await?;
    output.status(format_args!("Removed the token {id}: it opens nothing any more"));
    output.data(&removed, |_| id.to_string())
}

/// Whoever removes the token that they come with is locked out, and where it is the owner's only one, so is everybody.
async fn confirm(id: &TokenId, output: &Output) -> Result<(), CommandError> {
    match output.confirm(format!("Remove {id}, the token that this command uses?")).await {
        Some(true) => Ok(()),
        Some(false) => Err(CommandError::project(format!("the token {id} was not removed"))),
        None => {
            Err(CommandError::usage(format!("{id} is the token that this command uses: without it you are locked out"))
                .hint(format!("`ship tokens rm {id} --yes`")))
        }
    }
}
