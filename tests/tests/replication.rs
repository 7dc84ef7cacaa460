//! The state copied while it changes by Litestream, as `docs/backup.md` says it, and served again from the copies.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};
use ship_tests::{PATIENCE, TestEnv, TestHost, http};

/// Litestream, from the machine's `PATH`, copying one database to a folder until it is dropped.
struct Litestream {
    process: Child,
    configuration: PathBuf,
    state: PathBuf,
}

impl Litestream {
    /// Begins to copy the state below `data`. `None`, and a word on standard error, on a machine without Litestream.
    fn start(folder: &Path, data: &Path) -> Option<Self> {
        let (state, replica) = (data.join("state.db"), folder.join("replica"));
        let configuration = folder.join("litestream.yml");
        let text = format!(
            "dbs:\n  - path: {}\n    replicas:\n      - path: {}\n        sync-interval: 100ms\n",
            state.display(),
            replica.display()
        );
        fs::write(&configuration, text).expect("the folder is writable");
        let process = match quiet("litestream").arg("replicate").arg("-config").arg(&configuration).spawn() {
            Ok(process) => process,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Past what gathers the output of a test that passes: whoever reads it shall know what was not tried.
                let _ = writeln!(io::stderr(), "skipped: `litestream` is not on PATH, so nothing is replicated by it");
                return None;
            }
            Err(error) => panic!("litestream: {error}"),
        };
        Some(Self { process, configuration, state })
    }

    /// Makes a data directory of what was copied so far: blobs first, then the state. `None` while there is no state yet.
    fn restore(&self, to: &Path) -> Option<()> {
        let _ = fs::remove_dir_all(to);
        fs::create_dir(to).expect("the folder is writable");
        let blobs = self.state.with_file_name("blobs");
        assert!(Command::new("cp").arg("-a").args([&blobs, to]).status().expect("cp is there").success());
        let mut restore = quiet("litestream");
        restore.arg("restore").arg("-config").arg(&self.configuration).arg("-o").arg(to.join("state.db"));
        fs::write(to.join("VERSION"), "1\n").expect("the folder is writable");
        restore.arg(&self.state).status().expect("it was started before").success().then_some(())
    }
}

impl Drop for Litestream {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}

fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The deployments of a host, newest first, and whether each is production.
fn deployments(host: &TestHost, folder: &Path) -> Vec<(Value, Value)> {
    let listed = host.ship(["ls", "--json"]).within(folder).run().success().json();
    let listed = listed["deployments"].as_array().expect("deployments are listed").clone();
    listed.into_iter().map(|one| (one["deployment"]["id"].clone(), one["is_production"].clone())).collect()
}

/// Litestream follows a host that deploys. The host is killed and its disk is gone; one that is started on the copies has every deployment
/// under its id, production where it was, and the way back.
#[test]
fn replicated_by_litestream() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "one");
    let mut host = TestHost::start(&environment);
    let Some(litestream) = Litestream::start(environment.folder(), host.data()) else { return };
    let first = host.ship(["deploy"]).within(project.folder()).run().success().url();
    project.write("index.html", "two");
    let second = host.ship(["deploy", "--prod"]).within(project.folder()).run().success().url();
    let before = deployments(&host, project.folder());

    let copied = environment.folder().join("copied");
    let fsck = || environment.ship(["fsck", "--json", "--data"]).and([&copied]).run().success().json();
    let begun = Instant::now();
    // What was copied is clean at any moment, and sooner or later it is all.
    while litestream.restore(&copied).map(|()| fsck()).is_none_or(|report| report["deployments"] != 2) {
        assert!(begun.elapsed() < PATIENCE, "Litestream copies what changes");
    }
    host.kill();
    litestream.restore(&copied).expect("it was restored before");
    fs::remove_dir_all(host.data()).expect("the folder is ours");

    let elsewhere = TestEnv::new();
    let restored = TestHost::start_on(&elsewhere, &copied);
    let report = restored.ship(["fsck", "--json"]).run().success().json();
    assert_eq!((&report["clean"], &report["deployments"]), (&json!(true), &json!(2)));
    assert_eq!(deployments(&restored, project.folder()), before);
    let label = |url: &str| url["http://".len()..].split('.').next().expect("it has a label").to_owned();
    for (label, page) in [(label(&first), "one"), (label(&second), "two"), ("site".to_owned(), "two")] {
        assert_eq!(http::get(&restored.site_url(&label)).success().text(), page);
    }
    let _ = restored.ship(["rollback"]).within(project.folder()).run().success();
    assert_eq!(http::get(&restored.site_url("site")).success().text(), "one");
}
