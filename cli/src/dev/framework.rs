//! The framework's own server for development, behind the dev server: its one process ([`supervisor`]), the requests that are passed
//! to it ([`passage`]), and the script that its pages get ([`page`]).

mod page;
mod passage;
mod process;
mod supervisor;

use std::sync::Arc;

use ship_builder::DevServer;
use tokio::sync::{Notify, watch};

use super::report::Report;

pub(super) use self::passage::Passage;
pub(super) use self::supervisor::Supervisor;

/// How the framework's server is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum FrameworkState {
    /// The project has none.
    Absent,
    /// It was started and does not answer yet.
    Starting,
    /// It answers at this port of this machine.
    Ready(u16),
    /// It ended by itself, and said this.
    Ended(Report),
}

/// What the parts of the dev server share about the framework's server.
#[derive(Clone, Debug)]
pub(crate) struct Framework {
    wanted: watch::Sender<Option<DevServer>>,
    state: watch::Sender<FrameworkState>,
    restart: Arc<Notify>,
}

impl Framework {
    /// As long as nothing is known of the project.
    pub(super) fn new() -> Self {
        let (wanted, state) = (watch::Sender::new(None), watch::Sender::new(FrameworkState::Absent));
        Self { wanted, state, restart: Arc::new(Notify::new()) }
    }

    /// From now on this is the server of the project, and none other runs.
    pub(crate) fn want(&self, server: Option<DevServer>) {
        let is_there = server.is_some();
        self.state.send_if_modified(|state| {
            let begins = is_there && *state == FrameworkState::Absent;
            if begins {
                *state = FrameworkState::Starting;
            }
            begins
        });
        self.wanted.send_if_modified(|wanted| {
            let differs = *wanted != server;
            if differs {
                *wanted = server;
            }
            differs
        });
    }

    /// Starts it again.
    pub(super) fn restart(&self) {
        self.restart.notify_one();
    }

    /// What it is called, if there is one.
    pub(super) fn name(&self) -> Option<String> {
        self.wanted.borrow().as_ref().map(|server| server.name.clone())
    }

    /// How it is, now and later.
    pub(super) fn state(&self) -> watch::Receiver<FrameworkState> {
        self.state.subscribe()
    }

    /// How it is once it has started or failed to.
    pub(super) async fn settled(&self) -> FrameworkState {
        let mut state = self.state();
        match state.wait_for(|state| *state != FrameworkState::Starting).await {
            Ok(state) => state.clone(),
            Err(_) => FrameworkState::Absent,
        }
    }
}
