//! A body that goes to its visitor as it comes and is gathered on the way, so that it can be kept when it has ended well.

use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use ship_core::PlatformError;
use tokio::sync::mpsc;

use super::{Broken, Content, EdgeBody};
use crate::kept::Pin;

/// What the visitor sees of it.
pub(super) struct Poured {
    pieces: mpsc::UnboundedReceiver<Piece>,
    /// How many bytes are still to come, if that is known.
    left_bytes: Option<u64>,
}

/// A piece on its way to the visitor. The last one holds what all before it take in memory until the visitor has them.
enum Piece {
    Frame(Frame<Bytes>),
    /// It is not kept: the visitor reads the rest from where it comes.
    Rest(Content, #[expect(dead_code, reason = "held for its drop")] Pin),
    Broken(Broken),
    End(#[expect(dead_code, reason = "held for its drop")] Pin),
}

/// What a visitor gets next.
pub(super) enum Next {
    /// A frame, or the end.
    Frame(Option<Result<Frame<Bytes>, Broken>>),
    /// All that is left, to be read from where it comes.
    Rest(Content),
}

/// The pieces of a body. Each is the very one that goes to the visitor, not a copy.
#[derive(Default)]
pub(crate) struct Gathered {
    pieces: Vec<Bytes>,
    length: usize,
}

/// The other end: it reads the body at the speed of the function, whatever the visitor does, and as far as an answer may be long.
pub(crate) struct Pouring {
    content: Content,
    pieces: mpsc::UnboundedSender<Piece>,
    gathered: Gathered,
    most_bytes: usize,
    pin: Pin,
    /// The same for what waits for the visitor.
    waiting: Pin,
}

impl EdgeBody {
    /// All of it, if it is in memory.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Empty => Some(&[]),
            Content::Bytes(bytes) => Some(bytes.as_ref()),
            _ => None,
        }
    }

    /// Parts it in two: what the visitor gets, and who reads it. No more than `most_bytes` are gathered, and what the pins have room for:
    /// one holds what is gathered, one what waits for the visitor.
    pub(crate) fn pour(self, most_bytes: usize, [pin, waiting]: [Pin; 2]) -> (Self, Pouring) {
        let (sender, pieces) = mpsc::unbounded_channel();
        let poured = Poured { pieces, left_bytes: self.size_hint().exact() };
        let gathered = Gathered::default();
        let pouring = Pouring { content: self.content, pieces: sender, gathered, most_bytes, pin, waiting };
        (Self { content: Content::Poured(Box::new(poured)), log: self.log }, pouring)
    }
}

impl Pouring {
    /// Reads to the end, until what is gathered is too much, or until `given_up`. The body and what it holds in memory, if all of it came.
    pub(crate) async fn run(mut self, given_up: impl Future<Output = ()>) -> Option<(Gathered, Pin)> {
        let all = tokio::select! {
            biased;
            all = self.gather() => all,
            () = given_up => false,
        };
        if all {
            let _ = self.pieces.send(Piece::End(self.waiting));
            return Some((self.gathered, self.pin));
        }
        let rest = std::mem::replace(&mut self.content, Content::Empty);
        let _ = self.pieces.send(Piece::Rest(rest, self.waiting));
        None
    }

    /// Whether all of the body was gathered. Where not, the rest is still to be read.
    async fn gather(&mut self) -> bool {
        loop {
            let frame = match poll_fn(|context| self.content.poll_content(context)).await {
                None => return true,
                Some(Ok(frame)) => frame,
                Some(Err(broken)) => {
                    self.content = Content::Empty;
                    self.send(Piece::Broken(broken));
                    return false;
                }
            };
            // What stands behind a body is not kept, so neither is what stands before it.
            let is_kept = frame.data_ref().is_some_and(|piece| {
                let length = piece.len();
                let fits = self.gathered.length + length <= self.most_bytes;
                let fits = fits && self.pin.grow(length) && self.waiting.grow(length);
                if fits {
                    self.gathered.length += length;
                    self.gathered.pieces.push(piece.clone());
                }
                fits
            });
            self.send(Piece::Frame(frame));
            if !is_kept {
                return false;
            }
        }
    }

    fn send(&self, piece: Piece) {
        // A visitor who has left gets nothing; others may wait for the whole.
        let _ = self.pieces.send(piece);
    }
}

impl Gathered {
    /// How long all of them are together, in bytes.
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// All of them in one piece, which holds no more than itself in memory.
    pub(crate) fn concat(self) -> Box<[u8]> {
        self.pieces.concat().into_boxed_slice()
    }
}

impl Poured {
    /// The next frame, or what to go on with.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Next> {
        self.pieces.poll_recv(context).map(|piece| match piece {
            Some(Piece::Frame(frame)) => {
                let length = frame.data_ref().map_or(0, |piece| piece.len() as u64);
                self.left_bytes = self.left_bytes.map(|left| left.saturating_sub(length));
                Next::Frame(Some(Ok(frame)))
            }
            Some(Piece::Rest(rest, _)) => Next::Rest(rest),
            Some(Piece::Broken(broken)) => Next::Frame(Some(Err(broken))),
            Some(Piece::End(_)) => Next::Frame(None),
            // Whoever read it was stopped.
            None => Next::Frame(Some(Err(Broken { error: "the host stops".into(), blame: PlatformError::Internal }))),
        })
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        self.left_bytes.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
