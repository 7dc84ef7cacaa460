//! A connection to a function that has left HTTP.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::linux::stream::FunctionSocket;
use crate::pool::Lease;

/// The stream of the protocol that a 101 has switched to. The request lasts as long as it.
pub struct Upgraded {
    stream: FunctionSocket,
    /// What arrived together with the head of the response.
    received: Bytes,
    /// Ends with the stream.
    _lease: Lease,
}

impl Upgraded {
    pub(crate) const fn new(stream: FunctionSocket, received: Bytes, lease: Lease) -> Self {
        Self { stream, received, _lease: lease }
    }
}

impl AsyncRead for Upgraded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.received.is_empty() {
            let length = ready!(self.stream.poll_read(cx, buffer.initialize_unfilled()))?;
            buffer.advance(length);
            return Poll::Ready(Ok(()));
        }
        let count = self.received.len().min(buffer.remaining());
        buffer.put_slice(&self.received[..count]);
        self.received.advance(count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Upgraded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.stream.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.stream.end_writing();
        Poll::Ready(Ok(()))
    }
}

impl std::fmt::Debug for Upgraded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upgraded").finish_non_exhaustive()
    }
}
