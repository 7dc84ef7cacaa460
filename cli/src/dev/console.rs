//! What the dev server says, in its own order: events, requests, and what functions print.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use ship_core::{LogRecord, LogSource, ProjectName, RequestId};
use ship_runtime::LogSink;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use super::excerpt::with_excerpts;
use super::replay::{KeptRequest, ReplayedAnswer};
use crate::commands::logs::{colored_status, render};
use crate::error::CommandError;
use crate::output::{Output, clock_time, plain};

/// How many lines may wait to be written. A terminal that takes no more must not stop requests.
const MAX_WAITING: usize = 4096;

/// Where the parts of the dev server say what they have to say. Saying never blocks.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    lines: Sender<Line>,
    dropped: Arc<AtomicU64>,
    /// Who else hears of records.
    records: Option<Sender<LogRecord>>,
}

/// An event as programs read it, one to a line.
#[derive(Debug, Serialize)]
struct Event<B> {
    event: &'static str,
    #[serde(flatten)]
    body: B,
}

#[derive(Debug, Serialize)]
struct Ready<'e> {
    url: &'e str,
}

#[derive(Debug, Serialize)]
struct Replayed<'e> {
    request: &'e KeptRequest,
    answer: &'e ReplayedAnswer,
}

#[derive(Debug, Serialize)]
struct Rebuilding<'e> {
    changed: &'e [String],
}

/// Something to be said.
#[derive(Debug)]
enum Line {
    Record(Box<LogRecord>),
    Status(String),
    Warning(String),
    Event(Box<str>),
    Greeting { url: String, text: String },
    Error(String),
    Excerpt(Vec<String>),
    Clear,
    Replayed(Box<(KeptRequest, ReplayedAnswer)>),
    Framework { name: String, line: String },
}

impl Console {
    /// A console that writes to `output`. It ends when the last handle is dropped, which is to be waited for.
    pub(crate) fn start(output: Output) -> (Self, JoinHandle<()>) {
        let (lines, receiver) = channel(MAX_WAITING);
        let dropped = Arc::new(AtomicU64::new(0));
        let writer = tokio::task::spawn_blocking({
            let dropped = Arc::clone(&dropped);
            move || write_lines(receiver, &output, &dropped)
        });
        (Self { lines, dropped, records: None }, writer)
    }

    /// The same console, of which `records` hears all records, as far as it listens.
    pub(super) fn heard_by(&self, records: Sender<LogRecord>) -> Self {
        Self { records: Some(records), ..self.clone() }
    }

    /// Says that the server answers at `url` again, and in words if there is something to say.
    pub(super) fn ready(&self, url: &str, text: Option<String>) {
        self.event(&Event { event: "ready", body: Ready { url } });
        if let Some(text) = text {
            self.say(Line::Status(text));
        }
    }

    /// Says for the first time that the server answers. The URL is the data of the command; a person sees one line.
    pub(super) fn greet(&self, url: &str, text: String) {
        self.event(&Event { event: "ready", body: Ready { url } });
        self.say(Line::Greeting { url: url.to_owned(), text });
    }

    /// Says that a build has begun, and because of what.
    pub(super) fn rebuilding(&self, changed: &[String]) {
        self.event(&Event { event: "rebuilding", body: Rebuilding { changed } });
    }

    /// Says that something failed, with what stands at the places that are named.
    pub(super) fn failed(&self, error: &CommandError, root: &Path, output: &Output) {
        self.event(&Event { event: "error", body: error.document() });
        self.say(Line::Error(with_excerpts(&error.to_text(output), root)));
    }

    /// Shows where in the sources something happened.
    pub(super) fn excerpt(&self, said: &str, excerpt: &[String]) {
        let lines = std::iter::once(said).chain(excerpt.iter().map(String::as_str));
        self.say(Line::Excerpt(lines.map(plain).collect()));
    }

    /// Shows a line that the framework's server has printed.
    pub(super) fn of_framework(&self, name: &str, line: &str) {
        self.say(Line::Framework { name: name.to_owned(), line: line.to_owned() });
    }

    /// Says something to people.
    pub(super) fn status(&self, text: &str) {
        self.say(Line::Status(text.to_owned()));
    }

    /// Empties the terminal.
    pub(super) fn clear(&self) {
        self.say(Line::Clear);
    }

    /// Shows what a request was answered with that was sent again.
    pub(super) fn replayed(&self, request: &KeptRequest, answer: &ReplayedAnswer) {
        self.event(&Event { event: "replayed", body: Replayed { request, answer } });
        self.say(Line::Replayed(Box::new((request.clone(), answer.clone()))));
    }

    /// Says what may not be as expected.
    pub(super) fn warning(&self, text: &str) {
        self.say(Line::Warning(text.to_owned()));
    }

    fn event<B: Serialize>(&self, event: &Event<B>) {
        let json = serde_json::to_string(event).expect("events hold only text");
        self.say(Line::Event(json.into()));
    }

    fn say(&self, line: Line) {
        if self.lines.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl LogSink for Console {
    fn record(&self, _: &ProjectName, record: LogRecord) {
        if let Some(records) = &self.records {
            // Who does not keep up misses some.
            let _ = records.try_send(record.clone());
        }
        self.say(Line::Record(Box::new(record)));
    }
}

fn write_lines(mut lines: Receiver<Line>, output: &Output, dropped: &AtomicU64) {
    let mut repeated = Repeated::default();
    while let Some(line) = lines.blocking_recv() {
        let missing = dropped.swap(0, Ordering::Relaxed);
        if missing > 0 {
            output.warning(format_args!("{missing} lines were not shown"));
        }
        write(line, &mut repeated, output);
    }
}

/// Writes a line. Where nobody reads what is written, there is still a site to serve, so a failure to write is passed over.
fn write(line: Line, repeated: &mut Repeated, output: &Output) {
    match line {
        Line::Record(mut record) => {
            let time = repeated.leave_out(&mut record);
            output.status(render(&record, &time, output.styles()));
        }
        Line::Status(text) => output.status(text),
        Line::Warning(text) => output.warning(text),
        Line::Error(text) if !output.is_json() => output.error(&text),
        Line::Replayed(replayed) => show_replayed(&replayed.0, &replayed.1, output),
        Line::Clear => output.clear(),
        Line::Excerpt(lines) => lines.iter().for_each(|line| excerpt(line, output)),
        Line::Framework { name, line } => {
            output.status(format_args!("{} {line}", output.styles().place(format_args!("{name} │"))));
        }
        Line::Event(event) if output.is_json() => drop(output.text(&event)),
        Line::Greeting { url, text } if output.is_one_terminal() => {
            output.status(format_args!("{}  {text}", output.styles().place(url)));
        }
        Line::Greeting { url, text } => {
            if !output.is_json() {
                drop(output.text(&url));
            }
            output.status(text);
        }
        Line::Error(_) | Line::Event(_) => {}
    }
}

/// What the last line of a function said beside its text.
#[derive(Debug, Default)]
struct Repeated {
    requests: Vec<RequestId>,
    time: String,
}

impl Repeated {
    /// Takes out of a function's line what the one before it said already, as the lines of a stack trace do, and gives its time.
    fn leave_out(&mut self, record: &mut LogRecord) -> String {
        let mut time = clock_time(record.at);
        if !matches!(record.source, LogSource::Function { .. }) {
            *self = Self::default();
            return time;
        }
        if time == self.time && record.requests[..] == self.requests[..] {
            record.requests = Vec::new();
            time = " ".repeat(time.len());
        } else {
            *self = Self { requests: record.requests.clone(), time: time.clone() };
        }
        time
    }
}

/// A line of an excerpt: the one that is meant stands out.
fn excerpt(line: &str, output: &Output) {
    let styles = output.styles();
    match line.chars().next() {
        Some('>') => output.status(format_args!("  {}", styles.strong(line))),
        Some(' ') => output.status(format_args!("  {}", styles.dim(line))),
        _ => output.status(format_args!("  {}", styles.error(line))),
    }
}

/// A request that was sent again, and its answer.
fn show_replayed(request: &KeptRequest, answer: &ReplayedAnswer, output: &Output) {
    let styles = output.styles();
    let (then, now) = (colored_status(request.status_then, styles), colored_status(answer.status, styles));
    let asked = format_args!("{} {}", plain(&request.method), plain(&request.path));
    output.status(format_args!("Replayed {asked}: {now} in {} ms, and {then} then", answer.duration_ms));
    for (name, value) in &answer.headers {
        output.status(format_args!("  {} {}", styles.dim(format_args!("{name}:")), plain(value)));
    }
    answer.body.lines().for_each(|line| output.status(format_args!("  {}", plain(line))));
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of a stack trace say when and of which request they are once; what comes later, or of another request, says it again.
    #[test]
    fn stack_traces() {
        let line = |at: &str, request: &str, message: &str| -> LogRecord {
            let record = serde_json::json!({
                "at": at, "level": "error", "deployment": "0".repeat(32), "requests": [request],
                "source": "function", "function": "api/a", "stream": "stderr", "message": message,
            });
            serde_json::from_value(record).unwrap()
        };
        let (one, other) = ("01hzy3v7k2m4n6p8r0s2t4v6w8", "01hzy3v7k2m4n6p8r0s2t4v6w9");
        let records = [
            line("2026-04-14T12:03:04.1234Z", one, "panic: late"),
            line("2026-04-14T12:03:04.1236Z", one, "goroutine 7 [running]:"),
            line("2026-04-14T12:03:04.1236Z", other, "main.go:5"),
            line("2026-04-14T12:03:04.5Z", other, "later"),
        ];
        let mut repeated = Repeated::default();
        let lines = records.map(|mut record| {
            let time = repeated.leave_out(&mut record);
            render(&record, &time, Output::for_tests().data_styles())
        });
        insta::assert_snapshot!(lines.join("\n"), @"
        12:03:04.123   api/a stderr: panic: late  01hzy3v7k2m4n6p8r0s2t4v6w8
                       api/a stderr: goroutine 7 [running]:
        12:03:04.123   api/a stderr: main.go:5  01hzy3v7k2m4n6p8r0s2t4v6w9
        12:03:04.500   api/a stderr: later  01hzy3v7k2m4n6p8r0s2t4v6w9
        ");
    }
}
