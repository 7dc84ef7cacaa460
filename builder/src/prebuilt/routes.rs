//! `routes` of an output, as the route table of a deployment.

use serde_json::{Map, Value, json};
use ship_core::route::{Phase, RouteTable};

use super::{CONFIG_JSON, Place, PrebuiltError};
use crate::detect::ProjectWarning;

/// What a route says that the table has.
const KNOWN: [&str; 12] = [
    "handle",
    "src",
    "dest",
    "headers",
    "methods",
    "continue",
    "caseSensitive",
    "check",
    "status",
    "has",
    "missing",
    "source",
];

/// What a route may say that has no meaning here: hints for another platform's caches and its log.
const MEANINGLESS: [&str; 6] =
    ["middlewareRawSrc", "important", "override", "env", "respectOriginCacheControl", "user"];

/// Reads the list. What a route asks for beyond the table is said in a warning, or refused where leaving it out would open
/// what was closed.
pub(super) fn read(
    place: &Place<'_>,
    routes: Option<Vec<Value>>,
    warnings: &mut Vec<ProjectWarning>,
) -> Result<RouteTable, PrebuiltError> {
    let config = || place.shown(&place.folder.join(CONFIG_JSON));
    let wrong = |reason: String| PrebuiltError::Route { config: config(), reason };
    let (mut kept, mut last) = (Vec::new(), Vec::new());
    let mut is_last_phase = false;
    for (index, route) in routes.unwrap_or_default().into_iter().enumerate() {
        let Value::Object(route) = route else {
            return Err(wrong(format!("routes[{index}]: a route is an object")));
        };
        if let Some(handle) = route.get("handle") {
            // After everything else: routes behind it are tried when nothing was found.
            is_last_phase = handle == "resource";
            if !is_last_phase {
                kept.push(Value::Object(route));
            }
            continue;
        }
        let route = Value::Object(known_keys(route, index, warnings).map_err(wrong)?);
        if is_last_phase { last.push(route) } else { kept.push(route) }
    }
    let table = |routes: Vec<Value>| serde_json::from_value::<RouteTable>(Value::Array(routes));
    let mut all = table(kept).map_err(|error| wrong(error.to_string()))?;
    for route in table(last).map_err(|error| wrong(error.to_string()))?.phase(Phase::Null) {
        all.push(Phase::Rewrite, route.clone());
    }
    Ok(all)
}

/// A route without what the table does not know.
fn known_keys(
    route: Map<String, Value>,
    index: usize,
    warnings: &mut Vec<ProjectWarning>,
) -> Result<Map<String, Value>, String> {
    let mut known = Map::new();
    for (key, value) in route {
        match key.as_str() {
            "middlewarePath" | "middleware" => {
                return Err(format!(
                    "routes[{index}]: the middleware {value} cannot be run before other functions, and what it guards would \
                     be open without it"
                ));
            }
            "mitigate" if value["action"] == "deny" => {
                known.insert("status".to_owned(), json!(403));
            }
            "has" | "missing" => {
                let conditions = value.as_array().cloned().unwrap_or_default();
                let conditions = conditions.into_iter().map(|condition| plain_condition(condition, index));
                known.insert(key, Value::Array(conditions.collect::<Result<_, _>>()?));
            }
            "headers" => {
                let texts = value.as_object().cloned().unwrap_or_default().into_iter();
                known.insert(
                    key,
                    Value::Object(texts.map(|(name, value)| (name, Value::String(text(&value)))).collect()),
                );
            }
            "methods" => {
                let methods = value.as_array().cloned().unwrap_or_default().into_iter();
                known.insert(key, methods.map(|method| text(&method).to_ascii_uppercase()).collect());
            }
            _ if KNOWN.contains(&key.as_str()) => {
                known.insert(key, value);
            }
            _ if MEANINGLESS.contains(&key.as_str()) => {}
            _ => warnings.push(ProjectWarning::RouteKeyIgnored { index, key }),
        }
    }
    Ok(known)
}

/// A condition whose value is one pattern.
fn plain_condition(condition: Value, index: usize) -> Result<Value, String> {
    let Value::Object(mut condition) = condition else {
        return Err(format!("routes[{index}]: a condition is an object"));
    };
    if let Some(Value::Object(operations)) = condition.get("value") {
        let pattern =
            pattern_of(operations).map_err(|name| format!("routes[{index}]: the condition `{name}` is not known"))?;
        condition.insert("value".to_owned(), Value::String(pattern));
    }
    condition.retain(|key, _| matches!(key.as_str(), "type" | "key" | "value"));
    Ok(Value::Object(condition))
}

/// The pattern that a value must match to pass all of `operations`.
fn pattern_of(operations: &Map<String, Value>) -> Result<String, String> {
    let any_of = |value: &Value| {
        let texts: Vec<String> = value.as_array().into_iter().flatten().map(|one| escape(&text(one))).collect();
        texts.join("|")
    };
    let mut pattern = String::new();
    for (name, value) in operations {
        let escaped = escape(&text(value));
        let part = match name.as_str() {
            "eq" => format!("(?={escaped}$)"),
            "neq" => format!("(?!{escaped}$)"),
            "inc" => format!("(?=(?:{})$)", any_of(value)),
            "ninc" => format!("(?!(?:{})$)", any_of(value)),
            "pre" => format!("(?={escaped})"),
            "suf" => format!("(?=.*{escaped}$)"),
            "re" => format!("(?=.*(?:{}))", text(value)),
            other => return Err(other.to_owned()),
        };
        pattern.push_str(&part);
    }
    Ok(format!("{pattern}.*"))
}

/// A value as text: numbers and truth values are written as they are.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A text as a pattern that matches it alone.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if ".+*?^$()[]{}|\\/-".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
