//! The key that releases are signed with.

use minisign_verify::{PublicKey, Signature};

use super::error::ReleaseError;

/// The key of this project's releases, as whoever built this program knew it.
const BUILT_IN: Option<&str> = option_env!("SHIP_RELEASE_KEY");

/// A public key. What it did not sign is no release.
#[derive(Clone, Debug)]
pub(crate) struct ReleaseKey(PublicKey);

impl ReleaseKey {
    /// The key that was built in.
    pub(crate) fn built_in() -> Result<Self, ReleaseError> {
        Self::parse(BUILT_IN.filter(|key| !key.is_empty()).ok_or(ReleaseError::NoKey)?)
    }

    /// A key in one line, as `minisign` prints it.
    pub(crate) fn parse(text: &str) -> Result<Self, ReleaseError> {
        PublicKey::from_base64(text.trim()).map(Self).map_err(|_| ReleaseError::BadKey { text: text.to_owned() })
    }

    /// Whether the signature is this key's, of exactly these bytes.
    pub(super) fn verify(&self, bytes: &[u8], signature: &[u8]) -> Result<(), ReleaseError> {
        let signature = Signature::decode(&String::from_utf8_lossy(signature)).map_err(ReleaseError::Unsigned)?;
        // The older form signs the bytes themselves instead of their digest. No release was ever signed like that.
        self.0.verify(bytes, &signature, false).map_err(ReleaseError::Unsigned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What minisign 0.11 wrote for a list of one line.
    const KEY: &str = include_str!("testing/key.pub");
    const LIST: &[u8] = include_bytes!("testing/SHA256SUMS");
    const SIGNATURE: &[u8] = include_bytes!("testing/SHA256SUMS.minisig");
    /// The same with its older form, and by another key.
    const LEGACY: &[u8] = include_bytes!("testing/legacy.minisig");
    const ANOTHER: &[u8] = include_bytes!("testing/another.minisig");

    fn verified(list: &[u8], signature: &[u8]) -> Result<(), String> {
        let key = ReleaseKey::parse(KEY.lines().last().unwrap()).unwrap();
        key.verify(list, signature).map_err(|error| match error {
            ReleaseError::Unsigned(why) => why.to_string(),
            other => panic!("{other}"),
        })
    }

    /// A list counts with the signature of the key, whole and unchanged, and with no other.
    #[test]
    fn signatures() {
        assert_eq!(verified(LIST, SIGNATURE), Ok(()));
        let refused = |list: &[u8], signature: &[u8]| verified(list, signature).unwrap_err();
        let changed_comment = String::from_utf8_lossy(SIGNATURE).replace("0.2.0", "0.3.0");
        let all = [
            refused(b"something else", SIGNATURE),
            refused(&LIST[1..], SIGNATURE),
            refused(LIST, changed_comment.as_bytes()),
            refused(LIST, LEGACY),
            refused(LIST, ANOTHER),
            refused(LIST, b""),
            refused(LIST, &SIGNATURE[..SIGNATURE.len() / 2]),
            refused(LIST, &[0xff; 400]),
        ];
        insta::assert_snapshot!(all.join("\n"));
    }

    /// A key that is none is refused before anything is asked for.
    #[test]
    fn keys() {
        for text in ["", "RWQ", "not base64", &KEY[..20]] {
            assert!(matches!(ReleaseKey::parse(text), Err(ReleaseError::BadKey { .. })), "{text}");
        }
    }
}
