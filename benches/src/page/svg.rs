//! As much of SVG as the plots need: text, lines, bars, and what they are called for who cannot see them.

use std::fmt::Write as _;

use super::palette::STYLE;

/// The width of every plot, in pixels: that of a page's text.
pub(super) const WIDTH: f64 = 760.;

/// How wide a letter of ordinary text is, on average, in pixels.
const LETTER: f64 = 6.9;

/// A plot in the making.
#[derive(Default)]
pub(super) struct Svg(String);

impl Svg {
    /// Text whose line is at `y`. The class says how it looks and on which side of `x` it stands.
    pub(super) fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escaped(text);
        let _ = writeln!(self.0, r#"<text x="{x:.1}" y="{y:.1}" class="{class}">{text}</text>"#);
    }

    /// A straight line.
    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), class: &str) {
        let _ = writeln!(self.0, r#"<line x1="{x1:.1}" y1="{y1:.1}" x2="{x2:.1}" y2="{y2:.1}" class="{class}"/>"#);
    }

    /// A line through several points.
    pub(super) fn path(&mut self, points: &[(f64, f64)], class: &str) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.0, r#"<polyline points="{}" class="{class}"/>"#, points.join(" "));
    }

    /// A dot.
    pub(super) fn dot(&mut self, (x, y): (f64, f64), class: &str) {
        let _ = writeln!(self.0, r#"<circle cx="{x:.1}" cy="{y:.1}" r="3" class="{class}"/>"#);
    }

    /// A bar from `x` to the right.
    pub(super) fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, class: &str) {
        // What is there is seen, however small it is.
        let width = width.max(1.5);
        let _ = writeln!(
            self.0,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2" class="{class}"/>"#
        );
    }

    /// The document: what has been drawn on its ground, with a title and what it shows in words.
    pub(super) fn document(self, height: f64, title: &str, described: &str) -> String {
        let (title, described, drawn) = (escaped(title), escaped(described), self.0);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" width=\"{WIDTH}\" \
             height=\"{height:.0}\" role=\"img\" aria-labelledby=\"title desc\">\n<title id=\"title\">{title}</title>\n\
             <desc id=\"desc\">{described}</desc>\n<style>\n{STYLE}\n</style>\n<rect x=\"0.5\" y=\"0.5\" \
             width=\"{:.0}\" height=\"{:.0}\" rx=\"8\" class=\"ground\"/>\n{drawn}</svg>\n",
            WIDTH - 1.,
            height - 1.
        )
    }
}

/// How much room a text takes, in pixels.
pub(super) fn width_of(text: &str) -> f64 {
    text.chars().count() as f64 * LETTER
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
