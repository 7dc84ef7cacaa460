//! A thread for what a function can hold up.
//!
//! A function's sockets and its memory are its own while the host looks at them: between the order that a call shall not wait and the
//! call itself, another thread of the function takes the order back. So nobody who has anything else to do makes such calls.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use tokio::sync::oneshot;

/// How much stack the thread has, in bytes. It makes calls of the kernel and little else.
const STACK_BYTES: usize = 256 * 1024;

type Work = Box<dyn FnOnce() + Send>;

/// A thread of one cell, which there is from the first work on. A cell that holds it up waits for itself. It ends when this is dropped, or as soon as
/// the end of the cell has let it go.
#[derive(Debug, Default)]
pub(super) struct Aside {
    work: Mutex<Option<Sender<Work>>>,
}

impl Aside {
    /// Has the thread do something, behind what it was given before.
    pub(super) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        let (done, is_done) = oneshot::channel();
        let sender = self.sender()?;
        let work: Work = Box::new(move || {
            // Whoever wanted it may be gone.
            let _ = done.send(work());
        });
        sender.send(work).map_err(|_| io::ErrorKind::BrokenPipe)?;
        is_done.await.map_err(io::Error::other)
    }

    fn sender(&self) -> io::Result<Sender<Work>> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = &*work {
            return Ok(sender.clone());
        }
        let (sender, receiver) = channel();
        thread::Builder::new()
            .name("connecting".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || do_all(&receiver))?;
        Ok(work.insert(sender).clone())
    }
}

fn do_all(work: &Receiver<Work>) {
    while let Ok(next) = work.recv() {
        next();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// What is held up holds up what comes behind it on the same thread, and nobody who waits for neither.
    #[tokio::test]
    async fn held_up() {
        let (let_go, is_let_go) = mpsc::channel::<()>();
        let (one, other) = (Aside::default(), Aside::default());
        let held = one.run(move || is_let_go.recv());
        let behind = one.run(|| 2);
        let meanwhile = async {
            let elsewhere = other.run(|| 1).await.unwrap();
            drop(let_go);
            elsewhere
        };
        let (held, behind, elsewhere) = tokio::join!(held, behind, meanwhile);
        assert!(held.unwrap().is_err());
        assert_eq!((elsewhere, behind.unwrap()), (1, 2));
    }
}
