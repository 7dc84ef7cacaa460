//! `routes` of an output, as the route table of a deployment.

use serde_json::{Map, Value, json};
use ship_core::route::{Phase, RouteTable};

use super::images::Images;
use super::wildcard::{self, Wildcard};
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

/// A route of an output cannot be kept to.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// An element of the list is no route.
    #[error("routes[{index}]: a route is an object")]
    NotAnObject {
        /// Its place in the list.
        index: usize,
    },
    /// A route asks a middleware in a way that cannot be kept to.
    #[error(
        "routes[{index}]: the middleware {middleware} cannot be asked here, and what it guards would be open without it"
    )]
    Middleware {
        /// Its place in the list.
        index: usize,
        /// What the route names.
        middleware: Value,
    },
    /// What is said of images is not what is said of images.
    #[error("images: {0}")]
    Images(#[source] serde_json::Error),
    /// What is said of domains is not a word for each.
    #[error("wildcard: {0}")]
    Wildcard(#[source] serde_json::Error),
    /// A route says something that the table does not take.
    #[error(transparent)]
    Table(#[from] serde_json::Error),
}

/// Reads the list. What a route asks for beyond the table is said in a warning, or refused where leaving it out would open
/// what was closed.
pub(super) fn read(
    place: &Place<'_>,
    routes: Option<Vec<Value>>,
    (images, wildcard): (Option<Value>, Option<Value>),
    warnings: &mut Vec<ProjectWarning>,
) -> Result<RouteTable, PrebuiltError> {
    let wrong = |reason| PrebuiltError::Route { config: place.shown(&place.folder.join(CONFIG_JSON)), reason };
    let images = images.map(|images| serde_json::from_value::<Images>(images).map_err(RouteError::Images)).transpose();
    let mut all = images.map_err(wrong)?.map_or_else(Vec::new, |images| images.routes());
    let of_images = all.len();
    let wildcards = wildcard.map(|wildcard| serde_json::from_value(wildcard).map_err(RouteError::Wildcard)).transpose();
    let wildcards: Vec<Wildcard> = wildcards.map_err(wrong)?.unwrap_or_default();
    all.extend(routes.unwrap_or_default());
    table(all, (of_images, &wildcards), warnings).map_err(wrong)
}

/// The table of `routes`, of which the first `own` stand in no file.
fn table(
    routes: Vec<Value>,
    (own, wildcards): (usize, &[Wildcard]),
    warnings: &mut Vec<ProjectWarning>,
) -> Result<RouteTable, RouteError> {
    let (mut kept, mut last) = (Vec::new(), Vec::new());
    let mut is_last_phase = false;
    for (index, route) in routes.into_iter().enumerate() {
        let index = index.saturating_sub(own);
        let Value::Object(route) = route else { return Err(RouteError::NotAnObject { index }) };
        if let Some(handle) = route.get("handle") {
            // After everything else: routes behind it are tried when nothing was found.
            is_last_phase = handle == "resource";
            if !is_last_phase {
                kept.push(Value::Object(route));
            }
            continue;
        }
        if let Some(middleware) = route.get("middlewarePath").filter(|_| is_last_phase) {
            return Err(RouteError::Middleware { index, middleware: middleware.clone() });
        }
        let routes = wildcard::expand(known_keys(route, index, warnings)?, wildcards).into_iter().map(Value::Object);
        if is_last_phase { last.extend(routes) } else { kept.extend(routes) }
    }
    let mut all: RouteTable = serde_json::from_value(Value::Array(kept))?;
    let last: RouteTable = serde_json::from_value(Value::Array(last))?;
    for route in last.phase(Phase::Null) {
        all.push(Phase::Rewrite, route.clone());
    }
    Ok(all)
}

/// A route without what the table does not know.
fn known_keys(
    route: Map<String, Value>,
    index: usize,
    warnings: &mut Vec<ProjectWarning>,
) -> Result<Map<String, Value>, RouteError> {
    let mut known = Map::new();
    if let Some(parameter) = reserved_parameter(&route) {
        return Ok(refusal_of(&route, parameter));
    }
    for (key, value) in route {
        match key.as_str() {
            "middlewarePath" if value.is_string() => {
                let name = text(&value);
                known.insert(key, name.trim_start_matches('/').into());
            }
            "middlewarePath" | "middleware" => return Err(RouteError::Middleware { index, middleware: value }),
            "mitigate" if value["action"] == "deny" => {
                known.insert("status".to_owned(), json!(403));
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

/// The parameter that a route takes out of requests and does nothing else: the framework keeps it for itself, and a function would
/// believe a visitor who sends it.
fn reserved_parameter(route: &Map<String, Value>) -> Option<&str> {
    let [transform] = route.get("transforms")?.as_array()?.as_slice() else { return None };
    let is_alone = route.keys().all(|key| ["src", "continue", "transforms"].contains(&key.as_str()));
    let is_removal = transform["type"] == "request.query" && transform["op"] == "delete";
    transform["target"]["key"].as_str().filter(|_| is_alone && is_removal)
}

/// The route that refuses requests with `parameter`. The table changes no request that goes on.
fn refusal_of(route: &Map<String, Value>, parameter: &str) -> Map<String, Value> {
    let source = route.get("src").cloned().unwrap_or_else(|| json!("/.*"));
    let has = json!([{ "type": "query", "key": parameter }]);
    [("src", source), ("has", has), ("status", json!(400))]
        .map(|(key, value)| (key.to_owned(), value))
        .into_iter()
        .collect()
}

/// A value as text: numbers and truth values are written as they are.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(routes: Value) -> Result<RouteTable, RouteError> {
        let Value::Array(routes) = routes else { panic!("routes are a list") };
        table(routes, (0, &[]), &mut Vec::new())
    }

    /// Conditions stand in the table as they were written, with each of the comparisons.
    #[test]
    fn conditions() {
        let comparisons = json!({
            "eq": 1, "neq": "a", "inc": ["a", 2], "ninc": ["c"], "pre": "a.", "suf": ".b", "re": "a.*b", "gt": 1, "gte": 2,
            "lt": 9, "lte": 8.5,
        });
        let route = json!([{
            "src": "/a",
            "has": [{"type": "query", "key": "q", "value": comparisons}, {"type": "host", "value": "(?<name>.*)\\.test"}],
            "missing": [{"type": "cookie", "key": "c"}],
        }]);
        assert_eq!(serde_json::to_value(read(route.clone()).unwrap()).unwrap(), route);
    }

    /// A parameter that a framework takes out of requests, because only itself may set it, is refused; other changes of requests are
    /// warned about.
    #[test]
    fn reserved_parameters() {
        let mut warnings = Vec::new();
        let transform = json!({"type": "request.query", "op": "delete", "target": {"key": "__pathname"}});
        let reserved = json!({"src": ".*", "continue": true, "transforms": [transform]});
        let table = table(vec![reserved], (0, &[]), &mut warnings).unwrap();
        let expected = json!([{"src": ".*", "has": [{"type": "query", "key": "__pathname"}], "status": 400}]);
        assert_eq!((serde_json::to_value(table).unwrap(), warnings.len()), (expected, 0));
        let changed = json!({"src": "/a", "transforms": [{"type": "response.headers", "op": "set"}]});
        super::table(vec![changed], (0, &[]), &mut warnings).unwrap();
        assert_eq!(warnings.len(), 1);
    }

    /// What the table does not take is said with the number of the route.
    #[test]
    fn refused() {
        let said = |routes: Value| read(routes).unwrap_err().to_string();
        assert_eq!(said(json!([{"src": "/a"}, "/b"])), "routes[1]: a route is an object");
        assert_eq!(
            said(json!([{"src": "(", "dest": "/"}])).lines().next(),
            Some(
                "routes[0]: the pattern `(` does not compile: Parsing error at position 1: Opening parenthesis without closing parenthesis"
            )
        );
        let late = json!([{"handle": "resource"}, {"src": "/a", "middlewarePath": "guard"}]);
        assert_eq!(
            said(late),
            "routes[1]: the middleware \"guard\" cannot be asked here, and what it guards would be open without it"
        );
        let unknown = json!([{"src": "/a", "has": [{"type": "query", "key": "q", "value": {"like": "a"}}]}]);
        assert!(said(unknown).starts_with("unknown field `like`"));
    }
}
