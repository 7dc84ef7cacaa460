//! Answers of functions that are kept in memory for more than one visitor: prerendered pages, and those whose function asks for it.
//!
//! | module | holds |
//! |---|---|
//! | `answer` | an answer that is kept, and how a visitor gets it |
//! | `lifetime` | until when it is good |
//! | `shelf` | the answers that are kept, within a bound |
//! | `account` | what one deployment has there |
//! | `pinned` | what answers hold in memory, kept or on their way |
//! | `calls` | one call at a time for each answer |
//! | `reading` | a body, read as far as an answer may be long |

mod account;
mod answer;
mod calls;
mod lifetime;
mod pinned;
mod reading;
mod shelf;

pub(crate) use account::ShelfAccount;
pub(crate) use answer::{Answer, tell};
pub(crate) use calls::{Calls, Leader, Outcome, Part};
pub(crate) use lifetime::{Kept, Stage};
pub(crate) use pinned::Pin;
pub(crate) use reading::{Read, read};
pub(crate) use shelf::{AnswerKey, Entry, Shelf};
