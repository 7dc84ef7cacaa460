//! The last lines of an instance, kept to explain why it failed.

use std::collections::VecDeque;

use crate::limits::{TAIL_LINE_BYTES, TAIL_LINES, TAIL_REPORT_LINES};

/// How the report of a crash begins: what Go says of a panic, of an error that nobody can recover from, and of a signal. What is worth
/// reading stands there; behind it come other goroutines and registers.
const REPORTS: [&str; 4] = ["panic: ", "fatal error: ", "SIG", "runtime: goroutine stack exceeds"];

/// The last lines that an instance printed, shortened, and the first ones of the last report of a crash.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    lines: VecDeque<String>,
    report: Vec<String>,
    /// How many lines have come since the report began.
    since: usize,
}

impl Tail {
    /// Takes the next line, and lets go of the oldest.
    pub(crate) fn push(&mut self, line: &str) {
        let line = &line[..line.floor_char_boundary(TAIL_LINE_BYTES)];
        let begins = begins_report(line);
        // One report has several such lines, at its beginning.
        if begins && (self.report.is_empty() || self.since >= TAIL_REPORT_LINES) {
            self.report.clear();
            self.since = 0;
        }
        if begins || !self.report.is_empty() {
            self.since += 1;
            if self.report.len() < TAIL_REPORT_LINES {
                self.report.push(line.to_owned());
            }
        }
        if self.lines.len() == TAIL_LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.to_owned());
    }

    /// The lines, oldest first.
    pub(crate) fn lines(&self) -> Vec<String> {
        if self.since <= TAIL_LINES {
            return self.lines.iter().cloned().collect();
        }
        let last = self.since.saturating_sub(self.report.len()).min(TAIL_LINES - self.report.len());
        let last = self.lines.iter().skip(self.lines.len().saturating_sub(last));
        self.report.iter().chain(last).cloned().collect()
    }
}

/// Whether a line begins the report of a crash.
fn begins_report(line: &str) -> bool {
    REPORTS.iter().any(|begins| match line.strip_prefix(begins) {
        // The name of a signal is longer than that.
        Some(rest) if *begins == "SIG" => rest.split_once(": ").is_some_and(|(name, _)| is_name(name)),
        Some(_) => true,
        None => false,
    })
}

fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase())
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

    /// Of the report of a crash, what comes first stays, however much follows; the last lines come behind it.
    #[test]
    fn reports() {
        let mut tail = Tail::default();
        for line in ["booting", "SIGSEGV: segmentation violation", "PC=0x47 m=0 sigcode=0", "goroutine 1 [running]:"] {
            tail.push(line);
        }
        assert_eq!(tail.lines()[..2], ["booting", "SIGSEGV: segmentation violation"]);
        for number in 0..100 {
            tail.push(&format!("r{number} 0x0"));
        }
        let lines = tail.lines();
        assert_eq!(lines.len(), TAIL_LINES);
        assert_eq!(lines[..3], ["SIGSEGV: segmentation violation", "PC=0x47 m=0 sigcode=0", "goroutine 1 [running]:"]);
        assert_eq!(lines[TAIL_LINES - 1], "r99 0x0");
        // A later one is what ended it.
        tail.push("panic: runtime error: index out of range");
        assert_eq!(tail.lines().last().map(String::as_str), Some("panic: runtime error: index out of range"));
        for _ in 0..100 {
            tail.push("goroutine");
        }
        assert_eq!(tail.lines()[..2], ["panic: runtime error: index out of range", "goroutine"]);
    }
}
