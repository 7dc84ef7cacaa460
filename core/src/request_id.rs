//! Request ids: the thread from a visitor's response to the log lines behind it.

use std::fmt;
use std::str::FromStr;

use crate::text::serde_through_text;

/// Crockford's base32, which ULIDs are written in.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The id of one request, in `x-ship-id` and in each of its log lines: a ULID in lower case, so ids sort by time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId([u8; 26]);

impl RequestId {
    /// An id from a time in milliseconds since 1970 and 80 random bits.
    pub fn from_parts(unix_millis: u64, random: [u8; 10]) -> Self {
        let mut value = u128::from(unix_millis & 0xffff_ffff_ffff) << 80;
        for (index, byte) in random.iter().enumerate() {
            value |= u128::from(*byte) << (72 - 8 * index);
        }
        let mut characters = [0; 26];
        for (index, character) in characters.iter_mut().enumerate() {
            *character = CROCKFORD[(value >> (125 - 5 * index) & 31) as usize];
        }
        Self(characters)
    }

    /// The 128 bits that it is: the time, and in the lower 80 what is random.
    pub fn to_u128(self) -> u128 {
        let digit = |character: &u8| CROCKFORD.iter().position(|known| known == character).unwrap_or(0) as u128;
        self.0.iter().fold(0, |value, character| value << 5 | digit(character))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for RequestId {
    type Err = ParseRequestIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let characters: [u8; 26] = text.as_bytes().try_into().map_err(|_| ParseRequestIdError)?;
        if characters.iter().all(|character| CROCKFORD.contains(character)) {
            Ok(Self(characters))
        } else {
            Err(ParseRequestIdError)
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({})", self.as_str())
    }
}

serde_through_text!(RequestId);

/// The text is not a request id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a request id is 26 characters of 0 to 9 and a to z without i, l, o and u")]
pub struct ParseRequestIdError;

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids of later times sort later, and the text form round-trips.
    #[test]
    fn order_and_text() {
        let early = RequestId::from_parts(1_000, [255; 10]);
        let late = RequestId::from_parts(1_001, [0; 10]);
        assert!(early < late);
        assert_eq!(late.as_str().parse(), Ok(late));
        assert_eq!(RequestId::from_parts(1, [7; 10]).to_u128(), 1 << 80 | 0x0707_0707_0707_0707_0707);
        assert_eq!(RequestId::from_parts(0, [0; 10]).as_str(), "0".repeat(26));
        assert_eq!(RequestId::from_parts((1 << 48) - 1, [255; 10]).as_str(), "7zzzzzzzzzzzzzzzzzzzzzzzzz");
        assert!("l".repeat(26).parse::<RequestId>().is_err());
    }
}
