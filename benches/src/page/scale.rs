//! `docs/scale.md`: what somebody has written, with what was measured put in its places.

use std::fmt::Write as _;

use super::{Document, lines};
use crate::growth::{self, Curve, Point};
use crate::record::Record;
use crate::samples::{Unit, readable};

/// The page, with a line in double brackets where something is put.
const TEMPLATE: &str = include_str!("scale.md");

/// From which power of the size on a cost counts as growing: less is the spread of what was measured.
const GROWS: f64 = 0.1;

/// From which power on a cost grows faster than its cause.
const SUPER_LINEAR: f64 = 1.1;

/// What somebody would not want to wait for, or to pay for.
struct Limit {
    study: &'static str,
    work: &'static str,
    most: f64,
    why: &'static str,
}

const MIB: f64 = 1_048_576.;

const LIMITS: [Limit; 9] = [
    Limit { study: "G1", work: "deploy, nothing changed", most: 1., why: "a person waits" },
    Limit { study: "G1", work: "first deploy", most: 60., why: "a person waits" },
    Limit { study: "G1", work: "first request after a start", most: 0.1, why: "a visitor notices" },
    Limit { study: "G1", work: "memory, deployment in use", most: 1024. * MIB, why: "a small server's memory" },
    Limit { study: "G2", work: "publish one more", most: 0.1, why: "a pipeline waits" },
    Limit { study: "G2", work: "start of the host", most: 2., why: "visitors of a restart wait" },
    Limit { study: "G2", work: "ship gc --dry-run", most: 60., why: "an operator waits" },
    Limit { study: "G2", work: "memory of the host at rest", most: 1024. * MIB, why: "a small server's memory" },
    Limit { study: "G3", work: "memory of the host at rest", most: 1024. * MIB, why: "a small server's memory" },
];

/// The page and its plots.
pub(super) fn documents(record: &Record) -> Vec<Document> {
    let mut text = TEMPLATE.replace("[[machine]]", &machine(record)).replace("[[limits]]", limits(record).trim_end());
    let mut plots = Vec::new();
    for study in &growth::ALL {
        let curves: Vec<&Curve> = record.curves.iter().filter(|curve| curve.id == study.id).collect();
        let drawn = plots_of(study.id, &curves);
        let mut part: String = drawn.iter().map(|(title, plot)| image(title, plot)).collect();
        part.push_str(&table(&curves));
        text = text.replace(&format!("[[{}]]", study.id), part.trim_end());
        plots.extend(drawn.into_iter().map(|(_, plot)| plot));
    }
    std::iter::once(Document { path: "scale.md".into(), text }).chain(plots).collect()
}

fn machine(record: &Record) -> String {
    let facts = &record.facts;
    let (processor, cores, memory, kernel) = (&facts.processor, facts.cores, facts.memory_mib, &facts.kernel);
    format!("{processor}, {cores} cores, {memory} MiB, Linux {kernel}; {} at commit {}", facts.ship, facts.commit)
}

/// A plot of times and one of memory, with their titles.
fn plots_of(id: &str, curves: &[&Curve]) -> Vec<(String, Document)> {
    let kinds = [(Unit::Seconds, "time", "Time"), (Unit::Bytes, "memory", "Memory")];
    let plot = |(unit, name, title): (Unit, &str, &str)| {
        let curves: Vec<&Curve> = curves.iter().copied().filter(|curve| curve.unit == unit).collect();
        let of = &curves.first()?.of;
        let title = format!("{title} by {of}");
        let path = format!("scale/{}-{name}.svg", id.to_lowercase()).into();
        Some((title.clone(), Document { path, text: lines::plot(&title, of, &curves) }))
    };
    kinds.into_iter().filter_map(plot).collect()
}

fn image(title: &str, plot: &Document) -> String {
    format!("![{title}]({})\n\n", plot.path.display())
}

fn table(curves: &[&Curve]) -> String {
    if curves.is_empty() {
        return "Not measured in this run.".to_owned();
    }
    let sizes: Vec<f64> = curves[0].points.iter().map(|point| point.size).collect();
    let heading: Vec<String> = sizes.iter().map(|size| readable(*size, Unit::Count)).collect();
    let mut text = format!("| | {} | grows with |\n|---|{}---|\n", heading.join(" | "), "---|".repeat(sizes.len()));
    for curve in curves {
        let cells: Vec<String> = curve.points.iter().map(|point| readable(point.median(), curve.unit)).collect();
        let _ = writeln!(text, "| {} | {} | {} |", curve.work, cells.join(" | "), growth_of(curve));
    }
    text
}

/// The exponent, and over which sizes it was found.
fn growth_of(curve: &Curve) -> String {
    let fit = curve.fit;
    let over =
        format!("size^{:.2}, {} to {}", fit.exponent, readable(fit.from, Unit::Count), readable(fit.to, Unit::Count));
    if fit.exponent > SUPER_LINEAR { format!("**{over}: faster than its cause**") } else { over }
}

/// At what size each cost meets a limit if it grows on as it did: what is met first is on top.
fn limits(record: &Record) -> String {
    let mut met: Vec<(f64, String)> = LIMITS.iter().filter_map(|limit| met(record, limit)).collect();
    met.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let lines: String = met.into_iter().map(|(_, line)| line).collect();
    format!("| | limit | is met at about | largest size measured |\n|---|---|---|---|\n{lines}")
}

fn met(record: &Record, limit: &Limit) -> Option<(f64, String)> {
    let curve = record.curves.iter().find(|curve| curve.id == limit.study && curve.work == limit.work)?;
    let last = curve.points.last()?;
    let size = size_at(curve, last, limit.most);
    let at = match size {
        None => "does not grow".to_owned(),
        Some(size) if size > 1e9 => format!("more than a thousand million {}", curve.of),
        Some(size) => format!("{} {}", readable(two_digits(size), Unit::Count), curve.of),
    };
    let line = format!(
        "| {} | {} ({}) | {at} | {}: {} |\n",
        curve.work,
        readable(limit.most, curve.unit),
        limit.why,
        readable(last.size, Unit::Count),
        readable(last.median(), curve.unit)
    );
    Some((size.unwrap_or(f64::MAX), line))
}

/// The size at which a cost meets a limit: where it was measured between two sizes, or on the line beyond the largest.
fn size_at(curve: &Curve, last: &Point, most: f64) -> Option<f64> {
    let crossing = curve.points.windows(2).find(|pair| pair[0].median() <= most && pair[1].median() > most);
    if let Some([before, after]) = crossing.map(|pair| [&pair[0], &pair[1]]) {
        let steepness = (after.median() / before.median()).ln() / (after.size / before.size).ln();
        return Some(before.size * (most / before.median()).powf(1. / steepness));
    }
    let exponent = curve.fit.exponent.max(last_step(curve));
    (exponent > GROWS).then(|| last.size * (most / last.median()).powf(1. / exponent))
}

/// The power with which the cost grew in the last step: where it is steeper than the fit, what has to be done anyway still covers what grows.
fn last_step(curve: &Curve) -> f64 {
    match curve.points.as_slice() {
        [.., before, last] => (last.median() / before.median()).ln() / (last.size / before.size).ln(),
        _ => 0.,
    }
}

/// What is guessed is not told to the last digit.
fn two_digits(size: f64) -> f64 {
    let power = 10_f64.powf(size.log10().floor() - 1.);
    (size / power).round() * power
}
