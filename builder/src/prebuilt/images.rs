//! `images` of an output: addresses at which a site asks for its images in other sizes.
//!
//! The platform that such outputs are made for resizes there. Here the image itself is the answer, to the questions that the
//! output allows: whoever asks gets a picture, with the bytes that the site has. The answer is a rewrite, so what guards the
//! image's own path guards it here too. See <https://vercel.com/docs/build-output-api/configuration#images>.

use serde::Deserialize;
use serde_json::{Value, json};

/// Where images are asked for.
const ADDRESS: &str = "^/_vercel/image/?$";

/// What may be asked for. Keys about how images are made smaller, and kept, are let be.
#[derive(Deserialize, Debug)]
#[serde(rename_all = "camelCase")]
pub(super) struct Images {
    #[serde(default)]
    sizes: Vec<u32>,
    #[serde(default)]
    qualities: Option<Vec<u32>>,
    #[serde(default)]
    domains: Vec<String>,
    #[serde(default)]
    remote_patterns: Vec<RemotePattern>,
    #[serde(default)]
    local_patterns: Option<Vec<LocalPattern>>,
}

/// Images of another server. Host name and path are regular expressions.
#[derive(Deserialize, Debug)]
struct RemotePattern {
    protocol: Option<String>,
    hostname: String,
    port: Option<String>,
    pathname: Option<String>,
}

/// Images of the site itself. The path is a regular expression.
#[derive(Deserialize, Debug)]
struct LocalPattern {
    pathname: Option<String>,
}

impl Images {
    /// The routes that answer, to be tried before all others. What no route allows is a bad request.
    pub(super) fn routes(&self) -> Vec<Value> {
        let mut routes = vec![self.wrong_quality()];
        routes.extend(self.local_paths().iter().map(|path| {
            // What else stands in the table for the image's own path holds as well.
            let url = format!("(?=(?:{path})$)/(?<ship_image>(?![/\\\\])[^?#]*)");
            json!({ "src": ADDRESS, "has": self.asked(&url), "dest": "/$ship_image", "continue": true })
        }));
        routes.extend(self.servers().iter().map(|server| {
            let origin = server.origin.replace('.', "\\.");
            let url = format!("(?={origin}(?:{})$){origin}/(?<ship_image>.*)", server.path);
            json!({ "src": ADDRESS, "has": self.asked(&url), "dest": format!("{}/$ship_image", server.origin) })
        }));
        routes.push(json!({ "src": ADDRESS, "status": 400 }));
        routes
    }

    /// The conditions on a question for the images that `url` matches.
    fn asked(&self, url: &str) -> Value {
        let sizes = any_of(&self.sizes);
        json!([{ "type": "query", "key": "url", "value": url }, { "type": "query", "key": "w", "value": sizes }])
    }

    fn wrong_quality(&self) -> Value {
        let allowed = self.qualities.as_deref().map_or_else(|| "100|[1-9][0-9]?".to_owned(), any_of);
        let others = format!("(?!(?:{allowed})$).*");
        json!({ "src": ADDRESS, "has": [{ "type": "query", "key": "q", "value": others }], "status": 400 })
    }

    /// Which paths of the site may be asked for: all, if nothing is said.
    fn local_paths(&self) -> Vec<String> {
        match &self.local_patterns {
            None => vec![".*".to_owned()],
            Some(patterns) => patterns.iter().map(|pattern| whole(pattern.pathname.as_deref())).collect(),
        }
    }

    /// Which images of other servers may be asked for. A pattern that is not one host's name allows nothing: which server
    /// would be asked has to be known beforehand.
    fn servers(&self) -> Vec<Server> {
        let of_domains = self.domains.iter().flat_map(|domain| {
            ["https", "http"].map(|scheme| Server { origin: format!("{scheme}://{domain}"), path: ".*".to_owned() })
        });
        let of_patterns = self.remote_patterns.iter().flat_map(|pattern| {
            let Some(host) = literal(&pattern.hostname) else { return Vec::new() };
            let port = pattern.port.as_deref().filter(|port| !port.is_empty()).map(|port| format!(":{port}"));
            let authority = format!("{host}{}", port.unwrap_or_default());
            let schemes =
                pattern.protocol.as_deref().map_or(vec!["https", "http"], |one| vec![one.trim_end_matches(':')]);
            let path = whole(pattern.pathname.as_deref());
            schemes
                .iter()
                .map(|scheme| Server { origin: format!("{scheme}://{authority}"), path: path.clone() })
                .collect()
        });
        of_domains.chain(of_patterns).filter(Server::is_one).collect()
    }
}

/// Another server that has images.
struct Server {
    /// Its scheme, host name and port.
    origin: String,
    /// A regular expression that the paths of its images match as a whole.
    path: String,
}

impl Server {
    /// Whether it is named so that nothing else can be meant.
    fn is_one(&self) -> bool {
        let Some((scheme, authority)) = self.origin.split_once("://") else { return false };
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:".contains(&byte);
        matches!(scheme, "http" | "https") && !authority.is_empty() && authority.bytes().all(is_plain)
    }
}

/// The one text that a regular expression matches, if it is written so plainly.
fn literal(pattern: &str) -> Option<String> {
    let bare = pattern.strip_prefix('^').and_then(|rest| rest.strip_suffix('$')).unwrap_or(pattern);
    let bare = bare.strip_prefix("(?:").and_then(|rest| rest.strip_suffix(')')).unwrap_or(bare);
    let text = bare.replace("\\.", ".").replace("\\-", "-");
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-".contains(&byte);
    (!text.is_empty() && text.bytes().all(is_plain)).then_some(text)
}

/// A regular expression for a whole path, without its own anchors.
fn whole(pattern: Option<&str>) -> String {
    let pattern = pattern.filter(|pattern| !pattern.is_empty()).unwrap_or(".*");
    let bare = pattern.strip_prefix('^').unwrap_or(pattern);
    bare.strip_suffix('$').unwrap_or(bare).to_owned()
}

fn any_of(numbers: &[u32]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    // With none, nothing matches.
    if numbers.is_empty() { "(?!)".to_owned() } else { format!("(?:{})", numbers.join("|")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host name is taken from a pattern only if it can mean no other.
    #[test]
    fn one_host() {
        for (pattern, host) in [
            ("images.example.com", Some("images.example.com")),
            ("^(?:images\\.example\\.com)$", Some("images.example.com")),
            ("^(?:[^/]*\\.example\\.com)$", None),
            ("^a|b$", None),
            ("", None),
        ] {
            assert_eq!(literal(pattern).as_deref(), host, "{pattern}");
        }
    }

    /// A domain with more in it than a name and a port leads nowhere.
    #[test]
    fn odd_domains() {
        let images = Images {
            sizes: vec![64],
            qualities: None,
            domains: ["user@example.com", "example.com/x", "$1.example.com", "example.com:8443"]
                .map(str::to_owned)
                .to_vec(),
            remote_patterns: Vec::new(),
            local_patterns: None,
        };
        let origins: Vec<String> = images.servers().into_iter().map(|server| server.origin).collect();
        assert_eq!(origins, ["https://example.com:8443", "http://example.com:8443"]);
    }
}
