//! Who vouches for jobs.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::text::serde_through_text;

/// The issuer of GitHub's own runners (<https://docs.github.com/actions/reference/security/oidc>).
const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// The issuer of gitlab.com (<https://docs.gitlab.com/ci/secrets/id_token_authentication/>).
const GITLAB: &str = "https://gitlab.com";

/// The longest address of an issuer, in bytes.
const MAX_BYTES: usize = 300;

/// Whose words an issuer uses for its jobs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Platform {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
    /// One of which only the subject is understood.
    Other,
}

/// Who signs the identities of jobs: `github`, `gitlab`, `gitlab=https://git.example.com` where GitLab is one's own, or the address of
/// any other.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    platform: Platform,
    url: Box<str>,
}

impl Issuer {
    /// Whose words it uses.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// Its address, as it stands in the identities that it signs, byte for byte.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether it is the public one of its platform.
    pub fn is_well_known(&self) -> bool {
        [(Platform::GitHub, GITHUB), (Platform::GitLab, GITLAB)].contains(&(self.platform, &self.url))
    }

    /// Whether it is asked for its keys in the clear, which only one on this very machine is.
    pub fn is_plain(&self) -> bool {
        self.url.starts_with("http://")
    }

    fn well_known(platform: Platform, url: &str) -> Self {
        Self { platform, url: url.into() }
    }
}

impl FromStr for Issuer {
    type Err = ParseIssuerError;

    fn from_str(text: &str) -> Result<Self, ParseIssuerError> {
        let (platform, url) = match text.split_once('=') {
            None if text == "github" => return Ok(Self::well_known(Platform::GitHub, GITHUB)),
            None if text == "gitlab" => return Ok(Self::well_known(Platform::GitLab, GITLAB)),
            Some(("github", url)) => (Platform::GitHub, url),
            Some(("gitlab", url)) => (Platform::GitLab, url),
            _ if text == GITHUB => (Platform::GitHub, text),
            _ if text == GITLAB => (Platform::GitLab, text),
            _ => (Platform::Other, text),
        };
        check_url(url).map_err(|reason| ParseIssuerError { found: text.chars().take(100).collect(), reason })?;
        Ok(Self { platform, url: url.into() })
    }
}

/// What keeps a text from being the address of an issuer. Stricter than URLs are, so that nobody reads it otherwise.
fn check_url(url: &str) -> Result<(), &'static str> {
    if url.len() > MAX_BYTES {
        return Err("it is longer than 300 bytes");
    }
    let (is_plain, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return Err("expected `github`, `gitlab`, or an address that begins with https://"),
    };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if authority.is_empty() || !authority.bytes().all(|byte| fits(byte) || b":[]".contains(&byte)) {
        return Err("it names no server, or more than a server");
    }
    if !path.bytes().all(|byte| fits(byte) || byte == b'/') || path.split('/').any(|segment| segment == "..") {
        return Err("only letters, digits, `-`, `.`, `_` and `~` may stand in its path, and no query");
    }
    if is_plain && !is_this_machine(authority) {
        return Err("whoever stands between could sign for it: expected https://");
    }
    Ok(())
}

fn is_this_machine(authority: &str) -> bool {
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.platform, self.is_well_known()) {
            (Platform::GitHub, true) => f.write_str("github"),
            (Platform::GitLab, true) => f.write_str("gitlab"),
            (Platform::GitHub, false) => write!(f, "github={}", self.url),
            (Platform::GitLab, false) => write!(f, "gitlab={}", self.url),
            (Platform::Other, _) => f.write_str(&self.url),
        }
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({self})")
    }
}

serde_through_text!(Issuer);

/// The text names no issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is no issuer of identities: {reason}")]
pub struct ParseIssuerError {
    found: String,
    reason: &'static str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The public ones have short names, by whichever name they are called; others are told by their address.
    #[test]
    fn names() {
        for (text, platform, url, shown) in [
            ("github", Platform::GitHub, GITHUB, "github"),
            (GITHUB, Platform::GitHub, GITHUB, "github"),
            ("github=https://token.actions.githubusercontent.com", Platform::GitHub, GITHUB, "github"),
            ("gitlab", Platform::GitLab, GITLAB, "gitlab"),
            ("gitlab=https://git.example", Platform::GitLab, "https://git.example", "gitlab=https://git.example"),
            (
                "https://ci.example:8443/a/b",
                Platform::Other,
                "https://ci.example:8443/a/b",
                "https://ci.example:8443/a/b",
            ),
            ("http://127.0.0.1:80", Platform::Other, "http://127.0.0.1:80", "http://127.0.0.1:80"),
            ("http://[::1]:80/", Platform::Other, "http://[::1]:80/", "http://[::1]:80/"),
        ] {
            let issuer: Issuer = text.parse().unwrap();
            assert_eq!(
                (issuer.platform(), issuer.url(), issuer.to_string().as_str()),
                (platform, url, shown),
                "{text}"
            );
        }
    }

    /// What could be read as something else, or asked for keys in the clear over a network, is none.
    #[test]
    fn no_issuers() {
        for text in [
            "",
            "git",
            "github=",
            "=https://a",
            "https://",
            "http://ci.example",
            "http://localhost.example",
            "ftp://localhost",
            "http://127.0.0.1@ci.example",
            "https://ci.example?x",
            "https://ci.example#x",
            "https://ci.example/../a",
            "http://127.0.0.1\\ci.example",
            "https://ci.example/%2e",
            "http://localhost:80:80x",
            "https://a b",
        ] {
            assert!(text.parse::<Issuer>().is_err(), "{text}");
        }
        assert!(format!("https://{}", "a".repeat(MAX_BYTES)).parse::<Issuer>().is_err());
    }

    proptest! {
        /// Whatever is read is shown in a form that is read as the same.
        #[test]
        fn round_trip(text in "(github=|gitlab=|)(https?://)?[a-z0-9.:/@\\[\\]-]{0,20}") {
            if let Ok(issuer) = text.parse::<Issuer>() {
                prop_assert_eq!(issuer.to_string().parse(), Ok(issuer));
            }
        }
    }
}
