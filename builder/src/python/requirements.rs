//! Lines that name packages: what they refer to, and which of them a message is about.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// How deep requirement files may refer to one another.
const MAX_DEPTH: usize = 8;

/// A file that says what a project depends on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct RequirementFile {
    /// Its path relative to the project.
    pub(super) shown: String,
    pub(super) text: String,
}

/// A requirement file and those it refers to, each once.
#[derive(Default)]
pub(super) struct RequirementFiles {
    pub(super) files: Vec<RequirementFile>,
    /// Whether a folder of the project is installed too, whose files say nothing of themselves here.
    pub(super) has_folders: bool,
    seen: BTreeSet<PathBuf>,
}

impl RequirementFiles {
    /// Reads `file` and what it refers to with `-r` and `-c`.
    pub(super) fn read(&mut self, file: &Path, project: &Path, depth: usize) -> io::Result<()> {
        if depth > MAX_DEPTH || !self.seen.insert(file.to_owned()) {
            return Ok(());
        }
        let text = std::fs::read_to_string(file)?;
        let folder = file.parent().unwrap_or(Path::new("/")).to_owned();
        let shown = crate::tree::shown_below(project, file).display().to_string();
        self.files.push(RequirementFile { shown, text: text.clone() });
        for line in lines(&text) {
            if let Some(other) = reference(line) {
                let other = folder.join(other);
                if other.is_file() {
                    self.read(&other, project, depth + 1)?;
                }
            } else if line.starts_with("-e")
                || line.starts_with("--editable")
                || line.starts_with(['.', '/'])
                || line.contains("file:")
            {
                self.has_folders = true;
            }
        }
        Ok(())
    }

    /// Whether there is anything to install.
    pub(super) fn name_packages(&self) -> bool {
        self.has_folders || self.files.iter().flat_map(|file| lines(&file.text)).any(|line| !line.starts_with('-'))
    }
}

/// The lines that say something, without what stands behind `#`.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let stripped = text.lines().map(|line| line.split(" #").next().unwrap_or_default().trim());
    stripped.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The file that a line refers to.
fn reference(line: &str) -> Option<&str> {
    let rest = ["--requirement", "--constraint", "-r", "-c"].iter().find_map(|option| line.strip_prefix(option))?;
    Some(rest.trim_start_matches(['=', ' ']).trim())
}

/// The place of the first requirement that `message` is about: file and line.
pub(super) fn place_of(message: &str, files: &[RequirementFile]) -> Option<(String, String)> {
    let mentioned = normalised(message);
    let is_mentioned = |name: &str| {
        let is_part = |character: Option<char>| character.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
        mentioned.match_indices(name).any(|(at, _)| {
            !is_part(mentioned[..at].chars().next_back()) && !is_part(mentioned[at + name.len()..].chars().next())
        })
    };
    files.iter().find_map(|file| {
        let lines = file.text.lines().enumerate();
        let mut named = lines.flat_map(|(index, line)| names(line).map(move |name| (index + 1, name)));
        let (line, name) = named.find(|(_, name)| is_mentioned(&normalised(name)))?;
        Some((name.to_owned(), format!("{}:{line}", file.shown)))
    })
}

/// The place of what uv could not read, file and line, and what it says of it. It names files from their own folder, and counts bytes.
pub(super) fn unread(message: &str, files: &[RequirementFile]) -> Option<(String, String)> {
    let (before, after) = message.rsplit_once("` at position ")?;
    let (position, said) = after.split_once('\n')?;
    let name = before.rsplit('`').next()?;
    let file = files.iter().find(|file| Path::new(&file.shown).ends_with(name))?;
    let line = file.text.get(..position.parse().ok()?)?.matches('\n').count() + 1;
    // What follows a cause stands below it, and below nothing now.
    let said = said.replace("\n         ", "\n  ");
    let said = said.trim_start();
    Some((format!("{}:{line}", file.shown), said.strip_prefix("cause: ").unwrap_or(said).to_owned()))
}

/// The names of packages that a line may begin with, quoted as in TOML and JSON or bare as in a requirement file.
fn names(line: &str) -> impl Iterator<Item = &str> {
    let starts = std::iter::once(line.trim_start()).chain(line.split(['"', '\'']).skip(1));
    starts.filter_map(|text| {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c))).unwrap_or(text.len());
        let name = &text[..end];
        // `dependencies = [` begins like a requirement. Shorter names are words of a message.
        let is_key = text[end..].trim_start().starts_with('=') && !text[end..].trim_start().starts_with("==");
        (name.len() > 1 && name.starts_with(|c: char| c.is_ascii_alphanumeric()) && !is_key).then_some(name)
    })
}

/// A name as package indexes compare it.
pub(super) fn normalised(name: &str) -> String {
    name.chars().map(|c| if "_.".contains(c) { '-' } else { c.to_ascii_lowercase() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The package that a resolver complains of is found where it is asked for, whatever its spelling.
    #[test]
    fn places() {
        let file = |shown: &str, text: &str| RequirementFile { shown: shown.into(), text: text.into() };
        let files = [
            file("requirements.txt", "# ours\nflask\nNo_Such.Package>=2  # why\n"),
            file(
                "pyproject.toml",
                "[project]\nname = \"x\"\ndependencies = [\n  \"flask>=3\",\n  \"other[extra]\",\n]\n",
            ),
        ];
        let place = |message: &str| place_of(message, &files).map(|(name, place)| format!("{place} {name}"));
        let message = "Because no-such-package was not found in the package registry";
        assert_eq!(place(message).as_deref(), Some("requirements.txt:3 No_Such.Package"));
        assert_eq!(place("there is no version of other==99").as_deref(), Some("pyproject.toml:5 other"));
        assert_eq!(place("flask-cors was not found"), None);
    }

    /// What cannot be read is named by its line, also in a file that another one refers to, and behind letters of several bytes.
    #[test]
    fn unread_lines() {
        let file = |shown: &str, text: &str| RequirementFile { shown: shown.into(), text: text.into() };
        let files =
            [file("api/requirements.txt", "# ü\nflask\nrequests = 3.0\n"), file("api/other.txt", "-r x\ny==\n")];
        let found = |message: &str| unread(message, &files).map(|(place, said)| format!("{place}: {said}"));
        let message = "Couldn't parse requirement in `requirements.txt` at position 11\n  cause: no such comparison operator \"=\"\n\
                       \u{20}        requests = 3.0\n                  ^^^^^";
        assert_eq!(
            found(message).as_deref(),
            Some("api/requirements.txt:3: no such comparison operator \"=\"\n  requests = 3.0\n           ^^^^^")
        );
        let message = "Error parsing included file in `requirements.txt` at position 6\n  cause: Couldn't parse requirement in \
                       `other.txt` at position 5\n  cause: Unexpected end";
        assert_eq!(found(message).as_deref(), Some("api/other.txt:2: Unexpected end"));
        assert_eq!(found("Couldn't parse requirement in `elsewhere.txt` at position 5\n  cause: no"), None);
        assert_eq!(found("Couldn't parse requirement in `other.txt` at position 500\n  cause: no"), None);
    }

    /// Files that are referred to belong to it; a file without packages asks for nothing.
    #[test]
    fn references() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("requirements.txt", "-r base.txt\n--constraint=limits.txt\n");
        write("base.txt", "flask\n-r requirements.txt\n");
        write("limits.txt", "flask<4\n");
        let mut files = RequirementFiles::default();
        files.read(&folder.path().join("requirements.txt"), folder.path(), 0).unwrap();
        let shown: Vec<&str> = files.files.iter().map(|file| file.shown.as_str()).collect();
        assert_eq!(shown, ["requirements.txt", "base.txt", "limits.txt"]);
        assert!(files.name_packages() && !files.has_folders);

        write("requirements.txt", "# nothing\n--index-url https://example.com/simple\n");
        let mut files = RequirementFiles::default();
        files.read(&folder.path().join("requirements.txt"), folder.path(), 0).unwrap();
        assert!(!files.name_packages());
    }
}
