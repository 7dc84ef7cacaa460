//! Sites of many files: how fast nothing is found to have changed, and how fast everything is sent.

use std::path::Path;
use std::process::{Command, Stdio};

use ship_tests::{TestEnv, TestHost};

use super::deploy::of_files;
use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::samples::Samples;
use crate::turns::{alternate, timed};

/// D4: 10,000 files, none of them changed.
pub(crate) fn unchanged(bench: &Bench) -> Vec<Row> {
    let work = "deploy of 10,000 files, nothing changed";
    let environment = TestEnv::new();
    let project = of_files(&environment, 10_000, 1_000);
    let _ = environment.ship(["deploy"]).within(project.folder()).run().success();
    if !make_repository(project.folder()) {
        return vec![Row::skipped(work, "no git to compare with")];
    }
    // The branch is new to the host: published once, so that only the unchanged is measured.
    let deploy = || environment.ship(["deploy"]).within(project.folder()).run().success();
    let _ = deploy();
    let ship = |_| timed(deploy).0;
    let git = |_| timed(|| run_git(project.folder(), &["status", "--porcelain"])).0;
    let (ship, git) = alternate(bench.runs.max(11), ship, git);
    vec![Row::compared(work, Samples::seconds(ship), "git status", Samples::seconds(git), Bound::times(2.))]
}

fn make_repository(folder: &Path) -> bool {
    let name = ["-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "gc.auto=0"];
    let commit = [name.as_slice(), &["commit", "--quiet", "--message", "all"]].concat();
    run_git(folder, &["init", "--quiet", "--initial-branch", "main"])
        && run_git(folder, &["add", "--all"])
        && run_git(folder, &commit)
}

fn run_git(folder: &Path, arguments: &[&str]) -> bool {
    let mut git = Command::new("git");
    git.args(arguments).current_dir(folder).stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// D5: everything is new, on both sides, and on the disk at the end.
pub(crate) fn first(bench: &Bench) -> Vec<Row> {
    // Nothing is removed before the last run: for up to five minutes ext4 walks around every inode that was, one by one, for each new file.
    let mut kept = Kept::default();
    [("10,000 files of 10 KB", 10_000, 10_000), ("1,000 files of 1 MB", 1_000, 1_000_000)]
        .map(|(what, count, bytes)| first_of(bench.runs, &format!("first deploy of {what}"), count, bytes, &mut kept))
        .into()
}

/// What the runs leave.
#[derive(Default)]
struct Kept {
    environments: Vec<TestEnv>,
    targets: Vec<tempfile::TempDir>,
}

fn first_of(runs: usize, work: &str, count: usize, bytes: usize, kept: &mut Kept) -> Row {
    let Kept { environments, targets } = kept;
    if Command::new("rsync").arg("--version").stdout(Stdio::null()).status().is_err() {
        return Row::skipped(work, "no rsync to compare with");
    }
    let source = TestEnv::new();
    let project = of_files(&source, count, bytes);
    let ship = |_| {
        let environment = TestEnv::new();
        let host = TestHost::start(&environment);
        sync();
        let deploy = host.ship(["deploy"]).within(project.folder());
        let (seconds, ()) = timed(|| {
            let _ = deploy.run().success();
            sync();
        });
        drop(host);
        environments.push(environment);
        seconds
    };
    let rsync = |_| {
        let target = tempfile::tempdir().expect("there is a temporary folder");
        sync();
        let (seconds, ()) = timed(|| {
            let status = Command::new("rsync").arg("-a").arg(project.folder()).arg(target.path()).status();
            assert!(status.expect("rsync starts").success(), "rsync copies the tree");
            sync();
        });
        targets.push(target);
        seconds
    };
    let (ship, rsync) = alternate(runs, ship, rsync);
    environments.push(source);
    Row::compared(work, Samples::seconds(ship), "rsync -a; sync", Samples::seconds(rsync), Bound::times(1.))
}

/// Everything that was written is on the disk when it returns.
fn sync() {
    rustix::fs::sync();
}
