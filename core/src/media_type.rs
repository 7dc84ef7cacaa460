//! Media types of assets.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_through_text;

/// The value of a `content-type` header, `text/html; charset=utf-8` for example: visible ASCII and spaces only.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MediaType(Box<str>);

impl MediaType {
    /// What is served when nothing is known of a file.
    pub fn octet_stream() -> Self {
        Self("application/octet-stream".into())
    }

    /// The header value.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The type without its parameters: `text/html`.
    pub fn essence(&self) -> &str {
        self.0.split(';').next().unwrap_or(&self.0).trim_end()
    }

    /// Whether this is a page: what is revalidated on each visit, and what carries the reload script in development.
    pub fn is_html(&self) -> bool {
        self.essence() == "text/html"
    }

    /// Whether bytes of this type shrink when compressed: text, and the formats that are text by another name.
    pub fn is_compressible(&self) -> bool {
        let essence = self.essence();
        essence.starts_with("text/")
            || essence.ends_with("+json")
            || essence.ends_with("+xml")
            || matches!(
                essence,
                "application/javascript"
                    | "application/json"
                    | "application/manifest+json"
                    | "application/wasm"
                    | "application/xml"
                    | "application/rtf"
                    | "font/otf"
                    | "font/ttf"
                    | "image/bmp"
                    | "image/x-icon"
                    | "image/vnd.microsoft.icon"
            )
    }
}

impl FromStr for MediaType {
    type Err = ParseMediaTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let visible = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        if visible
            && text.len() <= 255
            && text.split_once('/').is_some_and(|(kind, rest)| !kind.is_empty() && !rest.is_empty())
        {
            Ok(Self(text.into()))
        } else {
            Err(ParseMediaTypeError { found: text.chars().take(200).collect() })
        }
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_through_text!(MediaType);

/// The text is not a media type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not a media type: expected `type/subtype` with optional parameters")]
pub struct ParseMediaTypeError {
    found: String,
}
