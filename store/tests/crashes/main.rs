//! A real process that dies, or whose system calls fail, at each of them in turn. In a program of its own: while a process is
//! started it holds for a moment what its parent has open, the locks of other tests' data directories included.
#![expect(clippy::unwrap_used, reason = "a story that cannot go on ends where it stands")]

use ship_store::*;

#[path = "../../src/crash_tests/scenario.rs"]
mod scenario;
#[path = "../../src/testing.rs"]
#[expect(dead_code, reason = "what else it offers is used by the tests inside the crate")]
mod testing;
mod traced;
