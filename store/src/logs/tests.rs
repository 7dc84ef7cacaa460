//! Logs: what is appended can be read back from the end, within bounds, whatever was cut.

use std::fs;
use std::io::Write as _;

use jiff::Timestamp;
use ship_core::{DeploymentId, LogLevel, LogStream, RequestId};

use super::segment::{SEGMENT_BYTES, SEGMENTS_KEPT};
use super::*;

struct TestLogs {
    folder: tempfile::TempDir,
    logs: Logs,
}

fn site() -> ProjectName {
    "site".parse().unwrap()
}

fn record(number: u64, message: &str) -> LogRecord {
    LogRecord {
        at: Timestamp::from_second(number.cast_signed()).unwrap(),
        level: LogLevel::Info,
        deployment: DeploymentId::of_bytes(&[u8::from(number.is_multiple_of(2))]),
        requests: vec![RequestId::from_parts(number, [0; 10])],
        source: LogSource::Function {
            function: "api/date".parse().unwrap(),
            stream: LogStream::Stdout,
            message: message.to_owned(),
            truncated: false,
        },
    }
}

impl TestLogs {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { logs: Logs::new(folder.path().join("logs")), folder }
    }

    fn reopen(&mut self) {
        self.logs = Logs::new(self.folder.path().join("logs"));
    }

    fn segments(&self) -> Vec<u64> {
        segment_numbers(&self.folder.path().join("logs/site")).unwrap()
    }

    /// All that comes after a place, page by page, and where that ends; `None` if the place is gone.
    fn after(&self, mut cursor: LogCursor) -> Option<(Vec<LogRecord>, LogCursor)> {
        let mut records = Vec::new();
        loop {
            let page = self.logs.after(&site(), &LogFilter::default(), cursor).unwrap();
            if page.continuity == Continuity::Broken {
                return None;
            }
            records.extend(page.records.into_iter().map(|(record, _)| record));
            if page.next == cursor {
                return Some((records, cursor));
            }
            cursor = page.next;
        }
    }

    fn all(&self) -> Vec<LogRecord> {
        self.logs.tail(&site(), &LogFilter::default(), usize::MAX).unwrap().records
    }
}

/// The newest records come back in the order they were written, filtered; a project without a log has none.
#[test]
fn tail() {
    let mut test = TestLogs::new();
    assert_eq!(test.all(), []);
    let records: Vec<_> = (0..10).map(|number| record(number, "line\nwith \u{0} and \"quotes\"")).collect();
    test.logs.append(&site(), &records[..4]).unwrap();
    test.reopen();
    test.logs.append(&site(), &records[4..]).unwrap();
    assert_eq!(test.all(), records);
    let tail = |filter: LogFilter, limit| test.logs.tail(&site(), &filter, limit).unwrap().records;
    assert_eq!(tail(LogFilter::default(), 3), records[7..]);
    assert_eq!(tail(LogFilter::default(), 0), []);
    let deployment = LogFilter { deployment: Some(records[0].deployment), ..LogFilter::default() };
    assert_eq!(tail(deployment, 2), [records[6].clone(), records[8].clone()]);
    let request = LogFilter { request: Some(records[5].requests[0]), ..LogFilter::default() };
    assert_eq!(tail(request, 10), [records[5].clone()]);
    assert_eq!(test.logs.tail(&"other".parse().unwrap(), &LogFilter::default(), 10).unwrap().records, []);
}

/// A log takes no more of the disk than its segments may, and loses its oldest lines first.
#[test]
fn bounded() {
    let test = TestLogs::new();
    let message = "x".repeat(100_000);
    let total = 2 * SEGMENT_BYTES * SEGMENTS_KEPT as u64 / 100_000;
    for number in 0..total {
        test.logs.append(&site(), &[record(number, &message)]).unwrap();
    }
    let segments = test.segments();
    assert_eq!(segments.len(), SEGMENTS_KEPT);
    for number in segments {
        let path = segment_path(&test.folder.path().join("logs/site"), number);
        assert!(path.metadata().unwrap().len() <= SEGMENT_BYTES);
    }
    let times: Vec<_> = test.all().iter().map(|record| record.at.as_second().cast_unsigned()).collect();
    assert_eq!(times, (total - times.len() as u64..total).collect::<Vec<_>>());
    assert!(times.len() as u64 > (SEGMENTS_KEPT as u64 - 1) * SEGMENT_BYTES / 110_000);
}

/// A log can be given another bound, which holds from the next record on.
#[test]
fn bound_of_ones_own() {
    let test = TestLogs::new();
    let limit = 1024 * 1024;
    test.logs.limit_to(limit);
    for number in 0..100 {
        test.logs.append(&site(), &[record(number, &"x".repeat(50_000))]).unwrap();
    }
    let size = |number: u64| segment_path(&test.folder.path().join("logs/site"), number).metadata().unwrap().len();
    let total: u64 = test.segments().into_iter().map(size).sum();
    assert!(total <= limit && total > limit / 2, "{total}");
}

/// Whoever reads on from the end finds each record once, across segments, restarts and lines that a crash has cut.
#[test]
fn reading_on() {
    let mut test = TestLogs::new();
    test.logs.limit_to(64 * 1024);
    let start = test.logs.tail(&site(), &LogFilter::default(), 0).unwrap().end;
    let records: Vec<_> = (0..30).map(|number| record(number, &"x".repeat(1_000))).collect();
    test.logs.append(&site(), &records[..1]).unwrap();
    let (first, cursor) = test.after(start).unwrap();
    assert_eq!(first, records[..1]);
    let path = segment_path(&test.folder.path().join("logs/site"), 1);
    fs::File::options().append(true).open(path).unwrap().write_all(br#"{"at":"20"#).unwrap();
    assert_eq!(test.after(cursor).unwrap(), (vec![], cursor), "a line without end is not there yet");
    assert_eq!(test.logs.tail(&site(), &LogFilter::default(), 0).unwrap().end, cursor);
    test.reopen();
    test.logs.limit_to(64 * 1024);
    test.logs.append(&site(), &records[1..]).unwrap();
    assert!(test.segments().len() > 1);
    let (rest, end) = test.after(cursor).unwrap();
    assert_eq!(rest, records[1..]);
    assert_eq!(test.logs.tail(&site(), &LogFilter::default(), 0).unwrap().end, end);
    let written: LogCursor = end.to_string().parse().unwrap();
    assert_eq!(test.after(written), Some((vec![], end)));
}

/// A place that is gone is said to be gone: newer records needed the room, or the log is another one.
#[test]
fn places_that_are_gone() {
    let test = TestLogs::new();
    test.logs.limit_to(16 * 1024);
    test.logs.append(&site(), &[record(0, "first")]).unwrap();
    let (_, early) = test.after(LogCursor { segment: 1, offset_bytes: 0 }).unwrap();
    for number in 0..100 {
        test.logs.append(&site(), &[record(number, &"x".repeat(1_000))]).unwrap();
    }
    assert_eq!(test.after(early), None);
    let oldest = test.logs.after(&site(), &LogFilter::default(), early).unwrap().next;
    let (found, late) = test.after(oldest).unwrap();
    assert_eq!(found, test.all());
    test.logs.remove(&site()).unwrap();
    assert_eq!(test.after(late), Some((vec![], late)), "an empty log has nothing to say yet");
    test.logs.append(&site(), &[record(1, "another")]).unwrap();
    assert_eq!(test.after(late), None);
}

/// A line that a crash has cut is skipped, and does not take the next one with it.
#[test]
fn torn_line() {
    let mut test = TestLogs::new();
    test.logs.append(&site(), &[record(1, "whole")]).unwrap();
    let path = segment_path(&test.folder.path().join("logs/site"), 1);
    let mut file = fs::File::options().append(true).open(path).unwrap();
    file.write_all(br#"{"at":"2026-01-01T00:00:00Z","depl"#).unwrap();
    assert_eq!(test.all(), [record(1, "whole")]);
    test.reopen();
    test.logs.append(&site(), &[record(2, "after")]).unwrap();
    assert_eq!(test.all(), [record(1, "whole"), record(2, "after")]);
}

/// A message that is too long is cut between characters, and says so.
#[test]
fn long_message() {
    let test = TestLogs::new();
    test.logs
        .append(&site(), &[record(1, &"ü".repeat(MESSAGE_BYTES)), record(2, &"\u{1}".repeat(MESSAGE_BYTES))])
        .unwrap();
    let kept = test.all();
    let LogSource::Function { message, truncated, .. } = &kept[0].source else { panic!("{kept:?}") };
    assert_eq!((message.len(), truncated), (MESSAGE_BYTES, &true));
    assert_eq!(kept[1], record(2, &"\u{1}".repeat(MESSAGE_BYTES)), "control characters take six bytes each");
}

/// A removed log is gone, and the next line begins a new one.
#[test]
fn removed() {
    let test = TestLogs::new();
    test.logs.append(&site(), &[record(1, "old")]).unwrap();
    test.logs.remove(&site()).unwrap();
    test.logs.remove(&site()).unwrap();
    assert_eq!(test.all(), []);
    test.logs.append(&site(), &[record(2, "new")]).unwrap();
    assert_eq!(test.all(), [record(2, "new")]);
}

/// Appending goes on for more projects than are kept open.
#[test]
fn many_projects() {
    let test = TestLogs::new();
    let projects: Vec<ProjectName> =
        (0..3 * OPEN_PROJECTS).map(|number| format!("p{number}").parse().unwrap()).collect();
    for round in 0..2 {
        for project in &projects {
            test.logs.append(project, &[record(round, "line")]).unwrap();
        }
    }
    for project in &projects {
        let records = test.logs.tail(project, &LogFilter::default(), 10).unwrap().records;
        assert_eq!(records, [record(0, "line"), record(1, "line")]);
    }
}

/// Two processes append to one log, as while one host takes over from another: every line is there once and whole, in segments that
/// keep their bound.
#[test]
fn two_writers() {
    let test = TestLogs::new();
    let other = Logs::new(test.folder.path().join("logs"));
    for logs in [&test.logs, &other] {
        logs.limit_to(64 * 1024 * SEGMENTS_KEPT as u64);
    }
    let append = |logs: &Logs, first: u64| {
        for number in 0..100 {
            logs.append(&site(), &[record(first + number, "a line of some length, as functions print them")]).unwrap();
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| append(&test.logs, 0));
        append(&other, 1000);
    });
    // Both have gone on to later segments, and each finds what the other wrote.
    let mut numbers: Vec<i64> = test.all().iter().map(|record| record.at.as_second()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..100).chain(1000..1100).collect::<Vec<i64>>());
    let rounds = 64 * 1024 * 3 / 200;
    for number in 0..rounds {
        let logs = if number % 2 == 0 { &test.logs } else { &other };
        logs.append(&site(), &[record(2000 + number, "x")]).unwrap();
    }
    let newest: Vec<i64> = test.all().iter().map(|record| record.at.as_second()).collect();
    let expected: Vec<i64> = (2000..2000 + rounds.cast_signed()).collect();
    assert!(newest.ends_with(&expected[expected.len() / 2..]), "the newest records are in their order");
    for segment in test.segments() {
        let size = std::fs::metadata(segment_path(&test.folder.path().join("logs/site"), segment)).unwrap().len();
        assert!(size <= 64 * 1024, "segment {segment} has {size} bytes");
    }
}
