//! A plot of curves with logarithmic axes: a power is a straight line, and its steepness is the exponent.

use super::palette::COLOURS;
use super::svg::{Svg, WIDTH};
use super::ticks;
use crate::growth::Curve;
use crate::samples::{Unit, readable};

const LEFT: f64 = 78.;
/// Room for the names of the curves, which stand at their ends.
const NAMES: f64 = 236.;
const TOP: f64 = 50.;
const HEIGHT: f64 = 300.;
const BELOW: f64 = 46.;

/// The distance between two names, in pixels.
const LINE: f64 = 30.;

/// The plot of curves of one unit.
pub(super) fn plot(title: &str, of: &str, curves: &[&Curve]) -> String {
    let mut svg = Svg::default();
    let Some(axes) = Axes::of(curves) else { return svg.document(TOP, title, "nothing was measured") };
    svg.text(20., 30., "title", title);
    axes.draw(&mut svg, of);
    for (number, curve) in curves.iter().enumerate() {
        let colour = number % COLOURS;
        let points: Vec<(f64, f64)> = curve.points.iter().map(|point| axes.place(point.size, point.median())).collect();
        let fit = [curve.fit.from, curve.fit.to].map(|size| axes.place(size, curve.fit.at(size)));
        svg.path(&fit, &format!("fit s{colour}"));
        svg.path(&points, &format!("line s{colour}"));
        for point in points {
            svg.dot(point, &format!("f{colour}"));
        }
    }
    for (number, y) in axes.names(curves).into_iter().enumerate() {
        let (curve, x) = (curves[number], WIDTH - NAMES + 12.);
        let last = curve.points.last().map_or(f64::NAN, crate::growth::Point::median);
        svg.text(x, y, &format!("strong f{}", number % COLOURS), &curve.work);
        let told = format!("{} at the end · size^{:.2}", readable(last, curve.unit), curve.fit.exponent);
        svg.text(x, y + 13., "quiet small", &told);
    }
    svg.document(TOP + HEIGHT + BELOW, title, &described(curves))
}

struct Axes {
    sizes: Vec<f64>,
    costs: Vec<f64>,
    unit: Unit,
}

impl Axes {
    fn of(curves: &[&Curve]) -> Option<Self> {
        let unit = curves.first()?.unit;
        let points = || curves.iter().flat_map(|curve| &curve.points);
        let sizes = || points().map(|point| point.size);
        let costs = || points().map(super::super::growth::Point::median).filter(|cost| *cost > 0.);
        let between = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::MAX, f64::MIN_POSITIVE), |(least, most), value| (least.min(value), most.max(value)))
        };
        let ((least_size, most_size), (least, most)) = (between(&mut sizes()), between(&mut costs()));
        // Memory is counted in powers of two, so its round numbers are ten, a hundred, a thousand MiB.
        let scale = if unit == Unit::Bytes { 1_048_576. } else { 1. };
        let costs = ticks::decades(least / scale, most / scale).into_iter().map(|cost| cost * scale).collect();
        Some(Self { sizes: ticks::decades(least_size, most_size), costs, unit })
    }

    fn place(&self, size: f64, cost: f64) -> (f64, f64) {
        let part = |value: f64, ticks: &[f64]| {
            let (first, last) = (ticks[0].log10(), ticks[ticks.len() - 1].log10());
            (value.max(ticks[0]).log10() - first) / (last - first).max(f64::MIN_POSITIVE)
        };
        let right = WIDTH - NAMES;
        (LEFT + part(size, &self.sizes) * (right - LEFT), TOP + HEIGHT * (1. - part(cost, &self.costs)))
    }

    fn draw(&self, svg: &mut Svg, of: &str) {
        let (right, bottom) = (WIDTH - NAMES, TOP + HEIGHT);
        for &size in &self.sizes {
            let (x, _) = self.place(size, self.costs[0]);
            svg.line((x, TOP), (x, bottom), "grid");
            svg.text(x, bottom + 16., "quiet small middle", &readable(size, Unit::Count));
        }
        for &cost in &self.costs {
            let (_, y) = self.place(self.sizes[0], cost);
            svg.line((LEFT, y), (right, y), "grid");
            svg.text(LEFT - 8., y + 4., "quiet small end", &ticks::label(cost, cost, self.unit));
        }
        svg.line((LEFT, bottom), (right, bottom), "axis");
        svg.text(f64::midpoint(LEFT, right), bottom + 35., "text middle", of);
    }

    /// Where the names stand: beside the ends of their curves, and never one on another.
    fn names(&self, curves: &[&Curve]) -> Vec<f64> {
        let end = |curve: &&Curve| {
            let last = curve.points.last().expect("a curve has points");
            self.place(last.size, last.median()).1
        };
        let ends: Vec<f64> = curves.iter().map(end).collect();
        let mut order: Vec<usize> = (0..curves.len()).collect();
        order.sort_by(|one, other| ends[*one].total_cmp(&ends[*other]));
        let mut places = ends;
        let mut free = TOP + 8.;
        for &number in &order {
            places[number] = places[number].max(free);
            free = places[number] + LINE;
        }
        // Those that were pushed below the plot push back.
        let mut most = TOP + HEIGHT - 10.;
        for &number in order.iter().rev() {
            places[number] = places[number].min(most);
            most = places[number] - LINE;
        }
        places
    }
}

fn described(curves: &[&Curve]) -> String {
    let told = |curve: &&Curve| {
        let ends = [curve.points.first(), curve.points.last()].into_iter().flatten();
        let ends = ends
            .map(|point| format!("{} at {}", readable(point.median(), curve.unit), readable(point.size, Unit::Count)));
        let ends = ends.collect::<Vec<_>>().join(", ");
        format!("{}: {ends}; grows with the power {:.2} of the size.", curve.work, curve.fit.exponent)
    };
    curves.iter().map(told).collect::<Vec<_>>().join(" ")
}
