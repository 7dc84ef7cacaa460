//! The compiler's messages, with the paths that a person knows.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use crate::excerpt::excerpt;
use crate::tree::normalised;

/// The most lines that are passed on: who has more to mend mends these first.
const MAX_LINES: usize = 60;

/// How lines begin that say what Go does, not what is wrong.
const NOISE: [&str; 4] = ["# ", "go: downloading ", "go: finding ", "go: found "];

/// What Go says when a module asks for a newer Go than there is.
const NEWER_GO: [&str; 2] = ["requires go >= ", ": toolchain not available"];

/// What to do then.
const NEWER_GO_ADVICE: &str =
    "install that version of Go, let Go fetch it with `GOTOOLCHAIN=auto`, or ask for an older one in go.mod";

/// What Go says of a module that it did not get.
const ABSENT_MODULE: [&str; 2] = ["no required module provides", "cannot find module providing"];

/// What it says of one that is not public, or not there.
const NOT_PUBLIC: [&str; 3] = [": reading http", ": reading file:", "terminal prompts disabled"];

/// What to do if it is private.
const PRIVATE_ADVICE: &str =
    "if that module is private, name it in GOPRIVATE, and let NETRC, GOAUTH or git's settings hold the password";

/// Where the compiler ran and what its paths mean.
pub(super) struct Places<'p> {
    /// The folder it ran in.
    pub(super) folder: &'p Path,
    /// The project, which paths are shown relative to.
    pub(super) project: &'p Path,
    /// The user's file behind a path.
    pub(super) origins: &'p HashMap<PathBuf, String>,
}

impl Places<'_> {
    /// What the Go command wrote, without its headings and with every path a user's.
    pub(super) fn translate(&self, output: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        let is_noise = |line: &&str| line.is_empty() || NOISE.iter().any(|start| line.starts_with(start));
        for line in output.lines().filter(|line| !is_noise(line)) {
            let line = self.line(line);
            if !lines.contains(&line) {
                lines.push(line);
            }
        }
        let advice = self.advice(&lines);
        if lines.len() > MAX_LINES {
            let more = lines.len() - MAX_LINES;
            lines.truncate(MAX_LINES);
            lines.push(format!("… and {more} more lines"));
        }
        lines.extend(advice);
        lines.join("\n")
    }

    /// The same, with what stands in the sources below each line that names a place in them.
    pub(super) fn translate_with_excerpts(&self, output: &str) -> String {
        let lines: Vec<String> = self.translate(output).lines().map(|line| self.with_excerpt(line)).collect();
        lines.join("\n")
    }

    /// A message that begins with a place in a file of the project, with what stands there. Go counts the bytes of a line, people its
    /// characters.
    fn with_excerpt(&self, message: &str) -> String {
        let place = message.split_once(": ").and_then(|(place, said)| Some((parsed(place)?, said)));
        let Some(((file, line, column), said)) = place else { return message.to_owned() };
        let text = std::fs::read_to_string(self.project.join(file)).unwrap_or_default();
        let Some(written) = text.lines().nth(line - 1) else { return message.to_owned() };
        // Where a line ends too early, Go means what is behind its last character.
        let column = written.get(..column - 1).unwrap_or(written).chars().count();
        format!("{file}:{line}:{}: {said}\n{}", column + 1, excerpt(written, line, column, 1))
    }

    /// What a person may do about it, where that is no change of the source.
    fn advice(&self, lines: &[String]) -> Option<String> {
        let say = |words: &[&str]| lines.iter().any(|line| words.iter().any(|words| line.contains(words)));
        if say(&NEWER_GO) {
            return Some(NEWER_GO_ADVICE.to_owned());
        }
        if !say(&ABSENT_MODULE) && !say(&NOT_PUBLIC) {
            return None;
        }
        match self.workspace_above() {
            Some((workspace, root)) => Some(format!(
                "`{}` is above the project, so what it uses is not there: deploy its folder, with `root = \"{root}\"` below `[build]` in \
                 its ship.toml",
                workspace.display()
            )),
            None => say(&NOT_PUBLIC).then(|| PRIVATE_ADVICE.to_owned()),
        }
    }

    /// The `go.work` above the project that Go itself would find, and the project's path below it.
    fn workspace_above(&self) -> Option<(PathBuf, String)> {
        let folder = self.project.ancestors().skip(1).find(|folder| folder.join("go.work").is_file())?;
        Some((folder.join("go.work"), self.project.strip_prefix(folder).ok()?.display().to_string()))
    }

    /// A line that starts with `path:line`, or any other. A path can also stand behind words, as in `package x: path:1:2: …`.
    fn line(&self, line: &str) -> String {
        let words = line.split_inclusive([' ', '\t']);
        words.map(|word| self.word(word)).collect()
    }

    fn word(&self, word: &str) -> String {
        if let Some(shown) = self.manifest(word) {
            return shown;
        }
        let Some((path, rest)) = word.split_once(".go:") else { return word.to_owned() };
        if !rest.starts_with(|character: char| character.is_ascii_digit()) {
            return word.to_owned();
        }
        format!("{}:{rest}", self.shown(&format!("{path}.go")))
    }

    /// A word that begins with the path of a copied `go.mod` or `go.sum`, with the path of that which was copied.
    fn manifest(&self, word: &str) -> Option<String> {
        let end = [".mod", ".sum"].iter().find_map(|ending| Some(word.find(ending)? + ending.len()))?;
        let origin = self.origins.get(&normalised(&self.folder.join(&word[..end])))?;
        Some(format!("{origin}{}", &word[end..]))
    }

    /// Go writes `.` for the folder it runs in without looking at what follows: of `/p-cache/x.go` in `/p` it makes
    /// `.-cache/x.go`.
    fn unshortened(&self, path: &str) -> Option<PathBuf> {
        Some(format!("{}{}", self.folder.display(), path.strip_prefix('.')?).into())
    }

    fn shown(&self, path: &str) -> String {
        let absolute = normalised(&self.folder.join(path));
        match self.origins.get(&absolute).or_else(|| self.origins.get(&self.unshortened(path)?)) {
            Some(origin) => origin.clone(),
            None => absolute.strip_prefix(self.project).unwrap_or(Path::new(path)).display().to_string(),
        }
    }
}

/// The file, the line and the column of `api/date.go:4:9`.
fn parsed(place: &str) -> Option<(&str, usize, usize)> {
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    let (line, column) = (line.parse().ok()?, column.parse().ok()?);
    let is_inside = Path::new(file).components().all(|part| matches!(part, Component::Normal(_)));
    (is_inside && line > 0 && column > 0).then_some((file, line, column))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the compiler names the file it read or the one it believes in, a person sees their own.
    #[test]
    fn paths_of_the_user() {
        let origins = HashMap::from([
            (PathBuf::from("/cache/b1/src/0/date.go"), "api/date.go".to_owned()),
            (PathBuf::from("/p/api/date-1/date.go"), "api/date.go".to_owned()),
        ]);
        let places = Places { folder: Path::new("/p"), project: Path::new("/p"), origins: &origins };
        let output = "# ship.site/api/date-1\n../cache/b1/src/0/date.go:12:5: undefined: x\n\
                      api/date-1/date.go:4:2: package nostd is not in std (/go/src/nostd)\n\
                      lib/a.go:1:1: expected 'package', found 'EOF'\ngo: downloading example.com/a v1.0.0\n";
        let expected = "api/date.go:12:5: undefined: x\n\
                        api/date.go:4:2: package nostd is not in std (/go/src/nostd)\n\
                        lib/a.go:1:1: expected 'package', found 'EOF'";
        assert_eq!(places.translate(output), expected);
    }

    /// The line that is meant stands below a message, with a mark below the character, also behind letters of several bytes; what Go
    /// explains in further lines, and what is not there, stays as it is.
    #[test]
    fn excerpts() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("api")).unwrap();
        std::fs::write(folder.path().join("api/date.go"), "package handler\n\tuse(\"ü\", now)\n\tx :=\n").unwrap();
        let places = Places { folder: folder.path(), project: folder.path(), origins: &HashMap::new() };
        let said = "api/date.go:2:12: undefined: now\n\thave (number)\napi/date.go:3:6: syntax error: unexpected newline\n\
                    api/date.go:9:1: no\nlib/a.go:1:1: no\n/usr/lib/go/src/fmt/print.go:1:1: no\napi/date.go:1: no\n";
        insta::assert_snapshot!(places.translate_with_excerpts(said).replace('\t', "→"), @r#"
        api/date.go:2:11: undefined: now
         2 | →use("ü", now)
           | →         ^
        →have (number)
        api/date.go:3:6: syntax error: unexpected newline
         3 | →x :=
           | →    ^
        api/date.go:9:1: no
        lib/a.go:1:1: no
        /usr/lib/go/src/fmt/print.go:1:1: no
        api/date.go:1: no
        "#);
    }

    /// A cache whose path begins as the project's does is recognised all the same.
    #[test]
    fn cache_named_like_the_project() {
        let origins = HashMap::from([(PathBuf::from("/p-cache/b1/src/date.go"), "api/date.go".to_owned())]);
        let places = Places { folder: Path::new("/p"), project: Path::new("/p"), origins: &origins };
        assert_eq!(places.translate(".-cache/b1/src/date.go:2:1: no"), "api/date.go:2:1: no");
    }

    /// The copy of `go.mod` that Go reads is shown as the user's, and a Go that is too old comes with what to do.
    #[test]
    fn go_mod_of_the_user() {
        let origins = HashMap::from([(PathBuf::from("/cache/b1/module/go.mod"), "go.mod".to_owned())]);
        let places = Places { folder: Path::new("/p"), project: Path::new("/p"), origins: &origins };
        let output =
            "go: errors parsing ../cache/b1/module/go.mod:\n../cache/b1/module/go.mod:3: unknown directive: x\n";
        assert_eq!(places.translate(output), "go: errors parsing go.mod:\ngo.mod:3: unknown directive: x");
        let output = "go: ../cache/b1/module/go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)\n";
        let expected =
            format!("go: go.mod requires go >= 1.99 (running go 1.26.8; GOTOOLCHAIN=local)\n{NEWER_GO_ADVICE}");
        assert_eq!(places.translate(output), expected);
    }

    /// A module that Go did not get may be private, or in a workspace that is larger than the project.
    #[test]
    fn absent_modules() {
        let folder = tempfile::tempdir().unwrap();
        let project = folder.path().join("apps/site");
        let (origins, output) =
            (HashMap::new(), "go: example.com/x: reading https://proxy.example/x/@v/list: 404 Not Found");
        let places = Places { folder: &project, project: &project, origins: &origins };
        assert_eq!(places.translate(output), format!("{output}\n{PRIVATE_ADVICE}"));
        std::fs::write(folder.path().join("go.work"), "").unwrap();
        let workspace = folder.path().join("go.work");
        let expected = format!(
            "{output}\n`{}` is above the project, so what it uses is not there: deploy its folder, with `root = \"apps/site\"` below \
             `[build]` in its ship.toml",
            workspace.display()
        );
        assert_eq!(places.translate(output), expected);
        let missing =
            "api/a.go:3:8: no required module provides package example.com/x; to add it:\n\tgo get example.com/x";
        assert!(places.translate(missing).ends_with("in its ship.toml"));
        std::fs::remove_file(workspace).unwrap();
        assert_eq!(places.translate(missing), missing);
    }
}
