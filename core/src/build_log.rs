//! What a build said, as it is kept with its deployment.

/// The lines of a build: the last of them, where there are more than are kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct BuildLog {
    text: String,
    left_out_bytes: u64,
}

impl BuildLog {
    /// How much is kept, in bytes: some three thousand lines. What went wrong stands at the end.
    pub const MAX_BYTES: usize = 256 * 1024;

    /// The log of which `text` is the end, behind so many bytes that are left out.
    pub fn new(text: String, left_out_bytes: u64) -> Self {
        let mut log = Self { text, left_out_bytes };
        log.cut();
        log
    }

    /// Adds a line, given without its end.
    pub fn push_line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        // Cut now and then, so that each line costs no more than itself.
        if self.text.len() > 2 * Self::MAX_BYTES {
            self.cut();
        }
    }

    /// The same, no longer than it may be.
    #[must_use]
    pub fn finished(mut self) -> Self {
        self.cut();
        self
    }

    /// Its lines.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many bytes before them are left out.
    pub fn left_out_bytes(&self) -> u64 {
        self.left_out_bytes
    }

    /// Whether nothing was said.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Leaves out what is too much: whole lines, or of a line that is too long by itself its beginning.
    fn cut(&mut self) {
        let excess = self.text.len().saturating_sub(Self::MAX_BYTES);
        if excess == 0 {
            return;
        }
        let begin = self.text.ceil_char_boundary(excess);
        let rest = &self.text[begin..];
        let line_end = rest.find('\n').map(|end| end + 1).filter(|next| *next < rest.len());
        let begin = begin + line_end.unwrap_or(0);
        self.text.drain(..begin);
        self.left_out_bytes = self.left_out_bytes.saturating_add(begin as u64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last lines stay, whole, and it is known how much is missing.
    #[test]
    fn last_lines() {
        let mut log = BuildLog::default();
        (0..100_000).for_each(|number| log.push_line(&format!("line {number}")));
        let log = log.finished();
        let first = log.text().lines().next().unwrap();
        assert!(log.text().len() <= BuildLog::MAX_BYTES && log.text().ends_with("line 99999\n"), "{first}");
        assert!(first.starts_with("line ") && first.len() == "line 99999".len(), "{first}");
        let all: u64 = (0..100_000).map(|number| format!("line {number}\n").len() as u64).sum();
        assert_eq!(log.left_out_bytes() + log.text().len() as u64, all);
    }

    /// A line that is too long by itself loses its beginning, at the boundary of a character.
    #[test]
    fn long_line() {
        let log = BuildLog::new("ä".repeat(BuildLog::MAX_BYTES) + "\n", 7);
        assert!(log.text().len() <= BuildLog::MAX_BYTES && log.text().starts_with('ä'));
        assert_eq!(log.left_out_bytes() + log.text().len() as u64, 7 + 2 * BuildLog::MAX_BYTES as u64 + 1);
    }

    /// What fits is as it was.
    #[test]
    fn short() {
        let log = BuildLog::new("one\ntwo\n".to_owned(), 0);
        assert_eq!((log.text(), log.left_out_bytes(), log.is_empty()), ("one\ntwo\n", 0, false));
        assert!(BuildLog::default().is_empty());
    }
}
