//! Packs of either form, whole, cut, damaged and hostile.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;

fn pack(blobs: &[&[u8]]) -> Vec<u8> {
    let mut pack = Vec::new();
    for blob in blobs {
        pack.extend_from_slice(&pack_entry(&Digest::of(blob), blob.len() as u64));
        pack.extend_from_slice(blob);
    }
    pack.extend_from_slice(&pack_end(blobs.len() as u64));
    pack
}

fn decode(bytes: &[u8], piece: usize) -> Result<Vec<Vec<u8>>, PackError> {
    let mut decoder = PackDecoder::plain();
    let mut blobs: Vec<Vec<u8>> = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.push(&Bytes::copy_from_slice(piece));
        while let Some(event) = decoder.next_event()? {
            match event {
                PackEvent::Begin { .. } => blobs.push(Vec::new()),
                PackEvent::Bytes(bytes) => blobs.last_mut().unwrap().extend_from_slice(&bytes),
                PackEvent::Complete => {}
                PackEvent::Copy { .. } => unreachable!("a plain pack copies nothing"),
            }
        }
    }
    decoder.finish().map(|_| blobs)
}

/// Whatever the pieces, the blobs come out as they went in; cut anywhere, it is noticed.
#[test]
fn pieces_and_cuts() {
    let bytes = pack(&[b"first", b"", b"third blob"]);
    for piece in 1..bytes.len() {
        let blobs = decode(&bytes, piece).unwrap();
        assert_eq!(blobs, [b"first".to_vec(), Vec::new(), b"third blob".to_vec()]);
    }
    for cut in 0..bytes.len() {
        assert_eq!(decode(&bytes[..cut], 7), Err(PackError::CutOff), "cut at {cut}");
    }
}

/// A wrong count and bytes behind the end are refused.
#[test]
fn wrong_ends() {
    let mut bytes = pack(&[b"x"]);
    bytes.push(0);
    assert_eq!(decode(&bytes, 1000), Err(PackError::TrailingBytes));
    assert_eq!(decode(&pack_end(1), 1000), Err(PackError::WrongCount { said: 1, found: 0 }));
}

/// A blob of a framed pack, as a test makes it up.
#[derive(Clone, Debug)]
struct Blob {
    content: Vec<u8>,
    begun: usize,
    /// Where the parts of the rest begin, and whether each is a copy.
    parts: Vec<(usize, bool)>,
}

/// A blob of up to two thousand bytes, half of which repeat, with a beginning and parts anywhere.
fn any_blob() -> impl Strategy<Value = Blob> {
    let content = prop_oneof![vec(any::<u8>(), 0..2000), vec(0_u8..2, 0..2000)];
    (content, any::<Index>(), vec((any::<Index>(), any::<bool>()), 0..4)).prop_map(|(content, begun, cuts)| {
        let begun = if content.is_empty() { 0 } else { begun.index(content.len() + 1) };
        let rest = content.len() - begun;
        let mut parts: Vec<(usize, bool)> = Vec::new();
        if rest > 0 {
            parts.push((begun, false));
            parts.extend(cuts.iter().map(|(cut, is_copy)| (begun + cut.index(rest), *is_copy)));
            parts.sort_unstable();
            parts.dedup_by_key(|(at, _)| *at);
        }
        Blob { content, begun, parts }
    })
}

/// What a decoder says of a blob, in short.
fn events_of(blob: &Blob) -> Vec<PackEvent> {
    let (digest, size_bytes) = (Digest::of(&blob.content), blob.content.len() as u64);
    let beginning = (blob.begun > 0)
        .then(|| Beginning { bytes: blob.begun as u64, digest: Digest::of(&blob.content[..blob.begun]) });
    let ends = blob.parts.iter().skip(1).map(|(at, _)| *at).chain([blob.content.len()]);
    let parts = blob.parts.iter().zip(ends).map(|((at, is_copy), end)| {
        if *is_copy {
            PackEvent::Copy { from: Digest::of(b"base"), offset: *at as u64 * 3, length: (end - at) as u64 }
        } else {
            PackEvent::Bytes(Bytes::copy_from_slice(&blob.content[*at..end]))
        }
    });
    [PackEvent::Begin { digest, size_bytes, beginning }].into_iter().chain(parts).chain([PackEvent::Complete]).collect()
}

/// The stream of a framed pack, before it is put into frames.
fn stream_of(blobs: &[Blob]) -> Vec<u8> {
    let mut stream = Vec::new();
    for event in blobs.iter().flat_map(events_of) {
        match event {
            PackEvent::Begin { digest, size_bytes, beginning } => {
                stream.extend(framed_entry(&digest, size_bytes, beginning.as_ref()));
            }
            PackEvent::Bytes(bytes) => {
                stream.extend(literal_part(bytes.len() as u64));
                stream.extend(bytes);
            }
            PackEvent::Copy { from, offset, length } => stream.extend(copy_part(&from, offset, length)),
            PackEvent::Complete => {}
        }
    }
    stream.extend(framed_end(blobs.len() as u64));
    stream
}

/// A buffer as frames are made of.
fn buffer(content: &[u8]) -> BytesMut {
    [&[0; HEAD_BYTES][..], content].concat().as_slice().into()
}

fn frames_of(stream: &[u8], frame_bytes: usize) -> Vec<u8> {
    let mut writer = FrameWriter::default();
    stream.chunks(frame_bytes).flat_map(|content| writer.compressed(buffer(content))).collect()
}

/// All events of a framed pack that comes in pieces of this size, neighbouring bytes in one.
fn decode_framed(bytes: &[u8], piece: usize) -> Result<Vec<PackEvent>, PackError> {
    let mut decoder = PackDecoder::framed();
    let mut events: Vec<PackEvent> = Vec::new();
    for piece in bytes.chunks(piece) {
        decoder.push(&Bytes::copy_from_slice(piece));
        while let Some(event) = decoder.next_event()? {
            match (events.last_mut(), event) {
                (Some(PackEvent::Bytes(before)), PackEvent::Bytes(more)) => {
                    *before = [&before[..], &more].concat().into();
                }
                (_, event) => events.push(event),
            }
        }
    }
    decoder.finish().map(|_| events)
}

/// Neighbouring parts of bytes are one to who reads them.
fn joined(events: Vec<PackEvent>) -> Vec<PackEvent> {
    let mut joined: Vec<PackEvent> = Vec::new();
    for event in events {
        match (joined.last_mut(), event) {
            (Some(PackEvent::Bytes(before)), PackEvent::Bytes(more)) => {
                *before = [&before[..], &more].concat().into();
            }
            (_, event) => joined.push(event),
        }
    }
    joined
}

proptest! {
    /// Whatever blobs, frames and pieces, what comes out is what went in; cut anywhere, it is noticed.
    #[test]
    fn framed_packs(blobs in vec(any_blob(), 0..4), frame in 1_usize..3000, piece in 1_usize..3000, cut in any::<Index>()) {
        let bytes = frames_of(&stream_of(&blobs), frame);
        let expected = joined(blobs.iter().flat_map(events_of).collect());
        prop_assert_eq!(decode_framed(&bytes, piece), Ok(expected));
        prop_assert_eq!(decode_framed(&bytes[..cut.index(bytes.len())], piece), Err(PackError::CutOff));
    }

    /// Bytes that are no pack are refused or wait for more, and never unpack to more than their frames announce.
    #[test]
    fn any_bytes(bytes in vec(any::<u8>(), 0..300), piece in 1_usize..64) {
        let _ = decode_framed(&bytes, piece);
        let framed = frames_of(&bytes, 100);
        let _ = decode_framed(&framed, piece);
    }

    /// A damaged pack is refused, or says something else: it never makes the decoder panic.
    #[test]
    fn damaged(blobs in vec(any_blob(), 1..3), at in any::<Index>(), bit in 0_u8..8) {
        let mut bytes = frames_of(&stream_of(&blobs), 700);
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        let _ = decode_framed(&bytes, 512);
    }
}

/// A frame that holds more than it announces, or announces more than a frame may have, is refused, and so is one that grows by being packed.
#[test]
fn bombs() {
    let zeros = zstd::bulk::compress(&vec![0; 64 * 1024 * 1024], 19).unwrap();
    let frame = |packed: usize, unpacked: usize, bytes: &[u8]| {
        let length = |length: usize| u32::try_from(length).unwrap().to_le_bytes();
        [&[1][..], &length(packed), &length(unpacked), bytes].concat()
    };
    let refused = |bytes: &[u8]| matches!(decode_framed(bytes, 1000), Err(PackError::BadFrame(_)));
    assert!(refused(&frame(zeros.len(), FRAME_BYTES, &zeros)), "it holds more");
    assert!(refused(&frame(zeros.len(), 64 * 1024 * 1024, &zeros)), "it announces too much");
    let little = zstd::bulk::compress(&[0; 100], 3).unwrap();
    assert!(refused(&frame(little.len(), 101, &little)), "it holds less");
    assert!(refused(&frame(200, 100, &[0; 200])), "it is longer than what it unpacks to");
    assert!(refused(&frame(0, 0, &[])), "an empty frame could be repeated without end");
    assert!(refused(&[2]));
}

/// An entry whose parts are not as long as it, to the byte, is refused when the part begins.
#[test]
fn parts_that_lie() {
    let digest = Digest::of(b"x");
    let refused = |stream: &[u8]| matches!(decode_framed(&frames_of(stream, 1000), 1000), Err(PackError::BadEntry(_)));
    let entry = framed_entry(&digest, 10, None);
    assert!(refused(&[&entry[..], &literal_part(11)].concat()));
    assert!(refused(&[&entry[..], &literal_part(0)].concat()));
    assert!(refused(&[&entry[..], &copy_part(&digest, 0, u64::MAX)].concat()));
    assert!(refused(&[&entry[..], &[3]].concat()));
    let beginning = Beginning { bytes: 11, digest };
    assert!(refused(&framed_entry(&digest, 10, Some(&beginning))));
}

/// What does not become smaller is tried again ever more seldom, and what does is tried each time.
#[test]
fn seen_by_first_frames() {
    let mut noise = vec![0_u8; 4096];
    let mut state = 1_u32;
    for byte in &mut noise {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        *byte = state.to_be_bytes()[0];
    }
    let text = vec![b'a'; 4096];
    let mut writer = FrameWriter::default();
    assert!(writer.compressed(buffer(&text)).len() < 100 && writer.compressed(buffer(&text)).len() < 100);
    assert_eq!(writer.compressed(buffer(&noise)).len(), 4096 + 5);
    let sizes: Vec<bool> = (0..4).map(|_| writer.compressed(buffer(&text)).len() < 100).collect();
    assert_eq!(sizes, [false, false, true, true]);
}
