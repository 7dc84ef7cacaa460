//! How a listener is closed: at once, or by leaving it to another process that holds the same socket.

use tokio_util::sync::CancellationToken;

/// Closes listeners, in two steps that may be one. Clones are the same.
#[derive(Clone, Debug)]
pub struct Closing {
    door: CancellationToken,
    hurry: CancellationToken,
}

impl Closing {
    /// Nothing is closed yet.
    pub fn new() -> Self {
        let hurry = CancellationToken::new();
        Self { door: hurry.child_token(), hurry }
    }

    /// Lets nobody in any more. Who is inside stays for as long as their requests take, and a connection that waits for a request is
    /// answered once more, with the word that it closes: so nobody sends a request into a connection that is being closed.
    pub fn leave(&self) {
        self.door.cancel();
    }

    /// Lets nobody in any more, and gives the requests in flight the listener's drain timeout.
    pub fn stop(&self) {
        self.hurry.cancel();
    }

    /// Ready when nobody is let in any more.
    pub fn door(&self) -> &CancellationToken {
        &self.door
    }

    /// Ready when who is inside should end.
    pub fn hurry(&self) -> &CancellationToken {
        &self.hurry
    }
}

impl Default for Closing {
    fn default() -> Self {
        Self::new()
    }
}

/// A listener that is closed by a token is stopped by it.
impl From<CancellationToken> for Closing {
    fn from(stop: CancellationToken) -> Self {
        Self { door: stop.child_token(), hurry: stop }
    }
}
