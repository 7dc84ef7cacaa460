//! What a host does when it is sent a signal.

use std::io;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::process::Signal as Sent;
use ship_host::{AfterHandover, Upgrader};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::keeper::pass_on_to_newest;
use crate::error::{CommandError, ErrorKind};
use crate::output::Output;

/// The signals that a host listens to. From when this exists on, none of them ends the process by itself.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, CommandError> {
        let listen = |kind| signal(kind).map_err(|error| CommandError::new(ErrorKind::Host, error));
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hang_up: listen(SignalKind::hangup())?,
        })
    }

    /// What has come that nobody has done anything about, where no runtime is left that could.
    pub(super) fn missed(mut self) -> io::Result<Vec<Sent>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            // A new runtime looks for signals in its first turn.
            tokio::time::sleep(Duration::from_millis(1)).await;
            let all =
                [(&mut self.interrupt, Sent::INT), (&mut self.terminate, Sent::TERM), (&mut self.hang_up, Sent::HUP)];
            Ok(all
                .into_iter()
                .filter_map(|(heard, sent)| heard.recv().now_or_never().flatten().map(|()| sent))
                .collect())
        })
    }
}

/// A host that hears signals.
pub(super) struct Heard<'h> {
    pub(super) upgrader: &'h Upgrader,
    pub(super) afterwards: AfterHandover,
    pub(super) data: &'h Path,
    pub(super) output: &'h Output,
    pub(super) shutdown: &'h CancellationToken,
}

impl Heard<'_> {
    /// Does what signals say: SIGINT and SIGTERM end the host, SIGHUP has the program at its path take over.
    pub(super) async fn follow(&self, signals: &mut Signals) {
        loop {
            tokio::select! {
                _ = signals.interrupt.recv() => self.end(),
                _ = signals.terminate.recv() => self.end(),
                _ = signals.hang_up.recv() => tokio::select! {
                    () = self.upgrade() => {}
                    _ = signals.interrupt.recv() => self.end(),
                    _ = signals.terminate.recv() => self.end(),
                },
            }
        }
    }

    /// Ends this host, or the one that serves in its place where this process stands for it: that one ends this one in turn.
    fn end(&self) {
        let stands_for_it = self.upgrader.has_handed_over() && self.afterwards == AfterHandover::Stays;
        if stands_for_it && pass_on_to_newest(self.data, Sent::TERM) {
            return;
        }
        self.output.status("Finishing the requests in flight");
        self.shutdown.cancel();
    }

    async fn upgrade(&self) {
        if self.upgrader.has_handed_over() {
            pass_on_to_newest(self.data, Sent::HUP);
            return;
        }
        // The host itself says how that went.
        let _ = self.upgrader.upgrade(None).await;
    }
}
