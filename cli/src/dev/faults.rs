//! Faults: requests that a function could not answer because its code failed while it ran. What it printed about that is put together
//! with the place in its source.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ship_core::{FunctionName, LogRecord, LogSource, RequestId};
use tokio::sync::mpsc::Receiver;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Console;
use super::excerpt::Place;
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
            let Some((request, function)) = self.hear(record) else { continue };
            let until = tokio::time::Instant::now() + ON_THEIR_WAY;
            let mut later = Vec::new();
            while let Ok(Some(record)) = tokio::time::timeout_at(until, self.records.recv()).await {
                later.extend(self.hear(record));
            }
            for (request, function) in std::iter::once((request, function)).chain(later) {
                self.tell(&request, function);
            }
        }
    }

    /// Takes note of a record, and says which request failed in a function.
    fn hear(&mut self, record: LogRecord) -> Option<(RequestId, FunctionName)> {
        match record.source {
            LogSource::Function { function, message, .. } => {
                if self.lines.len() == MAX_LINES {
                    self.lines.pop_front();
                }
                self.lines.push_back((record.requests, function, message));
                None
            }
            LogSource::Request { status: 500.., function: Some(function), .. } => {
                Some((record.requests.into_iter().next()?, function))
            }
            LogSource::Request { function: Some(function), .. } => {
                // It answers again.
                self.last.send_if_modified(|last| last.take_if(|last| last.function == function).is_some());
                None
            }
            _ => None,
        }
    }

    fn tell(&mut self, request: &RequestId, function: FunctionName) {
        let is_of_request =
            |line: &&(Vec<RequestId>, FunctionName, String)| line.1 == function && line.0.contains(request);
        let lines: Vec<&str> = self.lines.iter().filter(is_of_request).map(|(_, _, line)| line.as_str()).collect();
        let Some(place) = place_of(&lines, &self.root) else { return };
        let said = message_of(&lines);
        let mut text = vec![format!("{}: {said}", place.shown())];
        let excerpt = place.excerpt(&self.root);
        self.console.excerpt(&text[0], &excerpt);
        text.extend(excerpt);
        text.push(String::new());
        text.extend(lines.iter().take(SHOWN_LINES).map(|line| (*line).to_owned()));
        let report = Report::new(format!("{function} failed"), &text.join("\n"));
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

/// The place in the project's sources at which it happened: in a traceback of Python the last, in the others the first.
fn place_of(lines: &[&str], root: &Path) -> Option<Place> {
    let of_python = lines.iter().rev().find_map(|line| python_place(line, root));
    of_python.or_else(|| {
        lines.iter().find_map(|line| {
            line.split_whitespace().find_map(|word| Place::parse(word, root).or_else(|| go_place(word, root)))
        })
    })
}

/// `File "api/a.py", line 5, in inner`.
fn python_place(line: &str, root: &Path) -> Option<Place> {
    let (file, rest) = line.trim_start().strip_prefix("File \"")?.split_once("\", line ")?;
    let number = rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?;
    Place::in_project(file, number, None, root)
}

/// `ship.site/api/date-ec1001ef/date.go:7`: each function is compiled as a package of its own.
fn go_place(word: &str, root: &Path) -> Option<Place> {
    let (path, line) = word.strip_prefix("ship.site/")?.rsplit_once(':')?;
    let line = line.parse().ok()?;
    let (folders, file) = path.rsplit_once('/')?;
    let above = folders.rsplit_once('/').map_or("", |(above, _)| above);
    let of_function = format!("{above}/{file}");
    Place::in_project(of_function.trim_start_matches('/'), line, None, root)
        .or_else(|| Place::in_project(path, line, None, root))
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
