//! `ship login`: this account gets a token for a host, and talks to that host from then on.

use std::io::Read as _;

use serde_json::json;
use ship_api::{Client, ClientOptions, WhoAmI};
use ship_core::TokenName;

use super::whoami::of_token;
use crate::accounts;
use crate::error::CommandError;
use crate::identity;
use crate::output::Output;
use crate::settings::environment::USER;
use crate::settings::{HostChoice, Settings};

/// The most that is read as a token, in bytes.
const TOKEN_BYTES: u64 = 4 * 1024;

/// Log in at a host: with a token, by a code that its admin approves, or as a CI job
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct LoginArgs {
    /// The control address of the host [default: that of --host]
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// Read a token from standard input, instead of asking for one by a code
    #[arg(long)]
    with_token: bool,
    /// Log in as the job of GitHub Actions or GitLab CI that this is
    #[arg(long, conflicts_with = "with_token")]
    oidc: bool,
    /// Whom the job's identity is for [default: ship:// and the name in the URL]
    #[arg(long, value_name = "AUDIENCE", requires = "oidc")]
    audience: Option<String>,
    /// What this machine calls itself in the host's lists [default: the user's name]
    #[arg(long, value_name = "NAME")]
    name: Option<TokenName>,
}

pub(crate) async fn run(arguments: LoginArgs, settings: &Settings, output: &Output) -> Result<(), CommandError> {
    let url = match (&arguments.url, &settings.host) {
        (Some(url), _) | (None, HostChoice::At { url, .. }) => url.clone(),
        (None, HostChoice::Embedded) => {
            return Err(
                CommandError::usage("no host to log in at is named").hint("`ship login https://ship.example.com`")
            );
        }
    };
    if arguments.oidc {
        let created = identity::exchange(settings, output, &url, arguments.audience.as_deref()).await?;
        accounts::set_default_host(&settings.home, &url)?;
        return logged_in(&url, &client(&url, Some(created.token))?.whoami().await?, output);
    }
    let token = match &settings.token {
        Some(token) => token.expose_secret().to_owned(),
        None if arguments.with_token => read_token()?,
        None => by_code(&url, name(arguments.name, settings)?, output).await?,
    };
    let who = client(&url, Some(token.clone()))?.whoami().await?;
    accounts::log_in(&settings.home, &url, token)?;
    logged_in(&url, &who, output)
}

fn logged_in(url: &str, who: &WhoAmI, output: &Output) -> Result<(), CommandError> {
    output.status(format_args!("Logged in at {url} as {}", of_token(&who.token)));
    let WhoAmI { token, domain } = who;
    output.data(&json!({ "host": url, "token": token, "domain": domain }), |_| String::new())
}

fn client(url: &str, token: Option<String>) -> Result<Client, CommandError> {
    Ok(Client::new(ClientOptions { base_url: url.to_owned(), token })?)
}

fn read_token() -> Result<String, CommandError> {
    let mut text = String::new();
    std::io::stdin().lock().take(TOKEN_BYTES).read_to_string(&mut text).map_err(CommandError::project)?;
    let token = text.trim();
    if token.is_empty() {
        return Err(
            CommandError::usage("there is no token on standard input").hint("`ship login URL --with-token < FILE`")
        );
    }
    Ok(token.to_owned())
}

fn name(given: Option<TokenName>, settings: &Settings) -> Result<TokenName, CommandError> {
    match given {
        Some(name) => Ok(name),
        None => settings.environment.text(USER).unwrap_or("ship login").parse().map_err(CommandError::usage),
    }
}

/// Shows a code, and waits until an admin has approved it.
async fn by_code(url: &str, name: TokenName, output: &Output) -> Result<String, CommandError> {
    let client = client(url, None)?;
    let begun = client.begin_login(name).await?;
    output.status(format_args!("The code of this login is {}", output.styles().good(begun.code)));
    output.status(format_args!(
        "An admin of the host approves it: `ship tokens approve {} --role deployer`, or the dashboard's page *Approve*",
        begun.code
    ));
    let _waiting = output.progress("waiting for the approval");
    loop {
        if let Some(created) = client.wait_for_login(begun.secret.clone()).await?.created {
            return Ok(created.token);
        }
    }
}
