//! `ship whoami`: whose token commands use, at which host, and what it is good for.

use ship_api::{TokenView, WhoAmI};

use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::{Output, short_time};
use crate::settings::Settings;

/// Show whose token is used, and what it is good for
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct WhoamiArgs {}

pub(crate) async fn run(_: WhoamiArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let who = host.client.whoami().await?;
    output.data(&who, |_| sentence(&who))
}

/// `laptop (k3v9q2m8x1): deployer of every project at example.com, until 2026-04-14 12:03:04 UTC`.
fn sentence(who: &WhoAmI) -> String {
    format!("{}, at {}", of_token(&who.token), who.domain)
}

/// What a token is good for, in words.
pub(super) fn of_token(token: &TokenView) -> String {
    let place = token.project.as_ref().map_or_else(|| "every project".to_owned(), |project| format!("`{project}`"));
    let end = token.expires_at.map(|end| format!(", until {} UTC", short_time(end))).unwrap_or_default();
    format!("{} ({}): {} of {place}{end}", token.name, token.id, token.role)
}
