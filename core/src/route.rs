//! Routes: the model of the Build Output API v3, and the one function that decides what answers a request.
//!
//! The host and the dev server both call [`resolve()`], so what works in development works in production.

mod condition;
mod effort;
mod pattern;
mod pause;
mod query;
mod resolve;
mod source;
mod substitution;
mod table;

pub use condition::{Comparison, Condition, ConditionSubject, ConditionValue, Scalar};
pub use pattern::{CaseRule, Pattern, PatternError};
pub use pause::{Heading, Pause};
pub use resolve::{Outcome, Resolution, RouteRequest, resolve, resume};
pub use source::{DestinationError, SourceError, SourcePattern};
pub(crate) use table::is_header;
pub use table::{Phase, Route, RouteTable, RouteTableError};
