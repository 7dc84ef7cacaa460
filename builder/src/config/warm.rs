//! `warm` of `[functions."glob"]`: when how many instances are kept.

use ship_core::{Schedule, TimeZoneName, WarmSchedule};

use super::diagnostic::{ConfigError, ConfigText};
use super::functions::in_range;
use super::model::{FunctionEntry, WarmEntry};

/// The schedules that are written.
pub(super) fn schedules(text: ConfigText<'_>, written: &[WarmEntry]) -> Result<Vec<WarmSchedule>, ConfigError> {
    if let Some(entry) = written.get(WarmSchedule::MOST) {
        let message = format!("`warm` has {} schedules; a function may have {}", written.len(), WarmSchedule::MOST);
        return Err(text.error(entry.cron.span(), message));
    }
    written.iter().map(|entry| schedule(text, entry)).collect()
}

fn schedule(text: ConfigText<'_>, entry: &WarmEntry) -> Result<WarmSchedule, ConfigError> {
    let cron = Schedule::new(entry.cron.get_ref()).map_err(|error| text.error(entry.cron.span(), error.to_string()))?;
    in_range(text, "min_instances", &entry.min_instances, 0, 1_000)?;
    let min_instances = u32::try_from(*entry.min_instances.get_ref()).unwrap_or_default();
    let zone = entry.time_zone.as_ref().map(|written| {
        TimeZoneName::new(written.get_ref()).map_err(|error| {
            let names = TimeZoneName::known().collect::<Vec<_>>();
            let names = names.iter().map(String::as_str).collect::<Vec<_>>();
            text.unknown_value(written.span(), "time zone", &error.found, &names)
        })
    });
    Ok(WarmSchedule { cron, min_instances, time_zone: zone.transpose()?.unwrap_or_default() })
}

/// No schedule of the function `name` may want more instances than it may have.
pub(super) fn check_most(
    text: ConfigText<'_>,
    name: &str,
    entry: &FunctionEntry,
    max_instances: u32,
) -> Result<(), ConfigError> {
    let is_above = |entry: &&WarmEntry| *entry.min_instances.get_ref() > i64::from(max_instances);
    match entry.warm.iter().flatten().find(is_above) {
        None => Ok(()),
        Some(WarmEntry { min_instances, .. }) => {
            let min = min_instances.get_ref();
            let message =
                format!("`{name}` would be warm with min_instances {min} above max_instances {max_instances}");
            Err(text.error(min_instances.span(), message))
        }
    }
}
