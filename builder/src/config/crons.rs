//! `crons`: paths that are to be asked at times.

use ship_core::Cron;
use toml::Spanned;

use super::diagnostic::{ConfigError, ConfigText};
use super::model::Configuration;

/// The crons of a file.
pub(crate) fn crons(text: ConfigText<'_>, file: &Configuration) -> Result<Vec<Cron>, ConfigError> {
    let wrong = |written: &Spanned<String>, error: ship_core::CronError| {
        text.error(written.span(), error.to_string()).coded("invalid_cron")
    };
    let cron = |entry: &super::model::CronEntry| {
        Cron::new(entry.path.get_ref(), entry.schedule.get_ref()).map_err(|error| match error {
            ship_core::CronError::Path { .. } => wrong(&entry.path, error),
            ship_core::CronError::Schedule { .. } => wrong(&entry.schedule, error),
        })
    };
    file.crons.iter().map(cron).collect()
}
