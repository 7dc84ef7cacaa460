//! `ship.toml` or `vercel.json`: what a person wrote, read into one model, each problem with its place in the file.

mod clean_urls;
mod cors;
mod crons;
mod destination;
mod diagnostic;
mod environment;
mod function_entry;
mod functions;
mod interpreter;
mod json;
mod legacy_builds;
mod legacy_routes;
mod model;
mod routes;
mod ship_toml;
mod source;
mod vercel_json;
mod warm;

pub(crate) use cors::cors_rules;
pub(crate) use crons::crons;
pub use diagnostic::ConfigError;
pub(crate) use diagnostic::ConfigText;
pub(crate) use environment::{environment, missing_secrets, variables};
pub(crate) use functions::{Allowance, FunctionRules, OwnLimits};
pub(crate) use legacy_builds::{BuildItem, Builder};
pub(crate) use model::{BuildEntry, Configuration};
pub(crate) use routes::site_routes;
pub(crate) use vercel_json::UnusedKey;

/// A file that a configuration is read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConfigFile {
    ShipToml,
    VercelJson,
    /// The older name of the same.
    NowJson,
}

impl ConfigFile {
    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::ShipToml => "ship.toml",
            Self::VercelJson => "vercel.json",
            Self::NowJson => "now.json",
        }
    }
}

/// Reads a configuration, and says which of its keys are not used.
pub(crate) fn read(text: ConfigText<'_>) -> Result<(Configuration, Vec<UnusedKey>), ConfigError> {
    match text.file {
        ConfigFile::ShipToml => ship_toml::read(text).map(|configuration| (configuration, Vec::new())),
        ConfigFile::VercelJson | ConfigFile::NowJson => vercel_json::read(text),
    }
}

#[cfg(test)]
mod tests;
