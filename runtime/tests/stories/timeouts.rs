//! The clocks of requests and instances, told with a stopped clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use ship_core::PlatformError;
use ship_runtime::{BodyError, FailureReason, FunctionSpec, InvokeError};

use crate::support::{Stage, StoppedClock, fresh_id, identity, is_running, outside, until};

/// Starts asking.
fn asking(stage: &Arc<Stage>, spec: &Arc<FunctionSpec>, path: &'static str) -> Asking {
    let (task_stage, task_spec) = (Arc::clone(stage), Arc::clone(spec));
    tokio::spawn(async move { task_stage.get(&task_spec, path).await })
}

type Asking = tokio::task::JoinHandle<Result<String, InvokeError>>;

/// A function that never answers is given up when its time is over, and its whole process group is killed.
#[tokio::test]
async fn never_answers() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|limits| limits.timeout_secs = 5);
    let child = outside(&stage.get(&spec, "/child").await.unwrap());
    let pid = stage.instance().pid;
    let request = asking(&stage, &spec, "/hang");
    stage.logs.until_said("hanging").await;
    clock.advance(4).await;
    assert!(is_running(pid) && !request.is_finished());
    clock.advance(1).await;
    let error = request.await.unwrap().unwrap_err();
    assert_eq!(error.platform_error(), PlatformError::FunctionInvocationTimeout);
    until(|| !is_running(pid) && !is_running(child)).await;
    stage.logs.until_said("[The function did not answer in 5 s.]").await;
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
}

/// A visitor who leaves takes no time from the function's clock: what goes on working is busy, and is given up when its time is over.
#[tokio::test]
async fn left_alone() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|limits| {
        limits.timeout_secs = 5;
        limits.concurrency = 1;
    });
    stage.get(&spec, "/ok").await.unwrap();
    let pid = stage.instance().pid;
    let request = asking(&stage, &spec, "/hang/unread");
    stage.logs.until_said("hanging").await;
    clock.advance(3).await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    // Another one answers.
    assert_ne!(stage.get(&spec, "/pid").await.unwrap(), identity(pid));
    assert!(is_running(pid));
    clock.advance(5).await;
    until(|| !is_running(pid)).await;
    stage.logs.until_said("[The function did not answer in 5 s.]").await;
}

/// A function that says without end that it is working on it has no answer, which is seen at once, and others are served meanwhile.
#[tokio::test]
async fn endless_interim_answers() {
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|limits| limits.timeout_secs = 5);
    stage.get(&spec, "/ok").await.unwrap();
    let request = asking(&stage, &spec, "/endless-interim");
    tokio::task::yield_now().await;
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
    assert!(matches!(request.await.unwrap(), Err(InvokeError::InvalidResponse(_))));
}

/// Requests that wait behind one that never ends get another instance when its time is over.
#[tokio::test]
async fn waiting_behind_a_slow_one() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|limits| {
        limits.timeout_secs = 5;
        limits.concurrency = 2;
        limits.max_instances = 1;
    });
    let neighbour = stage.open(&spec, "/hang/mid-body").await.unwrap();
    let slow = asking(&stage, &spec, "/hang");
    stage.logs.until_said_times("hanging", 2).await;
    let waiting = asking(&stage, &spec, "/ok");
    clock.advance(5).await;
    assert!(matches!(slow.await.unwrap(), Err(InvokeError::Timeout)));
    assert_eq!(waiting.await.unwrap().unwrap(), "ok");
    drop(neighbour);
}

/// A function whose first request never ends is not mistaken for one that starts slowly: its time runs from the moment it
/// was ready.
#[tokio::test]
async fn never_answers_the_first_request() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|limits| limits.timeout_secs = 5);
    let request = asking(&stage, &spec, "/hang");
    stage.logs.until_said("hanging").await;
    // The question whether it is there is asked now, and answered.
    clock.advance(1).await;
    until(|| stage.instance().state == ship_runtime::InstanceState::Busy).await;
    clock.advance(5).await;
    let error = request.await.unwrap().unwrap_err();
    assert!(matches!(error, InvokeError::Timeout), "{error:?}");
}

/// One slow request does not end its neighbours: they are answered, the next request gets another instance, and the slow
/// one's process ends after them.
#[tokio::test]
async fn slow_among_healthy() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|limits| limits.timeout_secs = 5);
    let (sender, pieces) = tokio::sync::mpsc::channel::<&'static str>(1);
    let mut neighbour = {
        let frames = futures_util::stream::unfold(pieces, |mut pieces| async move {
            let piece: &str = pieces.recv().await?;
            Some((Ok::<_, std::io::Error>(Frame::data(Bytes::from_static(piece.as_bytes()))), pieces))
        });
        let request = Request::post("/echo").body(StreamBody::new(Box::pin(frames))).unwrap();
        stage.runtime.invoke(&spec, fresh_id(), request).await.unwrap().into_body()
    };
    let slow_pid = stage.instance().pid;
    let request = asking(&stage, &spec, "/hang");
    stage.logs.until_said("hanging").await;
    clock.advance(5).await;
    assert!(matches!(request.await.unwrap(), Err(InvokeError::Timeout)));
    stage.logs.until_said("cancelled").await;
    assert_ne!(stage.get(&spec, "/pid").await.unwrap(), identity(slow_pid));
    sender.send("still here").await.unwrap();
    assert_eq!(neighbour.frame().await.unwrap().unwrap().into_data().unwrap(), "still here");
    drop(sender);
    assert!(neighbour.frame().await.is_none());
    assert!(is_running(slow_pid));
    drop(neighbour);
    until(|| !is_running(slow_pid)).await;
}

/// A response that stands still is broken off after the same time.
#[tokio::test]
async fn stands_still() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let spec = stage.function_with(|limits| limits.timeout_secs = 5);
    let mut body = stage.open(&spec, "/hang/mid-body").await.unwrap().into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "first");
    let pid = stage.instance().pid;
    let (frame, ()) = tokio::join!(body.frame(), clock.advance(5));
    assert!(matches!(frame, Some(Err(BodyError::Timeout(_)))), "{frame:?}");
    until(|| !is_running(pid)).await;
}

/// A function that starts slowly has its own time for that; the request's time runs only after it.
#[tokio::test]
async fn slow_start() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let (spec, gate) = gated(&stage, 1, 10);
    let request = asking(&stage, &spec, "/ok");
    stage.until_instances(1).await;
    clock.advance(9).await;
    std::fs::write(gate, "").unwrap();
    assert_eq!(request.await.unwrap().unwrap(), "ok");
}

/// A function that is not ready in its time is killed, and the request says so; the next one tries again.
#[tokio::test]
async fn too_slow_start() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let (spec, gate) = gated(&stage, 60, 10);
    let request = asking(&stage, &spec, "/ok");
    stage.until_instances(1).await;
    let pid = stage.instance().pid;
    clock.advance(10).await;
    let error = request.await.unwrap().unwrap_err();
    assert_eq!(error.platform_error(), PlatformError::FunctionInvocationTimeout);
    assert!(matches!(error, InvokeError::InitTimeout(_)), "{error:?}");
    until(|| !is_running(pid)).await;
    stage.logs.until_said("[The function was not ready in 10 s.]").await;
    stage.until_instances(0).await;
    let request = asking(&stage, &spec, "/ok");
    stage.until_instances(1).await;
    std::fs::write(gate, "").unwrap();
    assert_eq!(request.await.unwrap().unwrap(), "ok");
}

/// A function that waits at a gate while it starts.
fn gated(stage: &Stage, timeout_secs: u32, init_timeout_secs: u32) -> (Arc<FunctionSpec>, std::path::PathBuf) {
    // The function sees its own folder, at another place than the host and as another user.
    let gate = stage.folder.path().join("artifact/gate");
    mknodat(CWD, &gate, FileType::Fifo, Mode::RUSR | Mode::WUSR | Mode::ROTH, 0).unwrap();
    let mut spec = stage.function();
    spec.env = vec![("BOOT_GATE".to_owned(), "gate".to_owned())].into();
    spec.function.limits.timeout_secs = timeout_secs;
    spec.function.limits.init_timeout_secs = init_timeout_secs;
    (Arc::new(spec), gate)
}

/// An upload that the function never reads runs into the function's timeout, with bounded memory in between.
#[tokio::test]
async fn upload_that_nobody_reads() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|limits| limits.timeout_secs = 5);
    stage.get(&spec, "/ok").await.unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let request = {
        let (stage, spec, taken) = (Arc::clone(&stage), Arc::clone(&spec), Arc::clone(&taken));
        tokio::spawn(async move {
            let endless = futures_util::stream::repeat_with(move || {
                taken.fetch_add(64 * 1024, Ordering::Relaxed);
                Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![0; 64 * 1024])))
            });
            let request = Request::post("/hang/unread").body(StreamBody::new(endless)).unwrap();
            stage.runtime.invoke(&spec, fresh_id(), request).await
        })
    };
    stage.logs.until_said("hanging").await;
    clock.advance(6).await;
    assert!(matches!(request.await.unwrap(), Err(InvokeError::Timeout)));
    assert!(taken.load(Ordering::Relaxed) < 8 * 1024 * 1024);
}

/// A visitor who stops sending is the one who fails; the function is not blamed and keeps running.
#[tokio::test]
async fn visitor_stops_sending() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::new());
    let spec = stage.function_with(|limits| limits.timeout_secs = 5);
    let pid = stage.get(&spec, "/pid").await.unwrap();
    let request = {
        let (stage, spec) = (Arc::clone(&stage), Arc::clone(&spec));
        tokio::spawn(async move {
            let silent = futures_util::stream::pending::<Result<Frame<Bytes>, std::io::Error>>();
            let request = Request::post("/hang").body(StreamBody::new(silent)).unwrap();
            stage.runtime.invoke(&spec, fresh_id(), request).await
        })
    };
    stage.logs.until_said("hanging").await;
    clock.advance(5).await;
    let error = request.await.unwrap().unwrap_err();
    assert_eq!(error.platform_error(), PlatformError::MalformedRequest);
    assert_eq!(stage.get(&spec, "/pid").await.unwrap(), pid);
}

/// A neighbour that is killed with the process, because the host stops, is told apart from a crash of the function.
#[tokio::test]
async fn ended_by_the_platform() {
    let clock = StoppedClock::new();
    let stage = Arc::new(Stage::with_drain_timeout(Duration::from_secs(2)));
    let spec = stage.function_with(|_| {});
    let request = asking(&stage, &spec, "/hang");
    stage.logs.until_said("hanging").await;
    let ((), ()) = tokio::join!(stage.runtime.shutdown(), clock.advance(2));
    let error = request.await.unwrap().unwrap_err();
    let InvokeError::Failed(failure) = error else { panic!("{error:?}") };
    assert!(matches!(failure.reason, FailureReason::Ended), "{failure:?}");
}
