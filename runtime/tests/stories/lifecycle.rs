//! Starting over, retiring, shutting down, and what a killed host leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use ship_core::DeploymentId;
use ship_runtime::{InstanceState, Interpreters, InvokeError, Runtime, RuntimeError, RuntimeOptions};

use crate::support::{MemoryLog, Stage, StoppedClock, is_running, open_runtime, until};

/// Retiring a deployment waits for its requests and then ends its instances; other deployments go on.
#[tokio::test]
async fn retire() {
    let _clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|_| {});
    let mut other = stage.function();
    other.deployment = DeploymentId::of_bytes(b"other");
    let other = Arc::new(other);
    stage.get(&other, "/ok").await.unwrap();
    let body = stage.open(&spec, "/hang/mid-body").await.unwrap();
    let retired = {
        let (stage, deployment) = (Arc::clone(&stage), spec.deployment);
        tokio::spawn(async move { stage.runtime.retire(&deployment).await })
    };
    tokio::task::yield_now().await;
    assert!(!retired.is_finished());
    drop(body);
    retired.await.unwrap();
    assert_eq!(stage.instance().deployment, other.deployment);
    stage.runtime.retire(&spec.deployment).await;
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
}

/// Shutting down lets requests finish, refuses new ones, and leaves no process, no zombie, no child of a function and no
/// record.
#[tokio::test]
async fn shutdown() {
    let _clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|_| {});
    let child: u32 = stage.get(&spec, "/child").await.unwrap().parse().unwrap();
    let body = stage.open(&spec, "/hang/mid-body").await.unwrap();
    let pid = stage.instance().pid;
    let stopped = {
        let stage = Arc::clone(&stage);
        tokio::spawn(async move { stage.runtime.shutdown().await })
    };
    tokio::task::yield_now().await;
    assert!(matches!(stage.get(&spec, "/ok").await, Err(InvokeError::Throttled { .. })));
    assert!(is_running(pid) && !stopped.is_finished());
    drop(body);
    stopped.await.unwrap();
    assert!(!fs::exists(format!("/proc/{pid}")).unwrap());
    until(|| !is_running(child)).await;
    assert_eq!(run_files(&stage), ["lock"]);
}

fn run_files(stage: &Stage) -> Vec<String> {
    let entries = fs::read_dir(stage.folder.path().join("run")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// A function that exits by itself leaves none of its children behind.
#[tokio::test]
async fn orphans() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let child: u32 = stage.get(&spec, "/child").await.unwrap().parse().unwrap();
    assert!(is_running(child));
    stage.get(&spec, "/exit").await.unwrap_err();
    until(|| !is_running(child)).await;
}

/// Requests that do not finish in the drain timeout are ended, and a process that ignores SIGTERM is killed.
#[tokio::test]
async fn stubborn_shutdown() {
    let clock = StoppedClock::new();
    let stage = Stage::with_drain_timeout(Duration::from_secs(3));
    let mut spec = stage.function();
    spec.env = vec![("IGNORE_SIGTERM".to_owned(), "1".to_owned())];
    let body = stage.open(&Arc::new(spec), "/hang/mid-body").await.unwrap();
    let pid = stage.instance().pid;
    let time_passes = async {
        clock.advance(3).await;
        until(|| stage.instance().state == InstanceState::Stopping).await;
        assert!(is_running(pid));
        clock.advance(5).await;
    };
    tokio::join!(stage.runtime.shutdown(), time_passes);
    assert!(!is_running(pid));
    drop(body);
}

/// A second runtime on the same folder is refused: it would end the first one's processes.
#[tokio::test]
async fn folder_in_use() {
    let stage = Stage::new();
    let socket_dir = stage.folder.path().join("run");
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    let logs = Arc::new(MemoryLog::default());
    let second = Runtime::new(RuntimeOptions {
        socket_dir,
        logs,
        interpreters: Interpreters::default(),
        drain_timeout: Duration::ZERO,
    });
    let Err(RuntimeError::Folder { action: "lock", .. }) = second else { panic!("it was given the folder") };
}

/// What a killed host left running is ended by the next one: only processes that its records name exactly.
#[tokio::test]
async fn leftovers() {
    let folder = tempfile::tempdir().unwrap();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let record = |pid: u32, boot_id: &str, started: u64| {
        fs::write(folder.path().join(format!("{pid}.run")), format!("{} {started}\n", boot_id.trim())).unwrap();
    };
    let children = [Lingering::start(), Lingering::start(), Lingering::start()];
    let pids = children.each_ref().map(|child| child.0.id());
    record(pids[0], &boot_id, start_of(pids[0]));
    record(pids[1], &boot_id, start_of(pids[1]) + 1);
    record(pids[2], "another boot", start_of(pids[2]));
    fs::write(folder.path().join("1.run"), "nonsense").unwrap();
    let _runtime = open_runtime(folder.path().to_owned(), &Arc::new(MemoryLog::default()), Duration::ZERO);
    until(|| !is_running(pids[0])).await;
    assert!(is_running(pids[1]) && is_running(pids[2]));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// A process that runs until it is killed, at the latest with the story.
struct Lingering(Child);

impl Lingering {
    fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ship-test-function"));
        Self(command.env("LINGER", "1").process_group(0).spawn().unwrap())
    }
}

impl Drop for Lingering {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The records of running instances are those that the next host would need.
#[tokio::test]
async fn records() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    stage.get(&spec, "/ok").await.unwrap();
    let pid = stage.instance().pid;
    let record = fs::read_to_string(stage.folder.path().join("run").join(format!("{pid}.run"))).unwrap();
    assert!(record.ends_with(&format!(" {}\n", start_of(pid))), "{record}");
    stage.runtime.shutdown().await;
    assert_eq!(run_files(&stage), ["lock"]);
}

fn start_of(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.split(' ').nth(19).unwrap().parse().unwrap()
}

/// A runtime that is dropped without a shutdown takes its processes with it.
#[test]
fn dropped() {
    let pid = {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let stage = Stage::new();
            stage.get(&stage.function_with(|_| {}), "/ok").await.unwrap();
            stage.instance().pid
        })
    };
    while is_running(pid) {
        std::thread::yield_now();
    }
}
