//! Paths of requests, normalised: what is served is looked up by them.

use ship_core::{UrlPath, UrlPathError};

/// A normalised path. Nearly all are normalised as they come, and then cost nothing.
pub(crate) enum NormalPath<'r> {
    /// As it came.
    AsSent(&'r str),
    /// After decoding and resolving.
    Normalised(UrlPath),
}

impl<'r> NormalPath<'r> {
    pub(crate) fn parse(raw: &'r str) -> Result<Self, UrlPathError> {
        if is_normal(raw) { Ok(Self::AsSent(raw)) } else { UrlPath::parse(raw).map(Self::Normalised) }
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::AsSent(path) => path,
            Self::Normalised(path) => path.as_str(),
        }
    }

    pub(crate) fn into_url_path(self) -> Result<UrlPath, UrlPathError> {
        match self {
            Self::AsSent(path) => UrlPath::parse(path),
            Self::Normalised(path) => Ok(path),
        }
    }
}

/// Whether normalising would change nothing: no escapes, no empty segment, none that begins with a dot.
pub(crate) fn is_normal(path: &str) -> bool {
    let is_plain =
        |byte: u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' | b'~');
    path.starts_with('/')
        && path.bytes().all(is_plain)
        && !path.as_bytes().windows(2).any(|pair| pair[0] == b'/' && matches!(pair[1], b'/' | b'.'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// The short way and the long way give the same path.
        #[test]
        fn same_as_parsed(raw in "/([a-c./~%-]|%2e|//|\\.\\./){0,20}") {
            let short = NormalPath::parse(&raw).map(|path| path.as_str().to_owned());
            let long = UrlPath::parse(&raw).map(|path| path.as_str().to_owned());
            prop_assert_eq!(short, long);
        }
    }
}
