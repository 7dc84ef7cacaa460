//! Faults: requests that a function could not answer because its code failed while it ran, and processes that ended by themselves. What
//! was printed about that is put together with the place in its source.

mod place;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use ship_core::{FunctionName, LogLevel, LogRecord, LogSource, RequestId};
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use self::place::{entry_of, place_of};
use super::Console;
use super::report::Report;

/// How many lines that functions print are remembered, until it is known how their request ended.
const MAX_LINES: usize = 400;

/// How many lines of a fault are shown.
const SHOWN_LINES: usize = 40;

/// How long lines may be on their way that belong to a request whose answer has ended: they come through another pipe.
const ON_THEIR_WAY: Duration = Duration::from_millis(40);

/// The last fault of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Fault {
    /// The function.
    pub(super) function: FunctionName,
    /// What it said.
    pub(super) report: Report,
}

/// What failed in a function.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Failed {
    /// An answer to a request, which was asked with this method.
    Request { id: RequestId, method: String },
    /// Its process, which ended while nobody asked it.
    Process,
}

/// Listens to all that is logged, and finds faults.
pub(super) struct Faults {
    pub(super) root: PathBuf,
    pub(super) records: Receiver<LogRecord>,
    pub(super) last: watch::Sender<Option<Fault>>,
    pub(super) console: Console,
    lines: VecDeque<(Vec<RequestId>, FunctionName, String)>,
}

impl Faults {
    pub(super) fn new(
        root: PathBuf,
        records: Receiver<LogRecord>,
        last: watch::Sender<Option<Fault>>,
        console: Console,
    ) -> Self {
        Self { root, records, last, console, lines: VecDeque::new() }
    }

    /// Listens until `stop`.
    pub(super) async fn listen(mut self, stop: CancellationToken) {
        loop {
            let record = tokio::select! {
                () = stop.cancelled() => return,
                record = self.records.recv() => record,
            };
            let Some(record) = record else { return };
            let Some(failed) = self.hear(record) else { continue };
            let until = tokio::time::Instant::now() + ON_THEIR_WAY;
            let mut later = Vec::new();
            while let Ok(Some(record)) = tokio::time::timeout_at(until, self.records.recv()).await {
                later.extend(self.hear(record));
            }
            for (failed, function) in std::iter::once(failed).chain(later) {
                self.tell(&failed, function);
            }
        }
    }

    /// Takes note of a record, and says what failed in which function.
    fn hear(&mut self, record: LogRecord) -> Option<(Failed, FunctionName)> {
        match record.source {
            LogSource::Function { function, message, .. } => {
                if self.lines.len() == MAX_LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back((record.requests, function, message));
                None
            }
            LogSource::Request { status: 500.., function: Some(function), method, .. } => {
                Some((Failed::Request { id: record.requests.into_iter().next()?, method }, function))
            }
            // The end of one that was asked is told with the request.
            LogSource::Platform { function: Some(function), .. }
                if record.requests.is_empty() && record.level == LogLevel::Fatal =>
            {
                Some((Failed::Process, function))
            }
            LogSource::Request { function: Some(function), .. } => {
                // It answers again.
                self.last.send_if_modified(|last| last.take_if(|last| last.function == function).is_some());
                None
            }
            _ => None,
        }
    }

    fn tell(&mut self, failed: &Failed, function: FunctionName) {
        let is_meant = |line: &&(Vec<RequestId>, FunctionName, String)| match failed {
            Failed::Request { id, .. } => line.1 == function && line.0.contains(id),
            Failed::Process => line.1 == function && line.0.is_empty(),
        };
        let lines: Vec<&str> = self.lines.iter().filter(is_meant).map(|(_, _, line)| line.as_str()).collect();
        let method = match failed {
            Failed::Request { method, .. } => method.as_str(),
            Failed::Process => "",
        };
        let place = place_of(&lines, &self.root).or_else(|| entry_of(&function, method, &lines, &self.root));
        let Some(place) = place else { return };
        let said = message_of(&lines);
        let mut text = vec![format!("{}: {said}", place.shown())];
        let excerpt = place.excerpt(&self.root);
        self.console.excerpt(&text[0], &excerpt);
        text.extend(excerpt);
        text.push(String::new());
        text.extend(lines.iter().take(SHOWN_LINES).map(|line| (*line).to_owned()));
        let report = Report::new(format!("{function} failed"), &text.join("\n"));
        if *failed == Failed::Process {
            // They are of no other process.
            self.lines.retain(|line| line.1 != function || !line.0.is_empty());
        }
        self.last.send_replace(Some(Fault { function, report }));
    }
}

/// What was said, in one line: of Python the last line, of Rust the one behind the place, of others the first.
fn message_of<'l>(lines: &[&'l str]) -> &'l str {
    let said = || lines.iter().filter(|line| !line.trim().is_empty());
    let is_python = lines.iter().any(|line| line.starts_with("Traceback "));
    let of_rust = said().skip_while(|line| !line.contains(" panicked at ")).nth(1);
    let line = if is_python { said().next_back() } else { of_rust.or_else(|| said().next()) };
    let line = line.copied().unwrap_or_default().trim();
    line.split_once("panic serving ").and_then(|(_, rest)| rest.split_once(": ")).map_or(line, |(_, message)| message)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What each language prints when it fails leads to the line that the user wrote.
    #[test]
    fn places() {
        let folder = tempfile::tempdir().unwrap();
        fs_err::create_dir(folder.path().join("api")).unwrap();
        for file in ["api/a.ts", "api/p.py", "api/g.go", "api/r.rs"] {
            fs_err::write(folder.path().join(file), "1\n2\n3\n4\n5\n6\n7\n").unwrap();
        }
        let found = |lines: &[&str]| {
            let place = place_of(lines, folder.path()).map(|place| place.shown());
            (place.unwrap_or_default(), message_of(lines).to_owned())
        };
        let script = ["TypeError: no", "    at GET (api/a.ts:3:28)", "    at Server.emit (node:events:524:28)"];
        assert_eq!(found(&script), ("api/a.ts:3:28".into(), "TypeError: no".into()));
        let python = [
            "Traceback (most recent call last):",
            "  File \"/usr/lib/python3.11/socketserver.py\", line 755, in __init__",
            "  File \"api/p.py\", line 4, in do_GET",
            "  File \"api/p.py\", line 5, in inner",
            "KeyError: 'name'",
        ];
        assert_eq!(found(&python), ("api/p.py:5".into(), "KeyError: 'name'".into()));
        let go = [
            "2026/11/23 00:41:46 http: panic serving @: assignment to entry in nil map",
            "main.Handler({0x21, 0x70}, 0x70)",
            "\tship.site/api/g-ec1001ef/g.go:7 +0x28",
        ];
        assert_eq!(found(&go), ("api/g.go:7".into(), "assignment to entry in nil map".into()));
        let rust = ["", "thread 'tokio-rt-worker' panicked at api/r.rs:5:10:", "no", "note: run with"];
        assert_eq!(found(&rust), ("api/r.rs:5:10".into(), "no".into()));
        assert_eq!(found(&["all is well"]).0, "");
    }
}
