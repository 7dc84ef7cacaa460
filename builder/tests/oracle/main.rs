//! What other programs make of the same configuration: `path-to-regexp` 6.1.0 and `@vercel/routing-utils`, as npm has them, are
//! asked about thousands of generated patterns, paths and configurations. Needs Node 20 and npm; without them these tests fail,
//! because without them nothing is known.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends where it stands")]

mod generate;
mod npm;
mod sources;
mod tables;
