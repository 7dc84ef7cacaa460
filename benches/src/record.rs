//! What a run has found, as JSON: written after each figure, read to go on where a run ended, and to make the pages.
//!
//! `benches/README.md` says what its parts mean.

use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::figure::Row;
use crate::figures;
use crate::growth::{self, Curve};
use crate::machine::Facts;

/// The number of the schema. A reader that knows another one must not guess.
pub(crate) const SCHEMA: u32 = 1;

/// What a run has found.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    /// [`SCHEMA`].
    pub(crate) schema: u32,
    /// The machine and what was measured on it.
    pub(crate) facts: Facts,
    /// How long each figure took to measure, in seconds, in the order in which they were.
    pub(crate) took: Vec<Took>,
    /// The lines of the table.
    pub(crate) rows: Vec<Row>,
    /// How costs grow.
    pub(crate) curves: Vec<Curve>,
}

/// How long a figure took to measure.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(crate) struct Took {
    /// The figure or curve.
    pub(crate) id: String,
    /// In seconds.
    pub(crate) seconds: f64,
}

impl Record {
    /// A record in which nothing stands yet.
    pub(crate) const fn new(facts: Facts) -> Self {
        Self { schema: SCHEMA, facts, took: Vec::new(), rows: Vec::new(), curves: Vec::new() }
    }

    /// Reads a record.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let record: Self = serde_json::from_slice(&std::fs::read(path)?)?;
        if record.schema != SCHEMA {
            return Err(io::Error::other(format!("it has schema {} and not {SCHEMA}", record.schema)));
        }
        Ok(record)
    }

    /// Writes it.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        std::fs::write(path, self.text())
    }

    /// It as text: a line for each row, so that a person can read it.
    pub(crate) fn text(&self) -> String {
        let facts = serde_json::to_string_pretty(&self.facts).expect("facts have only string keys");
        let parts = [
            format!("\"schema\": {}", self.schema),
            format!("\"facts\": {}", facts.replace('\n', "\n  ")),
            format!("\"took\": {}", lines(&self.took)),
            format!("\"rows\": {}", lines(&self.rows)),
            format!("\"curves\": {}", lines(&self.curves)),
        ];
        format!("{{\n  {}\n}}\n", parts.join(",\n  "))
    }

    /// The figures and the curves as records of their own, where there are any: they are seldom measured together.
    pub(crate) fn parted(self) -> (Option<Self>, Option<Self>) {
        let is_growth = |took: &Took| growth::ALL.iter().any(|study| study.id == took.id);
        let (of_curves, of_figures) = self.took.into_iter().partition(is_growth);
        let figures = Self { took: of_figures, curves: Vec::new(), facts: self.facts.clone(), ..self };
        let growth = Self { schema: SCHEMA, facts: self.facts, took: of_curves, rows: Vec::new(), curves: self.curves };
        (
            Some(figures).filter(|record| !record.rows.is_empty()),
            Some(growth).filter(|record| !record.curves.is_empty()),
        )
    }

    /// Puts everything in the order of the table, whatever was measured first.
    pub(crate) fn in_order(&mut self) {
        let place = |id: &str| {
            let known = figures::ALL.iter().map(|figure| figure.id).chain(growth::ALL.iter().map(|study| study.id));
            known.into_iter().position(|known| known == id)
        };
        self.took.sort_by_key(|took| place(&took.id));
        self.rows.sort_by_key(|row| place(&row.id));
        self.curves.sort_by_key(|curve| place(&curve.id));
    }

    /// Whether a figure or curve stands in it already.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.took.iter().any(|took| took.id == id)
    }

    /// Forgets what it says of a figure or curve.
    pub(crate) fn forget(&mut self, id: &str) {
        self.took.retain(|took| took.id != id);
        self.rows.retain(|row| row.id != id);
        self.curves.retain(|curve| curve.id != id);
    }
}

fn lines<T: Serialize>(values: &[T]) -> String {
    let line = |value| serde_json::to_string(value).expect("records have only string keys");
    let lines: Vec<String> = values.iter().map(line).collect();
    if lines.is_empty() { "[]".to_owned() } else { format!("[\n    {}\n  ]", lines.join(",\n    ")) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::figure::Bound;
    use crate::growth::{Fit, Point};
    use crate::samples::{Samples, Unit};

    fn example() -> Record {
        let text = |text: &str| text.to_owned();
        let facts = Facts {
            processor: text("a processor"),
            cores: 2,
            memory_mib: 4096,
            kernel: text("6.1"),
            ship: text("ship 1.0.0"),
            digest: text("sha256:00"),
            commit: text("0123456789ab"),
            measured_at: text("2026-01-01T00:00:00Z"),
            load: text("own"),
            versions: vec![text("nginx 1.22.1")],
        };
        let [ours, theirs] = [vec![1.], vec![2.]].map(Samples::seconds);
        let row = |bound| Row::compared("work", ours.clone(), "peer", theirs.clone(), bound);
        let curve = Curve {
            id: text("G1"),
            of: text("files"),
            work: text("work"),
            unit: Unit::Seconds,
            points: vec![Point { size: 10., samples: vec![1.] }],
            fit: Fit::default(),
        };
        let bounds = [Bound::times(1.), Bound::TimesAtLeast { times: 1. }, Bound::AtMost { value: 1. }];
        let took = vec![Took { id: text("S1"), seconds: 3. }];
        Record { took, rows: bounds.map(row).into(), curves: vec![curve], ..Record::new(facts) }
    }

    /// What is written is read again, and has a line for each row.
    #[test]
    fn there_and_back() {
        let record = example();
        let text = record.text();
        assert_eq!(serde_json::from_str::<Record>(&text).expect("it is JSON"), record);
        assert_eq!(text.lines().filter(|line| line.contains("\"peer_samples\"")).count(), 3);
    }

    /// The README of this folder names everything that there is in a record.
    #[test]
    fn documented() {
        fn names(value: &Value, found: &mut BTreeSet<String>) {
            match value {
                Value::Object(fields) => fields.iter().for_each(|(name, value)| {
                    found.insert(name.clone());
                    names(value, found);
                }),
                Value::Array(values) => values.iter().for_each(|value| names(value, found)),
                _ => {}
            }
        }
        let mut found = BTreeSet::new();
        names(&serde_json::to_value(example()).expect("it is JSON"), &mut found);
        let told = include_str!("../README.md");
        let is_told = |name: &String| told.contains(&format!("`{name}`")) || told.contains(&format!("\"{name}\""));
        let missing: Vec<&String> = found.iter().filter(|name| !is_told(name)).collect();
        assert!(missing.is_empty(), "benches/README.md does not tell of {missing:?}");
    }
}
