//! `ship dashboard`: the host's dashboard in the browser, already logged in.

use serde_json::json;

use super::open::open_in_browser;
use crate::connection::connect;
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::settings::Settings;

/// Print a link that logs a browser in to the host's dashboard, and open it
///
/// The link is good once, for a minute, and for what your token is good for. The token itself is not in it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct DashboardArgs {}

pub(crate) async fn run(_: DashboardArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let (url, expires_secs) = host.client.dashboard().await?;
    output.data(&json!({ "url": url, "expires_secs": expires_secs }), |_| url.clone())?;
    if !output.is_json() {
        let _ = open_in_browser(&url, &settings.environment, output);
    }
    Ok(())
}
