//! What cargo says, with the paths that a person knows.

use std::path::{Path, PathBuf};

use super::generated::{self, HandlerPlace};
use crate::tree::normalised;

/// The most lines that are passed on: who has more to mend mends these first.
const MAX_LINES: usize = 80;

/// How messages begin. What follows until the next belongs to them: notes, help, causes.
const BEGINNINGS: [&str; 4] = ["error", "warning", "For more information", "Some errors have"];

/// Where cargo ran and what its paths mean.
pub(super) struct Places<'p> {
    /// The folder that the compiler's paths are relative to, in the mirror.
    pub(super) folder: &'p Path,
    /// The folder that cargo ran in, which its own paths are relative to.
    pub(super) cargo_folder: &'p Path,
    /// The mirror, and what it is a mirror of.
    pub(super) mirror: (&'p Path, &'p Path),
    /// The project, which paths are shown relative to.
    pub(super) project: &'p Path,
}

impl Places<'_> {
    /// The errors, without what cargo does and what the compiler only warns of. What it says about the lines that were put behind a
    /// handler is said of the handler.
    pub(super) fn translate(&self, said: &str, handlers: &[HandlerPlace]) -> String {
        let mut blocks: Vec<Vec<String>> = Vec::new();
        let mut is_wanted = false;
        for line in said.lines() {
            if BEGINNINGS.iter().any(|beginning| line.starts_with(beginning)) {
                is_wanted = line.starts_with("error") && !line.starts_with("error: could not compile");
                blocks.push(Vec::new());
            }
            let is_progress = line.starts_with(' ') && progress(line).is_some();
            if let Some(block) = blocks.last_mut().filter(|_| is_wanted && !is_progress) {
                block.push(self.line(line));
            }
        }
        let blocks: Vec<Vec<String>> = blocks.into_iter().map(|block| generated::explained(block, handlers)).collect();
        // A module of several functions is compiled with each.
        let mut lines: Vec<String> = Vec::new();
        for (index, block) in blocks.iter().enumerate().filter(|(_, block)| !block.is_empty()) {
            if !blocks[..index].contains(block) {
                lines.extend(block.iter().cloned());
            }
        }
        while lines.last().is_some_and(|line| line.trim().is_empty()) {
            lines.pop();
        }
        if lines.is_empty() {
            return self.line(said.trim());
        }
        if lines.len() > MAX_LINES {
            let more = lines.len() - MAX_LINES;
            lines.truncate(MAX_LINES);
            lines.push(format!("… and {more} more lines"));
        }
        lines.join("\n")
    }

    fn line(&self, line: &str) -> String {
        let line = self.place(line).unwrap_or_else(|| line.to_owned());
        let (mirror, original) = self.mirror;
        let line = line.replace(&*mirror.to_string_lossy(), &original.to_string_lossy());
        line.replace(&format!("{}/", self.project.display()), "")
    }

    /// `  --> api/x.rs:1:2`, relative to the folder that the compiler ran in.
    fn place(&self, line: &str) -> Option<String> {
        let trimmed = line.trim_start();
        let place = trimmed.strip_prefix("--> ").or_else(|| trimmed.strip_prefix("::: "))?;
        let start = &line[..line.len() - place.len()];
        let is_there = |folder: &&Path| normalised(&folder.join(place.split(':').next().unwrap_or_default())).exists();
        let folder = [self.folder, self.cargo_folder].into_iter().find(is_there)?;
        Path::new(place).is_relative().then(|| format!("{start}{}", normalised(&folder.join(place)).display()))
    }
}

/// The crate that a line of cargo's progress names.
pub(super) fn progress(line: &str) -> Option<&str> {
    let mut words = line.split_whitespace();
    let verb = words.next()?;
    let is_indented = line.starts_with("  ");
    let known =
        ["Compiling", "Downloading", "Downloaded", "Updating", "Locking", "Adding", "Finished", "Blocking", "Fresh"];
    (is_indented && known.contains(&verb)).then(|| words.next().unwrap_or_default())
}

/// A path that tells where the mirror's folder is for the compiler.
pub(super) fn compiler_folder(mirror: &Path, workspace: &Path) -> PathBuf {
    mirror.join(workspace)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Errors stay, with a person's paths; warnings, progress and the mirror go.
    #[test]
    fn errors_of_the_user() {
        let mirror = tempfile::tempdir().unwrap();
        std::fs::create_dir(mirror.path().join("api")).unwrap();
        std::fs::write(mirror.path().join("api/x.rs"), "").unwrap();
        let places = Places {
            folder: mirror.path(),
            cargo_folder: Path::new("/home/me/site"),
            mirror: (mirror.path(), Path::new("/home/me/site")),
            project: Path::new("/home/me/site"),
        };
        let said = format!(
            "   Compiling libc v0.2.1\nwarning: unused variable: `y`\n --> api/x.rs:1:1\n  |\n\nerror[E0425]: cannot find value `x`\n \
             --> api/x.rs:3:5\n  |\n3 |     x\n  |     ^\n\nerror: failed to parse `{}/Cargo.toml`\n\n\
             error[E0425]: cannot find value `x`\n --> api/../api/x.rs:3:5\n  |\n3 |     x\n  |     ^\n\n\
             error: could not compile `site` (bin \"x\") due to 1 previous error\n",
            mirror.path().display()
        );
        let expected = "error[E0425]: cannot find value `x`\n --> api/x.rs:3:5\n  |\n3 |     x\n  |     ^\n\n\
                        error: failed to parse `Cargo.toml`";
        assert_eq!(places.translate(&said, &[]), expected);
    }

    /// Cargo itself names what it cannot read from the folder that it ran in, which is not the mirror.
    #[test]
    fn manifests() {
        let folder = tempfile::tempdir().unwrap();
        let (site, mirror) = (folder.path().join("site"), folder.path().join("cache/mirror"));
        std::fs::create_dir_all(&site).unwrap();
        std::fs::create_dir_all(&mirror).unwrap();
        std::fs::write(mirror.join("Cargo.toml"), "[package").unwrap();
        let places = Places { folder: &mirror, cargo_folder: &site, mirror: (&mirror, &site), project: &site };
        let said = "error: unclosed table, expected `]`\n --> ../cache/mirror/Cargo.toml:1:9\n  |\n1 | [package\n";
        let expected = "error: unclosed table, expected `]`\n --> Cargo.toml:1:9\n  |\n1 | [package";
        assert_eq!(places.translate(said, &[]), expected);
    }
}
