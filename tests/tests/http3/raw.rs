//! HTTP/3 as bytes, so that it can be spoken wrongly. It compresses nothing.

/// `DATA` and `HEADERS`, and a kind that nobody knows (RFC 9114, section 7.2).
pub(crate) const DATA: u64 = 0;
pub(crate) const HEADERS: u64 = 1;
pub(crate) const UNKNOWN: u64 = 0x21;

/// A number in two or more bytes (RFC 9000, section 16).
fn number(value: u64) -> Vec<u8> {
    if value < 1 << 14 {
        return u16::to_be_bytes(0x4000 | u16::try_from(value).expect("it is small")).to_vec();
    }
    (0xc000_0000_0000_0000 | value).to_be_bytes().to_vec()
}

/// The head of a frame.
pub(crate) fn head(kind: u64, bytes: usize) -> Vec<u8> {
    [number(kind), number(bytes as u64)].concat()
}

/// A frame.
pub(crate) fn frame(kind: u64, payload: &[u8]) -> Vec<u8> {
    [head(kind, payload.len()), payload.to_vec()].concat()
}

/// Headers, none of them compressed (RFC 9204, section 4.5.6).
pub(crate) fn headers(fields: &[(&str, &str)]) -> Vec<u8> {
    // Nothing of a table is needed.
    let mut block = vec![0, 0];
    for (name, value) in fields {
        block.extend(length(name.len(), 3, 0x20));
        block.extend(name.bytes());
        block.extend(length(value.len(), 7, 0));
        block.extend(value.bytes());
    }
    block
}

/// A length with a prefix of some bits, and what stands before it (RFC 7541, section 5.1).
fn length(bytes: usize, prefix_bits: u32, mark: u8) -> Vec<u8> {
    let most = (1 << prefix_bits) - 1;
    if bytes < most {
        return vec![mark | u8::try_from(bytes).expect("it is small")];
    }
    let (mut written, mut rest) = (vec![mark | u8::try_from(most).expect("it is small")], bytes - most);
    while rest >= 0x80 {
        written.push(u8::try_from(rest & 0x7f).expect("it is small") | 0x80);
        rest >>= 7;
    }
    written.push(u8::try_from(rest).expect("it is small"));
    written
}

/// The head of a request.
pub(crate) fn request(method: &str, authority: &str, path: &str, further: &[(&str, &str)]) -> Vec<u8> {
    let first = [(":method", method), (":scheme", "https"), (":authority", authority), (":path", path)];
    frame(HEADERS, &headers(&[&first, further].concat()))
}
