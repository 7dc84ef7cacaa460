//! Stories told against the real ship binary.
