//! Functions in TypeScript and JavaScript: finding what answers, bundling all of them in one run, and packing each.

mod alias;
mod build;
mod bundle;
mod external;
mod fetch;
mod foreign;
mod inputs;
mod jsx;
mod launcher;
mod layer;
mod locate;
mod matcher;
mod message;
mod own_config;
mod place;
mod plugin;
mod record;
mod scan;
mod server;
mod thrown;
mod toolchain;

pub use launcher::LauncherText;
pub use matcher::{MatcherEntryError, MatcherError};
pub use message::BundleError;
pub use own_config::OwnFlaw;
pub use toolchain::{InterpreterError, pinned_interpreters};

pub(crate) use build::{build, ensure_interpreters};
pub(crate) use inputs::{NodeInputs, NodeSource, is_source, near_export};
pub(crate) use launcher::{Calling, Helpers, launcher};
pub(crate) use matcher::matched_routes;
pub(crate) use place::relative;
pub(crate) use server::{depends_on, find_server, near_server};
