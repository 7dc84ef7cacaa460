//! Zips made by hand, byte by byte: what no packing program would write.

use std::io::Write as _;

use flate2::Crc;
use flate2::write::DeflateEncoder;

/// What an entry says it is, in the Unix mode that zips carry.
pub const EXECUTABLE: u32 = 0o100_755;
/// A plain file.
pub const FILE: u32 = 0o100_644;
/// A symbolic link, whose content is where it leads.
pub const LINK: u32 = 0o120_777;
/// A folder.
pub const FOLDER: u32 = 0o040_755;
/// A device.
pub const DEVICE: u32 = 0o020_644;

/// An entry of a zip.
#[derive(Clone, Debug)]
pub struct Entry {
    mode: u32,
    name: Vec<u8>,
    content: Vec<u8>,
    said_bytes: Option<u32>,
    data: Data,
}

/// Where an entry's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Data {
    Stored,
    Deflated,
    /// Where the first entry's are.
    OfTheFirst,
}

impl Entry {
    /// An entry that is not compressed and says the truth of itself.
    pub fn new(mode: u32, name: impl Into<Vec<u8>>, content: impl Into<Vec<u8>>) -> Self {
        Self { mode, name: name.into(), content: content.into(), said_bytes: None, data: Data::Stored }
    }

    /// The same, compressed.
    #[must_use]
    pub fn deflated(self) -> Self {
        Self { data: Data::Deflated, ..self }
    }

    /// The same, and it says that so many bytes come out of it.
    #[must_use]
    pub fn saying(self, bytes: u32) -> Self {
        Self { said_bytes: Some(bytes), ..self }
    }

    /// The same, and its bytes are those of the first entry, which has the same content.
    #[must_use]
    pub fn over_the_first(self) -> Self {
        Self { data: Data::OfTheFirst, ..self }
    }
}

/// A zip of these entries.
pub fn zip(entries: &[Entry]) -> Vec<u8> {
    let (mut zip, mut list) = (Vec::new(), Vec::new());
    for entry in entries {
        let lies_over = entry.data == Data::OfTheFirst;
        let described = if lies_over { &entries[0] } else { entry };
        let data =
            if described.data == Data::Deflated { deflated(&described.content) } else { described.content.clone() };
        let method = u16::from(described.data == Data::Deflated) * 8;
        let begin = if lies_over { 0 } else { zip.len() };
        let common = common(entry, method, &data);
        if !lies_over {
            zip.extend([&b"PK\x03\x04"[..], &common, &entry.name, &data].concat());
        }
        list.extend([&b"PK\x01\x02\x14\x03"[..], &common, &[0; 6]].concat());
        list.extend([(entry.mode << 16).to_le_bytes(), word(begin)].concat());
        list.extend(&entry.name);
    }
    let (begin, count) =
        (zip.len(), u16::try_from(entries.len()).expect("a zip has so many at the most").to_le_bytes());
    zip.extend(&list);
    zip.extend([&b"PK\x05\x06\0\0\0\0"[..], [count, count].concat().as_slice()].concat());
    zip.extend([&word(list.len())[..], &word(begin), &[0; 2]].concat());
    zip
}

/// What stands in both places that describe an entry: version 2.0, no flags, the first of January 1980, checksum and lengths.
fn common(entry: &Entry, method: u16, data: &[u8]) -> Vec<u8> {
    let mut checksum = Crc::new();
    checksum.update(&entry.content);
    let said_bytes = entry.said_bytes.map_or_else(|| word(entry.content.len()), u32::to_le_bytes);
    let name = u16::try_from(entry.name.len()).expect("a name has so many bytes at the most");
    let halves: Vec<u8> = [20, 0, method, 0, 0x21_u16].iter().flat_map(|half| half.to_le_bytes()).collect();
    let words = [checksum.sum().to_le_bytes(), word(data.len()), said_bytes].concat();
    [halves, words, name.to_le_bytes().to_vec(), vec![0; 2]].concat()
}

fn deflated(content: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(content).and_then(|()| encoder.finish()).expect("memory takes it")
}

fn word(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("zips of stories are small").to_le_bytes()
}
