//! Servers of files, each as somebody who knows it well would configure it: what ship's serving is held against.

mod caddy;
mod h2o;
mod nginx;

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ship_tests::{PATIENCE, Process};

use super::{NotThere, Peer, program};

/// A running server. It ends when it is dropped.
pub(crate) struct StaticServer {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    child: Child,
}

/// What a server serves.
#[derive(Clone, Copy)]
pub(crate) struct Served<'p> {
    /// Where it may write.
    pub(crate) folder: &'p Path,
    /// The files. Where a precompressed one stands beside another, visitors who take it get it.
    pub(crate) root: &'p Path,
    /// The Unix socket of what answers below `/api/`.
    pub(crate) upstream: Option<&'p Path>,
}

impl StaticServer {
    /// Starts a server with as many workers as there are cores.
    pub(crate) fn start(peer: Peer, served: Served<'_>) -> Result<Self, NotThere> {
        let program = program(peer.name()).ok_or_else(|| NotThere("it is not installed".to_owned()))?;
        let failed = |error: std::io::Error| NotThere(format!("it does not start: {error}"));
        fs::create_dir_all(served.folder).map_err(failed)?;
        // Nobody else takes the port meanwhile: the kernel gives another one to whoever asks for any.
        let address = TcpListener::bind(("127.0.0.1", 0)).and_then(|any| any.local_addr()).map_err(failed)?;
        let mut command = match peer {
            Peer::Caddy => caddy::command(&program, served, address),
            Peer::H2o => h2o::command(&program, served, address),
            _ => nginx::command(&program, served, address),
        }
        .map_err(failed)?;
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map_err(failed)?;
        let running = Self { address, child };
        running.wait_until_ready()?;
        Ok(running)
    }

    fn wait_until_ready(&self) -> Result<(), NotThere> {
        let begun = Instant::now();
        while TcpStream::connect(self.address).is_err() {
            if begun.elapsed() > PATIENCE / 10 {
                return Err(NotThere("it does not listen".to_owned()));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for StaticServer {
    fn drop(&mut self) {
        // A master ends its workers when it is asked to end; killed, it would leave them behind.
        Process::with_id(self.child.id()).signal(rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// In a session of its own, as hosts are: where the kernel shares processors out by session, both have as much.
fn in_own_session(program: &Path) -> Command {
    let mut command = Command::new("setsid");
    command.arg(program);
    command
}

fn workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
