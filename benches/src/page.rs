//! The pages that are made of records: `docs/performance.md` of `docs/performance.json`, `docs/scale.md` of `docs/scale.json`, with the
//! plots beside them.
//!
//! They are made of the records alone, so a test can say that they are what those give.

mod bars;
mod bounds;
mod lines;
mod palette;
mod panels;
mod performance;
mod scale;
mod svg;
mod ticks;

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::record::Record;
use crate::talk;

/// The first argument of a process that writes pages. Behind it may stand a record to make them of: its figures, its curves or both are
/// kept in place of those that are there.
pub(crate) const COMMAND: &str = "write-pages";

/// A file that is made of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Document {
    /// Where it stands, below `docs/`.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

/// Writes the pages of a new record, or of those that are there.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let docs = ship_tests::workspace_root().join("docs");
    let kept = arguments.first().map_or(Ok(()), |new| keep(&docs, Path::new(new)));
    match kept.and_then(|()| Records::read(&docs)).and_then(|records| write(&docs, &records)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            talk::say(&format!("the pages cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The record of the figures, below `docs/`.
const FIGURES: &str = "performance.json";

/// The record of the curves, below `docs/`.
const GROWTH: &str = "scale.json";

/// What the pages are made of.
struct Records {
    figures: Record,
    growth: Record,
}

impl Records {
    fn read(docs: &Path) -> io::Result<Self> {
        Ok(Self { figures: Record::read(&docs.join(FIGURES))?, growth: Record::read(&docs.join(GROWTH))? })
    }
}

/// Keeps what a new record has in place of what is there.
fn keep(docs: &Path, new: &Path) -> io::Result<()> {
    let (figures, growth) = Record::read(new)?.parted();
    figures.map_or(Ok(()), |figures| figures.write(&docs.join(FIGURES)))?;
    growth.map_or(Ok(()), |growth| growth.write(&docs.join(GROWTH)))
}

/// The folders of the plots, which hold nothing else.
const PLOTS: [&str; 2] = ["performance", "scale"];

fn write(docs: &Path, records: &Records) -> io::Result<()> {
    for folder in PLOTS {
        // A plot of an earlier record may have no place in this one.
        let _ = std::fs::remove_dir_all(docs.join(folder));
        std::fs::create_dir_all(docs.join(folder))?;
    }
    documents(records).into_iter().try_for_each(|document| std::fs::write(docs.join(document.path), document.text))
}

/// Every page and every plot.
fn documents(records: &Records) -> Vec<Document> {
    let mut documents = performance::documents(&records.figures);
    documents.extend(scale::documents(&records.growth));
    documents
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The pages and the plots in the repository are what the records beside them give, and there are no others.
    #[test]
    fn current() {
        let docs = ship_tests::workspace_root().join("docs");
        let documents = documents(&Records::read(&docs).expect("the records are there"));
        for document in &documents {
            let place = docs.join(&document.path);
            let found = std::fs::read_to_string(&place).unwrap_or_default();
            assert!(found == document.text, "{} is not current: run `cargo xtask performance`", place.display());
        }
        let files = |folder: &&str| std::fs::read_dir(docs.join(folder)).expect("the folder is there").flatten();
        let found: BTreeSet<PathBuf> = PLOTS.iter().flat_map(files).map(|entry| entry.path()).collect();
        let made: BTreeSet<PathBuf> = documents.iter().map(|document| docs.join(&document.path)).collect();
        assert!(found.is_subset(&made), "{:?}", found.difference(&made));
    }

    /// The records in the repository are as this program would write them, each with its own part.
    #[test]
    fn written_as_read() {
        let docs = ship_tests::workspace_root().join("docs");
        let Records { figures, growth } = Records::read(&docs).expect("the records are there");
        for (name, record) in [(FIGURES, &figures), (GROWTH, &growth)] {
            assert_eq!(std::fs::read_to_string(docs.join(name)).expect("it can be read"), record.text());
        }
        assert_eq!(figures.clone().parted(), (Some(figures), None));
        assert_eq!(growth.clone().parted(), (None, Some(growth)));
    }
}
