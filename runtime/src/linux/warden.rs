//! What holds the processes of an instance, whichever way it came to be.

use std::time::Duration;

use tokio::sync::watch::Receiver;

use super::cell::{CellWarden, Ending};
use super::fork::ForkWarden;

/// What holds the processes of an instance. Dropping it ends them all.
#[derive(Debug)]
pub(crate) enum Warden {
    /// It has a cell for itself.
    Cell(CellWarden),
    /// It was forked, and shares the cell of its zygote with others of the same function.
    Fork(ForkWarden),
}

impl Warden {
    /// The process id of the function.
    pub(crate) const fn id(&self) -> u32 {
        match self {
            Self::Cell(cell) => cell.id(),
            Self::Fork(fork) => fork.id(),
        }
    }

    /// Asks the function to end.
    pub(crate) fn terminate(&self) {
        match self {
            Self::Cell(cell) => cell.terminate(),
            Self::Fork(fork) => fork.terminate(),
        }
    }

    /// Ends every process of it.
    pub(crate) fn kill(&self) {
        match self {
            Self::Cell(cell) => cell.kill(),
            Self::Fork(fork) => fork.kill(),
        }
    }

    /// How long it is slow for beginning processes without pause, each time that it becomes so. `None` where nobody sees to that.
    pub(crate) fn slowed(&self) -> Option<Receiver<Duration>> {
        match self {
            Self::Cell(cell) => cell.slowed(),
            Self::Fork(fork) => Some(fork.slowed()),
        }
    }

    /// Whether a process of it was ended because there was no memory left for it.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        match self {
            Self::Cell(cell) => cell.ran_out_of_memory(),
            Self::Fork(fork) => fork.ran_out_of_memory(),
        }
    }

    /// Ends it when it uses more than so many bytes of memory, where no control group does.
    pub(crate) async fn watch_memory(&self, most: u64) {
        match self {
            Self::Cell(cell) => cell.watch_memory(most).await,
            // It is always in one.
            Self::Fork(_) => {}
        }
    }

    /// The memory that it uses, in bytes.
    pub(crate) fn memory_bytes(&self) -> Option<u64> {
        match self {
            Self::Cell(cell) => cell.memory_bytes(),
            Self::Fork(fork) => fork.memory_bytes(),
        }
    }

    /// Whether the function has begun to exit or is gone. Reads `/proc`, so it is for the path where a connection broke.
    pub(crate) fn is_exiting(&self) -> bool {
        match self {
            Self::Cell(cell) => cell.is_exiting(),
            Self::Fork(fork) => fork.is_exiting(),
        }
    }

    /// Waits until the function has ended. Nothing is lost if the future is dropped.
    pub(crate) async fn ended(&self) -> Ending {
        match self {
            Self::Cell(cell) => cell.ended().await,
            Self::Fork(fork) => fork.ended().await,
        }
    }

    /// Waits until no process of it is left.
    pub(crate) async fn gone(&self) {
        match self {
            Self::Cell(cell) => cell.gone().await,
            Self::Fork(fork) => fork.gone().await,
        }
    }
}
