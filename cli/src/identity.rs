//! The identity that a platform of continuous integration vouches for, and what a job gets for it: a token, without any secret in the
//! settings of the job.

use std::time::Duration;

use jiff::Timestamp;
use ship_api::{Client, ClientOptions, CreatedToken, ExchangeRequest};
use ship_core::Digest;

use crate::accounts::{self, OfJob};
use crate::connection::host_of;
use crate::error::{CommandError, ErrorKind};
use crate::output::Output;
use crate::settings::Settings;
use crate::settings::environment::{
    ACTIONS_ID_TOKEN_REQUEST_TOKEN, ACTIONS_ID_TOKEN_REQUEST_URL, Environment, SHIP_AUDIENCE, SHIP_ID_TOKEN,
};

/// How long GitHub may take to sign an identity.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Where the identity of this job comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobIdentity<'e> {
    /// It was given with the job, as GitLab does (`id_tokens`).
    Given(&'e str),
    /// GitHub signs one for whoever it is asked for (`permissions: id-token: write`).
    Asked {
        /// Where to ask.
        url: &'e str,
        /// What shows that this is the job.
        token: &'e str,
    },
}

impl<'e> JobIdentity<'e> {
    /// The identity of the job that this is, if it is one that has an identity.
    pub(crate) fn of(environment: &'e Environment) -> Option<Self> {
        let given = environment.text(SHIP_ID_TOKEN).map(Self::Given);
        let asked = || {
            let url = environment.text(ACTIONS_ID_TOKEN_REQUEST_URL)?;
            Some(Self::Asked { url, token: environment.text(ACTIONS_ID_TOKEN_REQUEST_TOKEN)? })
        };
        given.or_else(asked)
    }

    /// What tells this job from others on the same machine, and tells nothing else.
    pub(crate) fn mark(&self) -> Digest {
        match self {
            Self::Given(secret) | Self::Asked { token: secret, .. } => Digest::of(secret.as_bytes()),
        }
    }

    /// The identity, signed, for an audience. Of one that was given the audience stands in the job's own file.
    async fn obtain(&self, audience: &str) -> Result<String, CommandError> {
        match self {
            Self::Given(identity) => Ok((*identity).trim().to_owned()),
            Self::Asked { url, token } => ask(url, token, audience).await.map_err(|error| {
                let message = "GitHub gives this job no identity";
                CommandError::new(ErrorKind::Unreachable, message)
                    .details(vec![error.without_url().to_string()])
                    .hint("the job needs `permissions: id-token: write`")
            }),
        }
    }
}

/// <https://docs.github.com/actions/reference/security/oidc#methods-for-requesting-the-oidc-token>
async fn ask(url: &str, token: &str, audience: &str) -> Result<String, reqwest::Error> {
    #[derive(serde::Deserialize)]
    struct Answer {
        value: String,
    }
    // Another provider may have been installed by an earlier client of this process: either will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().timeout(TIMEOUT).redirect(reqwest::redirect::Policy::none()).build()?;
    let audience = percent_encoding::utf8_percent_encode(audience, percent_encoding::NON_ALPHANUMERIC);
    let separator = if url.contains('?') { '&' } else { '?' };
    let request = client.get(format!("{url}{separator}audience={audience}")).bearer_auth(token);
    let answer: Answer = request.send().await?.error_for_status()?.json().await?;
    Ok(answer.value)
}

/// Exchanges the identity of this job for a token, which is kept for the other commands of the job: an identity is good for one
/// exchange.
pub(crate) async fn exchange(
    settings: &Settings,
    output: &Output,
    url: &str,
    audience: Option<&str>,
) -> Result<CreatedToken, CommandError> {
    let job = JobIdentity::of(&settings.environment).ok_or_else(|| {
        CommandError::usage("this is no job that has an identity")
            .hint("at GitHub it needs `permissions: id-token: write`, at GitLab `id_tokens` with SHIP_ID_TOKEN")
    })?;
    let audience = match audience.or_else(|| settings.environment.text(SHIP_AUDIENCE)) {
        Some(audience) => audience.to_owned(),
        None => of_host(url)?,
    };
    output.detail(format_args!("exchanging the identity of this job, for {audience}, at {url}"));
    let identity = job.obtain(&audience).await?;
    let project = settings.project.clone().or_else(|| settings.link.project.clone());
    let client = Client::new(ClientOptions { base_url: url.to_owned(), token: None })?;
    let created = client.exchange(&ExchangeRequest { identity, project }).await?;
    let until = created.view.expires_at.unwrap_or(Timestamp::MAX);
    accounts::keep_for_job(&settings.home, url, created.token.clone(), OfJob { mark: job.mark(), until })?;
    Ok(created)
}

/// The audience that a host has whose control address stands on its own domain. It is made of what the job says and not asked of the
/// host: another host could name this one, and use the identity here.
fn of_host(url: &str) -> Result<String, CommandError> {
    let host = host_of(url).ok_or_else(|| CommandError::usage(format!("`{url}` is not the address of a host")))?;
    Ok(format!("ship://{host}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was given goes before what can be asked for, and half of what asking takes is nothing.
    #[test]
    fn sources() {
        let asked = [(ACTIONS_ID_TOKEN_REQUEST_URL, "https://a.example"), (ACTIONS_ID_TOKEN_REQUEST_TOKEN, "t")];
        let environment = Environment::from(asked);
        let expected = JobIdentity::Asked { url: "https://a.example", token: "t" };
        assert!(JobIdentity::of(&environment) == Some(expected));
        assert!(JobIdentity::of(&Environment::from([asked[0]])).is_none());
        assert!(JobIdentity::of(&Environment::from([asked[1]])).is_none());
        let given = Environment::from([asked[0], asked[1], (SHIP_ID_TOKEN, "given")]);
        assert!(JobIdentity::of(&given) == Some(JobIdentity::Given("given")));
        assert_ne!(expected.mark(), JobIdentity::Given("given").mark());
    }

    /// The audience is the host's name, whatever its port; a loopback address is `localhost`, as its domain.
    #[test]
    fn audiences() {
        assert_eq!(of_host("https://ship.example.com:7701/").unwrap(), "ship://ship.example.com");
        assert_eq!(of_host("http://127.0.0.1:7701").unwrap(), "ship://localhost");
        assert!(of_host("nonsense").is_err());
    }
}
