//! The reader of `ship.toml`.

use super::diagnostic::{ConfigError, ConfigText};
use super::model::Configuration;

/// Reads the file's text.
pub(super) fn read(text: ConfigText<'_>) -> Result<Configuration, ConfigError> {
    toml::from_str(text.text).map_err(|error| text.toml_error(&error))
}
