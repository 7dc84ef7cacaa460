//! `ship open`: a site in the browser.

use std::io;
use std::process::{Command, Stdio};

use serde_json::json;
use ship_api::DeploymentReference;

use crate::connection::{Connection, connect};
use crate::embedded::StartPolicy;
use crate::error::CommandError;
use crate::output::Output;
use crate::project::{self, Wanted};
use crate::settings::Settings;
use crate::settings::environment::{BROWSER, DISPLAY, Environment, WAYLAND_DISPLAY};

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
        let _ = open_in_browser(&url, &settings.environment, output);
    }
    Ok(())
}

async fn production_url(host: &Connection, settings: &Settings) -> Result<String, CommandError> {
    let name = project::name_here(settings)?;
    Ok(project::on_host(&host.client, &name, Wanted::There).await?.url)
}

/// Where a URL was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Opened {
    /// In a browser, or that it could not be was said.
    InBrowser,
    /// There is neither a desktop nor a browser that the user has chosen.
    Nowhere,
}

/// Opens the browser that the user has chosen, or that of the desktop. Where there is neither, the URL that was printed is all
/// there is to do.
pub(crate) fn open_in_browser(url: &str, environment: &Environment, output: &Output) -> Opened {
    let desktop = [DISPLAY, WAYLAND_DISPLAY].iter().any(|variable| environment.raw(*variable).is_some());
    let of_desktop = match (cfg!(target_os = "macos"), desktop) {
        (true, _) => "open",
        (false, true) => "xdg-open",
        (false, false) => "",
    };
    let chosen = environment.text(BROWSER).unwrap_or(of_desktop);
    let mut failure = None;
    for browser in chosen.split(':').map(str::trim).filter(|browser| !browser.is_empty()) {
        match start(browser, url) {
            Ok(()) => return Opened::InBrowser,
            Err(error) => failure = Some((browser, error)),
        }
    }
    let Some((browser, error)) = failure else {
        output.detail("there is no desktop to open a browser on");
        return Opened::Nowhere;
    };
    output.warning(format_args!("the browser cannot be opened: `{browser}`: {error}"));
    Opened::InBrowser
}

/// Starts one of the programs that `BROWSER` lists: its words, with the URL in the place of `%s` or behind them. No shell reads
/// it.
fn start(browser: &str, url: &str) -> io::Result<()> {
    let mut words: Vec<String> = browser.split_whitespace().map(|word| word.replace("%s", url)).collect();
    if !browser.contains("%s") {
        words.push(url.to_owned());
    }
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(drop)
}
