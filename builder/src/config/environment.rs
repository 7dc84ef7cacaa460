//! `env` of `vercel.json`: variables with their values, which functions find set.

use std::collections::BTreeMap;

use ship_core::{DeploymentEnvironment, EnvironmentError};
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};
use super::model::Configuration;

/// How a value begins that names a secret of Vercel's instead of being one.
const SECRET: char = '@';

/// The variables that have a value, each once.
pub(crate) fn variables(
    written: &BTreeMap<Spanned<String>, Spanned<String>>,
) -> impl IntoIterator<Item = (String, String)> {
    let has_value = written.iter().filter(|(_, value)| !value.get_ref().starts_with(SECRET));
    has_value.map(|(name, value)| (name.get_ref().clone(), value.get_ref().clone()))
}

/// The variables whose values are elsewhere, with their lines, counted from 1.
pub(crate) fn missing_secrets(text: ConfigText<'_>, file: &Configuration) -> Vec<(String, usize)> {
    let secrets = file.env.iter().chain(&file.build.env).filter(|(_, value)| value.get_ref().starts_with(SECRET));
    secrets.map(|(name, value)| (name.get_ref().clone(), text.line(value.span().start))).collect()
}

/// What functions find set.
pub(crate) fn environment(text: ConfigText<'_>, file: &Configuration) -> Result<DeploymentEnvironment, ConfigError> {
    let all: BTreeMap<String, String> = variables(&file.env).into_iter().collect();
    all.try_into().map_err(|error: EnvironmentError| {
        let place = file.env.keys().find(|name| error.name() == Some(name.get_ref())).map_or(0..0, Spanned::span);
        text.error(place, error.to_string()).coded("invalid_env")
    })
}
