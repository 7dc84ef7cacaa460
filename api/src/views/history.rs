//! What was counted over time.

use jiff::Timestamp;
use utoipa::ToSchema;

/// How far back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub enum HistoryRange {
    /// The last hour.
    #[default]
    Hour,
    /// The last day.
    Day,
    /// The last thirty days.
    Month,
}

impl HistoryRange {
    /// All of them, the shortest first.
    pub const ALL: [Self; 3] = [Self::Hour, Self::Day, Self::Month];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

/// A word is no range.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{found}` is no range: expected `hour`, `day` or `month`")]
pub struct ParseHistoryRangeError {
    /// The word.
    found: String,
}

impl TryFrom<String> for HistoryRange {
    type Error = ParseHistoryRangeError;

    fn try_from(found: String) -> Result<Self, ParseHistoryRangeError> {
        Self::ALL.into_iter().find(|range| range.as_str() == found).ok_or(ParseHistoryRangeError { found })
    }
}

/// What was counted over time.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct HistoryView {
    /// How far back.
    #[schema(value_type = String, example = "hour")]
    pub range: HistoryRange,
    /// How long the time of a point is, in seconds.
    pub step_secs: i64,
    /// When the first point may begin.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Now, by the host's clock.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// The points, oldest first. Where the host did not run there is none.
    pub points: Vec<HistoryPoint>,
}

/// What was counted in a piece of time.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct HistoryPoint {
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Requests that were answered.
    pub requests: u64,
    /// Those of them with a status from 400 to 499.
    pub refused: u64,
    /// Those of them with a status from 500 on.
    pub failed: u64,
    /// How long half of the answers took at the most, in microseconds; nothing where there were none. All three are known to a part of the
    /// bucket of `ship_request_duration_seconds` that they are in.
    pub p50_micros: Option<u64>,
    /// The same of 95 of 100.
    pub p95_micros: Option<u64>,
    /// The same of 99 of 100.
    pub p99_micros: Option<u64>,
    /// Calls that waited for a start.
    pub cold_starts: u64,
    /// The most instances that there were.
    pub instances: u64,
    /// The most memory that was in use: by a project's instances, or by all and the host itself. In bytes.
    pub memory_bytes: u64,
    /// What all blobs take, in bytes; 0 of a project.
    pub storage_bytes: u64,
}
