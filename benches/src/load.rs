//! A load generator: one thread, many keep-alive connections, every latency kept.
//!
//! It runs as a process of its own, so that making load and answering it never share an address space or a scheduler's
//! favour, and it speaks to TCP and to Unix sockets alike, so that a function can be asked with and without what stands
//! before it by the very same client.

mod connection;
mod generator;
mod other;
mod report;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

pub(crate) use other::prepare;
pub(crate) use report::Report;

use crate::talk;

/// The first argument of a process that makes load.
pub(crate) const COMMAND: &str = "make-load";

/// What makes load.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Generator {
    /// This program.
    #[default]
    Own,
    /// wrk.
    Wrk,
    /// oha.
    Oha,
}

impl Generator {
    /// The generator of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [("own", Self::Own), ("wrk", Self::Wrk), ("oha", Self::Oha)]
            .into_iter()
            .find_map(|(known, generator)| (known == name).then_some(generator))
    }
}

/// Where to send requests.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Target {
    /// A port of this machine.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// The load to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Order {
    /// Where to.
    pub(crate) target: Target,
    /// The value of the `host` header.
    pub(crate) host: String,
    /// The path.
    pub(crate) path: String,
    /// More headers, each a whole line.
    pub(crate) headers: Vec<String>,
    /// What an answer may have as its body; anything if empty.
    pub(crate) bodies: Vec<String>,
    /// How many connections, each with one request at a time.
    pub(crate) connections: usize,
    /// For how long.
    pub(crate) seconds: f64,
    /// How many requests a second; as many as possible if absent. A request that had to wait for its turn counts from the
    /// moment it was due.
    pub(crate) per_second: Option<f64>,
}

impl Order {
    /// As many requests as possible on `connections` connections.
    pub(crate) fn saturating(target: Target, host: &str, path: &str, connections: usize, seconds: f64) -> Self {
        let (host, path) = (host.to_owned(), path.to_owned());
        Self { target, host, path, headers: Vec::new(), bodies: Vec::new(), connections, seconds, per_second: None }
    }

    /// Makes the load, in a process of its own, and waits for its report.
    pub(crate) fn carry_out(&self) -> Report {
        let output = self.command().output().expect("this program can start itself");
        Self::report(&output)
    }

    /// Begins to make the load.
    pub(crate) fn begin(&self) -> std::process::Child {
        let mut command = self.command();
        command.stdout(std::process::Stdio::piped()).spawn().expect("this program can start itself")
    }

    /// The report of load that was begun.
    pub(crate) fn report(output: &std::process::Output) -> Report {
        serde_json::from_slice(&output.stdout).expect("the load generator prints its report")
    }

    fn command(&self) -> Command {
        let program = std::env::current_exe().expect("the running program has a path");
        // Who sends as fast as they can would leave the server no processor.
        let mut command = if self.per_second.is_some() { as_from_elsewhere(program) } else { Command::new(program) };
        command.arg(COMMAND).arg(serde_json::to_string(self).expect("an order has only string keys"));
        command
    }
}

/// A command whose process is never kept waiting for a processor by what it measures, as a visitor's own machine is not: the
/// time until it looks at an answer would count as time until the answer. Where that is not permitted it is like any other.
pub(crate) fn as_from_elsewhere(program: PathBuf) -> Command {
    const FIRST: [&str; 3] = ["chrt", "--fifo", "1"];
    static IS_PERMITTED: LazyLock<bool> = LazyLock::new(|| {
        Command::new(FIRST[0]).args(&FIRST[1..]).arg("true").status().is_ok_and(|status| status.success())
    });
    if !*IS_PERMITTED {
        return Command::new(program);
    }
    let mut command = Command::new(FIRST[0]);
    command.args(&FIRST[1..]).arg(program);
    command
}

/// Makes the load that `order` describes and prints the report.
pub(crate) fn main(order: &str) -> ExitCode {
    let report = serde_json::from_str::<Order>(order)
        .map_err(std::io::Error::other)
        .and_then(|order| generator::run(&order))
        .map(|report| serde_json::to_string(&report).expect("a report has only string keys"));
    match report {
        Ok(report) => {
            talk::print(&report);
            ExitCode::SUCCESS
        }
        Err(error) => {
            talk::say(&format!("no load could be made: {error}"));
            ExitCode::FAILURE
        }
    }
}
