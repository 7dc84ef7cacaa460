//! `clean_urls` and `trailing_slash`: one address for each page.

use ship_core::route::{CaseRule, Pattern, Phase, Route, RouteTable};

use super::model::Configuration;

/// What `clean_urls` asks for.
pub(super) fn push_clean_urls(table: &mut RouteTable, slash: Option<TrailingSlash>) {
    let end = if slash == Some(TrailingSlash::Added) { "/" } else { "" };
    push_redirect(table, r"^/index(?:\.html)?/?$", "/");
    push_redirect(table, r"^/(.+)/index(?:\.html)?/?$", &format!("/$1{end}"));
    push_redirect(table, r"^/(.+)\.html/?$", &format!("/$1{end}"));
    let mut route = Route::new(known_pattern(r"^/(.+?)/?$"));
    route.dest = Some("/$1.html".to_owned());
    // The page answers if there is one; the routes behind know nothing of the try.
    route.check = true;
    route.continues = true;
    // Where the path of the request leads, and where a rewrite does.
    table.push(Phase::Filesystem, route.clone());
    table.push(Phase::Miss, route);
}

/// What `trailing_slash` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum TrailingSlash {
    /// A folder's path ends with `/`, a file's does not.
    Added,
    /// No path ends with `/`.
    Removed,
}

impl TrailingSlash {
    pub(super) fn wanted_by(file: &Configuration) -> Option<Self> {
        file.trailing_slash.map(|wanted| if wanted { Self::Added } else { Self::Removed })
    }
}

pub(super) fn push_trailing_slash(table: &mut RouteTable, slash: TrailingSlash) {
    match slash {
        TrailingSlash::Added => {
            push_redirect(table, r"^/((?!\.well-known(?:/|$))(?:[^/]+/)*[^/.]+)$", "/$1/");
            push_redirect(table, r"^/((?!\.well-known(?:/|$))(?:[^/]+/)*[^/]+\.\w+)/$", "/$1");
        }
        TrailingSlash::Removed => push_redirect(table, r"^/(.+)/$", "/$1"),
    }
}

fn push_redirect(table: &mut RouteTable, src: &str, location: &str) {
    let mut route = Route::new(known_pattern(src));
    route.headers.insert("location".to_owned(), location.to_owned());
    route.status = Some(308);
    table.push(Phase::Null, route);
}

/// A pattern that this file itself holds.
fn known_pattern(src: &str) -> Pattern {
    Pattern::anchored(src, CaseRule::Sensitive).expect("a pattern written in this file compiles")
}
