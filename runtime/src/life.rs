//! The life of an instance: its states, and what leads from one to the next. `docs/life-cycle.md` is about the same.

/// Where an instance is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum InstanceState {
    /// The process exists and was not heard of yet. It is given requests: they wait in its socket.
    Starting,
    /// It has answered, and waits for requests.
    Ready,
    /// It answers requests.
    Busy,
    /// It gets no more requests, and is to be stopped when it has none.
    Draining,
    /// It was asked to stop, and finishes what it does beside requests.
    Stopping,
    /// Its process is gone; its last requests are being answered for it.
    Stopped,
}

/// What happens to an instance.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LifeEvent {
    /// It has answered for the first time.
    Answered,
    /// It is given a request.
    Given,
    /// Its last request is over.
    Emptied,
    /// It is to get no more requests: one ran into its timeout, it refuses connections, was not ready in time, or has to make room.
    Dismissed,
    /// It is sent SIGTERM: it has idled long enough, has nothing left to finish, or the deadline of a drain is over.
    AskedToStop,
    /// Its process has ended, whoever wanted it.
    Ended,
}

impl InstanceState {
    /// All of them, in the order of a life.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 6] =
        [Self::Starting, Self::Ready, Self::Busy, Self::Draining, Self::Stopping, Self::Stopped];

    /// The word used in output.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Busy => "busy",
            Self::Draining => "draining",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
        }
    }

    /// The state after an event; `None` for what cannot happen: nobody gives a request to an instance that is on its way out.
    pub(crate) const fn after(self, event: LifeEvent) -> Option<Self> {
        use LifeEvent as E;
        Some(match (self, event) {
            (_, E::Ended) => Self::Stopped,
            (Self::Starting, E::Answered) | (Self::Busy, E::Emptied) => Self::Ready,
            (Self::Ready, E::Given) => Self::Busy,
            (Self::Draining | Self::Stopping | Self::Stopped, E::Given) => return None,
            (Self::Starting | Self::Ready | Self::Busy, E::Dismissed) => Self::Draining,
            (Self::Starting | Self::Ready | Self::Busy | Self::Draining, E::AskedToStop) => Self::Stopping,
            // Late news, and what is the case already.
            (state, _) => state,
        })
    }

    /// Whether it is given requests.
    pub(crate) const fn is_open(self) -> bool {
        matches!(self, Self::Starting | Self::Ready | Self::Busy)
    }

    /// Whether it has answered and is given requests.
    pub(crate) const fn is_awake(self) -> bool {
        matches!(self, Self::Ready | Self::Busy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENTS: [(LifeEvent, &str); 6] = [
        (LifeEvent::Answered, "answers for the first time"),
        (LifeEvent::Given, "is given a request"),
        (LifeEvent::Emptied, "its last request is over"),
        (LifeEvent::Dismissed, "is to get no more"),
        (LifeEvent::AskedToStop, "is asked to stop"),
        (LifeEvent::Ended, "its process ends"),
    ];

    /// The table of all transitions, as the page about the life cycle shows it.
    fn table() -> String {
        let cell = |state: InstanceState, event| match state.after(event) {
            None => "never".to_owned(),
            Some(next) if next == state => "-".to_owned(),
            Some(next) => next.as_str().to_owned(),
        };
        let row = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let head = [String::new()].into_iter().chain(EVENTS.iter().map(|(_, words)| (*words).to_owned()));
        let line = std::iter::repeat_n("---".to_owned(), EVENTS.len() + 1);
        let rows = InstanceState::ALL.iter().map(|state| {
            let name = [format!("**{}**", state.as_str())].into_iter();
            row(name.chain(EVENTS.iter().map(|(event, _)| cell(*state, *event))).collect())
        });
        [row(head.collect()), row(line.collect())].into_iter().chain(rows).collect()
    }

    /// Every state and every event: the page says what the type does.
    #[test]
    fn transitions() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/life-cycle.md")).unwrap();
        assert!(page.contains(&table()), "docs/life-cycle.md should hold\n{}", table());
    }

    /// A life goes one way: from a state on the way out none leads back, and everything ends when the process does.
    #[test]
    fn one_way() {
        for state in InstanceState::ALL {
            for (event, _) in EVENTS {
                let Some(next) = state.after(event) else { continue };
                assert!(state.is_open() || !next.is_open(), "{state:?} {event:?} {next:?}");
            }
            assert_eq!(state.after(LifeEvent::Ended), Some(InstanceState::Stopped));
        }
    }
}
