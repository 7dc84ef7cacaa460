//! Stories about real processes: each starts a runtime on a folder of its own, runs `tests/function` as its function, and
//! says what a visitor, an operator or a reader of the log sees.
#![expect(clippy::unwrap_used, reason = "in a story, a wrong assumption is a failed test")]

mod bodies;
mod confinement;
mod failures;
mod lifecycle;
mod logs;
mod requests;
mod scaling;
mod support;
mod timeouts;
