//! `ship open`: a site in the browser.

use std::process::{Command, Stdio};

use serde_json::json;
use ship_api::DeploymentReference;

use crate::connection::{Connection, connect};
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::project;
use crate::settings::Settings;
use crate::settings::environment::{DISPLAY, Environment, WAYLAND_DISPLAY};

/// Print a site's URL and open it in the browser
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct OpenArgs {
    /// An id, its first 4 characters or more, or a URL (default: the project's production site)
    #[arg(value_name = "ID|URL")]
    deployment: Option<DeploymentReference>,
}

pub(crate) async fn run(arguments: OpenArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let host = connect(settings, output, StartPolicy::IfOneRanBefore).await?;
    let url = match &arguments.deployment {
        Some(reference) => project::deployment_of(&host.client, reference, settings.project.as_ref()).await?.url,
        None => production_url(&host, settings).await?,
    };
    output.data(&json!({ "url": url }), |_| url.clone())?;
    if !output.is_json() {
        open_in_browser(&url, &settings.environment, output);
    }
    Ok(())
}

async fn production_url(host: &Connection, settings: &Settings) -> Result<String, CommandError> {
    let name = project::name_here(settings)?;
    Ok(project::on_host(&host.client, &name).await?.url)
}

/// Opens the browser where there is a desktop. Elsewhere the URL that was printed is all there is to do.
fn open_in_browser(url: &str, environment: &Environment, output: &Output) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let desktop = [DISPLAY, WAYLAND_DISPLAY].iter().any(|variable| environment.raw(*variable).is_some());
    if !desktop && !cfg!(target_os = "macos") {
        output.detail("there is no desktop to open a browser on");
        return;
    }
    let mut command = Command::new(program);
    let started = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Err(error) = started {
        output.warning(format_args!("the browser cannot be opened: `{program}`: {error}"));
    }
}
