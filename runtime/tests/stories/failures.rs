//! Functions that crash, keep silent, or answer with something that is no answer.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use rustix::process::{Pid, Signal, kill_process};
use ship_core::PlatformError;
use ship_runtime::{ExitStatus, FailureReason, InvokeError};

use crate::support::{Stage, StoppedClock, fresh_id, outside, until};

fn exit_status(error: &InvokeError) -> ExitStatus {
    let InvokeError::Failed(failure) = error else { panic!("{error:?}") };
    let FailureReason::Exited { status } = failure.reason else { panic!("{failure:?}") };
    status
}

/// A function that exits or aborts before it answers fails with its status and last words; the next request gets a new
/// process at once.
#[tokio::test]
async fn crash_before_the_answer() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    for (path, status, printed) in [
        ("/exit", ExitStatus::Code(3), vec!["booted", "something is wrong"]),
        ("/exit/abort", ExitStatus::Signal(6), vec!["booted"]),
    ] {
        let error = stage.get(&spec, path).await.unwrap_err();
        assert_eq!(error.platform_error(), PlatformError::FunctionInvocationFailed);
        assert_eq!(exit_status(&error), status);
        let InvokeError::Failed(failure) = &error else { panic!("{error:?}") };
        assert_eq!(failure.output, printed);
        assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
    }
    let remark = "[The function's process ended with exit code 3 while it was answering a request.]";
    stage.logs.until_said(remark).await;
}

/// A request that crashes the function is no failed start, even if it is the first: the requests after it are not held back.
#[tokio::test]
async fn crash_on_the_first_request() {
    let _clock = StoppedClock::new();
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    for _ in 0..5 {
        assert_eq!(exit_status(&stage.get(&spec, "/exit").await.unwrap_err()), ExitStatus::Code(3));
    }
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
    let said = |what: &str| stage.logs.messages().iter().filter(|message| *message == what).count();
    assert_eq!(said("booted"), 6);
    assert_eq!(said("[The function's process ended with exit code 3 while it was answering a request.]"), 5);
}

/// A function that exits after every answer still answers every request.
#[tokio::test]
async fn crash_after_the_answer() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    for _ in 0..10 {
        assert_eq!(stage.get(&spec, "/exit/after").await.unwrap(), "goodbye");
        stage.until_instances(0).await;
    }
}

/// An instance that is killed while it has nothing to do costs no request: the next one finds the closed connection before
/// anything is sent, or learns that nothing was read of it.
#[tokio::test]
async fn killed_while_idle() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    for _ in 0..20 {
        let pid = outside(&stage.get(&spec, "/pid").await.unwrap()).cast_signed();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
        assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
    }
}

/// An instance that closes every new connection unread is asked no more: each request is answered, by another.
#[tokio::test]
async fn refuses_connections() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    for _ in 0..5 {
        let pid = stage.get(&spec, "/pid").await.unwrap();
        assert_eq!(stage.get(&spec, "/refuse").await.unwrap(), "refuses");
        assert_ne!(stage.get(&spec, "/pid").await.unwrap(), pid);
        stage.until_instances(1).await;
    }
}

/// A request with a body that reached a function is not given to a second one.
#[tokio::test]
async fn never_twice() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let request = Request::post("/exit").body(Full::new(Bytes::from_static(b"order"))).unwrap();
    let error = stage.runtime.invoke(&spec, fresh_id(), request).await.unwrap_err();
    assert_eq!(exit_status(&error), ExitStatus::Code(3));
    let booted = stage.logs.messages().iter().filter(|message| *message == "booted").count();
    assert_eq!(booted, 1);
}

/// What is no HTTP, or could be read in two ways, is refused; the instance goes on.
#[tokio::test]
async fn invalid_answers() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let paths = [
        "/garbage",
        "/two-lengths",
        "/same-length-twice",
        "/both-framings",
        "/status-42",
        "/status-1000",
        "/nul-in-header",
        "/surprise-upgrade",
        "/huge-head",
        "/endless-head",
        "/many-headers",
    ];
    let pid = stage.get(&spec, "/pid").await.unwrap();
    for path in paths {
        let error = stage.get(&spec, path).await.unwrap_err();
        assert_eq!(error.platform_error(), PlatformError::InvalidFunctionResponse, "{path}: {error:?}");
    }
    assert_eq!(stage.get(&spec, "/pid").await.unwrap(), pid);
}

/// A function that closes the connection without a byte has not answered; it is not said to have crashed.
#[tokio::test]
async fn no_answer() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let error = stage.get(&spec, "/close").await.unwrap_err();
    assert_eq!(error.platform_error(), PlatformError::NoResponseFromFunction);
    assert_eq!(stage.get(&spec, "/ok").await.unwrap(), "ok");
}

/// A function that cannot start says why, to each of many requests, with one process at a time and pauses that grow; other
/// functions are unaffected. When it is repaired, it is back after the pause.
#[tokio::test]
async fn crash_loop() {
    let clock = StoppedClock::new();
    let stage = Stage::new();
    let mut spec = stage.function();
    spec.env = vec![("BOOT_EXIT".to_owned(), "9".to_owned())].into();
    let broken = Arc::new(spec);
    for _ in 0..20 {
        let error = stage.get(&broken, "/ok").await.unwrap_err();
        assert_eq!(exit_status(&error), ExitStatus::Code(9));
        let InvokeError::Failed(failure) = &error else { panic!("{error:?}") };
        assert_eq!(failure.output, ["cannot read the configuration"]);
    }
    let starts = || stage.logs.messages().iter().filter(|message| message.starts_with("cannot")).count();
    // The first failure is tried again at once, the second is not.
    assert_eq!(starts(), 2);
    // The request that waits for it is no request that it was answering.
    let ends: Vec<_> = stage.logs.messages().into_iter().filter(|message| message.contains("ended")).collect();
    assert_eq!(ends, ["[The function's process ended with exit code 9 while it was starting.]"; 2]);
    // Whoever checks it may have mended it, so it is tried.
    let error = stage.runtime.check(&broken).await.unwrap_err();
    assert_eq!(error.output(), ["cannot read the configuration"]);
    assert_eq!(starts(), 3);
    let mut other = stage.function();
    other.function.name = "api/other".parse().unwrap();
    assert_eq!(stage.get(&Arc::new(other), "/ok").await.unwrap(), "ok");
    clock.advance(1).await;
    stage.get(&broken, "/ok").await.unwrap_err();
    assert_eq!(starts(), 4);
}

/// Many requests at once on a function that cannot start are all answered, and start few processes.
#[tokio::test]
async fn crash_loop_under_load() {
    let _clock = StoppedClock::new();
    let stage = Stage::new();
    let mut spec = stage.function();
    spec.env = vec![("BOOT_EXIT".to_owned(), "9".to_owned())].into();
    spec.function.limits.concurrency = 1;
    let spec = Arc::new(spec);
    let requests = (0..200).map(|_| stage.get(&spec, "/ok"));
    let answers = futures_util::future::join_all(requests).await;
    assert!(answers.iter().all(|answer| matches!(answer, Err(InvokeError::Failed(_)))));
    let starts = || stage.logs.messages().iter().filter(|message| message.starts_with("cannot")).count();
    until(|| stage.runtime.instances().is_empty()).await;
    assert!(starts() <= 10 + 1, "{}", starts());
}
