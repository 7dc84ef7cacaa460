//! Hosts on this machine: finding the one that runs, and starting one in the background when it is needed.

mod ending;
mod endpoint;
mod start;

pub(crate) use self::ending::Ending;
pub(crate) use self::endpoint::{Endpoint, Presence, announce, create_private, running_hosts};
pub(crate) use self::start::{DEFAULT_SITES, EmbeddedError, StartPolicy, find_or_start};
