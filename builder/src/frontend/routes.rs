//! Routes that a framework brings: how long its files are kept, and the page for paths that only its client code knows.

use ship_core::route::{CaseRule, Pattern, Phase, Route, RouteTable};

use super::presets::{Fallback, Preset};

/// The start page of a site.
const INDEX: &str = "index.html";

/// Names of files that client code never routes, besides paths of programs and hidden files: who asks for a script that is gone must not
/// get a page in its place, which browsers show as a blank site.
const NEVER_A_PAGE: &str = "avif|cjs|css|csv|eot|gif|ico|jpe?g|js|json|map|mjs|mp3|mp4|otf|pdf|png|svg|ttf|txt|wasm|\
                            webmanifest|webm|webp|woff2?|xml|zip";

/// How a built site is served besides its own routes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Serving {
    fallback: Option<Fallback>,
    cache: &'static [(&'static str, &'static str)],
}

impl Serving {
    /// A site that nothing built: only somebody who says so makes it a single page.
    pub(super) fn of_files(spa: Option<bool>) -> Self {
        let fallback = (spa == Some(true)).then_some(Fallback::Page("/index.html"));
        Self { fallback, cache: &[] }
    }

    /// A site that a framework made.
    pub(super) fn of_preset(preset: &Preset, spa: Option<bool>) -> Self {
        let fallback = match spa {
            None => Some(preset.fallback),
            Some(false) => None,
            Some(true) => match preset.fallback {
                Fallback::IfSinglePage => Some(Fallback::Page("/index.html")),
                page @ Fallback::Page(_) => Some(page),
            },
        };
        Self { fallback, cache: preset.cache }
    }
}

/// Appends the routes of `serving` to a site of `files`, sorted by path. They stand behind all others.
pub(crate) fn push_routes(routes: &mut RouteTable, serving: &Serving, files: &[&str]) {
    let has = |path: &str| files.binary_search(&path).is_ok();
    for (src, value) in serving.cache {
        let mut route = Route::new(pattern(&format!("^{src}$")));
        route.headers.insert("cache-control".to_owned(), (*value).to_owned());
        route.continues = true;
        routes.push(Phase::Hit, route);
    }
    let page = match serving.fallback {
        Some(Fallback::Page(page)) => page.trim_start_matches('/'),
        Some(Fallback::IfSinglePage) if is_single_page(files) => INDEX,
        _ => return,
    };
    if !has(page) {
        return;
    }
    let mut route = Route::new(pattern(&format!(r"^(?!/api(?:/|$))(?!.*/\.)(?!.*\.(?:{NEVER_A_PAGE})$).*$")));
    route.dest = Some(format!("/{page}"));
    routes.push(Phase::Rewrite, route);
}

/// Whether the only page of a site is its start page.
fn is_single_page(files: &[&str]) -> bool {
    let mut pages = files.iter().filter(|path| path.ends_with(".html") || path.ends_with(".htm"));
    pages.next() == Some(&INDEX) && pages.next().is_none()
}

fn pattern(text: &str) -> Pattern {
    Pattern::anchored(text, CaseRule::Sensitive).expect("a pattern of this crate compiles")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frontend::presets::{PRESETS, by_slug};

    fn fallback(slug: &str, spa: Option<bool>, files: &[&str]) -> Option<String> {
        let mut routes = RouteTable::new();
        push_routes(&mut routes, &Serving::of_preset(by_slug(slug).unwrap(), spa), files);
        routes.phase(Phase::Rewrite).first().and_then(|route| route.dest.clone())
    }

    /// A site of one page is one for client code, unless somebody says no; a site of several pages is not, unless somebody
    /// says yes; frameworks that make only sites of one page always do.
    #[test]
    fn fallbacks() {
        let (single, several) = (["assets/a.js", "index.html"], ["about.html", "index.html"]);
        let index = Some("/index.html".to_owned());
        assert_eq!(fallback("vite", None, &single), index);
        assert_eq!(fallback("vite", Some(false), &single), None);
        assert_eq!(fallback("vite", None, &several), None);
        assert_eq!(fallback("vite", Some(true), &several), index);
        assert_eq!(fallback("vite", None, &["404.html", "index.html"]), None);
        assert_eq!(fallback("angular", None, &several), index);
        assert_eq!(fallback("angular", Some(false), &several), None);
        assert_eq!(fallback("nuxtjs", None, &["200.html", "index.html"]), Some("/200.html".to_owned()));
        assert_eq!(fallback("nuxtjs", None, &single), None);
    }

    /// A page answers for paths of client code, and for nothing that is a program's or a file's.
    #[test]
    fn what_falls_back() {
        let mut routes = RouteTable::new();
        push_routes(&mut routes, &Serving::of_preset(by_slug("vite").unwrap(), None), &["index.html"]);
        let src = &routes.phase(Phase::Rewrite)[0].src;
        for path in ["/users/1", "/users/jane.doe", "/apis", "/a/b/", "/v1.2"] {
            assert!(src.is_match(path).unwrap(), "{path}");
        }
        for path in ["/api", "/api/date", "/assets/old.js", "/old.3f2a.css", "/logo.png", "/.env", "/a/.git/config"] {
            assert!(!src.is_match(path).unwrap(), "{path}");
        }
    }

    /// Every pattern of the table is one.
    #[test]
    fn patterns() {
        for preset in PRESETS {
            let mut routes = RouteTable::new();
            push_routes(&mut routes, &Serving::of_preset(preset, None), &[]);
            assert_eq!(routes.len(), preset.cache.len());
        }
    }
}
