//! What somebody is told of an answer before it is there: the files that a page will need (103 Early Hints, RFC 8297).
//!
//! Who answers may give hints, and who takes the answer to its visitor listens. Nothing is paid where nobody listens.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use http::{Extensions, HeaderValue};

/// How many hints of one answer are passed on. A function may announce an answer as often as it likes; browsers take the first.
const MOST: usize = 4;

/// What a page will need: values of `Link`.
pub type Links = Vec<HeaderValue>;

/// Listens for hints of one answer.
#[derive(Debug, Default)]
pub struct EarlyHints(Option<Arc<Hints>>);

/// What is known of one answer before it is there. Among the extensions of its request.
#[derive(Clone, Debug)]
struct Teller(Arc<Hints>);

#[derive(Debug, Default)]
struct Hints(Mutex<Board>);

#[derive(Debug, Default)]
struct Board {
    given: usize,
    waiting: Vec<Links>,
    waker: Option<Waker>,
}

impl EarlyHints {
    /// Listens for what the answer to a request with these extensions will need.
    pub fn listen(extensions: &mut Extensions) -> Self {
        let hints = Arc::<Hints>::default();
        extensions.insert(Teller(Arc::clone(&hints)));
        Self(Some(hints))
    }

    /// Never hears anything.
    pub const fn deaf() -> Self {
        Self(None)
    }

    /// The next hint. Pending also where there will be none: it is the answer that ends the waiting.
    pub fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Links> {
        let Some(hints) = &self.0 else { return Poll::Pending };
        let mut board = hints.board();
        if board.waiting.is_empty() {
            board.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(board.waiting.remove(0))
    }
}

impl Hints {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whoever listens for the answer to a request with these extensions what it will need.
pub fn hint(extensions: &Extensions, links: impl FnOnce() -> Links) {
    let Some(Teller(hints)) = extensions.get() else { return };
    let links = links();
    let mut board = hints.board();
    if links.is_empty() || board.given == MOST {
        return;
    }
    board.given += 1;
    board.waiting.push(links);
    if let Some(waker) = board.waker.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn link(text: &'static str) -> Links {
        vec![HeaderValue::from_static(text)]
    }

    /// Hints come in their order, no more of them than are taken, and none without a listener.
    #[test]
    fn order() {
        let context = &mut Context::from_waker(Waker::noop());
        let mut extensions = Extensions::new();
        hint(&extensions, || unreachable!("nobody listens"));
        let mut listener = EarlyHints::listen(&mut extensions);
        assert!(listener.poll_next(context).is_pending());
        hint(&extensions, || link("</a.css>; rel=preload"));
        hint(&extensions, Links::new);
        (0..9).for_each(|_| hint(&extensions, || link("</b.css>; rel=preload")));
        let heard: Vec<Links> = std::iter::from_fn(|| match listener.poll_next(context) {
            Poll::Ready(links) => Some(links),
            Poll::Pending => None,
        })
        .collect();
        assert_eq!(heard.len(), MOST);
        assert_eq!(heard[..2], [link("</a.css>; rel=preload"), link("</b.css>; rel=preload")]);
    }
}
