//! Lines that say that something goes on, where there is no terminal to show it on.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::Output;

/// Says every now and then what is under way, until it is dropped.
#[derive(Debug)]
pub(super) struct Heartbeat {
    what: Arc<Mutex<String>>,
    /// Dropped to end the thread.
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Heartbeat {
    /// Begins to say `what` on a thread of its own, since what is under way may not give its own back.
    pub(super) fn start(output: Output, what: String, every: Duration) -> Self {
        let what = Arc::new(Mutex::new(what));
        let (stop, stopped) = mpsc::channel::<()>();
        let told = Arc::clone(&what);
        let beat = move || {
            let began = Instant::now();
            while stopped.recv_timeout(every) == Err(RecvTimeoutError::Timeout) {
                let what = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
                output.status(format_args!("{what}: {} s so far", began.elapsed().as_secs()));
            }
        };
        // Without a thread it is only silent.
        let thread = std::thread::Builder::new().name("heartbeat".to_owned()).spawn(beat).ok();
        Self { what, stop: Some(stop), thread }
    }

    /// Says something else from now on.
    pub(super) fn message(&self, what: String) {
        *self.what.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// What it says.
    #[cfg(test)]
    pub(super) fn told(&self) -> String {
        self.what.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        drop(self.stop.take());
        // It only waits for the word that it has just been given.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
