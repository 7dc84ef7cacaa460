//! Routes of functions: `[id]`, `[...path]` and `[[...path]]` in a path become patterns whose values arrive in the query.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Write as _;

use ship_core::route::{CaseRule, Pattern, Phase, Route, RouteTable};

use super::{DetectError, DetectedFunction, Reach};

/// The folder of functions.
const API: &str = "api/";

/// One segment of a function's path, from the most to the least specific.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Segment {
    /// `users`: itself.
    Literal(String),
    /// `[id]`: any one segment.
    One(String),
    /// `[...path]`: one segment or more.
    Many(String),
    /// `[[...path]]`: any number of segments, even none.
    Any(String),
}

impl Segment {
    fn parse(text: &str) -> Self {
        let inside = |open: &str, close: &str| {
            let name = text.strip_prefix(open)?.strip_suffix(close)?;
            let is_name =
                !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
            is_name.then(|| name.to_owned())
        };
        inside("[[...", "]]")
            .map(Self::Any)
            .or_else(|| inside("[...", "]").map(Self::Many))
            .or_else(|| inside("[", "]").map(Self::One))
            .unwrap_or_else(|| Self::Literal(text.to_owned()))
    }

    fn placeholder(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::One(name) | Self::Many(name) | Self::Any(name) => Some(name),
        }
    }

    /// The segment with its placeholder's name left out: what two files must not share at one route.
    fn shape(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::One(_) => "[]",
            Self::Many(_) => "[...]",
            Self::Any(_) => "[[...]]",
        }
    }

    fn regex(&self) -> String {
        match self {
            Self::Literal(text) => format!("/{}", escape(text)),
            Self::One(_) => "/([^/]+)".to_owned(),
            Self::Many(_) => "/(.+?)".to_owned(),
            Self::Any(_) => "(?:/(.*?))?".to_owned(),
        }
    }
}

/// The path of a function, read.
struct FunctionPath<'f> {
    function: &'f DetectedFunction,
    segments: Vec<Segment>,
}

impl<'f> FunctionPath<'f> {
    fn new(function: &'f DetectedFunction) -> Self {
        let name = function.name.as_str();
        let route = name.strip_suffix("/index").unwrap_or(name);
        Self { function, segments: route.split('/').map(Segment::parse).collect() }
    }

    fn is_dynamic(&self) -> bool {
        self.segments.iter().any(|segment| segment.placeholder().is_some())
    }

    /// The more specific path first: segment by segment from the left, and of two that begin alike the longer.
    fn compare(&self, other: &Self) -> Ordering {
        for (left, right) in self.segments.iter().zip(&other.segments) {
            let order = left.cmp(right);
            if order != Ordering::Equal {
                return order;
            }
        }
        other.segments.len().cmp(&self.segments.len())
    }

    fn route(&self) -> Result<Route, DetectError> {
        let mut src = String::from("^");
        let mut query = String::new();
        let mut group = 0;
        for segment in &self.segments {
            src.push_str(&segment.regex());
            if let Some(name) = segment.placeholder() {
                group += 1;
                let separator = if group == 1 { '?' } else { '&' };
                let _ = write!(query, "{separator}{name}=${group}");
            }
        }
        src.push_str("/?$");
        let wrong = |source| DetectError::RoutePath { file: self.function.file.clone(), source };
        let mut route = Route::new(Pattern::anchored(&src, CaseRule::Sensitive).map_err(wrong)?);
        route.dest = Some(format!("/{}{query}", self.function.name));
        route.check = true;
        Ok(route)
    }
}

/// What becomes of `/api/date.go`, where a function `/api/date` is made of that file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FileNames {
    /// The function answers there, too.
    Answer,
    /// It leads to the function's own path, followed by this, because the site has clean URLs.
    Lead {
        /// `/` where paths end with it.
        end: &'static str,
    },
}

/// Adds the routes of `functions`: those with placeholders behind everything that exists by its own path, what becomes of
/// `/api/date.go`, and last that nothing else below `/api` is the site's: a page for every path is none for a program that calls.
pub(super) fn push_function_routes(
    table: &mut RouteTable,
    functions: &[DetectedFunction],
    names: FileNames,
) -> Result<(), DetectError> {
    if functions.is_empty() {
        return Ok(());
    }
    let mut paths: Vec<FunctionPath<'_>> = functions.iter().map(FunctionPath::new).collect();
    refuse_lone_brackets(&paths)?;
    refuse_repeated_placeholders(&paths)?;
    refuse_conflicts(&paths)?;
    paths.retain(FunctionPath::is_dynamic);
    paths.sort_by(FunctionPath::compare);
    for path in &paths {
        table.push(Phase::Rewrite, path.route()?);
    }
    let has_files = functions.iter().any(|function| function.file.contains('.'));
    match names {
        // What a framework makes has no file below `api/`.
        _ if !has_files => {}
        FileNames::Answer => table.push(Phase::Miss, without_extension(functions)),
        FileNames::Lead { end } => push_redirects(table, functions, end),
    }
    if functions.iter().all(|function| function.reach == Reach::Path) {
        let mut nothing = Route::new(known_pattern("^/api(?:/.*)?$"));
        nothing.status = Some(404);
        table.push(Phase::Rewrite, nothing);
    }
    for server in functions.iter().filter(|function| function.reach == Reach::Site) {
        let mut everything = Route::new(known_pattern(r"^/.*$"));
        everything.dest = Some(format!("/{}", server.name));
        everything.check = true;
        table.push(Phase::Rewrite, everything);
    }
    Ok(())
}

/// Lets `/api/date.go` answer as `/api/date`, with each extension that a function's file has.
fn without_extension(functions: &[DetectedFunction]) -> Route {
    let mut route = Route::new(known_pattern(&format!(r"^/api/(.+){}$", extensions(functions))));
    route.dest = Some("/api/$1".to_owned());
    route.check = true;
    route
}

/// Leads from `/api/date.go` to `/api/date`, and from `/api/index.go` to `/api`.
fn push_redirects(table: &mut RouteTable, functions: &[DetectedFunction], end: &str) {
    let extensions = extensions(functions);
    for (src, location) in
        [(format!(r"^/(api(?:/.+)?)/index{extensions}/?$"), "/$1"), (format!(r"^/api/(.+){extensions}/?$"), "/api/$1")]
    {
        let mut route = Route::new(known_pattern(&src));
        route.headers.insert("location".to_owned(), format!("{location}{end}"));
        route.status = Some(308);
        table.push(Phase::Null, route);
    }
}

/// The extensions of functions' files, as a pattern.
fn extensions(functions: &[DetectedFunction]) -> String {
    let extensions = functions.iter().filter_map(|function| Some(function.file.rsplit_once('.')?.1));
    let extensions: BTreeSet<&str> = extensions.collect();
    let extensions: Vec<&str> = extensions.into_iter().collect();
    match extensions.as_slice() {
        [one] => format!(r"\.{one}"),
        several => format!(r"\.(?:{})", several.join("|")),
    }
}

/// A pattern of this file, of literals that have nothing to escape.
fn known_pattern(src: &str) -> Pattern {
    Pattern::anchored(src, CaseRule::Sensitive).expect("a pattern of this file compiles")
}

/// Refuses brackets without a pair or a name, as in `[id.ts` and `[].ts`: nobody means them as they are written.
fn refuse_lone_brackets(paths: &[FunctionPath<'_>]) -> Result<(), DetectError> {
    // What a framework makes is called as it likes.
    for path in paths.iter().filter(|path| path.function.file.starts_with(API)) {
        let is_lone = |segment: &&Segment| matches!(segment, Segment::Literal(text) if has_lone_bracket(text));
        if let Some(segment) = path.segments.iter().find(is_lone) {
            let (file, segment) = (path.function.file.clone(), segment.shape().to_owned());
            return Err(DetectError::LoneBracket { file, segment });
        }
    }
    Ok(())
}

/// Whether a text has a bracket without the other one, or a pair that only other brackets and dots stand in.
fn has_lone_bracket(text: &str) -> bool {
    let mut opened = Vec::new();
    for (at, character) in text.char_indices() {
        match character {
            '[' => opened.push(at),
            ']' => {
                let Some(start) = opened.pop() else { return true };
                if text[start + 1..at].trim_matches(['[', ']', '.']).is_empty() {
                    return true;
                }
            }
            _ => {}
        }
    }
    !opened.is_empty()
}

fn refuse_repeated_placeholders(paths: &[FunctionPath<'_>]) -> Result<(), DetectError> {
    for path in paths {
        let mut seen = Vec::new();
        for name in path.segments.iter().filter_map(Segment::placeholder) {
            if seen.contains(&name) {
                let file = path.function.file.clone();
                return Err(DetectError::ConflictingPathSegment { file, placeholder: name.to_owned() });
            }
            seen.push(name);
        }
    }
    Ok(())
}

/// Refuses two files at one route, of which one would never be asked, and two names for the placeholder at one place, which
/// would leave it to chance under which name a value arrives.
fn refuse_conflicts(paths: &[FunctionPath<'_>]) -> Result<(), DetectError> {
    let conflict = |first: &FunctionPath<'_>, second: &FunctionPath<'_>, route| {
        let (first, second) = (first.function.file.clone(), second.function.file.clone());
        Err(DetectError::ConflictingFilePath { first, second, route })
    };
    let mut routes: HashMap<String, &FunctionPath<'_>> = HashMap::new();
    let mut placeholders: HashMap<String, (&str, &FunctionPath<'_>)> = HashMap::new();
    for path in paths {
        let mut shape = String::new();
        for segment in &path.segments {
            shape.push('/');
            shape.push_str(segment.shape());
            let Some(name) = segment.placeholder() else { continue };
            let (known, first) = *placeholders.entry(shape.clone()).or_insert((name, path));
            if known != name {
                return conflict(first, path, path.function.name.route());
            }
        }
        if let Some(first) = routes.insert(shape, path) {
            return conflict(first, path, path.function.name.route());
        }
    }
    Ok(())
}

/// A text as a pattern that matches it alone.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if ".+*?=^!:${}()[]|\\#&-~".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests;
