//! Chunks: what a large file is cut into, at places that its content decides, so that a file that was changed a little has most of its chunks
//! as before wherever they have moved.
//!
//! `FastCDC` as of 2020, normalization level 1, chunks of 16 to 256 KiB and 64 KiB on the average: a changed byte is a chunk to be sent, and
//! what a host says of its chunks is a thousandth of the file. Whoever cuts otherwise finds nothing in common, and nothing wrong.

use std::io::{self, Read};

use fastcdc::v2020::{Error, StreamCDC};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use ship_core::Digest;

/// Files above this many bytes are compared with what the host has at their place. What is smaller is sent in about the time that asking takes.
pub const CHUNKED_BYTES: u64 = 8 * 1024 * 1024;

const LEAST_BYTES: usize = 16 * 1024;
const AVERAGE_BYTES: usize = 64 * 1024;
const MOST_BYTES: usize = 256 * 1024;

/// What a chunk's bytes are: the first half of their SHA-256. Two that are taken for each other would be noticed, by the digest of the whole.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ChunkDigest(u128);

impl ChunkDigest {
    /// The digest of a chunk.
    pub fn of(chunk: &[u8]) -> Self {
        let mut half = [0; 16];
        half.copy_from_slice(&Digest::of(chunk).as_bytes()[..16]);
        Self(u128::from_be_bytes(half))
    }
}

impl Serialize for ChunkDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

impl<'de> Deserialize<'de> for ChunkDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(&text, 16).ok().filter(|_| is_hex);
        number.map(Self).ok_or_else(|| D::Error::custom("expected 32 hexadecimal digits"))
    }
}

/// One chunk of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Chunk {
    /// The first half of the SHA-256 of its bytes, in hexadecimal.
    #[schema(value_type = String)]
    pub digest: ChunkDigest,
    /// How many bytes it has.
    pub bytes: u32,
}

/// Cuts what `source` gives into chunks, which together are all of it, in its order. Holds one chunk in memory.
pub fn chunks_of(source: impl Read) -> io::Result<Vec<Chunk>> {
    let cut = StreamCDC::new(source, LEAST_BYTES, AVERAGE_BYTES, MOST_BYTES);
    let chunk = |cut: Result<fastcdc::v2020::ChunkData, Error>| match cut {
        Ok(cut) => {
            let bytes = u32::try_from(cut.length).map_err(io::Error::other)?;
            Ok(Chunk { digest: ChunkDigest::of(&cut.data), bytes })
        }
        Err(Error::IoError(error)) => Err(error),
        Err(error) => Err(io::Error::other(error)),
    };
    cut.map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes that nothing repeats in, the same each time.
    fn noise(bytes: usize, seed: u64) -> Vec<u8> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            state.to_be_bytes()[0]
        };
        (0..bytes).map(|_| next()).collect()
    }

    /// Chunks are all of a file, of the promised sizes, and the same for the same content; a byte that is put in changes one or two of them.
    #[test]
    fn a_byte_more() {
        let before = noise(4 * 1024 * 1024, 1);
        let chunks = chunks_of(&before[..]).unwrap();
        let bytes: u64 = chunks.iter().map(|chunk| u64::from(chunk.bytes)).sum();
        assert_eq!(bytes, before.len() as u64);
        let (_, all_but_last) = chunks.split_last().unwrap();
        assert!(all_but_last.iter().all(|chunk| (16 * 1024..=256 * 1024).contains(&chunk.bytes)));
        assert!((20..200).contains(&chunks.len()), "{}", chunks.len());

        let mut after = before;
        after.insert(2_000_000, 7);
        let changed = chunks_of(&after[..]).unwrap();
        let new = changed.iter().filter(|chunk| !chunks.contains(chunk)).count();
        assert!((1..=2).contains(&new), "{new} chunks are new");
        assert_eq!(chunks_of(&b""[..]).unwrap(), []);
    }

    /// The wire form of a chunk, and what is none.
    #[test]
    fn wire_form() {
        let chunk = Chunk { digest: ChunkDigest::of(b"abc"), bytes: 3 };
        let json = r#"{"digest":"ba7816bf8f01cfea414140de5dae2223","bytes":3}"#;
        assert_eq!(serde_json::to_string(&chunk).unwrap(), json);
        assert_eq!(serde_json::from_str::<Chunk>(json).unwrap(), chunk);
        for wrong in ["", "ba78", "+a7816bf8f01cfea414140de5dae2223", "ba7816bf8f01cfea414140de5dae22233"] {
            assert!(serde_json::from_value::<ChunkDigest>(wrong.into()).is_err(), "{wrong}");
        }
    }
}
