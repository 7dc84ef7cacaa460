//! Domain names of the world, as the DNS has them.

use std::fmt;
use std::str::FromStr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use crate::text::serde_through_text;

/// The label below a domain at which its owner proves that it is theirs.
const PROOF_LABEL: &str = "_ship";

/// A domain name of at least two labels: lower case, without a dot at its end, in the form that stands in the DNS (`xn--…`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(Box<str>);

/// A text is no domain name.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ParseDomainNameError {
    /// It cannot stand in the DNS.
    #[error("`{0}` is no domain name: labels of letters, digits and `-`, at most 63 characters each and 253 in all")]
    Malformed(String),
    /// It is an address of a machine.
    #[error("`{0}` is an address, and no domain name")]
    Address(String),
    /// It has one label, as no name of the world has.
    #[error("`{0}` is no full domain name, such as `www.{0}.example`")]
    OneLabel(String),
}

impl DomainName {
    /// The name as it stands in the DNS.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name as people write it.
    pub fn to_unicode(&self) -> String {
        let (unicode, read) = Uts46::new().to_unicode(self.0.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
        if read.is_ok() { unicode.into_owned() } else { self.0.to_string() }
    }

    /// Where a TXT record proves that the name is its owner's: `_ship.example.com`.
    pub fn proof_name(&self) -> String {
        format!("{PROOF_LABEL}.{}", self.0)
    }

    /// Whether it stands below a domain, or is it.
    pub fn is_within(&self, domain: &str) -> bool {
        self.0.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
    }
}

impl FromStr for DomainName {
    type Err = ParseDomainNameError;

    fn from_str(text: &str) -> Result<Self, ParseDomainNameError> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Err(ParseDomainNameError::Address(text.to_owned()));
        }
        let malformed = || ParseDomainNameError::Malformed(text.to_owned());
        let ascii = Uts46::new()
            .to_ascii(name.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
            .map_err(|_| malformed())?;
        match ascii.rsplit_once('.') {
            None => Err(ParseDomainNameError::OneLabel(text.to_owned())),
            // What ends in a number is read as an address by browsers.
            Some((_, last)) if last.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(ParseDomainNameError::Address(text.to_owned()))
            }
            Some(_) => Ok(Self(ascii.into())),
        }
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for DomainName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DomainName({})", self.0)
    }
}

serde_through_text!(DomainName);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<String, ParseDomainNameError> {
        text.parse().map(|name: DomainName| name.to_string())
    }

    /// One name has one form, however it is written.
    #[test]
    fn forms() {
        for (written, kept) in [
            ("example.com", "example.com"),
            ("WWW.Example.COM.", "www.example.com"),
            ("größe.example", "xn--gre-6ka8i.example"),
            ("XN--GRE-6KA8I.example", "xn--gre-6ka8i.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("www。example。com", "www.example.com"),
        ] {
            assert_eq!(parse(written).as_deref(), Ok(kept), "{written}");
        }
        assert_eq!("xn--gre-6ka8i.example".parse::<DomainName>().unwrap().to_unicode(), "größe.example");
        assert_eq!("a.example".parse::<DomainName>().unwrap().proof_name(), "_ship.a.example");
    }

    /// What is no name of the world is none here.
    #[test]
    fn none() {
        for text in [
            "",
            ".",
            "..",
            "localhost",
            "a_b.example",
            "_ship.example.com",
            "-a.example",
            "a-.example",
            "a..example",
            "a b.example",
            "a.example:443",
            "https://a.example",
            "a.example/",
            "*.example.com",
            "user@a.example",
            "127.0.0.1",
            "1.2.3",
            "::1",
            "[::1]",
            "xn--a.example",
            "a.example..",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert!(parse(&format!("{}.example", "a".repeat(64))).is_err());
        assert!(parse(&format!("{}example", "a.".repeat(127))).is_err());
    }

    /// A name is within itself and what stands above it, label by label.
    #[test]
    fn within() {
        let name: DomainName = "a.example.com".parse().unwrap();
        assert!(["a.example.com", "example.com", "com"].iter().all(|domain| name.is_within(domain)));
        assert!(!["b.example.com", "xample.com", "a.example.com.com"].iter().any(|domain| name.is_within(domain)));
    }

    proptest! {
        /// What was read once is read again as itself.
        #[test]
        fn stable(text in "\\PC{0,40}(\\.\\PC{0,20})?") {
            if let Ok(name) = text.parse::<DomainName>() {
                prop_assert_eq!(name.as_str().parse::<DomainName>().unwrap(), name.clone());
                prop_assert_eq!(name.to_unicode().parse::<DomainName>().unwrap(), name);
            }
        }
    }
}
