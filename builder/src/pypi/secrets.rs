//! The passwords of package indexes, which no message and no artifact holds.

use std::collections::BTreeSet;

use crate::environment::{Audience, BuildEnvironment};

/// What stands in the place of a password.
const MASK: &str = "****";

/// The passwords that a person has given for package indexes.
#[derive(Debug)]
pub(crate) struct Secrets {
    words: BTreeSet<String>,
}

impl Secrets {
    /// Those in the variables of uv and pip: by themselves, or in the address of an index.
    pub(crate) fn of(environment: &BuildEnvironment) -> Self {
        let mut words = BTreeSet::new();
        for (name, value) in environment.variables(Audience::Python) {
            let value = value.to_string_lossy();
            if name.to_ascii_uppercase().ends_with("_PASSWORD") {
                words.insert(value.clone().into_owned());
            }
            for (user, password) in users(&value) {
                // A user without a password is a token.
                let secret = password.unwrap_or(user);
                words.insert(percent_decoded(secret));
                words.insert(secret.to_owned());
            }
        }
        words.retain(|word| !word.is_empty());
        Self { words }
    }

    /// `text` without these passwords, and without those in whatever address it holds.
    pub(crate) fn hidden_in(&self, text: &str) -> String {
        let mut text = without_users(text);
        for word in &self.words {
            text = text.replace(word, MASK);
        }
        text
    }
}

/// `text` without the users, and with them the passwords, of the addresses that it holds.
pub(crate) fn without_users(text: &str) -> String {
    let mut hidden = text.to_owned();
    for (user, password) in users(text) {
        let user = password.map_or_else(|| user.to_owned(), |password| format!("{user}:{password}"));
        hidden = hidden.replace(&format!("://{user}@"), &format!("://{MASK}@"));
    }
    hidden
}

/// The users in the addresses that `text` holds, with their passwords.
fn users(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    text.split("://").skip(1).filter_map(|rest| {
        let end = rest.find(|c: char| c.is_whitespace() || "/?#\"'`)>".contains(c)).unwrap_or(rest.len());
        let (user, _) = rest[..end].rsplit_once('@')?;
        Some(user.split_once(':').map_or((user, None), |(name, password)| (name, Some(password))))
    })
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let byte = pair.and_then(|pair| u8::from_str_radix(pair, 16).ok());
        decoded.push(byte.unwrap_or(bytes[at]));
        at += if byte.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passwords and tokens are hidden wherever they stand; what is no password stays.
    #[test]
    fn hidden() {
        let variables = [
            ("PIP_INDEX_URL", "https://me:p%40ss-word@index.example/simple"),
            ("UV_INDEX_OURS_PASSWORD", "letmein"),
            ("UV_INDEX", "ours=https://token123@ours.example/simple"),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value.into()));
        let secrets = Secrets::of(&BuildEnvironment::new("/cache".into(), "/tools".into(), variables));
        let said = "asked https://me:p%40ss-word@index.example/simple with p@ss-word, token123 and letmein; \
                    see ssh://git@github.com/x and https://docs.example/@me";
        assert_eq!(
            secrets.hidden_in(said),
            "asked https://****@index.example/simple with ****, **** and ****; see ssh://****@github.com/x and \
             https://docs.example/@me"
        );
    }
}
