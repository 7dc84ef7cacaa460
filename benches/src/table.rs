//! The table on the terminal.

use crate::figure::{Row, Verdict};
use crate::growth::Curve;
use crate::machine::Facts;
use crate::samples::readable;

/// The table, with the facts of the machine above it.
pub(crate) fn table(facts: &Facts, rows: &[Row]) -> String {
    let heading = ["", "work", "ship", "compared to", "ratio", "bound", "", ""].map(str::to_owned);
    let lines: Vec<[String; 8]> = std::iter::once(heading).chain(rows.iter().map(cells)).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let mut text = format!("{facts}\n\n");
    for line in &lines {
        let padded = line.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(padded.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

fn cells(row: &Row) -> [String; 8] {
    let compared = row.compared_to().map(|(peer, samples)| format!("{peer} {samples}"));
    [
        row.id.clone(),
        row.work.clone(),
        row.ship_samples().map(|samples| samples.to_string()).unwrap_or_default(),
        compared.or_else(|| row.peer.clone()).unwrap_or_default(),
        row.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        row.bound_in_words(),
        verdict(row.verdict).to_owned(),
        row.note.clone(),
    ]
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Over => "OVER",
        Verdict::Unbounded => "-",
        Verdict::Skipped => "skipped",
    }
}

/// The curves: what each cost at the smallest and at the largest size, and how it grows.
pub(crate) fn curves_table(curves: &[Curve]) -> String {
    let line = |curve: &Curve| {
        let shown = |point: Option<&crate::growth::Point>| point.map(|point| readable(point.median(), curve.unit));
        let (first, last) = (shown(curve.points.first()), shown(curve.points.last()));
        let (first, last) = (first.unwrap_or_default(), last.unwrap_or_default());
        let fit = curve.fit;
        format!(
            "{:<3} {:<24} {:<42} {first:>10} … {last:<10} size^{:.2} from {} to {}",
            curve.id, curve.of, curve.work, fit.exponent, fit.from, fit.to
        )
    };
    curves.iter().map(line).collect::<Vec<_>>().join("\n")
}
