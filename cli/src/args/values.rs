//! Values that several options take, in words for those that are none. What the standard library says of them is about its types.

use std::net::SocketAddr;
use std::num::NonZeroU16;

use ship_core::{ParseProjectNameError, ProjectName};

/// What was typed is not what an option takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum BadValue {
    /// No address.
    #[error("expected an address and a port, such as 127.0.0.1:4000")]
    Address,
    /// No port.
    #[error("expected a port from 1 to 65535")]
    Port,
    /// No number of things.
    #[error("expected a number, such as 50")]
    Number,
}

/// What was typed names no project.
#[derive(Debug, thiserror::Error)]
#[error("{error}{}", nearest.as_ref().map(|name| format!("; `{name}` would do")).unwrap_or_default())]
pub(crate) struct BadProject {
    error: ParseProjectNameError,
    nearest: Option<String>,
}

/// An address with a port.
pub(crate) fn address(text: &str) -> Result<SocketAddr, BadValue> {
    text.parse().map_err(|_| BadValue::Address)
}

/// A port.
pub(crate) fn port(text: &str) -> Result<NonZeroU16, BadValue> {
    text.parse().map_err(|_| BadValue::Port)
}

/// A project's name. What is none is answered with the nearest that is one, as where a name is asked for.
pub(crate) fn project(text: &str) -> Result<ProjectName, BadProject> {
    text.parse()
        .map_err(|error: ParseProjectNameError| BadProject { nearest: error.nearest().map(str::to_owned), error })
}

/// How many of something.
pub(crate) fn number(text: &str) -> Result<usize, BadValue> {
    text.parse().map_err(|_| BadValue::Number)
}
