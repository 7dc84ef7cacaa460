//! Git's branch and commit, read from its files: starting git would take longer than a deploy that changes nothing.
//!
//! The layout is that of gitrepository-layout(5). Only where a repository keeps its references in a format that is not
//! files (a "reftable") is git itself asked.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ship_core::{AuthorName, CommitSubject};

use crate::settings::environment::{Environment, HOME, PATH};

/// The most that is read of one of git's small files.
const MAX_LINE_BYTES: usize = 4096;

/// What a repository with references outside of files has in `HEAD`.
const REFTABLE_HEAD: &str = "refs/heads/.invalid";

/// What is checked out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Head {
    /// The branch, none if a commit is checked out by itself.
    pub(super) branch: Option<String>,
    /// The commit, none before the first.
    pub(super) commit: Option<String>,
}

/// What is checked out in the working tree that holds `folder`; nothing if none does.
pub(super) fn head(folder: &Path, environment: &Environment) -> Head {
    let Some((tree, git)) = folder.ancestors().find_map(|above| Some((above, git_folder(above)?))) else {
        return Head::default();
    };
    let Some(head) = first_line(&git.join("HEAD")) else { return Head::default() };
    match head.strip_prefix("ref:").map(str::trim) {
        Some(REFTABLE_HEAD) => ask_git(tree, environment),
        Some(reference) => {
            let branch = reference.strip_prefix("refs/heads/").map(str::to_owned);
            Head { branch, commit: commit_of(&git, reference) }
        }
        None => Head { branch: None, commit: is_commit(&head).then_some(head) },
    }
}

/// The git folder of a working tree: `.git` itself, or where a `.git` file points, as in worktrees and submodules.
fn git_folder(tree: &Path) -> Option<PathBuf> {
    let path = tree.join(".git");
    let metadata = fs_err::metadata(&path).ok()?;
    if metadata.is_dir() {
        return path.join("HEAD").exists().then_some(path);
    }
    let line = first_line(&path)?;
    let folder = tree.join(line.strip_prefix("gitdir:")?.trim());
    folder.join("HEAD").exists().then_some(folder)
}

/// The commit that a reference leads to: in a file of its own, or packed. Worktrees share both with the main repository.
fn commit_of(git: &Path, reference: &str) -> Option<String> {
    let below = Path::new(reference).components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if !below {
        return None;
    }
    let common = first_line(&git.join("commondir")).map_or_else(|| git.to_owned(), |path| git.join(path));
    [git, &common].iter().find_map(|folder| first_line(&folder.join(reference)).filter(|line| is_commit(line))).or_else(
        || {
            let packed = common.join("packed-refs");
            let packed = packed.is_file().then(|| fs_err::read_to_string(packed).ok())??;
            let commit = packed.lines().find_map(|line| line.split_once(' ').filter(|(_, name)| *name == reference))?.0;
            is_commit(commit).then(|| commit.to_owned())
        },
    )
}

fn first_line(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    // A pipe would be waited for.
    let file = fs_err::metadata(path).ok()?.is_file().then(|| fs_err::File::open(path).ok())??;
    file.take(MAX_LINE_BYTES as u64).read_to_string(&mut text).ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}

/// Whether the text is a SHA-1 or SHA-256 in hexadecimal digits.
fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether git would leave a file out of a commit; also where there is no repository, or no git to commit with.
pub(super) fn is_ignored(file: &Path, environment: &Environment) -> bool {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name()) else { return true };
    if !folder.ancestors().any(|above| git_folder(above).is_some()) {
        return true;
    }
    let mut git = Command::new("git");
    git.args(["check-ignore", "--quiet", "--"]).arg(name).current_dir(folder).env_clear();
    git.envs(environment.pairs(&[PATH, HOME])).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // 1 says that it is not ignored; anything else, that git cannot tell.
    git.status().map_or(true, |status| status.code() != Some(1))
}

fn ask_git(tree: &Path, environment: &Environment) -> Head {
    Head {
        branch: answer(tree, &["symbolic-ref", "--quiet", "--short", "HEAD"], environment),
        commit: answer(tree, &["rev-parse", "--quiet", "--verify", "HEAD"], environment),
    }
}

/// Who wrote a commit, by the name that the repository's `.mailmap` gives them, and the first line of its message.
pub(super) fn said_of(
    folder: &Path,
    commit: &str,
    environment: &Environment,
) -> (Option<AuthorName>, Option<CommitSubject>) {
    // Neither can hold what stands between them.
    let question = ["-c", "log.showSignature=false", "log", "-1", "--format=%aN%x00%s", commit, "--"];
    let said = is_commit(commit).then(|| answer(folder, &question, environment)).flatten();
    let (author, subject) = said.as_deref().and_then(|said| said.split_once('\0')).unwrap_or_default();
    (author.parse().ok(), subject.parse().ok())
}

/// What git says to a question, if it says anything.
fn answer(tree: &Path, arguments: &[&str], environment: &Environment) -> Option<String> {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(tree).env_clear().envs(environment.pairs(&[PATH, HOME]));
    let output = git.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const OTHER: &str = "89abcdef0123456789abcdef0123456789abcdef";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs_err::create_dir_all(path.parent().unwrap()).unwrap();
            fs_err::write(path, text).unwrap();
        }
        folder
    }

    fn head_in(folder: &tempfile::TempDir, path: &str) -> (Option<String>, Option<String>) {
        let head = head(&folder.path().join(path), &Environment::default());
        (head.branch, head.commit)
    }

    fn found(branch: &str, commit: Option<&str>) -> (Option<String>, Option<String>) {
        (Some(branch.to_owned()), commit.map(str::to_owned))
    }

    /// A branch with a commit, found from a folder far below as well; and one before its first commit.
    #[test]
    fn branch_and_commit() {
        let project = folder(&[
            (".git/HEAD", "ref: refs/heads/feature/new-map\n"),
            (".git/refs/heads/feature/new-map", &format!("{COMMIT}\n")),
            ("apps/web/public/index.html", ""),
        ]);
        assert_eq!(head_in(&project, ""), found("feature/new-map", Some(COMMIT)));
        assert_eq!(head_in(&project, "apps/web"), found("feature/new-map", Some(COMMIT)));
        assert_eq!(head_in(&folder(&[(".git/HEAD", "ref: refs/heads/main\n")]), ""), found("main", None));
    }

    /// References that git has packed; a file of its own goes before them.
    #[test]
    fn packed_references() {
        let packed = format!("# pack-refs with: peeled fully-peeled sorted\n{OTHER} refs/heads/main\n^{COMMIT}\n");
        let project = folder(&[(".git/HEAD", "ref: refs/heads/main"), (".git/packed-refs", &packed)]);
        assert_eq!(head_in(&project, ""), found("main", Some(OTHER)));
        fs_err::create_dir_all(project.path().join(".git/refs/heads")).unwrap();
        fs_err::write(project.path().join(".git/refs/heads/main"), COMMIT).unwrap();
        assert_eq!(head_in(&project, ""), found("main", Some(COMMIT)));
    }

    /// A commit that is checked out by itself is on no branch.
    #[test]
    fn detached() {
        let project = folder(&[(".git/HEAD", COMMIT)]);
        assert_eq!(head_in(&project, ""), (None, Some(COMMIT.into())));
    }

    /// A worktree has its own branch, and its commits in the main repository.
    #[test]
    fn worktree() {
        let project = folder(&[
            ("main/.git/HEAD", "ref: refs/heads/main\n"),
            ("main/.git/refs/heads/side", COMMIT),
            ("main/.git/worktrees/side/HEAD", "ref: refs/heads/side\n"),
            ("main/.git/worktrees/side/commondir", "../..\n"),
            ("side/.git", "gitdir: ../main/.git/worktrees/side\n"),
        ]);
        assert_eq!(head_in(&project, "side"), found("side", Some(COMMIT)));
    }

    /// What is no repository, or says nonsense, gives nothing.
    #[test]
    fn nothing() {
        let nothing = (None, None);
        assert_eq!(head_in(&folder(&[("index.html", "")]), ""), nothing);
        assert_eq!(head_in(&folder(&[(".git/HEAD", "what?")]), ""), nothing);
        assert_eq!(head_in(&folder(&[(".git", "gitdir: nowhere")]), ""), nothing);
        let pipe = folder(&[("index.html", "")]);
        mkfifoat(CWD, pipe.path().join(".git"), Mode::RUSR | Mode::WUSR).unwrap();
        assert_eq!(head_in(&pipe, ""), nothing);
        let outside = folder(&[(".git/HEAD", "ref: refs/heads/../../../x"), ("x", COMMIT)]);
        assert_eq!(head_in(&outside, "").1, None);
    }
}
