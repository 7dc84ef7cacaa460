//! What an upload is called, so that who connects again can say which one is gone on with.

use std::fmt;
use std::str::FromStr;

/// The name of an upload: 128 bits that nobody else has, as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct UploadId(u128);

impl UploadId {
    /// A name of random bytes.
    pub const fn from_random(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes))
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The text names no upload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("an upload is named by 32 hexadecimal digits")]
pub struct ParseUploadIdError;

impl FromStr for UploadId {
    type Err = ParseUploadIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        u128::from_str_radix(text, 16).ok().filter(|_| is_hex).map(Self).ok_or(ParseUploadIdError)
    }
}

impl<'de> serde::Deserialize<'de> for UploadId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text form round-trips, and only the exact shape is read.
    #[test]
    fn text_form() {
        let id = UploadId::from_random([7; 16]);
        assert_eq!(id.to_string(), "07070707070707070707070707070707");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "07", "+7070707070707070707070707070707", "0x070707070707070707070707070707", "zz"] {
            assert_eq!(wrong.parse::<UploadId>(), Err(ParseUploadIdError), "{wrong}");
        }
    }
}
