//! The log of a build as a page shows it: its last lines.

use ship_api::BuildLogView;

use crate::dashboard::text::harmless;

/// How much of it is shown, in characters: with all else that stands on its page, less than 50 kB.
const CHARACTERS: usize = 12_000;

/// How much of a line is shown, in characters.
const LINE_CHARACTERS: usize = 400;

/// The last lines of a log.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub(super) struct BuildLines {
    lines: Vec<String>,
    /// How many before them are kept, and not shown.
    left_out_lines: usize,
}

impl BuildLines {
    pub(super) fn of(log: &BuildLogView) -> Self {
        let mut room = CHARACTERS;
        let fits = |line: &String| {
            let characters = line.chars().count() + 1;
            room.checked_sub(characters).map(|left| room = left).is_some()
        };
        let shown = log.text.lines().rev().map(|line| harmless(line, LINE_CHARACTERS)).take_while(fits);
        let mut lines: Vec<String> = shown.collect();
        lines.reverse();
        let left_out_lines = log.text.lines().count() - lines.len();
        Self { lines, left_out_lines }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines of strangers move nothing, and of many the last are shown.
    #[test]
    fn last_and_harmless() {
        let text = "first\n\u{1b}[31mred\u{1b}[0m\u{202e}\u{7}\n".to_owned();
        let shown = BuildLines::of(&BuildLogView { text, left_out_bytes: 0 });
        assert_eq!(shown, BuildLines { lines: vec!["first".into(), "red<U+202E>␇".into()], left_out_lines: 0 });
        let text = "line\n".repeat(9_999) + "last line\n";
        let shown = BuildLines::of(&BuildLogView { text, left_out_bytes: 0 });
        assert_eq!(shown.lines.last().map(String::as_str), Some("last line"));
        assert_eq!(shown.lines.len() + shown.left_out_lines, 10_000);
        let long = BuildLines::of(&BuildLogView { text: "x".repeat(100_000), left_out_bytes: 0 });
        assert_eq!(long.lines[0].len(), LINE_CHARACTERS);
    }
}
