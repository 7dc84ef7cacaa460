//! New files, none of which replaces another.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::error::{CommandError, is_full_disk};

/// The one file that lines are added to where it is there.
const IGNORED: &str = ".gitignore";

/// The one file that is left out where it is there: a folder that was made at a repository's host has one.
const README: &str = "README.md";

/// A file that is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct NewFile {
    /// Its path, relative to the project.
    pub(super) path: String,
    /// What is in it.
    pub(super) content: String,
}

/// A file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("`{}` cannot be written", path.display())]
struct Unwritable {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// What was made so far. It is taken away again when not all can be made.
struct Made {
    paths: Vec<PathBuf>,
    is_whole: bool,
}

impl Drop for Made {
    fn drop(&mut self) {
        if !self.is_whole {
            for path in self.paths.iter().rev() {
                // What is left is in the way of nothing but another try, which says so.
                let _ = if path.is_dir() { fs_err::remove_dir(path) } else { fs_err::remove_file(path) };
            }
        }
    }
}

/// Writes files into a folder, which it makes if it is absent. Gives the paths of those that were written, and of those that were left out.
pub(super) fn write(folder: &Path, files: Vec<NewFile>) -> Result<(Vec<String>, Vec<String>), CommandError> {
    let (kept, files): (Vec<NewFile>, Vec<NewFile>) =
        files.into_iter().partition(|file| file.path == README && folder.join(README).exists());
    let taken = |file: &&NewFile| file.path != IGNORED && folder.join(&file.path).symlink_metadata().is_ok();
    let taken: Vec<String> = files.iter().filter(taken).map(|file| file.path.clone()).collect();
    if !taken.is_empty() {
        let message = format!("files of the template are there already in `{}`", folder.display());
        let hint = "`ship init DIR` makes the project in another folder; nothing was written";
        return Err(CommandError::project(message).details(taken).hint(hint));
    }
    let mut made = Made { paths: Vec::new(), is_whole: false };
    let mut written = Vec::new();
    for file in files {
        let path = folder.join(&file.path);
        let is_written = write_one(&path, &file, &mut made).map_err(|source| refused(path, source))?;
        if is_written {
            written.push(file.path);
        }
    }
    made.is_whole = true;
    Ok((written, kept.into_iter().map(|file| file.path).collect()))
}

/// Writes a file, and says whether there was anything to write.
fn write_one(path: &Path, file: &NewFile, made: &mut Made) -> io::Result<bool> {
    if file.path == IGNORED && path.exists() {
        return add_lines(path, &file.content);
    }
    make_folders(path, made)?;
    let mut new = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
    made.paths.push(path.to_owned());
    new.write_all(file.content.as_bytes())?;
    Ok(true)
}

/// Makes the folders above a file, and remembers those that were absent.
fn make_folders(path: &Path, made: &mut Made) -> io::Result<()> {
    let absent: Vec<&Path> = path.ancestors().skip(1).take_while(|folder| !folder.exists()).collect();
    for folder in absent.into_iter().rev() {
        std::fs::create_dir(folder)?;
        made.paths.push(folder.to_owned());
    }
    Ok(())
}

/// Adds lines to a `.gitignore` that it does not have.
fn add_lines(path: &Path, lines: &str) -> io::Result<bool> {
    let before = std::fs::read_to_string(path)?;
    let is_there = |line: &&str| before.lines().any(|other| other.trim().trim_matches('/') == *line);
    let missing: Vec<&str> = lines.lines().filter(|line| !is_there(line)).collect();
    if missing.is_empty() {
        return Ok(false);
    }
    let break_ = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
    let mut file = std::fs::OpenOptions::new().append(true).open(path)?;
    file.write_all(format!("{break_}{}\n", missing.join("\n")).as_bytes())?;
    Ok(true)
}

fn refused(path: PathBuf, source: io::Error) -> CommandError {
    let is_full = is_full_disk(&source);
    let error = CommandError::project(Unwritable { path, source });
    let hint = if is_full {
        "make room on that disk, and run the command again; nothing was left there"
    } else {
        "`ship init DIR` takes a folder that you may write; nothing was left there"
    };
    error.hint(hint)
}
