//! The code of a login: shown on the machine that logs in, typed by whoever lets it.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_through_text;

/// The code of a login that waits for somebody's approval: `BCDF-GHJK`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LoginCode([u8; Self::LETTERS]);

impl LoginCode {
    /// How many letters a code has: 34 bits. It opens nothing by itself, it has to be told from other logins of the same minutes.
    pub const LETTERS: usize = 8;

    /// Consonants: a code spells no word, and no letter is taken for another (RFC 8628, section 6.1).
    pub const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

    /// A code of drawn numbers, each taken modulo the length of the alphabet.
    pub fn of_numbers(numbers: [u32; Self::LETTERS]) -> Self {
        Self(numbers.map(|number| Self::ALPHABET[number as usize % Self::ALPHABET.len()]))
    }
}

impl FromStr for LoginCode {
    type Err = ParseLoginCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters: Vec<u8> =
            text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')).map(|byte| byte.to_ascii_uppercase()).collect();
        let letters = <[u8; Self::LETTERS]>::try_from(letters).map_err(|_| ParseLoginCodeError)?;
        if letters.iter().all(|letter| Self::ALPHABET.contains(letter)) {
            Ok(Self(letters))
        } else {
            Err(ParseLoginCodeError)
        }
    }
}

impl fmt::Display for LoginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.0.split_at(Self::LETTERS / 2);
        for half in [first, b"-", second] {
            half.iter().try_for_each(|letter| write!(f, "{}", char::from(*letter)))?;
        }
        Ok(())
    }
}

impl fmt::Debug for LoginCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LoginCode({self})")
    }
}

serde_through_text!(LoginCode);

/// The text is no code of a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no code of a login: expected 8 letters such as `BCDF-GHJK`, as `ship login` shows them")]
pub struct ParseLoginCodeError;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// A code is read as it is written, in any case, with and without its dash.
        #[test]
        fn round_trip(numbers: [u32; LoginCode::LETTERS]) {
            let code = LoginCode::of_numbers(numbers);
            let text = code.to_string();
            prop_assert_eq!(text.parse(), Ok(code));
            prop_assert_eq!(text.replace('-', "").to_lowercase().parse(), Ok(code));
        }

        /// Nothing else is a code.
        #[test]
        fn other_text(text in "[A-Z0-9-]{0,12}") {
            if let Ok(code) = text.parse::<LoginCode>() {
                prop_assert_eq!(code.to_string().replace('-', ""), text.replace('-', ""));
            }
        }
    }
}
