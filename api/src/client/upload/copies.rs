//! What of a file the host can copy from a blob that it has.

use std::collections::HashMap;
use std::fs::File;
use std::io;

use ship_core::Digest;

use super::BlobSource;
use crate::chunks::{Chunk, ChunkDigest, chunks_of};
use crate::views::ChunkList;

/// From how many bytes on copying is worth it: the host reads the other blob once more, and asking took an answer of some kilobytes.
const WORTH_BYTES: u64 = 1024 * 1024;

/// What of a blob is in another.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Copies {
    /// The other blob.
    pub from: Digest,
    /// What is the same, in the order in which it stands in the new blob, without overlaps.
    pub spans: Vec<Span>,
}

/// Bytes that two blobs have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    /// Where they stand in the new blob.
    pub offset: u64,
    /// How many they are.
    pub length: u64,
    /// Where they stand in the other.
    pub from: u64,
}

impl Span {
    pub(super) fn end(&self) -> u64 {
        self.offset + self.length
    }
}

impl Copies {
    /// What of `source` is in the blob that the host has listed, if it is enough to be worth it. Reads all of it.
    pub fn find(source: &BlobSource, listed: &ChunkList) -> io::Result<Option<Self>> {
        let Some(from) = listed.blob else { return Ok(None) };
        let chunks = match source {
            BlobSource::File(path) => chunks_of(File::open(path)?)?,
            BlobSource::Bytes(bytes) => chunks_of(&bytes[..])?,
        };
        let spans = spans(&chunks, &listed.chunks);
        let copied: u64 = spans.iter().map(|span| span.length).sum();
        Ok((copied >= WORTH_BYTES).then_some(Self { from, spans }))
    }

    /// How many of the bytes from `begin` on need not be sent.
    pub(super) fn saved_from(&self, begin: u64) -> u64 {
        self.spans.iter().map(|span| span.end().saturating_sub(begin).min(span.length)).sum()
    }
}

fn spans(chunks: &[Chunk], known: &[Chunk]) -> Vec<Span> {
    let mut places: HashMap<(ChunkDigest, u32), u64> = HashMap::new();
    let mut place = 0;
    for chunk in known {
        places.entry((chunk.digest, chunk.bytes)).or_insert(place);
        place += u64::from(chunk.bytes);
    }
    let mut spans: Vec<Span> = Vec::new();
    let mut offset = 0;
    for chunk in chunks {
        let length = u64::from(chunk.bytes);
        if let Some(&from) = places.get(&(chunk.digest, chunk.bytes)) {
            match spans.last_mut() {
                Some(span) if span.end() == offset && span.from + span.length == from => span.length += length,
                _ => spans.push(Span { offset, length, from }),
            }
        }
        offset += length;
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(text: &str) -> Chunk {
        Chunk { digest: ChunkDigest::of(text.as_bytes()), bytes: u32::try_from(text.len()).unwrap() }
    }

    /// Chunks that follow each other in both are one span; what has moved, and what repeats, is found.
    #[test]
    fn in_common() {
        let known = ["aa", "bbb", "c", "dddd"].map(chunk);
        let spans = |texts: &[&str]| spans(&texts.iter().map(|text| chunk(text)).collect::<Vec<_>>(), &known);
        let span = |offset, length, from| Span { offset, length, from };
        assert_eq!(spans(&["aa", "bbb", "c", "dddd"]), [span(0, 10, 0)]);
        assert_eq!(spans(&["aa", "xxxxx", "c", "dddd"]), [span(0, 2, 0), span(7, 5, 5)]);
        assert_eq!(spans(&["c", "aa", "aa"]), [span(0, 1, 5), span(1, 2, 0), span(3, 2, 0)]);
        assert_eq!(spans(&["x"]), []);
        let copies = Copies { from: Digest::of(b""), spans: spans(&["aa", "xxxxx", "c", "dddd"]) };
        assert_eq!([0, 1, 2, 8, 12].map(|begin| copies.saved_from(begin)), [7, 6, 5, 4, 0]);
    }
}
