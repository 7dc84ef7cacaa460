//! SHA-256 digests: the identity of every blob, artifact and manifest.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;
use sha2::Sha256;

use crate::text::serde_through_text;

/// The SHA-256 of some bytes. Its text form is `sha256:` and 64 lower-case hexadecimal digits, as in OCI registries.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest from its 32 raw bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 raw bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The 64 hexadecimal digits without the `sha256:` prefix: what file names below the store are made of.
    pub fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(&self.0)
    }

    /// Reads the 64 hexadecimal digits written by [`Digest::to_hex`].
    pub fn from_hex(hex: &str) -> Result<Self, ParseDigestError> {
        let shape = || ParseDigestError { found: hex.to_owned() };
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).map_err(|_| shape())?;
        Ok(Self(bytes.try_into().map_err(|_| shape())?))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({})", &self.to_hex()[..12])
    }
}

impl FromStr for Digest {
    type Err = ParseDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = text.strip_prefix("sha256:").ok_or_else(|| ParseDigestError { found: text.to_owned() })?;
        Self::from_hex(hex).map_err(|_| ParseDigestError { found: text.to_owned() })
    }
}

serde_through_text!(Digest);

/// The text is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a digest: expected `sha256:` and 64 lower-case hexadecimal digits")]
pub struct ParseDigestError {
    found: String,
}

/// Computes a [`Digest`] over bytes that arrive in pieces.
#[derive(Clone, Default)]
pub struct DigestHasher {
    state: Sha256,
    length: u64,
}

impl fmt::Debug for DigestHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DigestHasher").field("length", &self.length).finish_non_exhaustive()
    }
}

impl DigestHasher {
    /// A hasher that has seen no bytes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.state.update(bytes);
        self.length += bytes.len() as u64;
    }

    /// Takes a length-prefixed field, so that neighbouring fields can never be read as one another.
    pub fn update_field(&mut self, bytes: &[u8]) {
        self.update(&(bytes.len() as u64).to_le_bytes());
        self.update(bytes);
    }

    /// How many bytes were taken so far.
    pub const fn length(&self) -> u64 {
        self.length
    }

    /// The digest of all bytes taken.
    pub fn finish(self) -> Digest {
        Digest(self.state.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text form round-trips, and only the exact shape is read.
    #[test]
    fn text_form() {
        let digest = Digest::of(b"hello");
        let text = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        assert_eq!(digest.to_string(), text);
        assert_eq!(text.parse(), Ok(digest));
        for wrong in ["", "sha256:", &text[7..], &text.to_uppercase(), &format!("{text}00"), "md5:00"] {
            assert!(wrong.parse::<Digest>().is_err(), "{wrong}");
        }
    }

    /// Pieces and the whole give the same digest; fields with the same concatenation do not.
    #[test]
    fn streaming() {
        let mut hasher = DigestHasher::new();
        hasher.update(b"he");
        hasher.update(b"llo");
        assert_eq!(hasher.length(), 5);
        assert_eq!(hasher.finish(), Digest::of(b"hello"));
        let fields = |parts: &[&[u8]]| {
            let mut hasher = DigestHasher::new();
            for part in parts {
                hasher.update_field(part);
            }
            hasher.finish()
        };
        assert_ne!(fields(&[b"ab", b"c"]), fields(&[b"a", b"bc"]));
    }
}
