//! A run: one figure after the other, kept as soon as it is there.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::bench::{Bench, narrowed};
use crate::commands::{Arguments, Earlier};
use crate::figure::Row;
use crate::figures;
use crate::growth;
use crate::load;
use crate::machine::{self, Facts};
use crate::peer::{Peer, npm};
use crate::record::{Record, Took};
use crate::table::{self, curves_table};
use crate::talk;
use crate::turns::timed;

/// Measures what was asked for, and prints the table.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let load = match load::prepare(arguments.generator) {
        Ok(load) => load,
        Err(reason) => {
            talk::say(&format!("no load can be made: {reason}"));
            return ExitCode::FAILURE;
        }
    };
    let mut run = Run { arguments, record: begun(arguments, machine::facts(load)), failed: Vec::new() };
    run.measure();
    talk::print(&table::table(&run.record.facts, &run.record.rows));
    talk::print(&curves_table(&run.record.curves));
    for id in &run.failed {
        talk::say(&format!("{id} failed: see above"));
    }
    if run.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The record of an earlier run, where it is to be kept and fits, or a new one.
fn begun(arguments: &Arguments, facts: Facts) -> Record {
    let earlier = arguments.json.as_deref().filter(|_| arguments.earlier == Earlier::Keep).map(Record::read);
    match earlier {
        Some(Ok(record)) if record.facts.are_comparable(&facts) => record,
        Some(Ok(_)) => {
            talk::say("what was measured before is of another binary or machine, and is forgotten");
            Record::new(facts)
        }
        Some(Err(error)) if error.kind() != std::io::ErrorKind::NotFound => {
            talk::say(&format!("what was measured before cannot be read, and is forgotten: {error}"));
            Record::new(facts)
        }
        _ => Record::new(facts),
    }
}

struct Run<'a> {
    arguments: &'a Arguments,
    record: Record,
    failed: Vec<String>,
}

impl Run<'_> {
    fn measure(&mut self) {
        for figure in &figures::ALL {
            self.one(figure.id, figure.work, figure.peers, |record, bench| {
                let rows = (figure.measure)(bench).into_iter();
                record.rows.extend(rows.map(|row| Row { id: figure.id.to_owned(), ..row }));
            });
        }
        for study in &growth::ALL {
            self.one(study.id, study.work, &[], |record, bench| {
                let curves = (study.measure)(bench).into_iter();
                record.curves.extend(curves.map(|curve| growth::Curve { id: study.id.to_owned(), ..curve }));
            });
        }
    }

    /// Measures one of them, unless that was done before, and keeps what there is by now.
    fn one(&mut self, id: &str, work: &str, peers: &[Peer], measure: impl FnOnce(&mut Record, &Bench)) {
        if !self.arguments.wants(id) || self.record.has(id) {
            return;
        }
        talk::say(&format!("measuring {id}: {work}"));
        let Arguments { runs, generator, .. } = *self.arguments;
        let bench = Bench { runs, generator, against: narrowed(peers, &self.arguments.against) };
        install(&bench.against);
        // One that fails is no reason to lose the others. It has said why on standard error.
        let (seconds, measured) = timed(|| catch_unwind(AssertUnwindSafe(|| measure(&mut self.record, &bench))));
        if measured.is_err() {
            self.record.forget(id);
            self.failed.push(id.to_owned());
            return;
        }
        self.record.took.push(Took { id: id.to_owned(), seconds: seconds.round() });
        self.record.in_order();
        self.record.facts.versions = machine::versions();
        self.keep();
    }

    fn keep(&self) {
        let Some(path) = &self.arguments.json else { return };
        if let Err(error) = self.record.write(path) {
            talk::say(&format!("{} cannot be written: {error}", path.display()));
        }
    }
}

/// Installs whom a figure meets before anything is measured: to fetch a program is no part of its work. Whoever cannot be installed says so again
/// when its turn comes.
fn install(peers: &[Peer]) {
    for &peer in peers.iter().filter(|peer| peer.package().is_some() && !npm::is_installed(**peer)) {
        talk::say(&format!("installing {} with npm", peer.name()));
        if let Err(reason) = npm::installed(peer) {
            talk::say(&format!("{} is left out: {reason}", peer.name()));
        }
    }
}

/// The figures and curves by their names, and whom each figure knows; in brackets those that are met only on request.
pub(crate) fn list() -> String {
    let named =
        |peer: &Peer| if peer.is_met_on_request() { format!("[{}]", peer.name()) } else { peer.name().to_owned() };
    let figures = figures::ALL.iter().map(|figure| {
        let peers: Vec<String> = figure.peers.iter().map(named).collect();
        format!("{:<3} {:<52} {}", figure.id, figure.work, peers.join(" ")).trim_end().to_owned()
    });
    let studies = growth::ALL.iter().map(|study| format!("{:<3} {}", study.id, study.work));
    figures.chain(studies).collect::<Vec<_>>().join("\n")
}
