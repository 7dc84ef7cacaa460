//! A decision that waits for a middleware.

use super::effort::Effort;
use super::query::Query;
use crate::path::FunctionName;

/// A walk that waits for a middleware.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pause {
    /// The route that is tried next.
    pub(super) next: usize,
    pub(super) path: String,
    pub(super) query: Query,
    pub(super) headers: Vec<(String, String)>,
    pub(super) status: Option<u16>,
    /// What is left of the work that may be done for the request.
    pub(super) effort: Effort,
    /// The middleware that were asked. None is asked twice about one request.
    pub(super) asked: Vec<FunctionName>,
}

impl Pause {
    /// The headers that routes have asked for up to here.
    pub fn into_headers(self) -> Vec<(String, String)> {
        self.headers
    }
}

/// Where a request goes on after a middleware.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heading {
    /// Where it was going.
    AsBefore,
    /// At the path and query that it has now.
    Rewritten,
}
