//! Ship and others at the same work: all take turns, and whoever cannot take part is left out with the reason.

use crate::figure::{Bound, Row};
use crate::peer::NotThere;
use crate::samples::Samples;
use crate::turns::{Side, take_turns};

/// Somebody beside ship.
pub(crate) struct Contender<'s, T> {
    /// Its name in the row.
    pub(crate) name: String,
    /// What ship is held to beside it.
    pub(crate) bound: Option<Bound>,
    /// Its turn.
    pub(crate) run: Side<'s, Result<T, NotThere>>,
}

impl<'s, T> Contender<'s, T> {
    /// Somebody whose turn may fail.
    pub(crate) fn new(
        name: &str,
        bound: impl Into<Option<Bound>>,
        run: impl FnMut(usize) -> Result<T, NotThere> + 's,
    ) -> Self {
        Self { name: name.to_owned(), bound: bound.into(), run: Box::new(run) }
    }

    /// Somebody who could not be made ready.
    pub(crate) fn absent(name: &str, reason: &NotThere) -> Self {
        let reason = reason.to_string();
        Self::new(name, None, move |_| Err(NotThere(reason.clone())))
    }
}

/// What somebody has measured.
pub(crate) struct Met<T> {
    /// Its name in the row.
    pub(crate) name: String,
    /// What ship is held to beside it.
    pub(crate) bound: Option<Bound>,
    /// What it took in each of its turns, or why it took none.
    pub(crate) taken: Result<Vec<T>, NotThere>,
}

/// Lets ship and the others take turns. What ship took, and what they did.
pub(crate) fn contest<'s, T: 's>(
    runs: usize,
    mut ship: impl FnMut(usize) -> T + 's,
    contenders: Vec<Contender<'s, T>>,
) -> (Vec<T>, Vec<Met<T>>) {
    let (mut who, mut sides): (Vec<_>, Vec<Side<'s, Result<T, NotThere>>>) = (Vec::new(), Vec::new());
    sides.push(Box::new(move |run| Ok(ship(run))));
    for Contender { name, bound, run } in contenders {
        who.push((name, bound));
        sides.push(until_it_fails(run));
    }
    let mut taken = take_turns(runs, sides).into_iter().map(|turns| turns.into_iter().collect::<Result<Vec<T>, _>>());
    let ours = taken.next().and_then(Result::ok).unwrap_or_default();
    (ours, who.into_iter().zip(taken).map(|((name, bound), taken)| Met { name, bound, taken }).collect())
}

/// Whoever has failed once is not asked again: to fail can take a minute.
fn until_it_fails<'s, T: 's>(mut run: Side<'s, Result<T, NotThere>>) -> Side<'s, Result<T, NotThere>> {
    let mut failed: Option<String> = None;
    Box::new(move |number| {
        if let Some(reason) = &failed {
            return Err(NotThere(reason.clone()));
        }
        let result = run(number);
        failed = result.as_ref().err().map(ToString::to_string);
        result
    })
}

/// A contest in seconds: a row for each of the others.
pub(crate) fn timed_rows<'s>(
    work: &str,
    runs: usize,
    ship: impl FnMut(usize) -> f64 + 's,
    contenders: Vec<Contender<'s, f64>>,
) -> Vec<Row> {
    let (ship, met) = contest(runs, ship, contenders);
    if met.is_empty() {
        return vec![Row::alone(work, Samples::seconds(ship), None)];
    }
    let row = |met: Met<f64>| match met.taken {
        Ok(taken) => Row::compared(work, Samples::seconds(ship.clone()), &met.name, Samples::seconds(taken), met.bound),
        Err(reason) => Row::without(work, &met.name, &reason.to_string()),
    };
    met.into_iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who fails is asked once, and the others go on.
    #[test]
    fn failures() {
        let asked = std::cell::Cell::new(0);
        let broken = Contender::new("broken", None, |_| {
            asked.set(asked.get() + 1);
            Err(NotThere("no network".to_owned()))
        });
        let slower = Contender::new("slower", Bound::times(1.), |_| Ok(2.));
        let rows = timed_rows("work", 3, |_| 1., vec![broken, slower]);
        assert_eq!(asked.get(), 1);
        assert_eq!(rows[0], Row::without("work", "broken", "no network"));
        assert_eq!((rows[1].ratio, rows[1].ship.len()), (Some(0.5), 3));
    }
}
