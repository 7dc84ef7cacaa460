//! Which static files of a Next.js site the site itself decides about. Its middleware, redirects, headers and first rewrites
//! come before files, so a file at a path that one of them is about is answered by Next.js and not by the host.

use std::path::Path;

use serde_json::Value;
use ship_core::route::{CaseRule, Pattern};

/// The paths that Next.js wants to see before a file is served.
#[derive(Debug)]
pub(super) struct Guard {
    patterns: Patterns,
    /// What is sent elsewhere before files are looked at.
    rewrites: Patterns,
}

/// Patterns of paths.
#[derive(Default, Debug)]
struct Patterns {
    known: Vec<Pattern>,
    /// Whether there is one that cannot be read here, and may be about any path.
    has_unknown: bool,
}

impl Patterns {
    fn of(written: impl Iterator<Item = Value>) -> Self {
        let mut patterns = Self::default();
        for written in written {
            let pattern = written.as_str().and_then(|text| Pattern::anchored(text, CaseRule::Insensitive).ok());
            match pattern.filter(|pattern| pattern.check_size().is_ok()) {
                Some(pattern) => patterns.known.push(pattern),
                None => patterns.has_unknown = true,
            }
        }
        patterns
    }

    fn match_path(&self, path: &str) -> bool {
        self.has_unknown || self.known.iter().any(|pattern| pattern.is_match(path).unwrap_or(true))
    }
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
        let of_config = [list(&routes["redirects"]), list(&routes["headers"])].into_iter().flatten();
        // Where there are no others, the list itself is of those after files.
        let rewrites = list(&routes["rewrites"]["beforeFiles"]).into_iter();
        Self {
            patterns: Patterns::of(matchers.chain(of_config.map(|route| route["regex"].clone()))),
            rewrites: Patterns::of(rewrites.map(|route| route["regex"].clone())),
        }
    }

    /// Whether Next.js wants to see a request for the file of the project at `path`, which begins with `/`.
    pub(super) fn sees(&self, path: &str) -> bool {
        self.patterns.match_path(path) || self.rewrites.match_path(path)
    }

    /// The same of a file that the build has made. A rewrite that is about those is Next.js' own: it leads from
    /// `assetPrefix` to where they are.
    pub(super) fn sees_built(&self, path: &str) -> bool {
        self.patterns.match_path(path)
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
        assert!(!guard.sees_built("/first.txt"));
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
