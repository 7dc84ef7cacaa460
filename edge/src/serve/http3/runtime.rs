//! Where quinn's tasks run: those of a connection on the thread that answers it, counted as its visitor's work.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Instant;

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime, TokioRuntime};
use tokio_util::task::TaskTracker;

use crate::serve::shares::{Pass, Seat};

thread_local! {
    /// Whose connection begins on this thread.
    static BEGINS: RefCell<Option<Arc<Seat>>> = const { RefCell::new(None) };
}

/// Does something that begins a connection of whoever has this seat.
pub(super) fn beginning<T>(seat: Option<&Arc<Seat>>, begin: impl FnOnce() -> T) -> T {
    BEGINS.set(seat.cloned());
    let result = begin();
    BEGINS.set(None);
    result
}

/// Tokio, with an owner for each task.
pub(super) struct Tasks(pub(super) TaskTracker);

impl Runtime for Tasks {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        TokioRuntime.new_timer(at)
    }

    /// A connection's task is never made to wait for its turn: what arrives for it piles up meanwhile, without a bound. What it does is
    /// its visitor's work all the same, for which their requests wait.
    fn spawn(&self, mut task: Pin<Box<dyn Future<Output = ()> + Send>>) {
        let seat = BEGINS.with_borrow(Clone::clone);
        let pass = Pass::of(seat.as_ref());
        self.0.spawn(std::future::poll_fn(move |context| -> Poll<()> {
            pass.poll_counted(context, |context| task.as_mut().poll(context))
        }));
    }

    fn wrap_udp_socket(&self, socket: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        TokioRuntime.wrap_udp_socket(socket)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tasks(…)")
    }
}
