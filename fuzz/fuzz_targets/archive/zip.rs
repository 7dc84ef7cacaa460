//! Zips made by hand: whatever is described, with lengths and checksums that are right, so that what is judged are names and kinds.
//!
//! An entry is a line: a letter for its kind, its name, `=`, its content. `f` is a file, `x` an executable, `l` a link, `d` a folder, `c` a device.

/// An entry that was described.
pub struct Entry<'t> {
    mode: u32,
    pub name: &'t [u8],
    pub content: &'t [u8],
}

impl Entry<'_> {
    pub fn is_link(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }
}

/// The entries that a text describes. A zip has room for so many that no input is long enough for more.
pub fn entries(text: &[u8]) -> Vec<Entry<'_>> {
    let lines = text.split(|byte| *byte == b'\n');
    let entry = |line| {
        let (kind, line): (&u8, &[u8]) = <[u8]>::split_first(line)?;
        let at = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
        let mode = match kind {
            b'x' => 0o100_755,
            b'l' => 0o120_777,
            b'd' => 0o040_755,
            b'c' => 0o020_644,
            _ => 0o100_644,
        };
        Some(Entry { mode, name: &line[..at], content: line.get(at + 1..).unwrap_or_default() })
    };
    lines.filter_map(entry).take(usize::from(u16::MAX)).collect()
}

/// The zip of these entries, none of them compressed.
pub fn pack(entries: &[Entry<'_>]) -> Vec<u8> {
    let (mut zip, mut list) = (Vec::new(), Vec::new());
    for entry in entries {
        let begin = length(zip.len());
        let mut common = Vec::new();
        // Version 2.0, no flags, stored, the first of January 1980.
        [20_u16, 0, 0, 0, 0x21].iter().for_each(|half| common.extend_from_slice(&half.to_le_bytes()));
        let checksum = crc32fast::hash(entry.content);
        [checksum, length(entry.content.len()), length(entry.content.len())]
            .iter()
            .for_each(|word| common.extend_from_slice(&word.to_le_bytes()));
        let name = u16::try_from(entry.name.len()).unwrap_or(u16::MAX);
        common.extend_from_slice(&name.to_le_bytes());
        common.extend_from_slice(&[0; 2]);
        zip.extend_from_slice(b"PK\x03\x04");
        zip.extend_from_slice(&common);
        zip.extend_from_slice(entry.name);
        zip.extend_from_slice(entry.content);
        list.extend_from_slice(b"PK\x01\x02\x14\x03");
        list.extend_from_slice(&common);
        list.extend_from_slice(&[0; 6]);
        [entry.mode << 16, begin].iter().for_each(|word| list.extend_from_slice(&word.to_le_bytes()));
        list.extend_from_slice(entry.name);
    }
    let (begin, count) = (length(zip.len()), u16::try_from(entries.len()).unwrap_or(u16::MAX).to_le_bytes());
    zip.extend_from_slice(&list);
    zip.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    zip.extend_from_slice(&[count, count].concat());
    [length(list.len()), begin].iter().for_each(|word| zip.extend_from_slice(&word.to_le_bytes()));
    zip.extend_from_slice(&[0; 2]);
    zip
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
