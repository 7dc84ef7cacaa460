//! What a reader of JSON says, and where.

use crate::excerpt::excerpt;

/// What is wrong, without the place, which is written in another way.
pub(crate) fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(reason, _)| reason.to_owned())
}

/// The place in `text` of what the reader says, as `line:column` in characters counted from 1, and the line that stands there. A text that
/// ends too early is wrong behind its last word, not in the empty line that follows.
pub(crate) fn place(text: &str, error: &serde_json::Error) -> (String, String) {
    let ends = error.is_eof();
    let line = if ends { text.trim_end().lines().count() } else { error.line() }.max(1);
    let written = text.lines().nth(line - 1).unwrap_or_default().trim_end();
    let bytes = if ends { written.len() } else { error.column().saturating_sub(1) };
    let column = written.get(..bytes).unwrap_or(written).chars().count();
    (format!("{line}:{}", column + 1), excerpt(written, line, column, 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mark stands below what is wrong, also behind letters of several bytes, and behind the last word where more was expected.
    #[test]
    fn places() {
        let found = |text: &str| {
            let (place, excerpt) = place(text, &serde_json::from_str::<serde_json::Value>(text).unwrap_err());
            format!("{place}\n{excerpt}")
        };
        assert_eq!(found("{\n  \"name\": x\n}"), "2:11\n 2 |   \"name\": x\n   |           ^");
        assert_eq!(found("{\"ü\": x}"), "1:7\n 1 | {\"ü\": x}\n   |       ^");
        assert_eq!(found("{\n  \"scripts\": {\n\n"), "2:15\n 2 |   \"scripts\": {\n   |               ^");
    }
}
