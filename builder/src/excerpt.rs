//! The line of a source that a message is about, as all messages show it.

/// The longest line that is shown whole, in characters: of longer ones, which programs write, what stands around the place.
const MAX_SHOWN: usize = 160;

/// How much of a longer line is shown before the place, in characters.
const SHOWN_BEFORE: usize = 60;

/// In place of what is left out.
const LEFT_OUT: &str = "...";

/// `written`, the line `number` counted from 1, with a mark below what begins at `column`, counted from 0, and is `width` characters wide.
pub(crate) fn excerpt(written: &str, number: usize, column: usize, width: usize) -> String {
    let gutter = " ".repeat(number.to_string().len());
    let first = first_shown(written, column);
    let before = if first > 0 { LEFT_OUT } else { "" };
    let mut rest = written.chars().skip(first);
    let shown: String = rest.by_ref().take(MAX_SHOWN).collect();
    let behind = if rest.next().is_some() { LEFT_OUT } else { "" };
    // A tab stays a tab, so that the mark stands below what it means however wide that is.
    let indent = before.chars().chain(shown.chars().take(column - first)).map(|c| if c == '\t' { '\t' } else { ' ' });
    let indent: String = indent.collect();
    let mark = "^".repeat(width.clamp(1, MAX_SHOWN - (column - first).min(MAX_SHOWN - 1)));
    format!(" {number} | {before}{shown}{behind}\n {gutter} | {indent}{mark}")
}

/// The first character of a line that is shown.
fn first_shown(written: &str, column: usize) -> usize {
    let is_long = written.chars().nth(MAX_SHOWN).is_some();
    if is_long { column.saturating_sub(SHOWN_BEFORE) } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a line that a program wrote, what stands around the place is shown, and no more of the mark.
    #[test]
    fn long_line() {
        let written = format!("{}{{wrong}}{}", "a".repeat(5_000), "b".repeat(500_000));
        let (left, right) = ("a".repeat(60), "b".repeat(93));
        let indent = " ".repeat(63);
        assert_eq!(
            excerpt(&written, 7, 5_000, 400_000),
            format!(" 7 | ...{left}{{wrong}}{right}...\n   | {indent}{}", "^".repeat(100))
        );
        let at_the_end = format!("{}wrong", "a".repeat(5_000));
        assert_eq!(excerpt(&at_the_end, 7, 5_000, 5), format!(" 7 | ...{left}wrong\n   | {indent}^^^^^"));
        let at_the_beginning = format!("wrong{}", "a".repeat(5_000));
        assert_eq!(excerpt(&at_the_beginning, 7, 0, 5), format!(" 7 | wrong{}...\n   | ^^^^^", "a".repeat(155)));
    }

    /// A tab stays one in the line of the mark.
    #[test]
    fn tab() {
        assert_eq!(excerpt("\ta b", 12, 3, 1), " 12 | \ta b\n    | \t  ^");
    }
}
