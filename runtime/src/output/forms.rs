//! Forms in which a text is printed within another, undone: as a string of JSON or of a program (`\"`, `\u00e9`), as a part of a URL (`%22`), and
//! as a field of a form (`+`).
//!
//! Encoders differ in what they encode, so nothing is encoded here to be looked for: a line is decoded, whichever of them wrote it.

/// A line with an encoding undone, and where its bytes stand in the line as it was printed.
pub(super) struct Form {
    pub(super) bytes: Vec<u8>,
    /// Where each byte begins, and where the last one ends.
    places: Vec<usize>,
}

/// What may have been done to a text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Encoding {
    Escaped,
    Percent,
    Field,
}

/// What stands at a mark of an encoding.
enum Marked {
    /// So many bytes of the line that stand for `length` others.
    Stands { bytes: [u8; 4], length: usize, printed: usize },
    /// Nothing but the mark itself.
    Nothing,
    /// The beginning of what the line's end has cut off.
    CutOff,
}

/// The forms of a line, up to two encodings deep: JSON in JSON is usual where errors of other services are logged. None where nothing is encoded.
pub(super) fn forms(line: &[u8]) -> Vec<Form> {
    let mut forms = undone(line);
    for at in 0..forms.len() {
        let further: Vec<Form> = undone(&forms[at].bytes).into_iter().map(|form| form.within(&forms[at])).collect();
        forms.extend(further);
    }
    forms
}

fn undone(text: &[u8]) -> Vec<Form> {
    [Encoding::Escaped, Encoding::Percent, Encoding::Field].into_iter().filter_map(|how| how.undo(text)).collect()
}

impl Form {
    /// Where in the line stands what stands in the form from `begin` to `end`.
    pub(super) fn place(&self, begin: usize, end: usize) -> (usize, usize) {
        (self.places[begin], self.places[end])
    }

    /// This form, of a text that is a form itself.
    fn within(mut self, outer: &Self) -> Self {
        self.places.iter_mut().for_each(|place| *place = outer.places[*place]);
        self
    }
}

impl Encoding {
    /// A byte without which nothing in a text has this encoding.
    const fn mark(self) -> u8 {
        match self {
            Self::Escaped => b'\\',
            Self::Percent => b'%',
            Self::Field => b'+',
        }
    }

    /// The text without the encoding, if anything in it has it.
    fn undo(self, text: &[u8]) -> Option<Form> {
        memchr::memchr(self.mark(), text)?;
        let mut form = Form { bytes: Vec::with_capacity(text.len()), places: Vec::with_capacity(text.len() + 1) };
        let (mut at, mut is_changed) = (0, false);
        while at < text.len() {
            match self.read(&text[at..]) {
                Marked::Stands { bytes, length, printed } => {
                    form.bytes.extend_from_slice(&bytes[..length]);
                    form.places.extend(std::iter::repeat_n(at, length));
                    at += printed;
                    is_changed = true;
                }
                Marked::Nothing => {
                    form.bytes.push(text[at]);
                    form.places.push(at);
                    at += 1;
                }
                Marked::CutOff => break,
            }
        }
        // What is cut off belongs to what it comes behind: it is hidden with that.
        form.places.push(text.len());
        is_changed.then_some(form)
    }

    fn read(self, rest: &[u8]) -> Marked {
        match (self, rest[0]) {
            (Self::Escaped, b'\\') => escape(rest),
            (Self::Percent | Self::Field, b'%') => byte(rest, 1),
            (Self::Field, b'+') => stands(" ", 1),
            _ => Marked::Nothing,
        }
    }
}

/// What a backslash begins, in JSON and in the strings of languages that print such.
fn escape(rest: &[u8]) -> Marked {
    let Some(letter) = rest.get(1) else { return Marked::CutOff };
    match letter {
        b'"' | b'\'' | b'`' | b'\\' | b'/' => Marked::Stands { bytes: [*letter, 0, 0, 0], length: 1, printed: 2 },
        b'a' => stands("\x07", 2),
        b'b' => stands("\x08", 2),
        b'f' => stands("\x0c", 2),
        b'n' => stands("\n", 2),
        b'r' => stands("\r", 2),
        b't' => stands("\t", 2),
        b'v' => stands("\x0b", 2),
        b'x' => byte(rest, 2),
        b'u' if rest.get(2) == Some(&b'{') => braced(rest),
        b'u' => unicode(rest),
        b'U' => number(rest, 2, 8).map_or_else(|marked| marked, |number| character(number, 10)),
        _ => Marked::Nothing,
    }
}

/// A character of UTF-16 in four digits, or in two times four.
fn unicode(rest: &[u8]) -> Marked {
    let first = match number(rest, 2, 4) {
        Ok(first) => first,
        Err(marked) => return marked,
    };
    if !(0xd800..0xdc00).contains(&first) {
        return character(first, 6);
    }
    let pair = &rest[6..];
    match number(pair, 2, 4) {
        Ok(second @ 0xdc00..0xe000) if pair.starts_with(b"\\u") => {
            character(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
        }
        Err(Marked::CutOff) if b"\\u".starts_with(&pair[..pair.len().min(2)]) => Marked::CutOff,
        _ => Marked::Nothing,
    }
}

/// A character as Rust prints it: `\u{e9}`.
fn braced(rest: &[u8]) -> Marked {
    let longest = &rest[..rest.len().min("\\u{10ffff}".len())];
    let Some(end) = memchr::memchr(b'}', longest) else {
        return if longest.len() == rest.len() { Marked::CutOff } else { Marked::Nothing };
    };
    number(rest, 3, end - 3).map_or_else(|marked| marked, |number| character(number, end + 1))
}

/// A byte in two digits, from the place `at` on.
fn byte(rest: &[u8], at: usize) -> Marked {
    let value = number(rest, at, 2).map(u8::try_from);
    match value {
        Ok(Ok(value)) => Marked::Stands { bytes: [value, 0, 0, 0], length: 1, printed: at + 2 },
        Ok(Err(_)) => Marked::Nothing,
        Err(marked) => marked,
    }
}

/// A number in so many hexadecimal digits, from the place `at` on.
fn number(rest: &[u8], at: usize, digits: usize) -> Result<u32, Marked> {
    let there = rest.get(at..).unwrap_or_default();
    let there = &there[..there.len().min(digits)];
    let value = there.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?));
    match value {
        Some(value) if there.len() == digits => Ok(value),
        Some(_) => Err(Marked::CutOff),
        None => Err(Marked::Nothing),
    }
}

fn character(number: u32, printed: usize) -> Marked {
    char::from_u32(number).map_or(Marked::Nothing, |character| stands(character.encode_utf8(&mut [0; 4]), printed))
}

/// What stands for a text of four bytes at the most.
fn stands(text: &str, printed: usize) -> Marked {
    let mut bytes = [0; 4];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    Marked::Stands { bytes, length: text.len(), printed }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(how: Encoding, text: &str) -> Option<String> {
        how.undo(text.as_bytes()).map(|form| String::from_utf8_lossy(&form.bytes).into_owned())
    }

    /// Escapes of JSON, JavaScript, Python, Go and Rust; what is none stays, and what the line's end has cut off is left out.
    #[test]
    fn escapes() {
        let undone = |text: &str| only(Encoding::Escaped, text);
        assert_eq!(undone(r#"\"\\\/\n\u003c\u00e9\ud83d\ude00"#).as_deref(), Some("\"\\/\n<é😀"));
        assert_eq!(undone(r"\'\x41\xc3\xa9\u{e9}\U0001f600").as_deref(), Some("'Aéé😀"));
        assert_eq!(undone(r"C:\dir \u12g4 \ud83d \").as_deref(), None, "no escape is in it");
        assert_eq!(
            undone(r"\t\d \u00zz \ud83d. \u{110000} \U00110000").as_deref(),
            Some("\t\\d \\u00zz \\ud83d. \\u{110000} \\U00110000")
        );
        for cut in [r"\t\", r"\t\u00", r"\t\ud83d", r"\t\ud83d\", r"\t\ud83d\ude", r"\t\x4", r"\t\u{1f"] {
            assert_eq!(undone(cut).as_deref(), Some("\t"), "{cut}");
        }
    }

    /// Bytes in percent, in digits of either case; a plus is a space in fields alone.
    #[test]
    fn percent() {
        assert_eq!(only(Encoding::Percent, "%22%c3%A9+%2B 100% %zz").as_deref(), Some("\"é++ 100% %zz"));
        assert_eq!(only(Encoding::Field, "%22+%2B").as_deref(), Some("\" +"));
        assert_eq!(only(Encoding::Percent, "100% sure").as_deref(), None);
        assert_eq!(only(Encoding::Percent, "%41%4").as_deref(), Some("A"));
    }

    /// A place in a form is a place in the line, however deep.
    #[test]
    fn places() {
        let line = br#"{"body":"{\"p\":\"a\\\"b\"}"}"#;
        let forms = forms(line);
        let [_, twice] = &forms[..] else { panic!("{} forms", forms.len()) };
        assert_eq!(twice.bytes, br#"{"body":"{"p":"a"b"}"}"#);
        let (begin, end) = twice.place(15, 18);
        assert_eq!(&line[begin..end], br#"a\\\"b"#);
    }
}
