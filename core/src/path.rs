//! Paths: where an asset stands in a site, and what a visitor asked for.

mod clash;

use std::fmt;
use std::str::FromStr;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::text::serde_through_text;

pub use clash::{PathClash, PathDifference};

/// What is escaped where a normalised path is written into a URL. `%` stays: it only stands there as an escape.
pub(crate) const IN_URL: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>').add(b'?').add(b'`').add(b'{').add(b'}');

/// The longest path of an asset or function, in bytes (Linux `PATH_MAX`).
const MAX_PATH_BYTES: usize = 4096;

/// The place of an asset in a site, or of an entry in an artifact: relative, `/`-separated, normalised. `assets/app.js`.
///
/// It never holds an empty, `.` or `..` segment, a backslash or a control character, so joining it below a folder cannot
/// leave that folder.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SitePath(Box<str>);

impl SitePath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// What stands behind the last dot of the last segment, if it has one that does not begin it.
    pub fn extension(&self) -> Option<&str> {
        match self.file_name().rsplit_once('.') {
            Some(("", _)) | None => None,
            Some((_, extension)) => Some(extension),
        }
    }
}

impl FromStr for SitePath {
    type Err = ParsePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let reason = if text.is_empty() {
            "it is empty"
        } else if text.len() > MAX_PATH_BYTES {
            "it is longer than 4096 bytes"
        } else if text.starts_with('/') {
            "it starts with `/`"
        } else if text.contains('\\') {
            "it contains a backslash"
        } else if text.chars().any(char::is_control) {
            "it contains a control character"
        } else if text.split('/').any(|segment| matches!(segment, "" | "." | "..")) {
            "it has an empty, `.` or `..` segment"
        } else {
            return Ok(Self(text.into()));
        };
        Err(ParsePathError { found: text.chars().take(200).collect(), reason })
    }
}

impl fmt::Display for SitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for SitePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SitePath({})", self.0)
    }
}

impl std::borrow::Borrow<str> for SitePath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

serde_through_text!(SitePath);

/// The text is not a path inside a site.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a path inside a site: {reason}")]
pub struct ParsePathError {
    found: String,
    reason: &'static str,
}

/// The name of a function: its place below the project without the file extension, `api/date` or `api/users/[id]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionName(SitePath);

impl FunctionName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The path it answers at: `/api/date` for `api/date`, `/api` for `api/index`.
    pub fn route(&self) -> String {
        let name = self.as_str();
        let folder = if name == "index" { Some("") } else { name.strip_suffix("/index") };
        format!("/{}", folder.unwrap_or(name))
    }
}

impl FromStr for FunctionName {
    type Err = ParsePathError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Self)
    }
}

impl From<SitePath> for FunctionName {
    fn from(path: SitePath) -> Self {
        Self(path)
    }
}

impl fmt::Display for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for FunctionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FunctionName({})", self.0)
    }
}

impl std::borrow::Borrow<str> for FunctionName {
    fn borrow(&self) -> &str {
        self.0.as_str()
    }
}

serde_through_text!(FunctionName);

/// The path of a request, normalised once; everything that routes, routes on this.
///
/// Percent-escapes are decoded, runs of `/` collapsed, `.` and `..` resolved (never above the root). The escapes of `/`, `\`
/// and `%` stay escaped, so that `a%2Fb` remains one segment and no second decoding can turn it into two. A `\` that is not
/// escaped becomes so: browsers take it for a `/`, and `/\host` for another host.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct UrlPath(Box<str>);

impl UrlPath {
    /// Reads the path of a request line: it starts with `/` and holds neither query nor fragment.
    pub fn parse(raw: &str) -> Result<Self, UrlPathError> {
        if !raw.starts_with('/') {
            return Err(UrlPathError::NotAbsolute);
        }
        let is_plain = |byte: &u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_');
        if raw.as_bytes().iter().all(is_plain) && !raw.contains("//") {
            return Ok(Self(raw.into()));
        }
        let decoded = decode_keeping_separators(raw)?;
        Ok(Self(resolve_dots(&decoded).into()))
    }

    /// The normalised path, with its leading `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as it stands in a URL: what means something else there is escaped.
    pub fn to_escaped(&self) -> String {
        utf8_percent_encode(&self.0, IN_URL).to_string()
    }

    /// The asset path this asks for: without the leading and a trailing `/`, `%` decoded. `None` for the root and for what
    /// no asset can be called.
    pub fn to_site_path(&self) -> Option<SitePath> {
        site_path_of(&self.0)
    }
}

/// The asset path that a normalised URL path means; see [`UrlPath::to_site_path`].
pub(crate) fn site_path_of(url_path: &str) -> Option<SitePath> {
    let relative = url_path.trim_start_matches('/').trim_end_matches('/');
    if !relative.contains('%') {
        return relative.parse().ok();
    }
    if relative.contains("%2F") || relative.contains("%5C") {
        return None;
    }
    relative.replace("%25", "%").parse().ok()
}

fn decode_keeping_separators(raw: &str) -> Result<String, UrlPathError> {
    let bytes = raw.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let is_escape = bytes[at] == b'%';
        let byte = if is_escape {
            bytes.get(at + 1..at + 3).and_then(hex_pair).ok_or(UrlPathError::BadEscape)?
        } else {
            bytes[at]
        };
        match byte {
            b'/' if is_escape => decoded.extend_from_slice(b"%2F"),
            b'\\' => decoded.extend_from_slice(b"%5C"),
            b'%' => decoded.extend_from_slice(b"%25"),
            byte => decoded.push(byte),
        }
        at += if is_escape { 3 } else { 1 };
    }
    if decoded.iter().any(u8::is_ascii_control) {
        return Err(UrlPathError::ControlCharacter);
    }
    String::from_utf8(decoded).map_err(|_| UrlPathError::NotUtf8)
}

fn hex_pair(pair: &[u8]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(pair[0])? << 4 | digit(pair[1])?)
}

fn resolve_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let ends_in_folder = matches!(path.rsplit('/').next(), Some("" | "." | ".."));
    let mut resolved = String::with_capacity(path.len());
    for segment in &kept {
        resolved.push('/');
        resolved.push_str(segment);
    }
    if kept.is_empty() || ends_in_folder {
        resolved.push('/');
    }
    resolved
}

impl fmt::Display for UrlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UrlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UrlPath({})", self.0)
    }
}

/// The path of a request cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UrlPathError {
    /// It does not start with `/`.
    #[error("the path does not start with `/`")]
    NotAbsolute,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("the path has a `%` that is not followed by two hexadecimal digits")]
    BadEscape,
    /// It holds a NUL, a line break or another control character, escaped or not.
    #[error("the path holds a control character")]
    ControlCharacter,
    /// Its escapes do not decode to UTF-8.
    #[error("the path does not decode to UTF-8")]
    NotUtf8,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a request line may say, and what it then means.
    #[test]
    fn url_paths() {
        let normal = |raw: &str| UrlPath::parse(raw).map(|path| path.as_str().to_owned());
        for (raw, expected) in [
            ("/", "/"),
            ("//a///b", "/a/b"),
            ("/a/./b/../c", "/a/c"),
            ("/../../etc/passwd", "/etc/passwd"),
            ("/%2e%2e/%2E%2e/etc", "/etc"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a%2fb", "/a%2Fb"),
            ("/a%5Cb", "/a%5Cb"),
            ("/\\a.test/..\\b", "/%5Ca.test/..%5Cb"),
            ("/100%25", "/100%25"),
            ("/%2525", "/%2525"),
            ("/my%20file", "/my file"),
            ("/%C3%A9", "/é"),
            ("/docs/", "/docs/"),
        ] {
            assert_eq!(normal(raw).as_deref(), Ok(expected), "{raw}");
        }
        assert_eq!(normal("a"), Err(UrlPathError::NotAbsolute));
        assert_eq!(normal("/%zz"), Err(UrlPathError::BadEscape));
        assert_eq!(normal("/%"), Err(UrlPathError::BadEscape));
        assert_eq!(normal("/%00"), Err(UrlPathError::ControlCharacter));
        assert_eq!(normal("/%ff"), Err(UrlPathError::NotUtf8));
    }

    /// An escaped separator never becomes a real one; an escaped percent sign is decoded once.
    #[test]
    fn asset_paths() {
        let asset = |raw: &str| UrlPath::parse(raw).unwrap().to_site_path().map(|path| path.to_string());
        assert_eq!(asset("/100%25.txt").as_deref(), Some("100%.txt"));
        assert_eq!(asset("/a%2Fb"), None);
        assert_eq!(asset("/a%252Fb").as_deref(), Some("a%2Fb"));
        assert_eq!(asset("/"), None);
        assert_eq!(asset("/docs/").as_deref(), Some("docs"));
    }

    proptest! {
        /// Whatever is asked for, what is looked up stays below the site.
        #[test]
        fn never_above_the_root(raw in "/([a-z.%/\\\\]|%2e|%2f|%5c|%25|\\.\\./){0,40}") {
            if let Ok(path) = UrlPath::parse(&raw) {
                prop_assert!(path.as_str().starts_with('/'));
                prop_assert!(!path.as_str().split('/').any(|segment| segment == ".." || segment == "."));
                let again = UrlPath::parse(path.as_str());
                prop_assert_eq!(again.as_ref().map(UrlPath::as_str), Ok(path.as_str()), "normalising twice changes nothing");
            }
        }

        /// A site path joined below a folder stays there.
        #[test]
        fn site_paths_stay_inside(text in "([a-z./\\\\]|\\.\\./){1,30}") {
            if let Ok(path) = text.parse::<SitePath>() {
                let joined = std::path::Path::new("/site").join(path.as_str());
                prop_assert!(joined.starts_with("/site"));
                prop_assert!(joined.components().all(|part| !matches!(part, std::path::Component::ParentDir)));
            }
        }
    }
}
