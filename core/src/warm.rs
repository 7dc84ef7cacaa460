//! When how many instances of a function are kept although nobody asks.

use jiff::Timestamp;
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::schedule::Schedule;

/// From the times of a schedule on, so many instances are kept: until the next time of any schedule of the same function.
///
/// That is how capacity is scheduled elsewhere (AWS calls it a scheduled action): two entries make a working day, `0 8 * * 1-5`
/// with two instances and `0 18 * * 1-5` with none.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmSchedule {
    /// When it begins.
    pub cron: Schedule,
    /// How many instances are kept from then on.
    pub min_instances: u32,
    /// Whose clocks are meant.
    #[serde(default, skip_serializing_if = "TimeZoneName::is_utc")]
    pub time_zone: TimeZoneName,
}

/// The name of a time zone in the IANA database, as in `Europe/Zurich`.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeZoneName(String);

/// The database has no time zone of this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not the name of a time zone, as in `Europe/Zurich` or `UTC`")]
pub struct UnknownTimeZone {
    /// What was written.
    pub found: String,
}

impl WarmSchedule {
    /// How many a function may have: more than a day of hours is no plan that a person reads.
    pub const MOST: usize = 24;

    /// The last time at or before `now` at which it began.
    pub fn last(&self, now: Timestamp) -> Option<Timestamp> {
        self.cron.last(now, &self.time_zone.zone())
    }

    /// The first time after `now` at which it begins.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        self.cron.next(now, &self.time_zone.zone())
    }

    /// How many instances the schedules of a function keep at `now`. `None` where none of them has ever begun. Of two that began at
    /// the same time the one that stands later counts.
    pub fn kept_at(schedules: &[Self], now: Timestamp) -> Option<u32> {
        let begun = schedules.iter().filter_map(|schedule| Some((schedule.last(now)?, schedule.min_instances)));
        begun.max_by_key(|(since, _)| *since).map(|(_, kept)| kept)
    }
}

impl TimeZoneName {
    /// A name of the database, in its own spelling. The database comes with ship, so that names mean the same where a site is
    /// built and where it runs.
    pub fn new(name: &str) -> Result<Self, UnknownTimeZone> {
        let unknown = || UnknownTimeZone { found: name.chars().take(64).collect() };
        let zone = TimeZoneDatabase::bundled().get(name).map_err(|_| unknown())?;
        zone.iana_name().map(|name| Self(name.to_owned())).ok_or_else(unknown)
    }

    /// The names that there are.
    pub fn known() -> impl Iterator<Item = String> {
        TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect::<Vec<_>>().into_iter()
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_utc(&self) -> bool {
        self.0 == "UTC"
    }

    fn zone(&self) -> TimeZone {
        TimeZoneDatabase::bundled().get(&self.0).unwrap_or(TimeZone::UTC)
    }
}

impl Default for TimeZoneName {
    fn default() -> Self {
        Self("UTC".to_owned())
    }
}

impl TryFrom<String> for TimeZoneName {
    type Error = UnknownTimeZone;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<TimeZoneName> for String {
    fn from(name: TimeZoneName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(cron: &str, min_instances: u32, zone: &str) -> WarmSchedule {
        let (cron, time_zone) = (Schedule::new(cron).unwrap(), TimeZoneName::new(zone).unwrap());
        WarmSchedule { cron, min_instances, time_zone }
    }

    /// A working day in Zurich: two instances from eight to six, none in the night and at weekends; the clock is Zurich's in
    /// winter and in summer.
    #[test]
    fn working_day() {
        let day = [schedule("0 8 * * MON-FRI", 2, "Europe/Zurich"), schedule("0 18 * * *", 0, "Europe/Zurich")];
        let kept = |now: &str| WarmSchedule::kept_at(&day, now.parse().unwrap());
        for (now, expected) in [
            ("2026-01-15T06:59:59Z", 0),
            ("2026-01-15T07:00:00Z", 2),
            ("2026-01-15T16:59:59Z", 2),
            ("2026-01-15T17:00:00Z", 0),
            ("2026-01-17T10:00:00Z", 0),
            ("2026-07-15T05:59:59Z", 0),
            ("2026-07-15T06:00:00Z", 2),
        ] {
            assert_eq!(kept(now), Some(expected), "{now}");
        }
        assert_eq!(WarmSchedule::kept_at(&[], Timestamp::UNIX_EPOCH), None);
        let same_time = [schedule("0 8 * * *", 1, "UTC"), schedule("0 8 * * *", 3, "UTC")];
        assert_eq!(WarmSchedule::kept_at(&same_time, "2026-01-15T09:00:00Z".parse().unwrap()), Some(3));
    }

    /// Names are those of the database, in its spelling; UTC is left out.
    #[test]
    fn time_zones() {
        assert_eq!(TimeZoneName::new("europe/zurich").unwrap().as_str(), "Europe/Zurich");
        assert_eq!(TimeZoneName::new("Europe/Zuerich").unwrap_err().found, "Europe/Zuerich");
        let text = r#"{"cron":"0 8 * * *","min_instances":1}"#;
        let read: WarmSchedule = serde_json::from_str(text).unwrap();
        assert_eq!(read, schedule("0  8 * * *", 1, "UTC"));
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }
}
