//! What functions print, and which request it belongs to.

use std::sync::Arc;

use ship_core::{LogSource, LogStream, RequestId};

use crate::support::{Stage, fresh_id, until};

/// Each line is a record of its own, with the request that was being answered; lines at the start have none.
#[tokio::test]
async fn lines_and_their_requests() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    stage.runtime.check(&spec).await.unwrap();
    stage.logs.until_said("booted").await;
    let mut expected: Vec<(String, Vec<RequestId>)> = vec![("booted".to_owned(), vec![])];
    for round in 0..50 {
        let id = fresh_id();
        let request = http::Request::get(format!("/log?first-{round}+second-{round}"));
        let request = request.body(http_body_util::Empty::<bytes::Bytes>::new()).unwrap();
        drop(stage.runtime.invoke(&spec, id, request).await.unwrap());
        expected.extend(["first", "second"].map(|word| (format!("{word}-{round}"), vec![id])));
    }
    until(|| stage.logs.records().len() == expected.len()).await;
    let found: Vec<(String, Vec<RequestId>)> = stage
        .logs
        .records()
        .into_iter()
        .map(|record| match record.source {
            LogSource::Function { message, stream: LogStream::Stdout, truncated: false, .. } => {
                (message, record.requests)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, expected);
}

/// A line that is printed while several requests are answered names them all.
#[tokio::test]
async fn line_of_several_requests() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let first = stage.open(&spec, "/hang/mid-body").await.unwrap();
    stage.logs.until_said("hanging").await;
    let second = stage.open(&spec, "/hang/mid-body").await.unwrap();
    stage.logs.until_said_times("hanging", 2).await;
    let counts: Vec<usize> = stage.logs.records().iter().map(|record| record.requests.len()).collect();
    // The first line is printed at the start, for which the first request waits already.
    assert_eq!(counts, [1, 1, 2]);
    drop((first, second));
}

/// Lines that are no text are kept as well as they can be, and one without an end is its request's, not the next one's.
#[tokio::test]
async fn binary_and_unfinished() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    assert_eq!(stage.get(&spec, "/print-raw").await.unwrap(), "printed");
    stage.get(&spec, "/exit").await.unwrap_err();
    until(|| stage.logs.messages().len() == 6).await;
    assert_eq!(
        stage.logs.messages(),
        [
            "booted",
            "half \u{fffd}",
            "binary \0\u{fffd}",
            "without end",
            "something is wrong",
            "[The function's process ended with exit code 3 while it was answering a request.]",
        ]
    );
}

/// A function that prints without measure is not held up, its log stays small and says what is missing, and a neighbour's
/// log is whole.
#[tokio::test]
async fn flood() {
    let stage = Stage::new();
    let spec = stage.function_with(|_| {});
    let mut neighbour = stage.function();
    neighbour.function.name = "api/neighbour".parse().unwrap();
    let neighbour = Arc::new(neighbour);
    let bytes = 100 * 1024 * 1024;
    let path = format!("/flood-logs?{bytes}");
    let (flooded, logged) = tokio::join!(stage.get(&spec, &path), stage.get(&neighbour, "/log?calm"));
    assert_eq!((flooded.unwrap(), logged.unwrap()), ("flooded".to_owned(), "logged".to_owned()));
    stage.logs.until_said("calm").await;
    stage.runtime.shutdown().await;
    let messages = stage.logs.messages();
    let kept: usize = messages.iter().map(String::len).sum();
    assert!(kept < 32 * 1024 * 1024, "{kept}");
    let dropped: usize = messages
        .iter()
        .filter_map(|message| {
            message.strip_prefix('[')?.split_once(" bytes of output were dropped")?.0.parse::<usize>().ok()
        })
        .sum();
    let lines = messages.iter().filter(|message| message.starts_with("xxx")).count();
    assert_eq!(dropped + lines * (64 * 1024 + 1), bytes + bytes / (64 * 1024));
}
