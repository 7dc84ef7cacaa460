//! The cookie of a visitor who was let in: until when, signed for one host name. The key that signs belongs to one project and one
//! password, so a cookie opens nothing else and nothing later.

use data_encoding::BASE64URL_NOPAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// A cookie's value that is good until a time, in seconds since 1970.
pub(super) fn make(key: &[u8; 32], host: &str, until_secs: u64) -> String {
    let signature = signed(key, host, until_secs).finalize().into_bytes();
    format!("{until_secs}.{}", BASE64URL_NOPAD.encode(&signature))
}

/// Whether a value is one that was made for this host name, and is good still. The comparison takes as long for every signature.
pub(super) fn is_good(key: &[u8; 32], host: &str, value: &str, now_secs: u64) -> bool {
    let parse = || {
        let (until, signature) = value.split_once('.')?;
        Some((until.parse::<u64>().ok()?, BASE64URL_NOPAD.decode(signature.as_bytes()).ok()?))
    };
    let Some((until_secs, signature)) = parse() else { return false };
    until_secs > now_secs && signed(key, host, until_secs).verify_slice(&signature).is_ok()
}

fn signed(key: &[u8; 32], host: &str, until_secs: u64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(b"ship access 1\0");
    mac.update(host.to_ascii_lowercase().as_bytes());
    mac.update(b"\0");
    mac.update(&until_secs.to_le_bytes());
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A cookie is good for its key, its host name and its time, and not if anything of it was changed.
    #[test]
    fn good_and_not() {
        let (key, other) = ([1; 32], [2; 32]);
        let value = make(&key, "a.localhost:7700", 100);
        assert!(is_good(&key, "A.localhost:7700", &value, 99));
        assert!(!is_good(&key, "a.localhost:7700", &value, 100), "its time is over");
        assert!(!is_good(&other, "a.localhost:7700", &value, 99));
        assert!(!is_good(&key, "b.localhost:7700", &value, 99));
        let later = value.replacen("100", "999", 1);
        for wrong in [later.as_str(), "", ".", "100.", "100", &value[..value.len() - 1], &format!("{value}A")] {
            assert!(!is_good(&key, "a.localhost:7700", wrong, 99), "{wrong}");
        }
    }
}
