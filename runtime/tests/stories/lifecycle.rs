//! Starting over, retiring, shutting down, and what a killed host leaves behind.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use ship_core::DeploymentId;
use ship_runtime::{InstanceState, InvokeError, Runtime};

use crate::support::{MemoryLog, Stage, StoppedClock, is_running, options, outside, until};

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
    let child = outside(&stage.get(&spec, "/child").await.unwrap());
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
    assert_eq!(run_files(&stage), ["code", "lock"]);
}

fn run_files(stage: &Stage) -> Vec<String> {
    let entries = fs::read_dir(stage.folder.path().join("run")).unwrap();
    let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A function that exits by itself leaves none of its children behind.
#[tokio::test]
async fn orphans() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let child = outside(&stage.get(&spec, "/child").await.unwrap());
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
    spec.env = vec![("IGNORE_SIGTERM".to_owned(), "1".to_owned())].into();
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

/// A second runtime on the same folder, that of a host which takes over, has one of its own beside it, and leaves the first one's
/// processes alone.
#[tokio::test]
async fn folder_in_use() {
    let stage = Stage::new();
    stage.get(&stage.function_with(|_| {}), "/ok").await.unwrap();
    let pid = stage.instance().pid;
    let socket_dir = stage.folder.path().join("run");
    assert_eq!(fs::metadata(&socket_dir).unwrap().permissions().mode() & 0o777, 0o700);
    let second = Runtime::new(options(socket_dir, Arc::new(MemoryLog::default()), Duration::ZERO)).unwrap();
    assert!(stage.folder.path().join("run-2").is_dir());
    second.shutdown().await;
    assert!(is_running(pid));
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
