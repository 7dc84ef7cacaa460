//! Schedules in the form of crontab: five fields, read strictly, because somebody acts on them.

use std::fmt;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

/// The longest schedule, in bytes: that of a cron in `vercel.json`.
const MAX_BYTES: usize = 256;

/// How many days are searched for a time. The 29th of February comes once in eight years at the worst.
const MOST_DAYS: usize = 8 * 366;

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

/// Times that come again: minute, hour, day of the month, month, day of the week. Where both days are restricted, either will
/// do, as everywhere since Vixie's cron.
///
/// A time that a clock skips in spring comes when the clock has moved; one that it shows twice in autumn comes once, the first
/// time.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Schedule {
    text: String,
    minutes: Choice,
    hours: Choice,
    days: Choice,
    months: Choice,
    weekdays: Choice,
}

/// The values of a field that are meant: a bit each. No field has more than 60.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Choice {
    bits: u64,
    /// Whether the field begins with `*`: it restricts nothing then.
    is_open: bool,
}

/// What a field of a schedule may hold.
struct Field {
    what: &'static str,
    least: u8,
    most: u8,
    names: &'static [&'static str],
}

const MINUTE: Field = Field { what: "minute", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { what: "hour", least: 0, most: 23, names: &[] };
const DAY: Field = Field { what: "day", least: 1, most: 31, names: &[] };
const MONTH: Field = Field { what: "month", least: 1, most: 12, names: &MONTHS };
/// Sunday is 0 and 7.
const WEEKDAY: Field = Field { what: "weekday", least: 0, most: 7, names: &WEEKDAYS };

/// The text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// It does not have five fields.
    #[error("`{schedule}` is not a schedule of 5 fields (minute, hour, day, month, weekday), as in `0 5 * * *`")]
    Fields {
        /// What was written.
        schedule: String,
    },
    /// A field says nothing that it could.
    #[error("`{found}` is no {what} of a schedule: {least} to {most}, lists, ranges and steps of them, or `*`")]
    Field {
        /// What was written.
        found: String,
        /// Which field.
        what: &'static str,
        /// The least value it may have.
        least: u8,
        /// The largest.
        most: u8,
    },
    /// No day is ever meant, as by the 31st of February.
    #[error("`{schedule}` is never: no year has such a day")]
    Never {
        /// What was written.
        schedule: String,
    },
}

impl Schedule {
    /// Reads a schedule.
    pub fn new(text: &str) -> Result<Self, ScheduleError> {
        let wrong = || ScheduleError::Fields { schedule: text.chars().take(MAX_BYTES).collect() };
        if text.len() > MAX_BYTES {
            return Err(wrong());
        }
        let fields: Vec<&str> = text.split_ascii_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else { return Err(wrong()) };
        let mut weekdays = WEEKDAY.choice(weekdays)?;
        weekdays.bits |= weekdays.bits >> 7 & 1;
        let schedule = Self {
            text: fields.join(" "),
            minutes: MINUTE.choice(minutes)?,
            hours: HOUR.choice(hours)?,
            days: DAY.choice(days)?,
            months: MONTH.choice(months)?,
            weekdays,
        };
        if schedule.is_never() {
            return Err(ScheduleError::Never { schedule: schedule.text });
        }
        Ok(schedule)
    }

    /// The schedule as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The last time at or before `now`, by the clocks of `zone`.
    pub fn last(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        // A zone's clock can be moved across midnight, so the next day is looked at too.
        let mut days = (0..MOST_DAYS).scan(day_of(now, zone).tomorrow().ok()?, |day, _| step(day, Date::yesterday));
        days.find_map(|day| self.times(day, zone).filter(|time| *time <= now).max())
    }

    /// The first time after `now`, by the clocks of `zone`.
    pub fn next(&self, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let mut days = (0..MOST_DAYS).scan(day_of(now, zone).yesterday().ok()?, |day, _| step(day, Date::tomorrow));
        days.find_map(|day| self.times(day, zone).filter(|time| *time > now).min())
    }

    /// The times of a day.
    fn times<'a>(&'a self, day: Date, zone: &'a TimeZone) -> impl Iterator<Item = Timestamp> + 'a {
        let hours = (0..24).filter(move |hour| self.is_on(day) && self.hours.has(*hour));
        let times = hours.flat_map(|hour| (0..60).filter(|minute| self.minutes.has(*minute)).map(move |m| (hour, m)));
        times.filter_map(move |(hour, minute)| {
            let time: DateTime = day.at(hour, minute, 0, 0);
            zone.to_ambiguous_timestamp(time).compatible().ok()
        })
    }

    fn is_on(&self, day: Date) -> bool {
        if !self.months.has(day.month()) {
            return false;
        }
        let (is_day, is_weekday) = (self.days.has(day.day()), self.weekdays.has(day.weekday().to_sunday_zero_offset()));
        if self.days.is_open || self.weekdays.is_open { is_day && is_weekday } else { is_day || is_weekday }
    }

    /// Whether no day of any month that is meant exists. A leap year has all days that there are.
    fn is_never(&self) -> bool {
        let first = jiff::civil::date(2024, 1, 1);
        self.weekdays.is_open && !first.series(1.day()).take(366).any(|day| self.is_on(day))
    }
}

fn day_of(now: Timestamp, zone: &TimeZone) -> Date {
    zone.to_datetime(now).date()
}

/// Gives a day, and goes on to the next one.
fn step(day: &mut Date, next: fn(Date) -> Result<Date, jiff::Error>) -> Option<Date> {
    let this = *day;
    *day = next(this).ok()?;
    Some(this)
}

impl Choice {
    const fn has(self, value: i8) -> bool {
        value >= 0 && self.bits >> value & 1 == 1
    }
}

impl Field {
    /// The values that a field means: a list of values, ranges and steps.
    fn choice(&self, text: &str) -> Result<Choice, ScheduleError> {
        let wrong =
            || ScheduleError::Field { found: text.to_owned(), what: self.what, least: self.least, most: self.most };
        let bits = text.split(',').try_fold(0, |bits, part| Some(bits | self.part(part)?)).ok_or_else(wrong)?;
        Ok(Choice { bits, is_open: text.starts_with(['*', '?']) })
    }

    /// `*`, `5`, `1-5`, `*/10`, `10-20/2`, `10/5`, and names for numbers.
    fn part(&self, text: &str) -> Option<u64> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(number(step).filter(|step| *step > 0)?)),
            None => (text, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            // The day that has two numbers is not meant twice.
            None if range == "*" || range == "?" => (self.least, self.most.min(if self.most == 7 { 6 } else { 59 })),
            None => {
                let first = self.value(range)?;
                (first, if step.is_some() { self.most } else { first })
            }
        };
        if first > last {
            return None;
        }
        Some((first..=last).step_by(usize::from(step.unwrap_or(1))).fold(0, |bits, value| bits | 1 << value))
    }

    fn value(&self, text: &str) -> Option<u8> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(at) => u8::try_from(at).ok()? + self.least,
            None => number(text)?,
        };
        (self.least..=self.most).contains(&value).then_some(value)
    }
}

/// A number without a sign.
fn number(text: &str) -> Option<u8> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

impl TryFrom<String> for Schedule {
    type Error = ScheduleError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(&text)
    }
}

impl From<Schedule> for String {
    fn from(schedule: Schedule) -> Self {
        schedule.text
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
    }

    fn around(schedule: &str, now: &str, zone_name: &str) -> (String, String) {
        let (schedule, zone) = (Schedule::new(schedule).unwrap(), zone(zone_name));
        let now: Timestamp = now.parse().unwrap();
        let shown = |time: Option<Timestamp>| time.map_or_else(|| "never".to_owned(), |time| time.to_string());
        (shown(schedule.last(now, &zone)), shown(schedule.next(now, &zone)))
    }

    /// The times on both sides of a moment, for every form that a field has.
    #[test]
    fn times() {
        // A Thursday.
        let now = "2026-01-15T12:30:00Z";
        for (schedule, last, next) in [
            ("30 12 * * *", "2026-01-15T12:30:00Z", "2026-01-16T12:30:00Z"),
            ("*/20 * * * *", "2026-01-15T12:20:00Z", "2026-01-15T12:40:00Z"),
            ("5/25 9-17/4 * * *", "2026-01-15T09:55:00Z", "2026-01-15T13:05:00Z"),
            ("0 8,18 * * mon-FRI", "2026-01-15T08:00:00Z", "2026-01-15T18:00:00Z"),
            ("0 0 * * 7", "2026-01-11T00:00:00Z", "2026-01-18T00:00:00Z"),
            ("0 0 1 JAN,jul *", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"),
            ("0 0 13 * 5", "2026-01-13T00:00:00Z", "2026-01-16T00:00:00Z"),
            ("0 0 ? * 1", "2026-01-12T00:00:00Z", "2026-01-19T00:00:00Z"),
            ("0 0 29 2 *", "2024-02-29T00:00:00Z", "2028-02-29T00:00:00Z"),
        ] {
            assert_eq!(around(schedule, now, "UTC"), (last.to_owned(), next.to_owned()), "{schedule}");
        }
    }

    /// Clocks are those of the zone: an hour that spring skips comes when the clock has moved, one that autumn shows twice
    /// comes once.
    #[test]
    fn moved_clocks() {
        let at = |now| around("30 2 * * *", now, "Europe/Zurich");
        let shown = |last: &str, next: &str| (last.to_owned(), next.to_owned());
        assert_eq!(at("2026-03-29T01:00:00Z"), shown("2026-03-28T01:30:00Z", "2026-03-29T01:30:00Z"));
        assert_eq!(at("2026-10-25T00:45:00Z"), shown("2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"));
        assert_eq!(around("0 0 * * *", "2026-01-15T10:30:00Z", "Pacific/Kiritimati").0, "2026-01-15T10:00:00Z");
    }

    /// What is no schedule says which field is wrong, and what could stand there.
    #[test]
    fn no_schedules() {
        let message = |text: &str| Schedule::new(text).unwrap_err().to_string();
        for text in ["", "0 5 * *", "0 5 * * * *", "@daily"] {
            assert!(message(text).contains("is not a schedule of 5 fields"), "{text}");
        }
        for (text, what) in [
            ("60 * * * *", "`60` is no minute of a schedule: 0 to 59"),
            ("0 24 * * *", "`24` is no hour"),
            ("0 0 0 * *", "`0` is no day"),
            ("0 0 * 13 *", "`13` is no month"),
            ("0 0 * FEBR *", "`FEBR` is no month"),
            ("0 0 * * 8", "`8` is no weekday"),
            ("0 0 * * MON#1", "`MON#1` is no weekday"),
            ("*/0 * * * *", "`*/0` is no minute"),
            ("9-5 * * * *", "`9-5` is no minute"),
            ("+5 * * * *", "`+5` is no minute"),
            ("5, * * * *", "`5,` is no minute"),
            ("0 0 31 2 *", "`0 0 31 2 *` is never"),
        ] {
            assert!(message(text).starts_with(what), "{text}: {}", message(text));
        }
    }
}
