//! Upgrades: a host hands its sockets and its data directory over to a new process, and finishes what it has.
//!
//! | module | holds |
//! |---|---|
//! | `talk` | what the two processes say to each other |
//! | `changes` | what may change the state, held while it changes hands |
//! | `conductor` | the side of the host that serves: one upgrade after the other, until one succeeds |
//! | `successor` | the new process, as the host that starts it sees it |
//! | `predecessor` | the host before, as the new process sees it |
//! | `warming` | functions that are awake there are awake here before visitors come |

mod changes;
mod conductor;
mod predecessor;
mod successor;
mod talk;
mod warming;

pub(crate) use self::changes::{Changes, UnderWay};
pub(crate) use self::conductor::{Conductor, Estate, QuicCopy, SocketCopies};
pub use self::conductor::{UpgradeError, Upgraded, Upgrader};
pub use self::predecessor::Predecessor;
pub(crate) use self::predecessor::{Inheritance, InheritedQuic};
pub(crate) use self::successor::Successor;
pub use self::successor::{AfterHandover, OnHandover, SuccessorCommand};
pub use self::talk::Refusal;
pub(crate) use self::warming::warm;
