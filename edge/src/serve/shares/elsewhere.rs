//! Work that another thread did for a connection.

use std::cell::Cell;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

thread_local! {
    /// What the task that has its turn on this thread has had others do, and was not billed for.
    static ELSEWHERE: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Has a thread that may wait for the disk do some work, and bills whose turn it is for it: for the processor's time, not for the disk's.
pub(crate) async fn bill_elsewhere<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    let timed = move || {
        let before = processor_time();
        let done = work();
        (done, processor_time().saturating_sub(before))
    };
    let (done, took) = tokio::task::spawn_blocking(timed).await?;
    ELSEWHERE.with(|elsewhere| elsewhere.set(elsewhere.get() + took));
    Ok(done)
}

/// What others did since it was last asked.
pub(super) fn done_elsewhere() -> Duration {
    ELSEWHERE.take()
}

/// How long this thread has used a processor.
fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    /// What is billed is the work, and once.
    #[tokio::test]
    async fn billed() {
        let begun = Instant::now();
        let worked = bill_elsewhere(|| {
            let least = processor_time() + Duration::from_millis(3);
            while processor_time() < least {
                std::hint::spin_loop();
            }
        });
        worked.await.unwrap();
        let billed = done_elsewhere();
        assert!(billed >= Duration::from_millis(3) && billed <= begun.elapsed(), "{billed:?}");
        assert_eq!(done_elsewhere(), Duration::ZERO);
    }
}
