//! The last lines of an instance, kept to explain why it failed.

use std::collections::VecDeque;

use crate::limits::{TAIL_LINE_BYTES, TAIL_LINES};

/// The last lines that an instance printed, shortened.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: VecDeque<String>,
}

impl Tail {
    /// Takes the next line, and lets go of the oldest.
    pub(crate) fn push(&mut self, line: &str) {
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line[..line.floor_char_boundary(TAIL_LINE_BYTES)].to_owned());
    }

    /// The lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Only the newest lines stay, and each is cut between characters.
    #[test]
    fn bounded() {
        let mut tail = Tail::default();
        for number in 0..TAIL_LINES + 5 {
            tail.push(&number.to_string());
        }
        tail.push(&"é".repeat(TAIL_LINE_BYTES));
        let lines = tail.lines();
        assert_eq!((lines.len(), lines[0].as_str()), (TAIL_LINES, "6"));
        assert_eq!(lines[TAIL_LINES - 1].len(), TAIL_LINE_BYTES);
    }
}
