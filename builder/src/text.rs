//! The text of files that people write. It is UTF-8; editors can write other encodings, and then the message names the place.

/// What some editors begin a file in UTF-8 with.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// What a file in UTF-16 begins with, in either order of its bytes.
const MARKS_OF_UTF_16: [&[u8]; 2] = [b"\xff\xfe", b"\xfe\xff"];

/// A file is not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{line}:{column}: {encoding}: save the file as UTF-8")]
pub struct TextError {
    /// The line of the first byte that is wrong, counted from 1.
    pub line: usize,
    /// Its column, in characters counted from 1.
    pub column: usize,
    /// What is there instead.
    pub encoding: OtherEncoding,
}

/// What a file is that is not UTF-8.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OtherEncoding {
    /// Two bytes for each character, as `>` writes in some shells of Windows.
    #[error("the file is UTF-16")]
    Utf16,
    /// Something else, seen by this byte.
    #[error("the byte {byte:#04x} is not UTF-8")]
    Unknown {
        /// The byte.
        byte: u8,
    },
}

/// The text of a file, without the mark that some editors begin it with.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, TextError> {
    let has_zero = matches!(bytes.as_slice(), [0, 1..=255, ..] | [1..=255, 0, ..]);
    if has_zero || MARKS_OF_UTF_16.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(TextError { line: 1, column: 1, encoding: OtherEncoding::Utf16 });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let (before, rest) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
        let before = String::from_utf8_lossy(before.strip_prefix(MARK).unwrap_or(before));
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        TextError { line, column, encoding: OtherEncoding::Unknown { byte: rest.first().copied().unwrap_or_default() } }
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(behind) => behind.to_owned(),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first byte that is wrong has a place; UTF-16 is known by its first bytes, with a mark and without.
    #[test]
    fn places() {
        let message = |bytes: &[u8]| text(bytes.to_vec()).map_err(|error| error.to_string());
        assert_eq!(message(b"\xef\xbb\xbfA=gr\xc3\xbcn"), Ok("A=grün".to_owned()));
        assert_eq!(message(b""), Ok(String::new()));
        let latin = "2:4: the byte 0xfc is not UTF-8: save the file as UTF-8";
        assert_eq!(message(b"A=1\nB=\xc3\xbc\n").as_deref(), Ok("A=1\nB=ü\n"));
        assert_eq!(message(b"A=1\n\xc3\xbc=r\xfcn\n").unwrap_err(), latin);
        assert_eq!(
            message(b"\xef\xbb\xbf\xff").unwrap_err(),
            "1:1: the byte 0xff is not UTF-8: save the file as UTF-8"
        );
        for wide in [b"\xff\xfeA\0=\0".as_slice(), b"\xfe\xff\0A\0=", b"A\0=\0", b"\0A\0="] {
            assert_eq!(message(wide).unwrap_err(), "1:1: the file is UTF-16: save the file as UTF-8");
        }
    }
}
