//! Passwords, kept as argon2id hashes them (RFC 9106, with the parameters that OWASP recommends: 19 MiB, two passes).

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

use super::random;
use crate::error::HostError;

/// The fewest characters of a password: NIST's bound (SP 800-63B).
pub(crate) const MIN_PASSWORD_CHARS: usize = 8;

/// What is kept of a password. Blocks for some ten milliseconds.
pub(crate) fn hash(password: &str) -> Result<String, HostError> {
    let salt: [u8; 16] = random()?;
    let hashed = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    Ok(hashed.map_err(|_| HostError::Password)?.to_string())
}

/// Whether a password is the one that was hashed. Blocks as long.
pub(super) fn is_right(typed: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(typed.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The right password is right, another is not, and two hashes of one password differ.
    #[test]
    fn hashes() {
        let [one, two] = [hash("correct horse").unwrap(), hash("correct horse").unwrap()];
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$") && one != two, "{one}");
        assert!(is_right("correct horse", &one) && is_right("correct horse", &two));
        assert!(!is_right("correct horsf", &one) && !is_right("correct horse", "nonsense"));
    }
}
