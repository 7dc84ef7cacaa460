//! A figure: what is measured, what it is compared to, and the bound it is held against.

use serde::{Deserialize, Serialize};

use crate::bench::Bench;
use crate::peer::Peer;
use crate::samples::{Samples, Unit, readable, rounded};

/// A figure that can be measured.
pub(crate) struct Figure {
    /// Its name in the table of promises.
    pub(crate) id: &'static str,
    /// What is measured.
    pub(crate) work: &'static str,
    /// Whom it can be measured against.
    pub(crate) peers: &'static [Peer],
    /// Measures it.
    pub(crate) measure: fn(&Bench) -> Vec<Row>,
}

/// What the bound of a figure says.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// At most so many times what it is compared to, and as much on top.
    TimesAtMost {
        /// The factor.
        times: f64,
        /// The addend, in the unit of the samples.
        plus: f64,
    },
    /// At least so many times what it is compared to.
    TimesAtLeast {
        /// The factor.
        times: f64,
    },
    /// At most this, in the unit of the samples.
    AtMost {
        /// The value.
        value: f64,
    },
}

impl Bound {
    /// At most `times` what it is compared to.
    pub(crate) const fn times(times: f64) -> Self {
        Self::TimesAtMost { times, plus: 0. }
    }

    fn holds(self, measured: f64, compared: f64) -> bool {
        match self {
            Self::TimesAtMost { times, plus } => measured <= times * compared + plus,
            Self::TimesAtLeast { times } => measured >= times * compared,
            Self::AtMost { value } => measured <= value,
        }
    }
}

/// What a bound says of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It is kept.
    Holds,
    /// It is not kept.
    Over,
    /// There is none: the row is there to be compared.
    Unbounded,
    /// Nothing could be measured; the note says why.
    Skipped,
}

/// One line of the table, as it stands in the JSON.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Row {
    /// The figure that it belongs to.
    pub(crate) id: String,
    /// What was measured.
    pub(crate) work: String,
    /// What all samples count.
    pub(crate) unit: Unit,
    /// What ship took: every sample, in ascending order.
    pub(crate) ship: Vec<f64>,
    /// Who or what it is compared to.
    pub(crate) peer: Option<String>,
    /// What the peer took: every sample, in ascending order.
    pub(crate) peer_samples: Vec<f64>,
    /// The median of ship's samples divided by the median of the peer's.
    pub(crate) ratio: Option<f64>,
    /// What it is held against.
    pub(crate) bound: Option<Bound>,
    /// Whether it is kept.
    pub(crate) verdict: Verdict,
    /// Why there is no figure, or what else there is to say.
    pub(crate) note: String,
}

impl Row {
    /// Ship beside something else.
    pub(crate) fn compared(
        work: &str,
        ship: Samples,
        peer: &str,
        other: Samples,
        bound: impl Into<Option<Bound>>,
    ) -> Self {
        let ratio = rounded(ship.median() / other.median());
        let row = Self::judged(work, ship, bound.into(), other.median());
        Self {
            peer: Some(peer.to_owned()),
            peer_samples: other.into_values(),
            ratio: ratio.is_finite().then_some(ratio),
            ..row
        }
    }

    /// Ship alone, against a bound that is a value.
    pub(crate) fn alone(work: &str, ship: Samples, bound: Option<Bound>) -> Self {
        Self::judged(work, ship, bound, f64::NAN)
    }

    fn judged(work: &str, ship: Samples, bound: Option<Bound>, compared: f64) -> Self {
        let verdict = bound.map_or(Verdict::Unbounded, |bound| {
            if bound.holds(ship.median(), compared) { Verdict::Holds } else { Verdict::Over }
        });
        Self { unit: ship.unit(), ship: ship.into_values(), bound, verdict, ..Self::skipped(work, "") }
    }

    /// Nothing could be measured.
    pub(crate) fn skipped(work: &str, reason: &str) -> Self {
        Self {
            id: String::new(),
            work: work.to_owned(),
            unit: Unit::Count,
            ship: Vec::new(),
            peer: None,
            peer_samples: Vec::new(),
            ratio: None,
            bound: None,
            verdict: Verdict::Skipped,
            note: reason.to_owned(),
        }
    }

    /// A peer could not be measured.
    pub(crate) fn without(work: &str, peer: &str, reason: &str) -> Self {
        Self { peer: Some(peer.to_owned()), ..Self::skipped(work, reason) }
    }

    /// The same line with a remark.
    pub(crate) fn noting(mut self, note: String) -> Self {
        self.note = note;
        self
    }

    /// Ship's samples, if there are any.
    pub(crate) fn ship_samples(&self) -> Option<Samples> {
        (!self.ship.is_empty()).then(|| Samples::new(self.unit, self.ship.clone()))
    }

    /// The peer and its samples, if there are any.
    pub(crate) fn compared_to(&self) -> Option<(&str, Samples)> {
        let samples = (!self.peer_samples.is_empty()).then(|| Samples::new(self.unit, self.peer_samples.clone()))?;
        Some((self.peer.as_deref()?, samples))
    }

    /// The bound in the words of the table.
    pub(crate) fn bound_in_words(&self) -> String {
        match self.bound {
            None => String::new(),
            Some(Bound::TimesAtMost { times, plus }) if plus > 0. => {
                format!("≤ {} × + {}", factor(times), readable(plus, self.unit))
            }
            Some(Bound::TimesAtMost { times, .. }) => format!("≤ {} ×", factor(times)),
            Some(Bound::TimesAtLeast { times }) => format!("≥ {} ×", factor(times)),
            Some(Bound::AtMost { value }) => format!("≤ {}", readable(value, self.unit)),
        }
    }
}

/// A factor as the table of promises writes it: a fraction where it is one.
fn factor(times: f64) -> String {
    let reciprocal = 1. / times;
    if times < 0.5 && (reciprocal - reciprocal.round()).abs() < 1e-9 {
        return format!("1/{reciprocal:.0}");
    }
    format!("{times}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A row says what its bound says, in numbers and in words.
    #[test]
    fn judged() {
        let row = |times| {
            let [ours, theirs] = [vec![0.2, 0.1, 0.3], vec![1.0]].map(Samples::seconds);
            Row::compared("work", ours, "peer", theirs, Bound::times(times))
        };
        let told = |row: &Row| (row.verdict, row.ratio, row.bound_in_words());
        assert_eq!(told(&row(0.25)), (Verdict::Holds, Some(0.2), "≤ 1/4 ×".to_owned()));
        assert_eq!(told(&row(0.1)), (Verdict::Over, Some(0.2), "≤ 1/10 ×".to_owned()));
        assert_eq!(told(&row(1.15)).2, "≤ 1.15 ×");
    }
}
