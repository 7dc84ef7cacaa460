//! Tokens: 256 random bits that open the control API. The host keeps only their hashes.

use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use data_encoding::BASE32_NOPAD;
use ship_core::{Digest, TokenId};

use crate::error::HostError;

/// What every token begins with, so that scanners for leaked secrets recognise one.
const PREFIX: &str = "ship_";

/// How many hexadecimal digits of a digest end a token, so that a mistyped one is told from an unknown one.
const CHECK_DIGITS: usize = 6;

/// A new public name for a token. It is drawn apart from the token, so it says nothing of it.
pub(crate) fn new_token_id() -> Result<TokenId, HostError> {
    let mut drawn = [0; 8];
    getrandom::fill(&mut drawn).map_err(|reason| HostError::Random { reason })?;
    let text = BASE32_NOPAD.encode(&drawn).to_ascii_lowercase();
    Ok(text[..TokenId::CHARACTERS].parse().expect("what base 32 writes are letters and digits"))
}

/// A token in the clear: shown once, then only its owner has it.
pub(crate) struct PlainToken(String);

impl PlainToken {
    /// A new token.
    pub(crate) fn generate() -> Result<Self, HostError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|reason| HostError::Random { reason })?;
        let body = BASE32_NOPAD.encode(&secret).to_ascii_lowercase();
        let check = &Digest::of(body.as_bytes()).to_hex()[..CHECK_DIGITS];
        Ok(Self(format!("{PREFIX}{body}{check}")))
    }

    /// Reads a token, `None` if its shape or its check digits are wrong.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX).filter(|rest| rest.is_ascii() && rest.len() > CHECK_DIGITS)?;
        let (body, check) = rest.split_at(rest.len() - CHECK_DIGITS);
        let matches = Digest::of(body.as_bytes()).to_hex()[..CHECK_DIGITS] == *check;
        matches.then(|| Self(text.to_owned()))
    }

    /// The token itself, for the one who asked for it.
    pub(crate) fn expose_secret(&self) -> &str {
        &self.0
    }

    /// What the host keeps of it.
    pub(crate) fn hash(&self) -> TokenHash {
        TokenHash(*Digest::of(self.0.as_bytes()).as_bytes())
    }
}

impl fmt::Debug for PlainToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PlainToken(…)")
    }
}

/// The SHA-256 of a token. A token holds 256 random bits, so its hash needs neither salt nor stretching.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct TokenHash(pub(crate) [u8; 32]);

/// Reads the admin token from its file, `None` if there is no file or no token in it.
pub(crate) fn read_token_file(path: &Path) -> Result<Option<PlainToken>, HostError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(PlainToken::parse(text.trim())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(HostError::TokenFile { path: path.to_owned(), source }),
    }
}

/// Writes the admin token to its file: complete or not at all, and readable by its owner only from its first byte on.
pub(crate) fn write_token_file(path: &Path, token: &PlainToken) -> Result<(), HostError> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let beside = path.with_extension("new");
        let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        writeln!(file, "{}", token.0)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        std::fs::File::open(folder)?.sync_all()
    };
    write().map_err(|source| HostError::TokenFile { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token survives its file, which nobody else may read; a mistyped token is none.
    #[test]
    fn token_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("host/token");
        assert!(read_token_file(&path).unwrap().is_none());
        let token = PlainToken::generate().unwrap();
        write_token_file(&path, &token).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_token_file(&path).unwrap().unwrap().hash(), token.hash());
        let mut mistyped = token.0.clone();
        mistyped.replace_range(10..11, if &mistyped[10..11] == "a" { "b" } else { "a" });
        assert!(PlainToken::parse(&mistyped).is_none());
        assert!(PlainToken::parse("ship_").is_none());
        assert_eq!(format!("{token:?}"), "PlainToken(…)");
    }
}
