//! The body of a request, as long as something of it comes. Who stops sending is not waited for: a half upload holds a file, a thread
//! and a connection.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep};

/// How long a client may send nothing: as long as a visitor's body may.
const STALL_TIMEOUT: Duration = Duration::from_mins(1);

/// A body that fails when nothing of it came for a while.
pub(super) struct Patient<B> {
    body: B,
    stall: Option<Pin<Box<Sleep>>>,
}

/// The client has stopped sending.
#[derive(Debug, thiserror::Error)]
#[error("nothing came for {} seconds", STALL_TIMEOUT.as_secs())]
struct Stalled;

impl<B> Patient<B> {
    pub(super) fn new(body: B) -> Self {
        Self { body, stall: None }
    }
}

impl<B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin> Body for Patient<B> {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            if let Some(stall) = &mut self.stall {
                stall.as_mut().reset(Instant::now() + STALL_TIMEOUT);
            }
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_TIMEOUT)));
        stall.as_mut().poll(context).map(|()| Some(Err(Stalled.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc;

    use super::*;

    /// A body of what somebody sends, who may send nothing.
    struct Sent(mpsc::Receiver<Bytes>);

    impl Body for Sent {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            self.0.poll_recv(context).map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
        }
    }

    /// Who sends a little now and then is heard to the end; who sends nothing for a minute is not waited for.
    #[tokio::test(start_paused = true)]
    async fn slow_and_silent() {
        let (sender, receiver) = mpsc::channel(1);
        let mut body = Patient::new(Sent(receiver));
        let sending = async {
            for _ in 0..5 {
                tokio::time::sleep(Duration::from_secs(50)).await;
                sender.send(Bytes::from_static(b"x")).await.unwrap();
            }
        };
        let reading = async {
            for _ in 0..5 {
                assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "x");
            }
            let silent_since = Instant::now();
            let error = body.frame().await.unwrap().unwrap_err();
            assert_eq!(
                (error.to_string().as_str(), silent_since.elapsed()),
                ("nothing came for 60 seconds", STALL_TIMEOUT)
            );
        };
        tokio::join!(sending, reading);
    }
}
