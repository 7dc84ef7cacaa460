//! Taking turns: what is compared runs one after the other, again and again, never all of one before the other.

use std::time::Instant;

/// Runs both sides `runs` times, in turns, and gives back what each measured.
pub(crate) fn alternate<T>(
    runs: usize,
    mut ship: impl FnMut(usize) -> T,
    mut other: impl FnMut(usize) -> T,
) -> (Vec<T>, Vec<T>) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..runs {
        // Who begins changes too: the second may find warm what the first has left.
        if run % 2 == 0 {
            ours.push(ship(run));
            theirs.push(other(run));
        } else {
            theirs.push(other(run));
            ours.push(ship(run));
        }
    }
    (ours, theirs)
}

/// How long something takes, in seconds.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (f64, T) {
    let begun = Instant::now();
    let result = work();
    (begun.elapsed().as_secs_f64(), result)
}
