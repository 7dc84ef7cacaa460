//! Passwords, kept as argon2id hashes them (RFC 9106, with the parameters that OWASP recommends: 19 MiB, two passes).

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};
use argon2::{Argon2, Params};

use super::random;
use crate::error::HostError;

/// The fewest characters of a password: NIST's bound (SP 800-63B).
pub(crate) const MIN_PASSWORD_CHARS: usize = 8;

/// The most that a hash may ask for, in KiB and in passes: far more than ours do. What it asks for stands in the hash, and a hash can
/// come from somebody else's backup.
const MOST_COST: (u32, u32) = (64 * 1024, 8);

/// What is kept of a password. Blocks for some ten milliseconds.
pub(crate) fn hash(password: &str) -> Result<String, HostError> {
    let salt: [u8; 16] = random()?;
    let hashed = Argon2::default().hash_password_with_salt(password.as_bytes(), &salt);
    Ok(hashed.map_err(|_| HostError::Password)?.to_string())
}

/// Whether a password is the one that was hashed. Blocks as long.
pub(super) fn is_right(typed: &str, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let is_cheap = |cost: Params| cost.m_cost() <= MOST_COST.0 && cost.t_cost() <= MOST_COST.1 && cost.p_cost() == 1;
    Params::try_from(&hash).is_ok_and(is_cheap) && Argon2::default().verify_password(typed.as_bytes(), &hash).is_ok()
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

    /// A hash that would take memory or time without end to compare is nobody's.
    #[test]
    fn hashes_that_cost_too_much() {
        let hashed = |memory: u32, passes: u32| {
            let costly = Argon2::from(Params::new(memory, passes, 1, None).unwrap());
            costly.hash_password_with_salt(b"correct horse", &[7; 16]).unwrap().to_string()
        };
        assert!(is_right("correct horse", &hashed(1024, 8)));
        assert!(!is_right("correct horse", &hashed(1024, 9)));
        assert!(!is_right("correct horse", &hashed(64 * 1024 + 8, 1)));
    }
}
