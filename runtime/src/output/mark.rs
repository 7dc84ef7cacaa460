//! What a launcher says of work that goes on after responses, in between what the function prints.

/// How it begins. Nothing else of what is printed begins with a null.
const BEGINNING: &[u8] = b"\0ship: work ";

/// What was said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mark {
    /// The process was asked to stop, and there is such work.
    GoesOn,
    /// A piece of work began, by this number.
    Begins(u64),
    /// It is over.
    IsOver(u64),
}

impl Mark {
    /// What stands at the end of a line, perhaps one that the function has begun, and what is before it.
    pub(super) fn at_end(line: &[u8]) -> Option<(&[u8], Self)> {
        let (before, said) = line.split_at(memchr::memrchr(0, line)?);
        let said = std::str::from_utf8(said.strip_prefix(BEGINNING)?).ok()?;
        let mark = match said.split_once(' ')? {
            ("goes", "on") => Self::GoesOn,
            (number, "begins") => Self::Begins(number.parse().ok()?),
            (number, "is over") => Self::IsOver(number.parse().ok()?),
            _ => return None,
        };
        Some((before, mark))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What launchers say is told from what functions print.
    #[test]
    fn told_apart() {
        for (line, expected) in [
            (b"\0ship: work goes on".as_slice(), Some((b"".as_slice(), Mark::GoesOn))),
            (b"half\0ship: work 7 begins", Some((b"half", Mark::Begins(7)))),
            (b"\0\0ship: work 7 is over", Some((b"\0", Mark::IsOver(7)))),
            (b"ship: work goes on", None),
            (b"\0ship: work 7 begins ", None),
            (b"\0ship: work -7 begins", None),
            (b"\0ship: work goes on\0", None),
            (b"a line", None),
        ] {
            assert_eq!(Mark::at_end(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }
}
