//! What is known of one request's stream beside what h3 knows.

use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use h3::error::Code;
use quinn::VarInt;

/// Ready when the visitor wants no more of an answer, or has all of it, or the connection is gone.
type Left = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is known of one request's stream beside what h3 knows.
pub(super) struct StreamWatch {
    id: u64,
    ending: AtomicU8,
    left: Mutex<Option<Left>>,
}

/// Why a stream would end now, before anybody has finished it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Ending {
    /// Its head is not complete.
    Incomplete,
    /// It is refused, and nothing was done for it.
    Rejected,
    /// Its answer broke off.
    Broken,
}

impl StreamWatch {
    /// Watches a stream whose request is to be read.
    pub(super) fn new(stream: &quinn::SendStream) -> Self {
        let stopped = stream.stopped();
        let left: Left = Box::pin(async move {
            // However it ended: nothing is sent on it any more.
            let _ = stopped.await;
        });
        let id = VarInt::from(stream.id()).into_inner();
        Self { id, ending: AtomicU8::new(Ending::Incomplete as u8), left: Mutex::new(Some(left)) }
    }

    /// The number of the stream.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Says what the visitor is told if the stream is dropped from here on.
    pub(super) fn ends_as(&self, ending: Ending) {
        self.ending.store(ending as u8, Relaxed);
    }

    pub(super) fn ending(&self) -> Ending {
        match self.ending.load(Relaxed) {
            0 => Ending::Incomplete,
            1 => Ending::Rejected,
            _ => Ending::Broken,
        }
    }

    /// Ready when the visitor wants no more of an answer, or has all of it, or the connection is gone. To be asked for once.
    pub(super) async fn left(&self) {
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner).take();
        match left {
            Some(left) => left.await,
            None => std::future::pending().await,
        }
    }
}

impl Ending {
    /// What the visitor is told (RFC 9114, section 8.1).
    pub(super) fn code(self) -> Code {
        match self {
            Self::Incomplete => Code::H3_REQUEST_INCOMPLETE,
            Self::Rejected => Code::H3_REQUEST_REJECTED,
            Self::Broken => Code::H3_INTERNAL_ERROR,
        }
    }
}
