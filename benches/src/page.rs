//! The pages that are made of a record: `docs/performance.md` and `docs/scale.md` with the plots beside them.
//!
//! They are made of the record alone, so a test can say that they are what it gives.

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

/// The first argument of a process that writes pages. Behind it may stand the record to make them of, which is then kept.
pub(crate) const COMMAND: &str = "write-pages";

/// A file that is made of a record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Document {
    /// Where it stands, below `docs/`.
    pub(crate) path: PathBuf,
    /// What it says.
    pub(crate) text: String,
}

/// Writes the pages of a new record, or of the one that is there.
pub(crate) fn main(arguments: &[String]) -> ExitCode {
    let docs = ship_tests::workspace_root().join("docs");
    let kept = docs.join(RECORD);
    let read = arguments.first().map_or_else(|| kept.clone(), PathBuf::from);
    let written = Record::read(&read).and_then(|record| {
        record.write(&kept)?;
        write(&docs, &record)
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            talk::say(&format!("the pages of {} cannot be written: {error}", read.display()));
            ExitCode::FAILURE
        }
    }
}

/// The record that the pages are made of, below `docs/`.
const RECORD: &str = "performance.json";

/// The folders of the plots, which hold nothing else.
const PLOTS: [&str; 2] = ["performance", "scale"];

fn write(docs: &Path, record: &Record) -> io::Result<()> {
    for folder in PLOTS {
        // A plot of an earlier record may have no place in this one.
        let _ = std::fs::remove_dir_all(docs.join(folder));
        std::fs::create_dir_all(docs.join(folder))?;
    }
    documents(record).into_iter().try_for_each(|document| std::fs::write(docs.join(document.path), document.text))
}

/// Every page and every plot.
fn documents(record: &Record) -> Vec<Document> {
    let mut documents = performance::documents(record);
    documents.extend(scale::documents(record));
    documents
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The pages and the plots in the repository are what the record beside them gives, and there are no others.
    #[test]
    fn current() {
        let docs = ship_tests::workspace_root().join("docs");
        let record = Record::read(&docs.join(RECORD)).expect("the record is there");
        let documents = documents(&record);
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

    /// The record in the repository is as this program would write it.
    #[test]
    fn written_as_read() {
        let path = ship_tests::workspace_root().join("docs").join(RECORD);
        let record = Record::read(&path).expect("the record is there");
        assert_eq!(std::fs::read_to_string(&path).expect("it can be read"), record.text());
    }
}
