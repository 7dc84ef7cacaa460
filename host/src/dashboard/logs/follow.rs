//! Following a log: lines of the API become events that a page puts in as they are.

use std::convert::Infallible;
use std::fmt::Write as _;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use ship_api::LogLine;

use super::html_of;
use super::row::{Row, View};

/// What each stream begins with: after how many milliseconds a browser that lost it asks again.
const BEGINNING: &str = "retry: 1000\n\n";

/// The longest line that is waited for, in bytes: longer than a log's longest.
const LINE_BYTES: usize = 4 * 1024 * 1024;

/// The lines of the API's answer as server-sent events. An event's id is the place in the log behind it, so a browser that lost the stream
/// goes on where it was, also with the next host.
pub(super) fn follow(answer: Body, view: View) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
    let lines = Lines { pieces: answer.into_data_stream(), rest: Vec::new() };
    let events = stream::unfold((lines, view), |(mut lines, view)| async move {
        let whole = lines.next().await?;
        Some((Ok(event(&whole, &view)), (lines, view)))
    });
    stream::iter([Ok(Bytes::from_static(BEGINNING.as_bytes()))]).chain(events)
}

/// Whole lines of an answer, as they come.
struct Lines {
    pieces: BodyDataStream,
    rest: Vec<u8>,
}

impl Lines {
    /// The next lines that are there as a whole. `None` where the answer ends, or has a line that is too long to be one.
    async fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            let piece = self.pieces.next().await?.ok()?;
            self.rest.extend_from_slice(&piece);
            if let Some(end) = self.rest.iter().rposition(|byte| *byte == b'\n') {
                let rest = self.rest.split_off(end + 1);
                return Some(std::mem::replace(&mut self.rest, rest));
            }
            if self.rest.len() > LINE_BYTES {
                return None;
            }
        }
    }
}

/// One event of lines: their rows. Lines that say nothing keep the connection alive.
fn event(lines: &[u8], view: &View) -> Bytes {
    let read = lines.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<LogLine>(line).ok());
    let read: Vec<LogLine> = read.collect();
    if read.is_empty() {
        return Bytes::from_static(b":\n\n");
    }
    let mut event = String::new();
    if let Some(cursor) = read.iter().rev().find_map(|line| line.cursor) {
        let _ = writeln!(event, "id: {cursor}");
    }
    let rows: Vec<Row> = read.iter().map(|line| Row::new(&line.record, view)).collect();
    for line in html_of(&rows).lines().filter(|line| !line.trim().is_empty()) {
        let _ = writeln!(event, "data: {line}");
    }
    event.push('\n');
    event.into()
}
