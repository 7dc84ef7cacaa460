//! Server-sent events, one JSON document each.

use super::Opened;

/// A stream of events.
#[derive(Debug)]
pub struct Events(Opened);

impl Events {
    pub(super) fn of(opened: Opened) -> Self {
        Self(opened)
    }

    /// The next event's data.
    #[track_caller]
    pub fn next_event(&mut self) -> serde_json::Value {
        loop {
            let line = self.0.body().next_line().expect("the stream goes on");
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data}"));
            }
        }
    }
}
