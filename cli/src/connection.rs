//! Which host a command talks to, and as whom.

use ship_api::{Client, ClientOptions};

use crate::accounts;
use crate::embedded::{self, Endpoint, StartPolicy, running_hosts};
use crate::error::{CommandError, ErrorKind};
use crate::home::HostFolder;
use crate::identity::{self, JobIdentity};
use crate::output::Output;
use crate::settings::{HostChoice, Origin, Settings};

/// The version of this program. A host of another version may not know what it is asked.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A host to talk to.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The client of its control API.
    pub(crate) client: Client,
    /// Where it listens, if it runs on this machine and this account knows it.
    pub(crate) endpoint: Option<Endpoint>,
}

/// The host that the settings name, started if it is the embedded one and the policy allows that.
pub(crate) async fn connect(
    settings: &Settings,
    output: &Output,
    policy: StartPolicy,
) -> Result<Connection, CommandError> {
    match find(settings, output, policy).await? {
        Some(connection) => Ok(connection),
        None => Err(CommandError::new(ErrorKind::Unreachable, "no host runs here, and none ever did")
            .hint("`ship deploy` starts one, `--host URL` names another")),
    }
}

/// The same, and `None` if no host runs and none may be started.
pub(crate) async fn find(
    settings: &Settings,
    output: &Output,
    policy: StartPolicy,
) -> Result<Option<Connection>, CommandError> {
    match &settings.host {
        HostChoice::At { url, origin } => {
            let from = match origin {
                Origin::Flag => "--host",
                Origin::Environment => "SHIP_HOST",
                Origin::Link => "`ship link`",
                Origin::Login => "`ship login`",
            };
            let connection = named(settings, output, url).await?;
            output.detail(format_args!("host {url}, from {from}"));
            Ok(Some(connection))
        }
        HostChoice::Embedded => {
            let Some(endpoint) = embedded::find_or_start(settings, output, policy).await? else { return Ok(None) };
            warn_of_another_version(output, &endpoint);
            let folder = settings.home.host(std::path::Path::new(&endpoint.data));
            let token = token(settings, Some(&folder))?;
            let client = Client::new(ClientOptions { base_url: endpoint.control.clone(), token })?;
            Ok(Some(Connection { client, endpoint: Some(endpoint) }))
        }
    }
}

/// The host at a URL. Who logged in there has a token; if it is one of this account, its own token opens it; and a job whose platform vouches
/// for it gets one.
async fn named(settings: &Settings, output: &Output, url: &str) -> Result<Connection, CommandError> {
    let known = running_hosts(&settings.home).into_iter().find(|(_, endpoint)| same_address(&endpoint.control, url));
    let job = JobIdentity::of(&settings.environment);
    let token = match (&settings.token, accounts::token_for(&settings.home, url, job.map(|job| job.mark()))?) {
        (None, Some(token)) => Some(token),
        (None, None) if known.is_none() && job.is_some() => {
            Some(identity::exchange(settings, output, url, None).await?.token)
        }
        _ => token(settings, known.as_ref().map(|(folder, _)| folder))?,
    };
    let client = Client::new(ClientOptions { base_url: url.to_owned(), token })?;
    Ok(Connection { client, endpoint: known.map(|(_, endpoint)| endpoint) })
}

/// The token: the one that was given, else that of a host of this account.
pub(crate) fn token(settings: &Settings, folder: Option<&HostFolder>) -> Result<Option<String>, CommandError> {
    if let Some(token) = &settings.token {
        return Ok(Some(token.expose_secret().to_owned()));
    }
    let Some(folder) = folder else { return Ok(None) };
    let path = folder.token_file();
    let text = fs_err::read_to_string(&path).map_err(|error| {
        CommandError::new(ErrorKind::Unreachable, error).hint("`--token T` gives the token of the host")
    })?;
    Ok(Some(text.trim().to_owned()))
}

/// The client of a host that is known to run or was named, without a word and without asking anybody: for whoever types.
pub(crate) fn of_running_host(settings: &Settings) -> Option<Client> {
    let running = running_hosts(&settings.home);
    let (url, folder) = match &settings.host {
        HostChoice::At { url, .. } => (
            url.clone(),
            running.into_iter().find(|(_, known)| same_address(&known.control, url)).map(|(folder, _)| folder),
        ),
        HostChoice::Embedded => {
            let data = settings.home.host_data().canonicalize().ok()?;
            let (folder, endpoint) =
                running.into_iter().find(|(_, known)| std::path::Path::new(&known.data) == data)?;
            (endpoint.control, Some(folder))
        }
    };
    let logged_in = || accounts::token_for(&settings.home, &url, None).ok().flatten();
    let token = token(settings, folder.as_ref()).ok().flatten().or_else(logged_in);
    Client::new(ClientOptions { base_url: url, token }).ok()
}

/// Whether the host that the settings name runs on this machine, so that what works here works there.
pub(crate) fn is_on_this_machine(settings: &Settings) -> bool {
    match &settings.host {
        HostChoice::Embedded => true,
        HostChoice::At { url, .. } => same_host(url, "http://localhost"),
    }
}

/// Whether two URLs name one address.
fn same_address(left: &str, right: &str) -> bool {
    let address = |url: &str| Some((host_of(url)?, url.parse::<reqwest::Url>().ok()?));
    let (Some((left_host, left)), Some((right_host, right))) = (address(left), address(right)) else { return false };
    let port = |url: &reqwest::Url| url.port_or_known_default();
    left_host == right_host && left.scheme() == right.scheme() && port(&left).is_some() && port(&left) == port(&right)
}

/// Whether two URLs name one machine.
fn same_host(left: &str, right: &str) -> bool {
    host_of(left).is_some_and(|left| Some(left) == host_of(right))
}

/// The machine that a URL names. `localhost` is this machine, whichever of its loopback addresses is meant.
pub(crate) fn host_of(url: &str) -> Option<String> {
    let url: reqwest::Url = url.parse().ok()?;
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']');
    let loopback = host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    Some(if loopback { "localhost".to_owned() } else { host.to_owned() })
}

fn warn_of_another_version(output: &Output, endpoint: &Endpoint) {
    if endpoint.version != VERSION {
        output.warning(format_args!("the host in the background is ship {}, this is ship {VERSION}", endpoint.version));
        output.hint("`ship host stop`, and the next command starts one of this version");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address is the same with and without a trailing slash, and by either name of this machine.
    #[test]
    fn addresses() {
        assert!(same_address("http://127.0.0.1:7701", "http://localhost:7701/"));
        assert!(same_address("https://ship.example.com", "https://SHIP.example.com:443"));
        assert!(!same_address("http://127.0.0.1:7701", "http://127.0.0.1:7703"));
        assert!(!same_address("http://127.0.0.1:7701", "https://127.0.0.1:7701"));
        assert!(!same_address("http://[::1]:1", "http://192.0.2.1:1"));
        assert!(!same_address("nonsense", "nonsense"));
        assert!(
            same_host("http://[::1]:1", "http://localhost")
                && !same_host("https://ship.example.com", "http://localhost")
        );
    }
}
