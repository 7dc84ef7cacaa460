//! What functions print: read as it comes, cut into lines, bounded in rate and length, and handed on as log records.

mod capture;
mod lines;
mod rate;
mod requests;
mod tail;

pub(crate) use capture::{Capture, Pipes};
pub(crate) use requests::ActiveRequests;
pub(crate) use tail::Tail;
