//! A figure: what is measured, what it is compared to, and the bound it is held against.

use serde::Serialize;

use crate::machine::Facts;
use crate::samples::Samples;

/// A figure that can be measured.
pub(crate) struct Figure {
    /// Its name in the table of promises.
    pub(crate) id: &'static str,
    /// What is measured.
    pub(crate) work: &'static str,
    /// Measures it, with as many runs of each side.
    pub(crate) measure: fn(runs: usize) -> Vec<Row>,
}

/// What the bound of a figure says.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
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

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// What was measured.
    work: String,
    /// What ship took.
    ship: Option<Samples>,
    /// What the other side is, and took.
    compared: Option<(String, Samples)>,
    bound: Option<Bound>,
    /// Why there is no figure, or what else there is to say.
    note: String,
}

impl Row {
    /// Ship beside something else.
    pub(crate) fn compared(work: &str, ship: Samples, name: &str, other: Samples, bound: Bound) -> Self {
        let compared = Some((name.to_owned(), other));
        Self { work: work.to_owned(), ship: Some(ship), compared, bound: Some(bound), note: String::new() }
    }

    /// Ship alone, against a bound that is a value.
    pub(crate) fn alone(work: &str, ship: Samples, bound: Option<Bound>) -> Self {
        Self { work: work.to_owned(), ship: Some(ship), compared: None, bound, note: String::new() }
    }

    /// Nothing could be measured.
    pub(crate) fn skipped(work: &str, reason: &str) -> Self {
        let note = format!("skipped: {reason}");
        Self { work: work.to_owned(), ship: None, compared: None, bound: None, note }
    }

    /// The same line with a remark.
    pub(crate) fn noting(mut self, note: String) -> Self {
        self.note = note;
        self
    }

    fn ratio(&self) -> Option<f64> {
        Some(self.ship.as_ref()?.median() / self.compared.as_ref()?.1.median())
    }

    fn verdict(&self) -> &'static str {
        let (Some(ship), Some(bound)) = (&self.ship, self.bound) else { return "-" };
        let compared = self.compared.as_ref().map_or(f64::NAN, |(_, samples)| samples.median());
        if bound.holds(ship.median(), compared) { "holds" } else { "OVER" }
    }
}

/// A line of the table and the figure it belongs to.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Outcome {
    /// The figure.
    pub(crate) id: &'static str,
    /// The line.
    #[serde(flatten)]
    pub(crate) row: Row,
}

/// The table, with the facts of the machine above it.
pub(crate) fn table(facts: &Facts, outcomes: &[Outcome]) -> String {
    let mut text = format!("{facts}\n\n");
    let heading = ["", "work", "ship", "compared to", "ratio", "bound", "", ""].map(str::to_owned);
    let rows: Vec<[String; 8]> = std::iter::once(heading).chain(outcomes.iter().map(cells)).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    for row in &rows {
        let padded = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cells(outcome: &Outcome) -> [String; 8] {
    let row = &outcome.row;
    let compared = row.compared.as_ref().map(|(name, samples)| format!("{name} {samples}"));
    [
        outcome.id.to_owned(),
        row.work.clone(),
        row.ship.as_ref().map(ToString::to_string).unwrap_or_default(),
        compared.unwrap_or_default(),
        row.ratio().map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        row.bound.map(|bound| described(bound, row)).unwrap_or_default(),
        row.verdict().to_owned(),
        row.note.clone(),
    ]
}

fn described(bound: Bound, row: &Row) -> String {
    let value = |value: f64| row.ship.as_ref().map(|ship| ship.readable(value)).unwrap_or_default();
    match bound {
        Bound::TimesAtMost { times, plus } if plus > 0. => format!("≤ {times} × + {}", value(plus)),
        Bound::TimesAtMost { times, .. } => format!("≤ {times} ×"),
        Bound::TimesAtLeast { times } => format!("≥ {times} ×"),
        Bound::AtMost { value: most } => format!("≤ {}", value(most)),
    }
}

/// The same as JSON, for comparing runs with each other.
pub(crate) fn json(facts: &Facts, outcomes: &[Outcome]) -> String {
    let document = serde_json::json!({ "machine": facts, "figures": outcomes });
    serde_json::to_string_pretty(&document).expect("figures have only string keys") + "\n"
}
