//! Taking turns: what is compared runs one after the other, again and again, never all of one before the other.

use std::time::{Duration, Instant};

/// How long one side may run in all turns of a comparison: who has run for longer takes no further turn. A peer that builds for minutes would
/// otherwise have everybody wait for an hour, for a ratio that one run shows as well.
const ALLOWANCE: Duration = Duration::from_secs(30);

/// One of several that are compared: what it does in its turn, and what that gives.
pub(crate) type Side<'s, T> = Box<dyn FnMut(usize) -> T + 's>;

/// Runs all sides up to `runs` times, in turns, and gives back what each measured. Another side begins each time: whoever comes
/// later may find warm what the ones before have left.
pub(crate) fn take_turns<T>(runs: usize, mut sides: Vec<Side<'_, T>>) -> Vec<Vec<T>> {
    let mut taken: Vec<Vec<T>> = sides.iter().map(|_| Vec::new()).collect();
    let mut spent = vec![Duration::ZERO; sides.len()];
    for run in 0..runs {
        for place in 0..sides.len() {
            let side = (run + place) % sides.len();
            if spent[side] > ALLOWANCE {
                continue;
            }
            let begun = Instant::now();
            taken[side].push(sides[side](run));
            spent[side] += begun.elapsed();
        }
    }
    taken
}

/// The same with two sides that both run `runs` times: ship, and what it is compared to.
pub(crate) fn alternate<T>(
    runs: usize,
    mut ship: impl FnMut(usize) -> T,
    mut other: impl FnMut(usize) -> T,
) -> (Vec<T>, Vec<T>) {
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for run in 0..runs {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Everybody has as many turns, and everybody begins once in as many rounds as there are sides.
    #[test]
    fn everybody_begins() {
        let order = std::cell::RefCell::new(Vec::new());
        let order_of = &order;
        let side = |name: &'static str| -> Side<'_, usize> {
            Box::new(move |run| {
                order_of.borrow_mut().push(name);
                run
            })
        };
        let taken = take_turns(3, ["a", "b", "c"].into_iter().map(side).collect());
        assert_eq!(taken, vec![vec![0, 1, 2]; 3]);
        assert_eq!(order.borrow().concat(), "abcbcacab");
    }
}
