//! `ship logout`: the token for a host is forgotten on this machine.

use serde_json::json;

use crate::accounts;
use crate::error::CommandError;
use crate::output::Output;
use crate::settings::{HostChoice, Settings};

/// Forget the token for a host on this machine
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LogoutArgs {
    /// The control address of the host [default: the one that commands talk to]
    #[arg(value_name = "URL")]
    url: Option<String>,
}

pub(crate) fn run(arguments: &LogoutArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let url = match (&arguments.url, &settings.host) {
        (Some(url), _) | (None, HostChoice::At { url, .. }) => url,
        (None, HostChoice::Embedded) => {
            return Err(CommandError::project("this account is logged in nowhere").hint("`ship login URL`"));
        }
    };
    if !accounts::log_out(&settings.home, url)? {
        return Err(CommandError::project(format!("this account is not logged in at {url}")).hint("`ship login URL`"));
    }
    output.status(format_args!("Forgot the token for {url}"));
    output.hint("the host still knows it; `ship tokens rm ID` ends it there");
    output.data(&json!({ "host": url }), |_| String::new())
}
