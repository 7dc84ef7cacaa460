//! The owner of the framework's process: starts it, starts it again, and ends it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use ship_builder::DevServer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::process::{Ended, Process};
use super::{Framework, FrameworkState};
use crate::dev::Console;
use crate::dev::excerpt::with_excerpts;
use crate::dev::report::Report;
use crate::error::CommandError;
use crate::output::Output;

/// How often it is tried whether the server answers. Nothing tells when it begins to.
const KNOCK: Duration = Duration::from_millis(10);

/// How long what a server has written may be on its way to the watch after it has ended.
const AFTERMATH: Duration = Duration::from_millis(50);

/// Runs the server that is wanted, one at a time.
pub(in crate::dev) struct Supervisor {
    wanted: watch::Receiver<Option<DevServer>>,
    state: watch::Sender<FrameworkState>,
    restart: Arc<Notify>,
    edits: watch::Receiver<u64>,
    console: Console,
    output: Output,
    /// Where visitors are: what the server calls its own address is of no use to them.
    address: String,
}

/// Why a server runs no more.
enum End {
    /// The dev server ends.
    Stopped,
    /// Another is wanted, or the same anew.
    Replaced,
    /// It ended by itself.
    ByItself(Ended),
}

impl Supervisor {
    /// The supervisor of what `framework` wants.
    pub(in crate::dev) fn new(
        framework: &Framework,
        edits: watch::Receiver<u64>,
        console: Console,
        output: Output,
        address: String,
    ) -> Self {
        let (wanted, state) = (framework.wanted.subscribe(), framework.state.clone());
        Self { wanted, state, restart: Arc::clone(&framework.restart), edits, console, output, address }
    }

    /// Keeps what is wanted running, until `stop`.
    pub(in crate::dev) async fn run(mut self, stop: CancellationToken) {
        loop {
            let wanted = self.wanted.borrow_and_update().clone();
            let Some(server) = wanted else {
                self.state.send_replace(FrameworkState::Absent);
                tokio::select! {
                    () = stop.cancelled() => return,
                    changed = self.wanted.changed() => if changed.is_err() { return },
                }
                continue;
            };
            let _ = self.edits.borrow_and_update();
            match self.keep(&server, &stop).await {
                End::Stopped => return,
                End::Replaced => {}
                End::ByItself(ended) => {
                    // Tools write files beside their configuration while they read it. Those are no edits.
                    tokio::time::sleep(AFTERMATH).await;
                    let _ = self.edits.borrow_and_update();
                    self.tell(&server, &ended);
                    if !self.wait_for_mending(&stop).await {
                        return;
                    }
                }
            }
        }
    }

    /// Starts the server and stays with it to its end.
    async fn keep(&mut self, server: &DevServer, stop: &CancellationToken) -> End {
        self.state.send_replace(FrameworkState::Starting);
        let started = free_port().await.and_then(|port| {
            let named = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
            Ok((port, Process::start(server, port, &self.console, (named, self.address.clone()))?))
        });
        let (port, mut process) = match started {
            Ok(started) => started,
            Err(error) => return End::ByItself(Ended::of(&format!("it cannot be started: {error}"))),
        };
        let mut is_ready = false;
        let end = loop {
            tokio::select! {
                () = stop.cancelled() => break End::Stopped,
                () = self.restart.notified() => break End::Replaced,
                changed = self.wanted.changed() => {
                    if changed.is_err() || self.wanted.borrow_and_update().as_ref() != Some(server) {
                        break End::Replaced;
                    }
                }
                () = wait_until_it_accepts(port), if !is_ready => {
                    is_ready = true;
                    self.state.send_replace(FrameworkState::Ready(port));
                }
                ended = process.ended() => break End::ByItself(ended),
            }
        };
        process.end().await;
        end
    }

    fn tell(&self, server: &DevServer, ended: &Ended) {
        let error = CommandError::project(format!("`{}` of {}: {}", server.shown(), server.name, ended.how))
            .details(ended.last_lines.clone())
            .hint("it is started again when a file is edited");
        let title = format!("The server of {} has ended", server.name);
        let text = with_excerpts(&error.to_lines_with_hints().join("\n"), &server.folder);
        self.state.send_replace(FrameworkState::Ended(Report::new(title, &text)));
        self.console.failed(&error, &server.folder, &self.output);
    }

    /// Waits until something is different. Whether to go on then.
    async fn wait_for_mending(&mut self, stop: &CancellationToken) -> bool {
        tokio::select! {
            () = stop.cancelled() => false,
            () = self.restart.notified() => true,
            changed = self.edits.changed() => changed.is_ok(),
            changed = self.wanted.changed() => changed.is_ok(),
        }
    }
}

/// A port that nobody has at the moment.
async fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()?.port())
}

async fn wait_until_it_accepts(port: u16) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(KNOCK).await;
    }
}
