//! The host that a request is for. A request that names none, several, or two different ones is not answered: what a proxy
//! before ship and ship itself take it for must never differ.

use std::borrow::Cow;

use http::{HeaderMap, Uri, header};
use ship_core::HostLabel;

/// The authority that a request names, `site.localhost:7700`: exactly one `Host` header, equal to the authority of an absolute
/// request target if there is one. `None` if the request does not name one host.
pub fn request_authority<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Option<&'r str> {
    let mut values = headers.get_all(header::HOST).iter();
    let host = values.next()?.to_str().ok().filter(|host| is_authority(host))?;
    if values.next().is_some() {
        return None;
    }
    match uri.authority() {
        Some(authority) if !authority.as_str().eq_ignore_ascii_case(host) => None,
        _ => Some(host),
    }
}

/// Whether `text` can stand for a host and a port: the characters of RFC 3986, section 3.2.2, without a user.
fn is_authority(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// The label of the site that `authority` names below `domain`: `a.localhost:7700` below `localhost` is `a`.
///
/// The port, upper case and a trailing dot make no difference; more than one label, an address and anything that is not a
/// host name give `None`. `domain` is in lower case and without dots at its ends.
pub fn host_label(authority: &str, domain: &str) -> Option<HostLabel> {
    let name = host_name(authority)?;
    let label = name.strip_suffix(domain)?.strip_suffix('.')?;
    label.parse().ok()
}

/// The host name of an authority in lower case, without its port and a trailing dot.
pub fn host_name(authority: &str) -> Option<Cow<'_, str>> {
    let (name, port) = authority.split_once(':').unwrap_or((authority, "0"));
    if port.is_empty() || port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    if name.is_empty() || !name.bytes().all(is_host) {
        return None;
    }
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some(Cow::Owned(name.to_ascii_lowercase()));
    }
    Some(Cow::Borrowed(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The label stands before the domain, however it is written; nothing else is a site.
    #[test]
    fn labels() {
        let label = |authority: &str| host_label(authority, "sites.example.com").map(|label| label.to_string());
        for authority in
            ["a.sites.example.com", "A.Sites.Example.COM:7700", "a.sites.example.com.", "a.sites.example.com.:80"]
        {
            assert_eq!(label(authority).as_deref(), Some("a"), "{authority}");
        }
        for authority in [
            "",
            ".",
            ":80",
            "sites.example.com",
            ".sites.example.com",
            "a.b.sites.example.com",
            "asites.example.com",
            "a.sites.example.com.evil.test",
            "a.sites.example.com..",
            "a_b.sites.example.com",
            "-a.sites.example.com",
            "a.sites.example.com:",
            "a.sites.example.com:http",
            "a.sites.example.com:80:80",
            "user@a.sites.example.com",
            "a%2esites.example.com",
            "é.sites.example.com",
            "127.0.0.1:80",
            "[::1]:80",
            "a.sites.example.com/",
            "a .sites.example.com",
        ] {
            assert_eq!(label(authority), None, "{authority}");
        }
    }

    /// One host, and the same in the target if it is absolute.
    #[test]
    fn authorities() {
        let authority = |target: &str, hosts: &[&str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(header::HOST, host.parse().unwrap());
            }
            request_authority(&target.parse().unwrap(), &headers).map(str::to_owned)
        };
        assert_eq!(authority("/", &["a.test"]).as_deref(), Some("a.test"));
        assert_eq!(authority("http://A.test/x", &["a.test"]).as_deref(), Some("a.test"));
        assert_eq!(authority("http://b.test/x", &["a.test"]), None);
        assert_eq!(authority("/", &[]), None);
        assert_eq!(authority("/", &[""]), None);
        assert_eq!(authority("/", &["a.test", "a.test"]), None);
        for host in ["a b.test", "user@a.test", "a.test/path", "a.test?x", "a.test\\"] {
            assert_eq!(authority("/", &[host]), None, "{host}");
        }
        assert_eq!(authority("/", &["[::1]:7700"]).as_deref(), Some("[::1]:7700"));
    }
}
