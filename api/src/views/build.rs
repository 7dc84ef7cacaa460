//! How a deployment came to be.

use ship_core::{AuthorName, BuildLog, CommitSubject};
use utoipa::ToSchema;

/// How a deployment came to be, as far as whoever published it has said.
#[derive(Clone, PartialEq, Eq, Debug, Default, serde::Serialize, serde::Deserialize, ToSchema)]
#[serde(default)]
pub struct BuildView {
    /// Who wrote the commit that it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub author: Option<AuthorName>,
    /// The first line of the message of that commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub subject: Option<CommitSubject>,
    /// What the build said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<BuildLogView>,
}

/// What a build said: the last 256 KiB of it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize, ToSchema)]
pub struct BuildLogView {
    /// Its lines.
    pub text: String,
    /// How many bytes before them are left out.
    #[serde(default)]
    pub left_out_bytes: u64,
}

impl From<&BuildLog> for BuildLogView {
    fn from(log: &BuildLog) -> Self {
        Self { text: log.text().to_owned(), left_out_bytes: log.left_out_bytes() }
    }
}

impl From<BuildLogView> for BuildLog {
    fn from(view: BuildLogView) -> Self {
        Self::new(view.text, view.left_out_bytes)
    }
}
