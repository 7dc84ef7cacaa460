//! `ship.toml`: what a person wrote, read into values, each problem with its place in the file.

mod diagnostic;
mod file;
mod functions;
mod routes;

pub use diagnostic::ConfigError;
pub(crate) use diagnostic::ConfigText;
pub(crate) use file::{BuildEntry, ShipToml};
pub(crate) use functions::{FunctionRules, OwnLimits};
pub(crate) use routes::{cors_rules, site_routes};

/// The name of the file.
pub(crate) const CONFIG_FILE: &str = "ship.toml";

#[cfg(test)]
mod tests;
