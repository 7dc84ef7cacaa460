//! The harness of the stories: the real `ship` binary, real sockets, a home of its own for every test.
//!
//! A story arranges with [`TestEnv`], [`TestProject`] and [`TestHost`], acts with one command or one request, and compares
//! everything that a person would see. Nothing here waits by the clock: every wait is for a line, an answer or the end of a
//! process, and is bounded by [`PATIENCE`]. When an environment is dropped, no process may be left that mentions it.
//!
//! This crate knows `ship` only from outside: the binary, its output, and HTTP. It never calls the crates it tests.

#![expect(clippy::missing_panics_doc, reason = "a panic is how a story fails, whatever the function")]

pub mod artifact;
mod axe;
mod binary;
mod browser;
mod chaos_proxy;
mod collector;
mod command;
pub mod documents;
mod environment;
mod exposition;
mod filters;
mod gate;
mod host;
pub mod http;
pub mod http2;
pub mod http3;
pub mod issuer;
mod lines;
pub mod pages;
mod pebble;
mod pictures;
mod processes;
mod project;
mod pull_requests;
mod releases;
mod tls;

use std::time::Duration;

pub use axe::axe;
pub use binary::{ship_binary, workspace_root};
pub use browser::{Browser, ColorScheme, ConsoleLine};
pub use chaos_proxy::{ChaosProxy, ClosedPort};
pub use collector::{Collector, Document};
pub use command::{CommandOutput, RunningShip, ShipCommand};
pub use environment::{GoToolchain, TestEnv};
pub use exposition::Exposition;
pub use gate::{GO_FUNCTION_AT_GATE, Gate, Waiting};
pub use host::{HostAddresses, TestHost};
pub use lines::Lines;
pub use pebble::{Pebble, write_dns_hook};
pub use pictures::take_pictures;
pub use processes::{Process, processes_mentioning};
pub use project::TestProject;
pub use pull_requests::{COMMENT_TOKEN, PullRequests};
pub use releases::{Half, ReleaseServer, Releases};
pub use tls::{TestAuthority, Wire};

/// How long a story waits for anything at all. Far more than anything takes, so that only a hang is ever cut off.
pub const PATIENCE: Duration = Duration::from_mins(5);
