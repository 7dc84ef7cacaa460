//! `Range`: one range of bytes. Several, or a header that cannot be read, mean the whole file, as RFC 9110 permits.

/// What a `Range` header means for a file of some size.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ByteRange {
    /// All of it, with a 200.
    Whole,
    /// From the first byte to the last one, both included, with a 206.
    Part {
        /// The first byte.
        first: u64,
        /// The last byte, at least `first` and below the size.
        last: u64,
    },
    /// Nothing of the file is in the range: a 416.
    Unsatisfiable,
}

impl ByteRange {
    /// Reads the value of a `Range` header for a file of `size_bytes`.
    pub(crate) fn parse(value: &str, size_bytes: u64) -> Self {
        Self::single(value, size_bytes).unwrap_or(Self::Whole)
    }

    fn single(value: &str, size_bytes: u64) -> Option<Self> {
        let (unit, set) = value.split_once('=')?;
        if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
            return None;
        }
        let (first, last) = set.trim().split_once('-')?;
        let (first, last) = (first.trim(), last.trim());
        if first.is_empty() {
            return Some(Self::suffix(position(last)?, size_bytes));
        }
        let first = position(first)?;
        let last = if last.is_empty() { u64::MAX } else { position(last)? };
        if last < first {
            return None;
        }
        if first >= size_bytes {
            return Some(Self::Unsatisfiable);
        }
        Some(Self::Part { first, last: last.min(size_bytes - 1) })
    }

    fn suffix(length: u64, size_bytes: u64) -> Self {
        if length == 0 || size_bytes == 0 {
            return Self::Unsatisfiable;
        }
        Self::Part { first: size_bytes.saturating_sub(length), last: size_bytes - 1 }
    }
}

/// A number of any length; what is beyond 64 bits lies behind the end of every file.
fn position(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a range means for a file of ten bytes.
    #[test]
    fn ranges() {
        let part = |first, last| ByteRange::Part { first, last };
        for (value, expected) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=2-5", part(2, 5)),
            ("bytes=2-", part(2, 9)),
            ("bytes=9-9", part(9, 9)),
            ("bytes=0-99", part(0, 9)),
            ("bytes=0-99999999999999999999999", part(0, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-99", part(0, 9)),
            ("Bytes = 2 - 5 ", part(2, 5)),
            ("bytes=10-", ByteRange::Unsatisfiable),
            ("bytes=99999999999999999999999-", ByteRange::Unsatisfiable),
            ("bytes=-0", ByteRange::Unsatisfiable),
            ("bytes=5-2", ByteRange::Whole),
            ("bytes=0-1,3-4", ByteRange::Whole),
            ("bytes=a-b", ByteRange::Whole),
            ("bytes=-", ByteRange::Whole),
            ("bytes=+1-2", ByteRange::Whole),
            ("bytes=", ByteRange::Whole),
            ("lines=1-2", ByteRange::Whole),
            ("", ByteRange::Whole),
        ] {
            assert_eq!(ByteRange::parse(value, 10), expected, "{value:?}");
        }
        assert_eq!(ByteRange::parse("bytes=0-", 0), ByteRange::Unsatisfiable);
        assert_eq!(ByteRange::parse("bytes=-1", 0), ByteRange::Unsatisfiable);
    }

    proptest! {
        /// Whatever the header and the size, a part lies within the file.
        #[test]
        fn within_the_file(value in "bytes=[0-9]{0,22}-[0-9]{0,22}|.{0,30}", size_bytes in prop_oneof![0..20u64, any::<u64>()]) {
            if let ByteRange::Part { first, last } = ByteRange::parse(&value, size_bytes) {
                prop_assert!(first <= last && last < size_bytes);
            }
        }
    }
}
