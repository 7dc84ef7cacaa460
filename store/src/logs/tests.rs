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

    fn all(&self) -> Vec<LogRecord> {
        self.logs.tail(&site(), &LogFilter::default(), usize::MAX).unwrap()
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
    let tail = |filter: LogFilter, limit| test.logs.tail(&site(), &filter, limit).unwrap();
    assert_eq!(tail(LogFilter::default(), 3), records[7..]);
    assert_eq!(tail(LogFilter::default(), 0), []);
    let deployment = LogFilter { deployment: Some(records[0].deployment), ..LogFilter::default() };
    assert_eq!(tail(deployment, 2), [records[6].clone(), records[8].clone()]);
    let request = LogFilter { request: Some(records[5].requests[0]), ..LogFilter::default() };
    assert_eq!(tail(request, 10), [records[5].clone()]);
    assert_eq!(test.logs.tail(&"other".parse().unwrap(), &LogFilter::default(), 10).unwrap(), []);
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
        let records = test.logs.tail(project, &LogFilter::default(), 10).unwrap();
        assert_eq!(records, [record(0, "line"), record(1, "line")]);
    }
}
