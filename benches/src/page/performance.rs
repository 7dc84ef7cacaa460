//! `docs/performance.md`: every figure, with the plots and the tables.

use std::fmt::Write as _;

use super::{Document, bars, bounds, panels};
use crate::figure::{Row, Verdict};
use crate::figures;
use crate::record::Record;

/// A part of the page.
struct Part {
    title: &'static str,
    text: &'static str,
    /// The figures that it has.
    figures: &'static [&'static str],
    /// Its plots: the name of the file, what it is called, and the figures in it.
    plots: &'static [(&'static str, &'static str, &'static [&'static str])],
}

const PARTS: [Part; 5] = [
    Part {
        title: "Deploy",
        text: "From a folder to a URL: the whole process is measured, from its start until the URL is printed and everything is durable.",
        figures: &["D1", "D2", "D3", "D4", "D5", "D6", "D7", "D8"],
        plots: &[
            ("deploy", "Deploying", &["D1", "D3", "D4", "D5"]),
            ("build", "Building TypeScript functions", &["D6", "D7"]),
        ],
    },
    Part {
        title: "Serve",
        text: "Static files beside servers that do nothing else, with as many workers and tuned by their book; functions beside a proxy in front of the same program.",
        figures: &["S1", "S2", "S3", "S4", "S5", "S6", "N1"],
        plots: &[
            ("static-small", "Static files of 1 KB", &["S1"]),
            ("static-large", "Static files of 100 KB and 1 MB", &["S2"]),
            ("function", "Time added to a function that is awake", &["S3"]),
        ],
    },
    Part {
        title: "Wake",
        text: "The first request to a function that sleeps, its sandbox included, beside the same program started bare: same interpreter, inherited socket, no sandbox.",
        figures: &["W1", "W2", "W3", "W4", "W5", "W6"],
        plots: &[("wake", "First request to a function that sleeps", &["W1", "W2", "W3", "W4", "W5"])],
    },
    Part {
        title: "Develop",
        text: "`ship dev` beside the development servers of others, on the same page and the same function.",
        figures: &["V1", "V2", "V3", "V4", "V5"],
        plots: &[
            ("develop", "Until a development server answers", &["V1"]),
            ("edit", "From an edit until it is seen", &["V2", "V3", "V4"]),
            ("develop-memory", "Memory of a development server", &["V5"]),
        ],
    },
    Part {
        title: "Keep",
        text: "What is promised whatever happens: nothing that was acknowledged is lost, no visitor notices a change, and who does harm harms nobody else.",
        figures: &["K1", "K2", "K3", "K4", "K5"],
        plots: &[("neighbour", "A neighbour's p99 while a function does harm", &["K3"])],
    },
];

/// The page and its plots.
pub(super) fn documents(record: &Record) -> Vec<Document> {
    let plots = PARTS.iter().flat_map(|part| part.plots).filter_map(|(name, title, figures)| {
        let panels = panels::of(&rows_of(record, figures));
        let text = (!panels.is_empty()).then(|| bars::plot(title, &panels))?;
        Some(Document { path: format!("performance/{name}.svg").into(), text })
    });
    let plots: Vec<Document> = std::iter::once(held(record)).flatten().chain(plots).collect();
    let page = Document { path: "performance.md".into(), text: page(record, &plots) };
    std::iter::once(page).chain(plots).collect()
}

/// The figures that are held against a value and not against somebody else. Those of attacks have nearly one value, and are in the table alone.
const HELD: [&str; 13] = ["D2", "D8", "S4", "S5", "S6", "W6", "V1", "V2", "V4", "V5", "K1", "K2", "K5"];

/// The plot of how much of their bounds they take.
const HELD_PLOT: (&str, &str) = ("bounds", "How much of a fixed bound is taken");

fn held(record: &Record) -> Option<Document> {
    let rows = bounds::of(&rows_of(record, &HELD));
    let (name, title) = HELD_PLOT;
    (!rows.is_empty())
        .then(|| Document { path: format!("performance/{name}.svg").into(), text: bounds::plot(title, &rows) })
}

fn rows_of<'r>(record: &'r Record, figures: &[&str]) -> Vec<&'r Row> {
    record.rows.iter().filter(|row| figures.contains(&row.id.as_str())).collect()
}

fn page(record: &Record, plots: &[Document]) -> String {
    let mut text = String::from(HEAD);
    text.push_str(&facts(record));
    text.push_str(&judgement(record));
    if plots.iter().any(|plot| plot.path.ends_with(format!("{}.svg", HELD_PLOT.0))) {
        let _ = write!(text, "\n![{}](performance/{}.svg)\n", HELD_PLOT.1, HELD_PLOT.0);
    }
    for part in &PARTS {
        let rows = rows_of(record, part.figures);
        if rows.is_empty() {
            continue;
        }
        let _ = write!(text, "\n## {}\n\n{}\n", part.title, part.text);
        for (name, title, _) in part.plots {
            if plots.iter().any(|plot| plot.path.ends_with(format!("{name}.svg"))) {
                let _ = write!(text, "\n![{title}](performance/{name}.svg)\n");
            }
        }
        text.push_str("\n| | work | ship | beside | ratio | bound | |\n|---|---|---|---|---|---|---|\n");
        text.extend(rows.into_iter().map(line));
    }
    text
}

const HEAD: &str = "\
# How fast it is

Generated by `cargo xtask performance` from [performance.json](performance.json); do not edit. `cargo xtask bench --json FILE` measures all of it on
another machine, and `cargo xtask performance FILE` makes this page of that. [How costs grow](scale.md) has a page of its own.

All sides of a line took turns in one run on one machine, so a slow minute hit all of them. A value is the median of all samples, with the least and the
greatest in brackets. A bound is what ship promises: a multiple of what the other side took in the same run, or a value.
";

fn facts(record: &Record) -> String {
    let facts = &record.facts;
    let minutes = record.took.iter().map(|took| took.seconds).sum::<f64>() / 60.;
    format!(
        "\n- **Machine:** {}, {} cores, {} MiB, Linux {}\n- **Measured:** {} at commit {}, {}, in {minutes:.0} minutes\n\
         - **Load by:** {}\n- **Beside:** {}\n",
        facts.processor,
        facts.cores,
        facts.memory_mib,
        facts.kernel,
        facts.ship,
        facts.commit,
        facts.measured_at,
        facts.load,
        facts.versions.join(", ")
    )
}

/// How many bounds are kept, and which are not.
fn judgement(record: &Record) -> String {
    let judged = |verdict: Verdict| record.rows.iter().filter(move |row| row.verdict == verdict);
    let (kept, over) = (judged(Verdict::Holds).count(), judged(Verdict::Over).count());
    let mut text = format!("\n**{kept} of {} bounds hold", kept + over);
    text.push_str(if over == 0 { ".**\n" } else { ", and these are over:**\n\n" });
    for row in judged(Verdict::Over) {
        let _ = writeln!(text, "- {} {}: {}", row.id, cell(&row.work), in_words(row));
    }
    let missing: Vec<&str> =
        figures::ALL.iter().map(|figure| figure.id).filter(|id| !record.rows.iter().any(|row| row.id == *id)).collect();
    if !missing.is_empty() {
        let _ = write!(text, "\nNot measured in this run: {}.\n", missing.join(", "));
    }
    text
}

/// By how much a bound is missed.
fn in_words(row: &Row) -> String {
    let ship = row.ship_samples().map(|samples| samples.readable(samples.median())).unwrap_or_default();
    match (row.compared_to(), row.ratio) {
        (Some((peer, samples)), Some(ratio)) => format!(
            "{ship} beside {} of {peer}, which is {ratio:.2} ×; the bound is {}",
            samples.readable(samples.median()),
            row.bound_in_words()
        ),
        _ => format!("{ship}; the bound is {}", row.bound_in_words()),
    }
}

fn line(row: &Row) -> String {
    let beside = match (row.compared_to(), &row.peer) {
        (Some((peer, samples)), _) => format!("{peer} {samples}"),
        (None, Some(peer)) => peer.clone(),
        (None, None) => String::new(),
    };
    let verdict = match row.verdict {
        Verdict::Holds => "holds",
        Verdict::Over => "**over**",
        Verdict::Unbounded => "",
        Verdict::Skipped => "skipped",
    };
    let remarks = if row.note.is_empty() { verdict.to_owned() } else { format!("{verdict} ({})", cell(&row.note)) };
    format!(
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        row.id,
        cell(&row.work),
        row.ship_samples().map(|samples| samples.to_string()).unwrap_or_default(),
        cell(&beside),
        row.ratio.map(|ratio| format!("{ratio:.2} ×")).unwrap_or_default(),
        row.bound_in_words(),
        remarks.trim()
    )
}

/// Text that is one cell of a table, whatever a program has said.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;").replace(['\n', '\r'], " ")
}
