//! Crons: paths of a deployment that are to be asked at times. They are kept and shown; nothing asks yet.

/// The longest path of a cron, in bytes: what `vercel.json` accepts.
const MAX_PATH_BYTES: usize = 512;

/// The longest schedule, in bytes: what `vercel.json` accepts.
const MAX_SCHEDULE_BYTES: usize = 256;

/// The fields of a schedule: minute, hour, day of the month, month, day of the week.
const FIELDS: usize = 5;

/// A path, and when it is to be asked.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "CronFields")]
pub struct Cron {
    path: String,
    schedule: String,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct CronFields {
    path: String,
    schedule: String,
}

/// A path or a schedule that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// What is to be asked is no path of the site.
    #[error("the path `{path}` of a cron does not start with `/`, or is longer than {MAX_PATH_BYTES} bytes")]
    Path {
        /// What was written.
        path: String,
    },
    /// It is not said when.
    #[error("`{schedule}` is not a schedule of {FIELDS} fields (minute, hour, day, month, weekday), as in `0 5 * * *`")]
    Schedule {
        /// What was written.
        schedule: String,
    },
}

impl Cron {
    /// A cron of a path and a schedule in the form of crontab.
    pub fn new(path: &str, schedule: &str) -> Result<Self, CronError> {
        if !path.starts_with('/') || path.len() > MAX_PATH_BYTES || path.chars().any(char::is_control) {
            return Err(CronError::Path { path: path.chars().take(MAX_PATH_BYTES).collect() });
        }
        let is_field =
            |field: &str| field.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"*/,-#?".contains(&byte));
        let fields = schedule.split_ascii_whitespace();
        if schedule.len() > MAX_SCHEDULE_BYTES || fields.clone().count() != FIELDS || !fields.clone().all(is_field) {
            return Err(CronError::Schedule { schedule: schedule.chars().take(MAX_SCHEDULE_BYTES).collect() });
        }
        Ok(Self { path: path.to_owned(), schedule: schedule.to_owned() })
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// When it is to be asked: minute, hour, day of the month, month, day of the week.
    pub fn schedule(&self) -> &str {
        &self.schedule
    }
}

impl TryFrom<CronFields> for Cron {
    type Error = CronError;

    fn try_from(fields: CronFields) -> Result<Self, Self::Error> {
        Self::new(&fields.path, &fields.schedule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Five fields and a path; anything else says what is wrong.
    #[test]
    fn crons() {
        for schedule in ["0 5 * * *", "*/10 0-6 1,15 JAN MON#1"] {
            assert_eq!(Cron::new("/api/daily?x=1", schedule).unwrap().schedule(), schedule);
        }
        assert_eq!(Cron::new("api", "0 5 * * *"), Err(CronError::Path { path: "api".to_owned() }));
        for schedule in ["", "0 5 * *", "0 5 * * * *", "0 5 * * $(x)", "@daily"] {
            assert_eq!(Cron::new("/a", schedule), Err(CronError::Schedule { schedule: schedule.to_owned() }));
        }
    }
}
