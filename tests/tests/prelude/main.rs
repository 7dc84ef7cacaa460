//! Processes that were prepared before it was known which function they run: what they become is what a fresh start would have been.

#![expect(clippy::unwrap_used, reason = "a story that cannot go on ends where it stands")]

mod node;
mod process;
mod python;
mod zygote;
