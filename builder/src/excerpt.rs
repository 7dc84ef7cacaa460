//! The line of a source that a message is about, as all messages show it.

/// `written`, the line `number` counted from 1, with a mark below what begins at `column`, counted from 0, and is `width` characters wide.
pub(crate) fn excerpt(written: &str, number: usize, column: usize, width: usize) -> String {
    let gutter = " ".repeat(number.to_string().len());
    // A tab stays a tab, so that the mark stands below what it means however wide that is.
    let indent: String = written.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    format!(" {number} | {written}\n {gutter} | {indent}{}", "^".repeat(width.max(1)))
}
