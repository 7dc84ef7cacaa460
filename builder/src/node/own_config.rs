//! What a module says of itself in `export const config = {…}`, and what it says there in vain.

use std::fmt;
use std::ops::RangeInclusive;

use oxc::ast::ast::{Expression, ObjectExpression, ObjectPropertyKind};
use oxc::span::{GetSpan as _, Span};

use super::launcher::Helpers;
use super::scan::unwrapped;

/// How long a request may take, in seconds: what `ship.toml` accepts.
const DURATION_SECS: RangeInclusive<u32> = 1..=3_600;

/// How much memory a function may ask for, in MiB: what `ship.toml` accepts.
const MEMORY_MB: RangeInclusive<u32> = 32..=65_536;

/// What of it changes something here.
const SETTINGS: [&str; 5] = ["api", "helpers", MAX_DURATION, MEMORY, RUNTIME];

/// How long a request may take.
const MAX_DURATION: &str = "maxDuration";

/// How much memory it may use.
const MEMORY: &str = "memory";

/// For what kind of program it is written.
const RUNTIME: &str = "runtime";

/// The runtimes of web handlers.
const EDGE: [&str; 2] = ["edge", "experimental-edge"];

/// How Vercel's names for Node's versions begin.
const NODE: &str = "nodejs";

/// The longest piece of a source that is quoted, in characters.
const MAX_QUOTED: usize = 40;

/// How alike a word has to be to a setting to be taken for a slip of the pen (1 is equal, 0 has nothing in common).
const SIMILAR_ENOUGH: f64 = 0.9;

/// What `export const config = {…}` says, as far as it is written in literals.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct OwnConfig {
    /// `maxDuration`: how many seconds a request may take.
    pub(crate) timeout_secs: Option<u32>,
    /// `memory`, in MiB.
    pub(crate) memory_mb: Option<u32>,
    /// `runtime: 'edge'`: it is a web handler, whatever its parameters look like.
    pub(crate) is_edge: bool,
    /// `helpers: false`: the request stays as Node makes it. `api.bodyParser: false`: its body does.
    pub(crate) helpers: Helpers,
}

/// Something that a module says of itself and nothing comes of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OwnFlaw {
    /// The line, counted from 1.
    pub line: usize,
    name: String,
    kind: FlawKind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum FlawKind {
    /// Its value is none that it can have.
    Value { found: String, expected: String },
    /// There is no such setting, and nearly this one.
    Unknown { nearest: &'static str },
    /// It stands beside `config`, as other frameworks have it.
    Outside,
}

impl fmt::Display for OwnFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match &self.kind {
            FlawKind::Value { found, expected } => {
                write!(f, "`{name}` changes nothing, because it is `{found}`: expected {expected}")
            }
            FlawKind::Unknown { nearest } => write!(f, "there is no setting `{name}`: did you mean `{nearest}`?"),
            FlawKind::Outside => {
                write!(f, "`{name}` changes nothing here: expected `export const config = {{ {name}: … }}`")
            }
        }
    }
}

impl OwnConfig {
    pub(super) fn read(object: &ObjectExpression<'_>) -> Self {
        let mut config = Self::default();
        for (key, value, _) in settings(object) {
            match (&*key, value) {
                (MAX_DURATION, value) => config.timeout_secs = whole(value, &DURATION_SECS),
                (MEMORY, value) => config.memory_mb = whole(value, &MEMORY_MB),
                (RUNTIME, Expression::StringLiteral(runtime)) => config.is_edge = EDGE.contains(&&*runtime.value),
                ("helpers", Expression::BooleanLiteral(helpers)) => config.forbid(helpers.value, Helpers::None),
                ("api", Expression::ObjectExpression(api)) => {
                    config.forbid(!turns_body_parser_off(api), Helpers::NoBody);
                }
                _ => {}
            }
        }
        config
    }

    /// Leaves `helpers` at most, where what was written is not `allowed`.
    fn forbid(&mut self, allowed: bool, helpers: Helpers) {
        if !allowed && self.helpers != Helpers::None {
            self.helpers = helpers;
        }
    }
}

/// What of an object nothing comes of. `text` is the module's.
pub(super) fn flaws(object: &ObjectExpression<'_>, text: &str) -> Vec<OwnFlaw> {
    let flaw = |(name, value, span): (String, &Expression<'_>, Span)| {
        let kind = match expected(&name, value) {
            Some(expected) => FlawKind::Value { found: quoted(text, value.span()), expected },
            None => FlawKind::Unknown { nearest: nearest(&name)? },
        };
        Some(OwnFlaw { line: line_of(text, span), name, kind })
    };
    settings(object).filter_map(flaw).collect()
}

/// An export beside `config`, by its name and value: a setting as the pages of frameworks have it, and nothing comes of it in `api/`.
pub(super) fn outside(name: &str, value: &Expression<'_>, text: &str) -> Option<OwnFlaw> {
    let is_setting = match (name, value) {
        (MAX_DURATION | MEMORY, value) => {
            matches!(value, Expression::NumericLiteral(_) | Expression::StringLiteral(_))
        }
        (RUNTIME, Expression::StringLiteral(runtime)) => EDGE.contains(&&*runtime.value),
        _ => false,
    };
    let flaw = || OwnFlaw { line: line_of(text, value.span()), name: name.to_owned(), kind: FlawKind::Outside };
    is_setting.then(flaw)
}

/// The settings of an object, each with its value and its place.
fn settings<'s, 'a>(object: &'s ObjectExpression<'a>) -> impl Iterator<Item = (String, &'s Expression<'a>, Span)> {
    object.properties.iter().filter_map(|property| match property {
        ObjectPropertyKind::ObjectProperty(property) => {
            Some((property.key.static_name()?.into_owned(), unwrapped(&property.value), property.span))
        }
        ObjectPropertyKind::SpreadProperty(_) => None,
    })
}

/// What was expected in the place of a value that a setting cannot have.
fn expected(name: &str, value: &Expression<'_>) -> Option<String> {
    let number = |bounds: &RangeInclusive<u32>, of: &str| {
        let (least, most) = (bounds.start(), bounds.end());
        whole(value, bounds).is_none().then(|| format!("a number{of} from {least} to {most}, in digits"))
    };
    let unless = |is_right: bool, expected: String| (!is_right).then_some(expected);
    match name {
        MAX_DURATION => number(&DURATION_SECS, " of seconds"),
        MEMORY => number(&MEMORY_MB, " of MiB"),
        RUNTIME => unless(is_runtime(value), format!("'{NODE}' or '{}'", EDGE[0])),
        "helpers" => unless(matches!(value, Expression::BooleanLiteral(_)), "`true` or `false`".to_owned()),
        "api" => {
            let is_right = matches!(value, Expression::ObjectExpression(_));
            unless(is_right, "an object such as `{ bodyParser: false }`".to_owned())
        }
        _ => None,
    }
}

fn is_runtime(value: &Expression<'_>) -> bool {
    let Expression::StringLiteral(it) = value else { return false };
    EDGE.contains(&&*it.value) || it.value.starts_with(NODE)
}

/// The setting that a name was probably meant to be, which it is not.
fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |known: &str| strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase());
    let near = SETTINGS.into_iter().filter(|known| *known != name && likeness(known) > SIMILAR_ENOUGH);
    near.max_by(|left, right| likeness(left).total_cmp(&likeness(right)))
}

/// `bodyParser: false`, as Next.js has it.
fn turns_body_parser_off(api: &ObjectExpression<'_>) -> bool {
    settings(api).any(|(key, value, _)| {
        key == "bodyParser" && matches!(value, Expression::BooleanLiteral(value) if !value.value)
    })
}

/// A whole number within bounds; what is none sets nothing.
fn whole(value: &Expression<'_>, bounds: &RangeInclusive<u32>) -> Option<u32> {
    let Expression::NumericLiteral(number) = value else { return None };
    // What is none is written differently.
    let whole: u32 = number.value.to_string().parse().ok()?;
    bounds.contains(&whole).then_some(whole)
}

/// What stands in a source, as far as it is short and in one line.
fn quoted(text: &str, span: Span) -> String {
    let written = text.get(span.start as usize..span.end as usize).unwrap_or_default();
    let shown: String = written.lines().next().unwrap_or_default().chars().take(MAX_QUOTED).collect();
    if shown == written { shown } else { format!("{shown}…") }
}

fn line_of(text: &str, span: Span) -> usize {
    let before = text.get(..span.start as usize).unwrap_or_default();
    before.bytes().filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use crate::node::scan::scan;

    fn said(text: &str) -> Vec<String> {
        scan("api/a.ts", text).flaws.iter().map(|flaw| format!("{}: {flaw}", flaw.line)).collect()
    }

    /// A value that a setting cannot have is told with its line and what was expected.
    #[test]
    fn wrong_values() {
        let text = "export const config = {\n  maxDuration: \"10\",\n  memory: LARGE,\n  runtime: 'deno',\n  helpers: 'no',\n  \
                    api: false,\n};\nexport const GET = () => new Response();\n";
        insta::assert_snapshot!(said(text).join("\n"), @r#"
        2: `maxDuration` changes nothing, because it is `"10"`: expected a number of seconds from 1 to 3600, in digits
        3: `memory` changes nothing, because it is `LARGE`: expected a number of MiB from 32 to 65536, in digits
        4: `runtime` changes nothing, because it is `'deno'`: expected 'nodejs' or 'edge'
        5: `helpers` changes nothing, because it is `'no'`: expected `true` or `false`
        6: `api` changes nothing, because it is `false`: expected an object such as `{ bodyParser: false }`
        "#);
        assert_eq!(said("export const config = { maxDuration: 3601 };").len(), 1);
        assert_eq!(said("export const config = { maxDuration: 1.5 };").len(), 1);
    }

    /// What was mistyped, and what stands where nobody reads it.
    #[test]
    fn wrong_places() {
        let text = "export const config = { maxduration: 10, memroy: 512, regions: ['iad1'] };\n\
                    export const maxDuration = 10;\nexport const runtime = 'edge';\n";
        insta::assert_snapshot!(said(text).join("\n"), @"
        1: there is no setting `maxduration`: did you mean `maxDuration`?
        1: there is no setting `memroy`: did you mean `memory`?
        2: `maxDuration` changes nothing here: expected `export const config = { maxDuration: … }`
        3: `runtime` changes nothing here: expected `export const config = { runtime: … }`
        ");
    }

    /// What is right, and what is another's, is nothing to talk about.
    #[test]
    fn nothing_wrong() {
        for text in [
            "export const config = { maxDuration: 10, memory: 512 as number, runtime: 'nodejs20.x', helpers: false };",
            "export const config = { api: { bodyParser: { sizeLimit: '1mb' } }, runtime: 'edge', ...shared };",
            "export const config = { matcher: '/a', regions: ['iad1'], schedule: '@daily', path: '/x' };",
            "export const memory = new Map();\nexport const runtime = 'nodejs';\nexport const maxDuration = seconds();",
        ] {
            assert_eq!(said(text), Vec::<String>::new(), "{text}");
        }
    }
}
