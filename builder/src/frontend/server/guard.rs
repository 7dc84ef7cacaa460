//! Which static files of a Next.js site the site itself decides about. Its middleware, redirects, headers and first rewrites
//! come before files, so a file at a path that one of them is about is answered by Next.js and not by the host.

use std::path::Path;

use serde_json::Value;
use ship_core::route::{CaseRule, Pattern};

/// The paths that Next.js wants to see before a file is served.
#[derive(Debug)]
pub(super) struct Guard {
    patterns: Vec<Pattern>,
    /// Whether there is a pattern that cannot be read here.
    sees_everything: bool,
}

impl Guard {
    /// What the build in `dist` says about itself.
    pub(super) fn read(dist: &Path) -> Self {
        let read = |file: &str| -> Value {
            let bytes = std::fs::read(dist.join(file)).unwrap_or_default();
            serde_json::from_slice(&bytes).unwrap_or_default()
        };
        Self::of(
            &read("routes-manifest.json"),
            &read("server/middleware-manifest.json"),
            &read("server/functions-config-manifest.json"),
        )
    }

    fn of(routes: &Value, middleware: &Value, functions: &Value) -> Self {
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let on_edge = middleware["middleware"].as_object().into_iter().flat_map(|all| all.values());
        let in_node = functions["functions"].get("/_middleware");
        let matchers = on_edge.chain(in_node).flat_map(|one| list(&one["matchers"]));
        let matchers = matchers.map(|matcher| matcher["regexp"].clone());
        // Where there are no others, the list itself is of those after files.
        let first_rewrites = list(&routes["rewrites"]["beforeFiles"]);
        let of_config = [list(&routes["redirects"]), list(&routes["headers"]), first_rewrites].into_iter().flatten();
        let mut guard = Self { patterns: Vec::new(), sees_everything: false };
        for written in matchers.chain(of_config.map(|route| route["regex"].clone())) {
            let pattern = written.as_str().and_then(|text| Pattern::anchored(text, CaseRule::Insensitive).ok());
            match pattern.filter(|pattern| pattern.check_size().is_ok()) {
                Some(pattern) => guard.patterns.push(pattern),
                None => guard.sees_everything = true,
            }
        }
        guard
    }

    /// Whether Next.js wants to see a request for `path`, which begins with `/`.
    pub(super) fn sees(&self, path: &str) -> bool {
        self.sees_everything || self.patterns.iter().any(|pattern| pattern.is_match(path).unwrap_or(true))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Middleware by its matchers, redirects, headers and the rewrites that come before files; no others.
    #[test]
    fn what_is_seen() {
        let routes = json!({
            "redirects": [{ "source": "/:path+/", "regex": "^(?:/((?:[^/]+?)(?:/(?:[^/]+?))*))/$", "internal": true }],
            "headers": [{ "source": "/fonts/:file", "regex": "^/fonts(?:/([^/]+?))(?:/)?$" }],
            "rewrites": {
                "beforeFiles": [{ "regex": "^/first\\.txt(?:/)?$" }],
                "afterFiles": [{ "regex": "^/after\\.txt(?:/)?$" }],
            },
        });
        let regexp = r"^(?:\/(_next\/data\/[^/]{1,}))?(?:\/((?!open|_next\/static).*\.pdf))(\.json)?[\/#\?]?$";
        let middleware = json!({ "middleware": { "/": { "matchers": [{ "regexp": regexp }] } } });
        let guard = Guard::of(&routes, &middleware, &Value::Null);
        let seen = |path: &str| guard.sees(path);
        assert_eq!(["/secret.pdf", "/fonts/a.woff2", "/first.txt"].map(seen), [true; 3]);
        assert_eq!(["/open.pdf", "/after.txt", "/robots.txt", "/_next/static/a.pdf"].map(seen), [false; 4]);
    }

    /// A proxy that runs in Node says its matchers elsewhere; a pattern that cannot be read may be about any path.
    #[test]
    fn doubts() {
        let functions = json!({ "functions": { "/_middleware": { "matchers": [{ "regexp": "^/a$" }] } } });
        let guard = Guard::of(&Value::Null, &Value::Null, &functions);
        assert_eq!(["/a", "/b"].map(|path| guard.sees(path)), [true, false]);
        let unreadable = json!({ "headers": [{ "regex": "^(?<a>.)\\k<a$" }] });
        assert!(Guard::of(&unreadable, &Value::Null, &Value::Null).sees("/b"));
    }
}
