//! Dying anywhere: each step that changes something is begun again and again, and dies, fails or loses power one file operation
//! later each time, until it gets through. After each time everything that was acknowledged is there and right. Here on a
//! disk that breaks on purpose; `tests/crashes` does the same to real processes.

mod scenario;
mod simulated;
