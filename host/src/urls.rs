//! The URLs of a host's sites.

use std::net::SocketAddr;

use ship_core::HostLabel;
use ship_edge::Scheme;

use crate::domains::Domains;

/// How a label becomes a URL, and an origin a label.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    domain: String,
    scheme: Scheme,
    /// Where sites are served.
    address: SocketAddr,
    /// `:7700`, or nothing for the default port of the scheme.
    port: String,
    domains: Domains,
}

impl Urls {
    pub(crate) fn new(domain: &str, scheme: Scheme, address: SocketAddr, domains: Domains) -> Self {
        let usual = match scheme {
            Scheme::Http => 80,
            Scheme::Https => 443,
        };
        let port = if address.port() == usual { String::new() } else { format!(":{}", address.port()) };
        Self { domain: domain.to_owned(), scheme, address, port, domains }
    }

    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    /// The names of the world that are served.
    pub(crate) fn domains(&self) -> &Domains {
        &self.domains
    }

    /// Where sites are served, as a URL.
    pub(crate) fn listener(&self) -> String {
        format!("{}://{}", self.scheme.as_str(), self.address)
    }

    /// The URL of the site with this label.
    pub(crate) fn of(&self, label: &HostLabel) -> String {
        format!("{}://{}", self.scheme.as_str(), self.host_of(label))
    }

    /// The URL of a site under a name of its own.
    pub(crate) fn of_name(&self, name: &str) -> String {
        format!("{}://{name}{}", self.scheme.as_str(), self.port)
    }

    /// The host name of the site with this label, with the port: a production's own name where it has one.
    pub(crate) fn host_of(&self, label: &HostLabel) -> String {
        match self.domains.main(label) {
            Some(name) => format!("{name}{}", self.port),
            None => format!("{label}.{}{}", self.domain, self.port),
        }
    }

    /// The label of an origin, if it is the origin of one of this host's sites below its domain.
    pub(crate) fn label_of_origin<'o>(&self, origin: &'o str) -> Option<&'o str> {
        self.name_of_origin(origin)?.strip_suffix(self.domain.as_str())?.strip_suffix('.')
    }

    /// The host name of an origin, if it has the scheme and the port of this host's sites.
    pub(crate) fn name_of_origin<'o>(&self, origin: &'o str) -> Option<&'o str> {
        let authority = origin.strip_prefix(self.scheme.as_str())?.strip_prefix("://")?;
        authority.strip_suffix(self.port.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A URL and its origin lead to the same label; no other scheme, port or domain does.
    #[test]
    fn urls_and_origins() {
        let urls = Urls::new("localhost", Scheme::Http, "127.0.0.1:7700".parse().unwrap(), Domains::default());
        let label: HostLabel = "site-git-main".parse().unwrap();
        assert_eq!(urls.of(&label), "http://site-git-main.localhost:7700");
        assert_eq!(urls.label_of_origin("http://site-git-main.localhost:7700"), Some("site-git-main"));
        for origin in
            ["https://site.localhost:7700", "http://site.localhost", "http://site.evil:7700", "http://localhost:7700"]
        {
            assert_eq!(urls.label_of_origin(origin), None, "{origin}");
        }
        let standard = Urls::new("example.com", Scheme::Http, "0.0.0.0:80".parse().unwrap(), Domains::default());
        assert_eq!(standard.of(&label), "http://site-git-main.example.com");
    }

    /// Where there is TLS, nothing in the clear is one of the host's own.
    #[test]
    fn secure() {
        let urls = Urls::new("example.com", Scheme::Https, "0.0.0.0:443".parse().unwrap(), Domains::default());
        assert_eq!(urls.of(&"site".parse().unwrap()), "https://site.example.com");
        assert_eq!(urls.label_of_origin("https://site.example.com"), Some("site"));
        assert_eq!(urls.label_of_origin("http://site.example.com"), None);
        let elsewhere = Urls::new("example.com", Scheme::Https, "127.0.0.1:80".parse().unwrap(), Domains::default());
        assert_eq!(elsewhere.listener(), "https://127.0.0.1:80");
        assert_eq!(elsewhere.of(&"site".parse().unwrap()), "https://site.example.com:80");
    }
}
