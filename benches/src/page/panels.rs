//! What a plot of bars shows: for each piece of work a panel, with ship on top and everybody else below it.

use crate::figure::{Row, Verdict};
use crate::samples::{Samples, Unit};

/// One piece of work.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Panel {
    /// What was done.
    pub(super) title: String,
    /// What the bars count.
    pub(super) unit: Unit,
    /// Ship, and whoever it is compared to.
    pub(super) bars: Vec<Bar>,
}

/// Somebody at that work.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Bar {
    /// Who.
    pub(super) name: String,
    /// What it took, all samples.
    pub(super) samples: Samples,
    /// Whether it is ship, and which of its bounds it does not keep.
    pub(super) kind: Kind,
}

impl Bar {
    /// The bounds that ship does not keep.
    pub(super) fn missed(&self) -> Option<&str> {
        if let Kind::ShipOver(missed) = &self.kind { Some(missed) } else { None }
    }
}

/// Whose bar it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Ship's, which keeps its bounds or has none.
    Ship,
    /// Ship's, which does not keep a bound.
    ShipOver(String),
    /// Somebody else's.
    Other,
}

/// The panels of rows: those of the same work are one. Work in which nobody else took part has none.
pub(super) fn of(rows: &[&Row]) -> Vec<Panel> {
    let mut works: Vec<&str> = Vec::new();
    for row in rows.iter().filter(|row| row.compared_to().is_some()) {
        if !works.contains(&row.work.as_str()) {
            works.push(&row.work);
        }
    }
    works.into_iter().filter_map(|work| panel(work, rows)).collect()
}

fn panel(work: &str, rows: &[&Row]) -> Option<Panel> {
    let rows: Vec<&Row> = rows.iter().copied().filter(|row| row.work == work && row.compared_to().is_some()).collect();
    let first = rows.first()?;
    let missed: Vec<String> = rows
        .iter()
        .filter(|row| row.verdict == Verdict::Over)
        .map(|row| format!("{} {}", row.bound_in_words(), row.peer.as_deref().unwrap_or_default()))
        .collect();
    let kind = if missed.is_empty() { Kind::Ship } else { Kind::ShipOver(missed.join(", ")) };
    let ship = Bar { name: "ship".to_owned(), samples: first.ship_samples()?, kind };
    let others = rows.iter().filter_map(|row| {
        let (name, samples) = row.compared_to()?;
        Some(Bar { name: name.to_owned(), samples, kind: Kind::Other })
    });
    let bars = std::iter::once(ship).chain(others).collect();
    let title = format!("{}  {}", first.id, first.work);
    Some(Panel { title, unit: first.unit, bars })
}
