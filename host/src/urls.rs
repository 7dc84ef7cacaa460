//! The URLs of a host's sites.

use std::net::SocketAddr;

use ship_core::HostLabel;

/// How a label becomes a URL, and an origin a label.
#[derive(Clone, Debug)]
pub(crate) struct Urls {
    domain: String,
    /// `:7700`, or nothing for the default port of the scheme.
    port: String,
}

impl Urls {
    pub(crate) fn new(domain: &str, sites: SocketAddr) -> Self {
        let port = if sites.port() == 80 { String::new() } else { format!(":{}", sites.port()) };
        Self { domain: domain.to_owned(), port }
    }

    pub(crate) fn domain(&self) -> &str {
        &self.domain
    }

    /// The URL of the site with this label.
    pub(crate) fn of(&self, label: &HostLabel) -> String {
        format!("http://{}", self.host_of(label))
    }

    /// The host name of the site with this label, with the port.
    pub(crate) fn host_of(&self, label: &HostLabel) -> String {
        format!("{label}.{}{}", self.domain, self.port)
    }

    /// The label of an origin, if it is the origin of one of this host's sites.
    pub(crate) fn label_of_origin<'o>(&self, origin: &'o str) -> Option<&'o str> {
        let authority = origin.strip_prefix("http://")?.strip_suffix(self.port.as_str())?;
        authority.strip_suffix(self.domain.as_str())?.strip_suffix('.')
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A URL and its origin lead to the same label; no other scheme, port or domain does.
    #[test]
    fn urls_and_origins() {
        let urls = Urls::new("localhost", "127.0.0.1:7700".parse().unwrap());
        let label: HostLabel = "site-git-main".parse().unwrap();
        assert_eq!(urls.of(&label), "http://site-git-main.localhost:7700");
        assert_eq!(urls.label_of_origin("http://site-git-main.localhost:7700"), Some("site-git-main"));
        for origin in
            ["https://site.localhost:7700", "http://site.localhost", "http://site.evil:7700", "http://localhost:7700"]
        {
            assert_eq!(urls.label_of_origin(origin), None, "{origin}");
        }
        let standard = Urls::new("example.com", "0.0.0.0:80".parse().unwrap());
        assert_eq!(standard.of(&label), "http://site-git-main.example.com");
    }
}
