//! Work of which strangers can ask for much at once, one piece after the other.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tokio::sync::Semaphore;
use tokio::task::yield_now;

/// Begins some work when it is its turn, and lets the others of the thread have theirs before the next begins: between two beginnings those
/// are answered whose bytes have arrived, however many wait here. What comes after the beginning waits for nobody.
pub(super) async fn begin_in_turn<F: Future>(turns: &Semaphore, work: F) -> F::Output {
    let turn = turns.acquire().await.expect("the semaphore is never closed");
    let mut work = pin!(work);
    let begun = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    // Not merely woken again: whoever yields comes after those whose bytes have arrived.
    yield_now().await;
    drop(turn);
    match begun {
        Poll::Ready(done) => done,
        Poll::Pending => work.await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures_util::future::join_all;

    use super::*;

    /// However much wants to begin at once, somebody else has a turn after each beginning; and all of it is done.
    #[tokio::test]
    async fn one_after_the_other() {
        let (turns, seen) = (Semaphore::new(1), Mutex::new(String::new()));
        let see = |what| seen.lock().unwrap().push(what);
        let works = join_all((0..3).map(|_| {
            begin_in_turn(&turns, async {
                see('b');
                yield_now().await;
                see('d');
            })
        }));
        let other = async {
            for _ in 0..8 {
                see('.');
                yield_now().await;
            }
        };
        tokio::join!(biased; works, other);
        let seen = seen.into_inner().unwrap();
        let beginnings: Vec<&str> = seen.split_inclusive('b').collect();
        assert!(beginnings[1..3].iter().all(|between| between.contains('.')), "{seen}");
        assert_eq!(seen.matches('d').count(), 3, "{seen}");
    }
}
