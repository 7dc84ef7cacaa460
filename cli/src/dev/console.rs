//! What the dev server says, in its own order: events, requests, and what functions print.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use ship_core::{LogRecord, ProjectName};
use ship_runtime::LogSink;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::JoinHandle;

use crate::commands::logs::render;
use crate::output::Output;

/// How many lines may wait to be written. A terminal that takes no more must not stop requests.
const MAX_WAITING: usize = 4096;

/// Where the parts of the dev server say what they have to say. Saying never blocks.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    lines: Sender<Line>,
    dropped: Arc<AtomicU64>,
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
    Text(String),
    Error(String),
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
        (Self { lines, dropped }, writer)
    }

    /// Says that the server answers at `url` again, or for the first time.
    pub(super) fn ready(&self, url: &str, text: String) {
        self.event(&Event { event: "ready", body: Ready { url } });
        self.say(Line::Status(text));
    }

    /// Writes the server's URL, for people: the data of the command.
    pub(super) fn url(&self, url: &str) {
        self.say(Line::Text(url.to_owned()));
    }

    /// Says that a build has begun, and because of what.
    pub(super) fn rebuilding(&self, changed: &[String]) {
        self.event(&Event { event: "rebuilding", body: Rebuilding { changed } });
    }

    /// Says that a build failed.
    pub(super) fn failed(&self, error: &crate::error::CommandError, output: &Output) {
        self.event(&Event { event: "error", body: error.document() });
        self.say(Line::Error(error.to_text(output)));
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
        self.say(Line::Record(Box::new(record)));
    }
}

fn write_lines(mut lines: Receiver<Line>, output: &Output, dropped: &AtomicU64) {
    while let Some(line) = lines.blocking_recv() {
        let missing = dropped.swap(0, Ordering::Relaxed);
        if missing > 0 {
            output.warning(format_args!("{missing} lines were not shown"));
        }
        write(line, output);
    }
}

/// Writes a line. Where nobody reads what is written, there is still a site to serve, so a failure to write is passed over.
fn write(line: Line, output: &Output) {
    match line {
        Line::Record(record) => output.status(render(&record, output.styles())),
        Line::Status(text) => output.status(text),
        Line::Warning(text) => output.warning(text),
        Line::Error(text) if !output.is_json() => output.error(&text),
        Line::Event(event) if output.is_json() => drop(output.text(&event)),
        Line::Text(text) if !output.is_json() => drop(output.text(&text)),
        Line::Error(_) | Line::Event(_) | Line::Text(_) => {}
    }
}
