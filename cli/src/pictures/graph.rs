//! The routes and functions of a deployment: routes in the order in which they are tried, and which functions they lead to.

mod phases;
mod row;

use serde::Serialize;
use ship_core::FunctionName;

use self::phases::phases;
use self::row::Row;
use super::{Site, SiteFunction, cut, templates};
use crate::error::CommandError;
use crate::output::{count, size};

/// How many routes of a phase are drawn, and how many functions. More would be a picture that nobody reads.
const ROUTES_OF_PHASE: usize = 60;
const FUNCTIONS: usize = 80;

/// How many functions a single route is drawn to lead to.
const LEADS_TO: usize = 12;

/// Where columns stand, in the picture's own units, which are a browser's pixels.
const MARGIN: u32 = 24;
const ROUTE_WIDTH: u32 = 620;
const FUNCTION_X: u32 = 860;
const FUNCTION_WIDTH: u32 = 300;
const WIDTH: u32 = FUNCTION_X + FUNCTION_WIDTH + MARGIN;

/// How high things are, and how much stands between them.
const TOP: u32 = 84;
const HEADING: u32 = 34;
const BOX: u32 = 46;
const LINE: u32 = 17;
const GAP: u32 = 8;

/// How many characters fit into a box of a route, and into one of a function. All of them are as wide as each other, in whatever font.
const ROUTE_CHARACTERS: usize = 60;
const LINE_CHARACTERS: usize = 68;
const FUNCTION_CHARACTERS: usize = 34;

/// The picture as its template has it.
#[derive(Serialize)]
struct Graph {
    title: String,
    summary: String,
    width: u32,
    height: u32,
    headings: Vec<Heading>,
    routes: Vec<Placed>,
    functions: Vec<FunctionBox>,
    edges: Vec<Edge>,
    /// What is not drawn, each with where that is said.
    folded: Vec<Heading>,
}

#[derive(Serialize)]
struct Heading {
    x: u32,
    y: u32,
    text: String,
}

/// A route with its place.
#[derive(Serialize)]
struct Placed {
    y: u32,
    height: u32,
    /// What there is room for of the pattern, of what it does, and of its conditions.
    shown: String,
    does: String,
    conditions: String,
    row: Row,
}

#[derive(Serialize)]
struct FunctionBox {
    y: u32,
    shown: String,
    name: String,
    about: String,
}

#[derive(Serialize)]
struct Edge {
    kind: &'static str,
    path: String,
}

/// Draws it as an SVG.
pub(crate) fn draw(site: &Site) -> Result<String, CommandError> {
    templates::render("graph.xml", &Drawing::of(site).finished())
}

/// A picture that grows downwards.
struct Drawing<'s> {
    site: &'s Site,
    y: u32,
    graph: Graph,
}

impl<'s> Drawing<'s> {
    fn of(site: &'s Site) -> Self {
        let shown = site.functions.iter().take(FUNCTIONS);
        let functions = shown.enumerate().map(|(place, function)| function_box(place, function)).collect();
        let graph = Graph {
            title: site.title.clone(),
            summary: summary(site),
            width: WIDTH,
            height: 0,
            headings: vec![Heading { x: FUNCTION_X, y: TOP + 18, text: "Functions".to_owned() }],
            routes: Vec::new(),
            functions,
            edges: Vec::new(),
            folded: Vec::new(),
        };
        Self { site, y: TOP, graph }
    }

    fn finished(mut self) -> Graph {
        for (place, phase) in phases(self.site).into_iter().enumerate() {
            self.y += if place > 0 { GAP } else { 0 };
            self.heading(&phase.heading);
            let more = phase.rows.len().saturating_sub(ROUTES_OF_PHASE);
            phase.rows.into_iter().take(ROUTES_OF_PHASE).for_each(|row| self.route(row));
            if more > 0 {
                self.fold(MARGIN, self.y, &format!("and {}, not drawn", count(more as u64, "further route")));
                self.y += HEADING;
            }
        }
        let functions_end = function_y(self.graph.functions.len());
        let more = self.site.functions.len().saturating_sub(FUNCTIONS);
        if more > 0 {
            let text = format!("and {}, not drawn", count(more as u64, "further function"));
            self.fold(FUNCTION_X, functions_end, &text);
        } else if self.site.functions.is_empty() {
            self.fold(FUNCTION_X, functions_end, "none: every page is a file");
        }
        self.graph.height = self.y.max(functions_end + HEADING) + MARGIN;
        self.graph
    }

    fn heading(&mut self, text: &str) {
        self.graph.headings.push(Heading { x: MARGIN, y: self.y + 18, text: text.to_owned() });
        self.y += HEADING;
    }

    fn fold(&mut self, x: u32, y: u32, text: &str) {
        self.graph.folded.push(Heading { x, y: y + 18, text: text.to_owned() });
    }

    fn route(&mut self, row: Row) {
        let height = BOX + if row.conditions.is_empty() { 0 } else { LINE };
        let middle = self.y + height / 2;
        for (place, function) in self.site.functions.iter().enumerate().take(FUNCTIONS) {
            if row.leads_to.contains(&function.name) {
                self.graph.edges.push(edge(row.edge, middle, place));
            }
        }
        let shown = cut(&row.pattern, ROUTE_CHARACTERS);
        let (does, conditions) = (cut(&row.does, LINE_CHARACTERS), cut(&row.conditions, LINE_CHARACTERS));
        self.graph.routes.push(Placed { y: self.y, height, shown, does, conditions, row });
        self.y += height + GAP;
    }
}

fn function_y(place: usize) -> u32 {
    let place = u32::try_from(place).unwrap_or(u32::MAX);
    TOP + HEADING + place.saturating_mul(BOX + GAP)
}

fn function_box(place: usize, function: &SiteFunction) -> FunctionBox {
    let name = function.name.to_string();
    let about = format!("{}, {}", function.runtime, size(function.size_bytes));
    FunctionBox { y: function_y(place), shown: cut(&name, FUNCTION_CHARACTERS), name, about }
}

/// A line from the end of a route's box to the beginning of a function's.
fn edge(kind: &'static str, from: u32, function: usize) -> Edge {
    let (begin, end, to) = (MARGIN + ROUTE_WIDTH, FUNCTION_X - 7, function_y(function) + BOX / 2);
    let bend = u32::midpoint(begin, end);
    Edge { kind, path: format!("M{begin} {from}C{bend} {from} {bend} {to} {end} {to}") }
}

fn summary(site: &Site) -> String {
    let routes = count(site.routes.len() as u64, "route");
    let functions = count(site.functions.len() as u64, "function");
    format!("{routes}, {functions}, {} ({})", count(site.files.files, "file"), size(site.files.bytes))
}

/// The functions that stand at a path, which may have parts that are only known with a request.
fn functions_at(site: &Site, destination: &str) -> Vec<FunctionName> {
    let path = destination.split(['?', '#']).next().unwrap_or_default().trim_start_matches('/');
    let (fixed, is_open) = path.find('$').map_or((path, false), |end| (&path[..end], true));
    let stands = |function: &&SiteFunction| {
        let name = function.name.as_str();
        if is_open { !fixed.is_empty() && name.starts_with(fixed) } else { name == path.trim_end_matches('/') }
    };
    site.functions.iter().filter(stands).take(LEADS_TO).map(|function| function.name.clone()).collect()
}

#[cfg(test)]
mod tests;
