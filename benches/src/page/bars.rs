//! A plot of horizontal bars. Each panel has an axis of its own that begins at zero: works differ by orders of magnitude, and what
//! is compared stands within one.

use super::panels::{Bar, Kind, Panel};
use super::svg::{Svg, WIDTH, width_of};
use super::ticks;
use crate::samples::Unit;

const MARGIN: f64 = 20.;
const BAR: f64 = 16.;
const STEP: f64 = 24.;
const TITLE: f64 = 26.;
const AXIS: f64 = 22.;
const GAP: f64 = 20.;

/// Room for what stands behind a bar: its median and its spread.
const VALUES: f64 = 220.;

/// The plot.
pub(super) fn plot(title: &str, panels: &[Panel]) -> String {
    let mut svg = Svg::default();
    svg.text(MARGIN, 30., "title", title);
    svg.text(WIDTH - MARGIN, 30., "quiet small end", "bar: median · thin line: least to greatest");
    let names = panels.iter().flat_map(|panel| &panel.bars).map(|bar| width_of(&bar.name)).fold(40., f64::max);
    let mut y = 48.;
    for panel in panels {
        y = drawn(&mut svg, panel, MARGIN + names + 10., y) + GAP;
    }
    svg.document(y, title, &described(panels))
}

/// Draws a panel from `y` on. Where it ends.
fn drawn(svg: &mut Svg, panel: &Panel, left: f64, y: f64) -> f64 {
    svg.text(MARGIN, y + 14., "text strong", &panel.title);
    for missed in panel.bars.iter().filter_map(Bar::missed) {
        svg.text(WIDTH - MARGIN, y + 14., "over end", &format!("over its bound: {missed}"));
    }
    let most =
        panel.bars.iter().map(|bar| bar.samples.median().max(bar.samples.range().1.min(1.5 * bar.samples.median())));
    let most = most.fold(0., f64::max);
    let right = WIDTH - MARGIN - VALUES;
    let at = |value: f64| left + (value / most).min(1.) * (right - left);
    let (top, bottom) = (y + TITLE, y + TITLE + STEP * panel.bars.len() as f64);
    for (value, label) in ticks::linear(most, panel.unit) {
        svg.line((at(value), top), (at(value), bottom), if value == 0. { "axis" } else { "grid" });
        svg.text(at(value), bottom + 14., "quiet small middle", &label);
    }
    svg.text(WIDTH - MARGIN, bottom + 14., "quiet small end", better(panel.unit));
    for (place, bar) in panel.bars.iter().enumerate() {
        one(svg, bar, left, top + STEP * place as f64 + (STEP - BAR) / 2., &at);
    }
    bottom + AXIS
}

/// What an axis counts, and which end of it is the good one.
const fn better(unit: Unit) -> &'static str {
    match unit {
        Unit::Seconds => "time, less is better",
        Unit::PerSecond => "requests per second, more is better",
        Unit::Bytes => "memory, less is better",
        Unit::Count => "less is better",
    }
}

fn one(svg: &mut Svg, bar: &Bar, left: f64, y: f64, at: &impl Fn(f64) -> f64) {
    let is_ship = bar.kind != Kind::Other;
    let (median, (least, greatest)) = (bar.samples.median(), bar.samples.range());
    let middle = y + BAR / 2.;
    svg.text(left - 8., middle + 4.5, if is_ship { "text strong end" } else { "text end" }, &bar.name);
    svg.bar(left, y, at(median) - left, BAR, if is_ship { "ship" } else { "bar" });
    if bar.samples.values().len() > 1 {
        svg.line((at(least), middle), (at(greatest), middle), "spread");
    }
    let x = at(median.max(greatest)) + 8.;
    let value = bar.samples.readable(median);
    svg.text(x, middle + 4.5, if is_ship { "text strong" } else { "text" }, &value);
}

/// The same in words, for who cannot see it.
fn described(panels: &[Panel]) -> String {
    let bar = |bar: &Bar| {
        let over =
            if let Kind::ShipOver(missed) = &bar.kind { format!(", over its bound {missed}") } else { String::new() };
        format!("{} {}{over}", bar.name, bar.samples.readable(bar.samples.median()))
    };
    let panel =
        |panel: &Panel| format!("{}: {}.", panel.title, panel.bars.iter().map(bar).collect::<Vec<_>>().join(", "));
    panels.iter().map(panel).collect::<Vec<_>>().join(" ")
}
