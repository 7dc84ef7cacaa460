//! What a platform says of a job.

use serde_json::{Map, Value};

use super::issuer::Platform;

/// What stands in an identity, by the platform's own words.
#[derive(Clone, PartialEq, Debug, Default, serde::Deserialize)]
#[serde(transparent)]
pub struct JobClaims {
    claims: Map<String, Value>,
}

impl JobClaims {
    /// What is said under a word, if it is text.
    pub fn text(&self, word: &str) -> Option<&str> {
        self.claims.get(word)?.as_str()
    }

    /// What is said under a word, if it is a whole number of at most 53 bits, as times are.
    pub fn seconds(&self, word: &str) -> Option<i64> {
        let value = self.claims.get(word)?;
        value.as_i64().filter(|seconds| seconds.unsigned_abs() < 1 << 53)
    }

    /// Whether the identity is for `audience` and for nobody else, who could use it as well.
    pub fn is_only_for(&self, audience: &str) -> bool {
        match self.claims.get("aud") {
            Some(Value::String(only)) => only == audience,
            Some(Value::Array(all)) => matches!(&all[..], [Value::String(only)] if only == audience),
            _ => false,
        }
    }

    /// Whose job it is.
    pub fn subject(&self) -> Option<&str> {
        self.text("sub")
    }

    /// Where its code is kept.
    pub fn repository(&self, platform: Platform) -> Option<&str> {
        match platform {
            Platform::GitHub => self.text("repository"),
            Platform::GitLab => self.text("project_path"),
            Platform::Other => None,
        }
    }

    /// Which run of the repository's jobs it belongs to.
    pub fn run(&self, platform: Platform) -> Option<&str> {
        match platform {
            Platform::GitHub => self.text("run_id"),
            Platform::GitLab => self.text("pipeline_id"),
            Platform::Other => None,
        }
    }

    /// The branch whose own job it is. One that a pull request or a merge request has started belongs to none: what is asked to be
    /// merged is not yet what the branch holds.
    pub(super) fn branch(&self, platform: Platform) -> Option<&str> {
        let (reference, of_request) = match platform {
            // `pull_request_target` gives the base branch as its `ref`.
            Platform::GitHub => (self.text("ref")?, self.text("event_name")?.starts_with("pull_request")),
            // `ref` is the bare name also for merge requests, which `ref_path` tells apart.
            Platform::GitLab => (self.text("ref_path")?, self.text("pipeline_source") == Some("merge_request_event")),
            Platform::Other => return None,
        };
        reference.strip_prefix("refs/heads/").filter(|_| !of_request)
    }

    /// The environment that it deploys to, whose rules the platform has seen to.
    pub(super) fn environment(&self, platform: Platform) -> Option<&str> {
        match platform {
            Platform::GitHub | Platform::GitLab => self.text("environment"),
            Platform::Other => None,
        }
    }
}
