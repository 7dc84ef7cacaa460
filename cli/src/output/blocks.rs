//! Charts of characters: the eighths of a block, from below and from the left.

/// A block that is filled from below, by eighths.
const RISING: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A block that is filled from the left, by eighths.
const GROWING: [char; 8] = ['▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Columns beside each other, so many lines high, as lines from above. The largest is as high as there is room, and what is anything at
/// all can be seen.
pub(crate) fn columns(values: &[u64], most: u64, lines: usize) -> Vec<String> {
    let eighths: Vec<usize> = values.iter().map(|value| eighths(*value, most, lines)).collect();
    let line = |below: usize| eighths.iter().map(|filled| block(RISING, filled.saturating_sub(below * 8))).collect();
    (0..lines).rev().map(line).collect()
}

/// A bar from the left, of so many characters where it is the longest.
pub(crate) fn bar(value: u64, most: u64, characters: usize) -> String {
    let filled = eighths(value, most, characters);
    (0..filled.div_ceil(8)).map(|place| block(GROWING, filled - place * 8)).collect()
}

fn eighths(value: u64, most: u64, blocks: usize) -> usize {
    let all = u128::from(value) * (blocks as u128 * 8);
    usize::try_from(all.div_ceil(u128::from(most.max(1)))).unwrap_or(usize::MAX).min(blocks * 8)
}

fn block(kinds: [char; 8], eighths: usize) -> char {
    match eighths {
        0 => ' ',
        eighths => kinds[eighths.min(8) - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is nothing, little is seen, and the largest fills its room.
    #[test]
    fn shapes() {
        assert_eq!(columns(&[0, 1, 50, 100], 100, 1), [" ▁▄█"]);
        assert_eq!(columns(&[0, 1, 50, 100], 100, 2), ["   █", " ▁██"]);
        assert_eq!([0, 1, 50, 100].map(|value| bar(value, 100, 4)), ["", "▏", "██", "████"]);
        assert_eq!((bar(u64::MAX, 1, 3), bar(3, 0, 2)), ("███".to_owned(), "██".to_owned()));
    }
}
