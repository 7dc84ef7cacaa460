//! A page on its way from the framework's server: the dev server's script is put at the beginning of its head, so that it runs, and
//! takes its own element away again, before the framework looks at the page.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame};

/// How much of a page is held until its head begins, in bytes. One without a head gets the script behind that.
const MAX_HELD_BYTES: usize = 64 * 1024;

/// A page that gets a script.
pub(super) struct WithScript<B> {
    body: B,
    /// The element, until it has been put in.
    script: Option<Bytes>,
    held: BytesMut,
}

impl<B> WithScript<B> {
    pub(super) fn new(body: B, script: impl Into<Bytes>) -> Self {
        Self { body, script: Some(script.into()), held: BytesMut::new() }
    }

    /// What is held, with the script at `at`.
    fn release(&mut self, at: usize) -> Bytes {
        let script = self.script.take().unwrap_or_default();
        let held = std::mem::take(&mut self.held);
        [&held[..at], &script, &held[at..]].concat().into()
    }
}

impl<B: Body<Data = Bytes> + Unpin> Body for WithScript<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        loop {
            let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(context));
            if self.script.is_none() {
                return Poll::Ready(frame);
            }
            let data = match frame {
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None if self.held.is_empty() => return Poll::Ready(None),
                None => {
                    let end = self.held.len();
                    return Poll::Ready(Some(Ok(Frame::data(self.release(end)))));
                }
            };
            self.held.extend_from_slice(&data);
            let at = head(&self.held).or_else(|| (self.held.len() > MAX_HELD_BYTES).then_some(self.held.len()));
            if let Some(at) = at {
                return Poll::Ready(Some(Ok(Frame::data(self.release(at)))));
            }
        }
    }
}

/// Where the head of a page begins, behind its tag.
fn head(page: &[u8]) -> Option<usize> {
    let tag = b"<head";
    let begins = |at: &usize| page[*at..].get(..tag.len()).is_some_and(|word| word.eq_ignore_ascii_case(tag));
    let is_tag = |at: &usize| page.get(at + tag.len()).is_some_and(|next| *next == b'>' || next.is_ascii_whitespace());
    let start = (0..page.len()).filter(begins).find(is_tag)?;
    Some(start + page[start..].iter().position(|byte| *byte == b'>')? + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The head begins behind its tag, whatever that carries; a header is none.
    #[test]
    fn heads() {
        assert_eq!(head(b"<html><head><title>"), Some(12));
        assert_eq!(head(b"<!doctype html><HEAD lang=a><p>"), Some(28));
        assert_eq!(head(b"<header>"), None);
        assert_eq!(head(b"<html><head"), None);
    }
}
