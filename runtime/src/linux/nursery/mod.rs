//! The nursery: a small process of one thread that makes *cells*, which are confined processes that wait for a function.
//!
//! A host has threads and much memory, so it must not fork, and no library call spawns a process into namespaces of its own.
//! The nursery has next to nothing, so it may. What takes time (namespaces, mounts, filters, the start of an interpreter) is
//! done before anybody asks; what is left of a cold start is to show the function's folder and to execute its program.
//!
//! | module | holds |
//! |---|---|
//! | `order` | what is said between host, nursery and cell |
//! | `birth` | a new process in namespaces of its own |
//! | `init` | the first process of a cell: makes it, waits, collects what ends in it |
//! | `world` | the files that can be seen in a cell |
//! | `network` | a cell's own network |
//! | `confine` | what a function's process may not do: privileges, paths, system calls |
//! | `filter` | the filter of system calls |
//! | `waiter` | the small program that waits for a function which needs no interpreter |
//!
//! A cell ends with its first process, and that one when the host goes away or says so: nothing is left behind by a host that
//! was killed.

mod birth;
mod confine;
mod filter;
mod init;
mod network;
mod order;
mod waiter;
mod world;

use std::io;
use std::os::fd::{AsFd, OwnedFd};

pub use order::Isolation;
pub(crate) use order::{
    Assignment, Boot, CellNetwork, CodeCache, Command, Document, Doorkeeper, FirstConnection, Order, Recipe, Report,
    Room,
};
pub(crate) use world::{CACHE_ROOT, FRESH_CACHE_ROOT, FUNCTION_ROOT, PRELUDES_ROOT};

/// The descriptor on which a function finds its listening socket. `SHIP_LISTEN_FD` tells it so.
pub(crate) const LISTEN_FD: i32 = 3;

/// The descriptor on which a program that was started ahead finds its first connection, if it is to inherit that.
pub(crate) const CONNECTION_FD: i32 = 6;

/// The time zone of functions whose owner asks for none: the same on every machine, as on other platforms for functions.
pub(crate) const TIME_ZONE: &str = "UTC";

use super::message;
use waiter::Waiter;

/// The name of the nursery's process. A program that is started under this name has to call [`nursery`].
pub const NURSERY_NAME: &str = "ship-nursery";

/// Leads to the very program that is running, also after its file was replaced by a newer one.
pub const OWN_PROGRAM: &str = "/proc/self/exe";

/// The descriptor on which the nursery is given its orders.
pub(super) const ORDERS_FD: i32 = 3;

/// What went wrong while a cell was made, and where.
#[derive(Debug)]
struct Trouble {
    step: String,
    source: io::Error,
}

/// Names the step that an error comes from.
trait Naming<T> {
    fn while_trying(self, step: &str) -> Result<T, Trouble>;
}

impl<T, E: Into<io::Error>> Naming<T> for Result<T, E> {
    fn while_trying(self, step: &str) -> Result<T, Trouble> {
        self.map_err(|error| Trouble { step: step.to_owned(), source: error.into() })
    }
}

impl From<Trouble> for Report {
    fn from(Trouble { step, source }: Trouble) -> Self {
        Self::Failed { step, errno: source.raw_os_error().unwrap_or(libc::EIO) }
    }
}

/// Makes cells until the host goes away. The program has to call this before it starts any thread.
pub fn nursery() {
    let _ = rustix::thread::set_name(c"ship-nursery");
    let nursery = Nursery { orders: super::spawn::inherited(ORDERS_FD), waiter: Waiter::prepare().ok() };
    // Cells that have ended need nobody to collect them: the host has handles of its own.
    super::signals::ignore_children();
    while let Ok(Some((order, descriptors))) = message::receive::<Order>(nursery.orders.as_fd()) {
        // Without the control socket there is nobody to tell.
        let _ = nursery.take(&order, descriptors);
    }
}

/// What the nursery has, and its cells until they have closed it.
struct Nursery {
    orders: OwnedFd,
    /// What waits in cells whose function needs no interpreter; without it, a copy of this process does.
    waiter: Option<Waiter>,
}

impl Nursery {
    /// Carries out one order.
    fn take(&self, order: &Order, descriptors: Vec<OwnedFd>) -> Option<()> {
        let mut descriptors = descriptors.into_iter();
        let control = descriptors.next()?;
        let (listener, stdout, stderr) = (descriptors.next()?, descriptors.next()?, descriptors.next()?);
        let connection = if order.recipe.inherits_connection() { Some(descriptors.next()?) } else { None };
        let ends = init::Ends { listener, stdout, stderr, connection };
        let groups: Vec<OwnedFd> = descriptors.collect();
        if let Err(trouble) = birth::give_birth(self, order, &control, ends, groups) {
            let _ = message::send(control.as_fd(), &Report::from(trouble), &[]);
        }
        Some(())
    }
}
