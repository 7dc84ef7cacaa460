//! `wildcard` of an output: a word for each domain, which routes put in as `$wildcard`.
//!
//! Frameworks use it where the domain decides the language. The table knows no such word: a route that has it becomes one for
//! each domain, and one without a word for all other hosts. See
//! <https://vercel.com/docs/build-output-api/configuration#wildcard>.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How routes name the word.
const WORD: &str = "$wildcard";

/// What `$wildcard` is for visitors of a domain.
#[derive(Deserialize, Debug)]
pub(super) struct Wildcard {
    domain: String,
    value: String,
}

/// The routes that `route` stands for.
pub(super) fn expand(route: Map<String, Value>, wildcards: &[Wildcard]) -> Vec<Map<String, Value>> {
    if !has_word(&route) {
        return vec![route];
    }
    let hosts: Vec<String> = wildcards.iter().map(|wildcard| escaped(&wildcard.domain)).collect();
    let of_domain = |(wildcard, host): (&Wildcard, &String)| conditioned(&route, "has", host, &wildcard.value);
    let mut routes: Vec<_> = wildcards.iter().zip(&hosts).map(of_domain).collect();
    let others =
        if hosts.is_empty() { with_word(&route, "") } else { conditioned(&route, "missing", &hosts.join("|"), "") };
    routes.push(others);
    routes
}

/// `route` with its word, under the condition `key` that the host is one of `hosts`.
fn conditioned(route: &Map<String, Value>, key: &str, hosts: &str, word: &str) -> Map<String, Value> {
    let mut route = with_word(route, word);
    let conditions = route.entry(key).or_insert_with(|| json!([]));
    if let Some(conditions) = conditions.as_array_mut() {
        conditions.push(json!({ "type": "host", "value": hosts }));
    }
    route
}

fn has_word(route: &Map<String, Value>) -> bool {
    texts(route).any(|text| text.contains(WORD))
}

/// Where the word may stand: in the destination, and in headers, of which `Location` is one.
fn texts(route: &Map<String, Value>) -> impl Iterator<Item = &str> {
    let headers = route.get("headers").and_then(Value::as_object).into_iter().flat_map(Map::values);
    route.get("dest").into_iter().chain(headers).filter_map(Value::as_str)
}

fn with_word(route: &Map<String, Value>, word: &str) -> Map<String, Value> {
    let fill = |value: &mut Value| {
        if let Value::String(text) = value {
            *text = text.replace(WORD, word);
        }
    };
    let mut route = route.clone();
    if let Some(dest) = route.get_mut("dest") {
        fill(dest);
    }
    if let Some(headers) = route.get_mut("headers").and_then(Value::as_object_mut) {
        headers.values_mut().for_each(fill);
    }
    route
}

/// A domain as a regular expression that matches it and nothing else.
fn escaped(domain: &str) -> String {
    let mut pattern = String::new();
    for character in domain.chars() {
        if !character.is_ascii_alphanumeric() {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(route: Value, wildcards: Value) -> Value {
        let Value::Object(route) = route else { panic!("a route is an object") };
        let wildcards: Vec<Wildcard> = serde_json::from_value(wildcards).unwrap();
        expand(route, &wildcards).into()
    }

    /// A route with the word is one for each domain and one for the others; a route without it stays one.
    #[test]
    fn routes_of_domains() {
        let wildcards = || json!([{ "domain": "a.test", "value": "en" }, { "domain": "b.test", "value": "fr" }]);
        let route = json!({ "src": "/(.*)", "dest": "/$wildcard/$1", "missing": [{ "type": "cookie", "key": "x" }] });
        assert_eq!(
            expanded(route.clone(), wildcards()),
            json!([
                { "src": "/(.*)", "dest": "/en/$1", "missing": [{ "type": "cookie", "key": "x" }],
                    "has": [{ "type": "host", "value": "a\\.test" }] },
                { "src": "/(.*)", "dest": "/fr/$1", "missing": [{ "type": "cookie", "key": "x" }],
                    "has": [{ "type": "host", "value": "b\\.test" }] },
                { "src": "/(.*)", "dest": "//$1",
                    "missing": [{ "type": "cookie", "key": "x" }, { "type": "host", "value": "a\\.test|b\\.test" }] },
            ])
        );
        assert_eq!(expanded(route, json!([]))[0]["dest"], "//$1");
        let plain = json!({ "src": "/", "dest": "/x" });
        assert_eq!(expanded(plain.clone(), wildcards()), json!([plain]));
    }
}
