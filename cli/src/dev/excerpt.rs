//! Excerpts of sources: what stands where an error is, below the line that names the place.

use std::path::Path;

use crate::place::Place;

/// Lines that are shown before and after the one that is meant.
const AROUND: usize = 2;

/// How many places of one text get an excerpt. Whoever mends the first few builds again.
const MAX_EXCERPTS: usize = 5;

/// The largest source that is looked into, in bytes.
const MAX_SOURCE_BYTES: u64 = 4 * 1024 * 1024;

/// The longest line of a source that is shown, in characters.
const MAX_LINE_CHARS: usize = 160;

impl Place {
    /// The line and those around it, with a mark below. Nothing if the file has no such line.
    pub(super) fn excerpt(&self, root: &Path) -> Vec<String> {
        self.marked(root, 1)
    }

    /// The same, with a mark of some characters.
    fn marked(&self, root: &Path, width: usize) -> Vec<String> {
        let path = root.join(&self.file);
        if !path.metadata().is_ok_and(|file| file.len() <= MAX_SOURCE_BYTES) {
            return Vec::new();
        }
        let Ok(bytes) = std::fs::read(path) else { return Vec::new() };
        let text = String::from_utf8_lossy(&bytes);
        let first = self.line.saturating_sub(AROUND + 1);
        let digits = (self.line + AROUND).to_string().len();
        let mut excerpt = Vec::new();
        for (index, line) in text.lines().enumerate().skip(first).take(self.line + AROUND - first) {
            let is_meant = index + 1 == self.line;
            let mark = if is_meant { '>' } else { ' ' };
            let shown: String = line.chars().take(MAX_LINE_CHARS).collect();
            excerpt.push(format!("{mark} {:>digits$} | {shown}", index + 1).trim_end().to_owned());
            if let (true, Some(column)) = (is_meant, self.column.filter(|column| *column <= MAX_LINE_CHARS)) {
                // A tab stays a tab, so that the mark stands below what it means however wide that is.
                let before = line.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' });
                let before: String = before.collect();
                excerpt.push(format!("  {:>digits$} | {before}{}", "", "^".repeat(width)));
            }
        }
        if excerpt.iter().any(|line| line.starts_with('>')) { excerpt } else { Vec::new() }
    }
}

/// A text in which each line that names a place in the project is followed by what stands there and around it, unless a compiler has
/// shown more than that line.
pub(super) fn with_excerpts(text: &str, root: &Path) -> String {
    let source: Vec<&str> = text.lines().collect();
    let mut lines = Vec::new();
    let mut shown: Vec<Place> = Vec::new();
    let mut at = 0;
    while let Some(line) = source.get(at) {
        at += 1;
        lines.push((*line).to_owned());
        let rest = &source[at..];
        let frame = place_of(line, root).map_or(0, |place| frame_of(rest, place.line));
        // Go's compiler explains in lines that begin with a tab; what begins with a blank is the source.
        let is_followed = frame == 0 && rest.first().is_some_and(|next| next.starts_with(' '));
        let is_code = line.contains(" | ");
        if is_followed || is_code || shown.len() >= MAX_EXCERPTS {
            continue;
        }
        if let Some(place) = place_of(line, root).filter(|place| !shown.contains(place)) {
            let width = rest.get(1).filter(|_| frame == 2).map_or(1, |mark| mark.matches('^').count());
            let excerpt = place.marked(root, width);
            at += if excerpt.is_empty() { 0 } else { frame };
            lines.extend(excerpt);
            shown.push(place);
        }
    }
    lines.join("\n")
}

fn place_of(line: &str, root: &Path) -> Option<Place> {
    line.split_whitespace().find_map(|word| Place::parse(word, root))
}

/// How many of the lines that follow show the line `number` alone, with a mark below it.
fn frame_of(following: &[&str], number: usize) -> usize {
    let is_mark = |line: &&str| line.trim_start().starts_with("| ") && line.ends_with('^');
    match following {
        [line, mark, ..] if line.starts_with(&format!(" {number} |")) && is_mark(mark) => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("api")).unwrap();
        let source = "package handler\n\nfunc Handler() {\n\tnow := time.Never()\n\tuse(now)\n}\n";
        fs_err::write(folder.path().join("api/date.go"), source).unwrap();
        folder
    }

    /// What a compiler says gets the lines around the place, with a mark below the character.
    #[test]
    fn compiler() {
        let folder = project();
        let text = with_excerpts(
            "the compiler refuses:\napi/date.go:4:9: undefined: time.Never\nelsewhere.go:1:1: no",
            folder.path(),
        );
        insta::assert_snapshot!(text.replace('\t', "→"), @r"
        the compiler refuses:
        api/date.go:4:9: undefined: time.Never
          2 |
          3 | func Handler() {
        > 4 | →now := time.Never()
            | →       ^
          5 | →use(now)
          6 | }
        elsewhere.go:1:1: no
        ");
    }

    /// Where a message shows the line alone, the lines around it are shown as for all others.
    #[test]
    fn one_line_already() {
        let folder = project();
        let text = with_excerpts(
            "error: api/date.go:4:9: no such thing\n 4 | \tnow := time.Never()\n   | \t       ^^^^\nhint: try",
            folder.path(),
        );
        insta::assert_snapshot!(text.replace('\t', "→"), @r"
        error: api/date.go:4:9: no such thing
          2 |
          3 | func Handler() {
        > 4 | →now := time.Never()
            | →       ^^^^
          5 | →use(now)
          6 | }
        hint: try
        ");
        let rustc = "error: no\n --> api/date.go:4:9\n  |\n4 | \tnow := time.Never()\n  |        ^";
        assert_eq!(with_excerpts(rustc, folder.path()), rustc);
    }

    /// What Go explains in further lines is no source.
    #[test]
    fn explained() {
        let folder = project();
        let text = with_excerpts("api/date.go:4:9: too many arguments\n\thave (number)\n\twant ()", folder.path());
        assert!(text.starts_with("api/date.go:4:9: too many arguments\n  2 |\n"), "{text}");
        assert!(text.ends_with("  6 | }\n\thave (number)\n\twant ()"), "{text}");
    }

    /// What shows its source already is left alone; a line that is not there, and files outside of the project, show nothing.
    #[test]
    fn nothing_to_show() {
        let folder = project();
        for text in [
            "api/date.go:4:9: no\n   now := time.Never()",
            "api/date.go:400: no",
            "/etc/passwd:1: no",
            "../x:1: no",
            "api/date.go: no",
            "api/date.go:0:0: no",
        ] {
            assert_eq!(with_excerpts(text, folder.path()), text);
        }
        assert_eq!(Place::parse("(api/date.go:4:1)", folder.path()).unwrap().shown(), "api/date.go:4:1");
    }
}
