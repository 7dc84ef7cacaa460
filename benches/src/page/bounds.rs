//! A plot of what is held against a value: how much of its bound each of them takes.

use super::svg::{Svg, WIDTH};
use crate::figure::{Bound, Row, Verdict};

const MARGIN: f64 = 20.;
const STEP: f64 = 42.;
const BAR: f64 = 14.;
const TOP: f64 = 66.;

/// Room for what stands behind a bar.
const VALUES: f64 = 170.;

/// How far the axis goes, as a part of the bound. What is longer is cut, and says so in its text.
const LONGEST: f64 = 1.25;

/// The rows that have a bound which is a value, and not zero.
pub(super) fn of<'r>(rows: &[&'r Row]) -> Vec<(&'r Row, f64)> {
    let bounded = |row: &&'r Row| match row.bound {
        Some(Bound::AtMost { value }) if value > 0. && row.peer.is_none() => Some((*row, value)),
        _ => None,
    };
    rows.iter().filter_map(bounded).collect()
}

/// The plot.
pub(super) fn plot(title: &str, rows: &[(&Row, f64)]) -> String {
    let mut svg = Svg::default();
    svg.text(MARGIN, 30., "title", title);
    svg.text(WIDTH - MARGIN, 30., "quiet small end", "bar: median · thin line: least to greatest");
    let left = MARGIN;
    let right = WIDTH - MARGIN - VALUES;
    let at = |part: f64| left + part.min(LONGEST) / LONGEST * (right - left);
    let bottom = TOP + STEP * rows.len() as f64;
    for (part, label) in [(0., ""), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1., "the bound")] {
        svg.line((at(part), TOP - 6.), (at(part), bottom), if part < 1. { "grid" } else { "bound" });
        svg.text(at(part), TOP - 12., "quiet small middle", label);
    }
    for (place, (row, value)) in rows.iter().enumerate() {
        one(&mut svg, row, *value, left, TOP + STEP * place as f64, &at);
    }
    svg.document(bottom + 18., title, &described(rows))
}

fn one(svg: &mut Svg, row: &Row, value: f64, left: f64, y: f64, at: &impl Fn(f64) -> f64) {
    let Some(samples) = row.ship_samples() else { return };
    let (median, (least, greatest)) = (samples.median(), samples.range());
    // The name stands over its bar: it is a sentence.
    let middle = y + STEP - 14.;
    svg.text(left, y + 14., "text", &name(row));
    svg.bar(left, middle - BAR / 2., at(median / value) - left, BAR, "ship");
    if samples.values().len() > 1 {
        svg.line((at(least / value), middle), (at(greatest / value), middle), "spread");
    }
    let is_over = row.verdict == Verdict::Over;
    let told =
        format!("{}{} of {}", if is_over { "over: " } else { "" }, samples.readable(median), samples.readable(value));
    svg.text(at(LONGEST) + 10., middle + 4.5, if is_over { "over" } else { "text" }, &told);
}

fn name(row: &Row) -> String {
    format!("{} {}", row.id, row.work)
}

fn described(rows: &[(&Row, f64)]) -> String {
    let told = |(row, value): &(&Row, f64)| {
        let samples = row.ship_samples()?;
        let over = if row.verdict == Verdict::Over { ", over" } else { "" };
        Some(format!("{}: {} of {}{over}.", name(row), samples.readable(samples.median()), samples.readable(*value)))
    };
    rows.iter().filter_map(told).collect::<Vec<_>>().join(" ")
}
