//! `export const config = { matcher }` of a middleware: the paths that it is asked about.

use oxc::allocator::Allocator;
use oxc::ast::ast::{
    ArrayExpressionElement, BindingPattern, Declaration, Expression, ObjectExpression, ObjectPropertyKind, Statement,
};
use oxc::parser::Parser;
use oxc::span::{GetSpan, SourceType};
use serde::Deserialize;
use serde_json::Value;
use ship_core::route::{CaseRule, Condition, Pattern, PatternError, Route, SourceError, SourcePattern};

/// Every path: what a middleware is asked about that does not say.
const EVERYTHING: &str = "^/.*$";

/// What a middleware says of its paths cannot be kept to. To ask it elsewhere could open what it guards.
#[derive(Debug, thiserror::Error)]
pub enum MatcherError {
    /// It is computed.
    #[error("{place}: `matcher` is read before the middleware runs, so it is written in literals")]
    Computed {
        /// The file and line.
        place: String,
    },
    /// It is neither a path, an object with one, nor a list of them.
    #[error(
        "{place}: `matcher` is a path such as `/admin/:path*`, an object with a `source`, or a list of these: {source}"
    )]
    NoPath {
        /// The file and line.
        place: String,
        /// What is wrong.
        source: MatcherEntryError,
    },
    /// A path that is no pattern.
    #[error("{place}: {source}")]
    Source {
        /// The file and line.
        place: String,
        /// Why.
        source: SourceError,
    },
    /// A pattern that is too long.
    #[error("{place}: {source}")]
    Pattern {
        /// The file and line.
        place: String,
        /// Why.
        source: PatternError,
    },
}

/// What a `matcher` holds names no path.
#[derive(Debug, thiserror::Error)]
pub enum MatcherEntryError {
    /// A list of nothing.
    #[error("it is empty")]
    Empty,
    /// An object with other members, or members of other kinds.
    #[error(transparent)]
    Object(#[from] serde_json::Error),
    /// Neither text nor an object.
    #[error("`{0}` is none")]
    Other(Value),
}

/// One path, with conditions.
#[derive(Deserialize)]
struct Entry {
    source: String,
    #[serde(default)]
    has: Vec<Condition>,
    #[serde(default)]
    missing: Vec<Condition>,
}

/// The routes of a middleware in `file`, which holds `text`: which paths and conditions it is asked about.
pub(crate) fn matched_routes(file: &str, text: &str) -> Result<Vec<Route>, MatcherError> {
    let allocator = Allocator::default();
    let source_type = SourceType::from_path(file).unwrap_or_default().with_jsx(!file.ends_with("ts"));
    let parsed = Parser::new(&allocator, text, source_type).parse();
    let Some(written) = parsed.program.body.iter().find_map(written_matcher) else {
        let everything = Pattern::anchored(EVERYTHING, CaseRule::Sensitive).expect("a pattern of this file compiles");
        return Ok(vec![Route::new(everything)]);
    };
    let before = text.get(..written.span().start as usize).unwrap_or_default();
    let place = format!("{file}:{}", before.bytes().filter(|byte| *byte == b'\n').count() + 1);
    let Some(value) = literal(written) else { return Err(MatcherError::Computed { place }) };
    let entries = entries(value).map_err(|source| MatcherError::NoPath { place: place.clone(), source })?;
    let routes = entries.into_iter().map(|entry| route(entry, &place));
    routes.collect()
}

/// The expression behind `matcher` in `export const config = {…}`.
fn written_matcher<'s, 'a>(statement: &'s Statement<'a>) -> Option<&'s Expression<'a>> {
    let declaration = match statement {
        Statement::ExportNamedDeclaration(export) => match &export.declaration {
            Some(Declaration::VariableDeclaration(declaration)) => declaration,
            _ => return None,
        },
        _ => return None,
    };
    let is_config = |pattern: &BindingPattern<'_>| pattern.get_identifier_name().is_some_and(|name| name == "config");
    let config = declaration.declarations.iter().find(|variable| is_config(&variable.id))?;
    let Expression::ObjectExpression(object) = super::scan::unwrapped(config.init.as_ref()?) else { return None };
    property(object, "matcher")
}

fn property<'s, 'a>(object: &'s ObjectExpression<'a>, name: &str) -> Option<&'s Expression<'a>> {
    object.properties.iter().find_map(|property| match property {
        ObjectPropertyKind::ObjectProperty(property) if property.key.is_specific_static_name(name) => {
            Some(&property.value)
        }
        _ => None,
    })
}

/// The value of an expression that is written in literals.
fn literal(expression: &Expression<'_>) -> Option<Value> {
    match super::scan::unwrapped(expression) {
        Expression::StringLiteral(text) => Some(Value::String(text.value.to_string())),
        Expression::NumericLiteral(number) => serde_json::Number::from_f64(number.value).map(Value::Number),
        Expression::BooleanLiteral(value) => Some(Value::Bool(value.value)),
        Expression::NullLiteral(_) => Some(Value::Null),
        Expression::TemplateLiteral(template) if template.expressions.is_empty() => {
            let text = template.quasis.first()?.value.cooked.as_ref()?;
            Some(Value::String(text.to_string()))
        }
        Expression::ArrayExpression(array) => {
            let element = |element: &ArrayExpressionElement<'_>| literal(element.as_expression()?);
            array.elements.iter().map(element).collect::<Option<_>>().map(Value::Array)
        }
        Expression::ObjectExpression(object) => {
            let member = |property: &ObjectPropertyKind<'_>| match property {
                ObjectPropertyKind::ObjectProperty(property) => {
                    Some((property.key.static_name()?.into_owned(), literal(&property.value)?))
                }
                ObjectPropertyKind::SpreadProperty(_) => None,
            };
            object.properties.iter().map(member).collect::<Option<_>>().map(Value::Object)
        }
        _ => None,
    }
}

fn entries(value: Value) -> Result<Vec<Entry>, MatcherEntryError> {
    let list = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    if list.is_empty() {
        return Err(MatcherEntryError::Empty);
    }
    let entry = |value: Value| match value {
        Value::String(source) => Ok(Entry { source, has: Vec::new(), missing: Vec::new() }),
        object @ Value::Object(_) => Ok(serde_json::from_value(object)?),
        other => Err(MatcherEntryError::Other(other)),
    };
    list.into_iter().map(entry).collect()
}

fn route(entry: Entry, place: &str) -> Result<Route, MatcherError> {
    let place = || place.to_owned();
    let source =
        SourcePattern::parse(&entry.source).map_err(|source| MatcherError::Source { place: place(), source })?;
    let regex = source.regex();
    let inner = regex.strip_prefix('^').unwrap_or(regex);
    let inner = inner.strip_suffix('$').unwrap_or(inner);
    let index = if entry.source == "/" { "|/index" } else { "" };
    // As path-to-regexp reads it by itself: whatever the case, with a `/` at the end or without.
    let src = Pattern::anchored(&format!("^(?:{inner}{index})/?$"), CaseRule::Insensitive);
    let mut route = Route::new(src.map_err(|source| MatcherError::Pattern { place: place(), source })?);
    route.has = entry.has;
    route.missing = entry.missing;
    Ok(route)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The matcher in a module, as the routes that it makes.
    fn routes(matcher: &str) -> Result<Vec<Value>, String> {
        let text = format!("import x from 'x'\nexport default () => {{}}\nexport const config = {{ {matcher} }}\n");
        let routes = matched_routes("middleware.ts", &text).map_err(|error| error.to_string())?;
        let mut table = ship_core::route::RouteTable::new();
        for route in routes {
            table.push(ship_core::route::Phase::Null, route);
        }
        let Ok(Value::Array(routes)) = serde_json::to_value(table) else { panic!("a table is a list") };
        Ok(routes)
    }

    fn sources(matcher: &str) -> Vec<String> {
        let routes = routes(matcher).unwrap();
        routes.iter().map(|route| route["src"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// One path, several, with conditions, in whichever literals; without a matcher every path.
    #[test]
    fn forms() {
        assert_eq!(sources("runtime: 'edge'"), ["^/.*$"]);
        assert_eq!(sources("matcher: '/admin/:path*'"), [r"^(?:/admin(?:/((?:[^/]+?)(?:/(?:[^/]+?))*))?)/?$"]);
        assert_eq!(sources("matcher: ['/', `/a`] as const"), ["^(?:/|/index)/?$", "^(?:/a)/?$"]);
        assert_eq!(sources("'matcher': ['/((?!api|_next).*)']"), ["^(?:(?:/((?!api|_next).*)))/?$"]);
        let with = "matcher: [{ source: '/a', locale: false, missing: [{ type: 'header', key: 'purpose', value: 'prefetch' }] }]";
        assert_eq!(
            routes(with).unwrap()[0]["missing"],
            serde_json::json!([{"type": "header", "key": "purpose", "value": "prefetch"}])
        );
    }

    /// What cannot be read is an error with its place, never a middleware that is asked less often.
    #[test]
    fn refused() {
        for (matcher, expected) in [
            ("matcher: paths", "`matcher` is read before the middleware runs, so it is written in literals"),
            ("matcher: ['/a', ...more]", "`matcher` is read before the middleware runs, so it is written in literals"),
            ("matcher: []", "it is empty"),
            ("matcher: true", "`true` is none"),
            ("matcher: { has: [] }", "missing field `source`"),
            ("matcher: '/(a'", "the pattern `/(a` is wrong"),
        ] {
            let said = routes(matcher).unwrap_err();
            assert!(
                said.starts_with("middleware.ts:3: ") && said.contains(expected),
                "{matcher} should say {expected}: {said}"
            );
        }
    }
}
