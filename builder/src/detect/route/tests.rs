//! Routes of functions, asked as a visitor asks.

use proptest::prelude::*;
use ship_core::route::{Outcome, RouteRequest, resolve};
use ship_core::{Digest, Found, Function, FunctionLimits, FunctionRuntime, Manifest, SiteIndex, UrlPath};

use super::*;

fn detected(names: &[&str]) -> Vec<DetectedFunction> {
    let one = |name: &&str| DetectedFunction {
        name: name.parse().unwrap(),
        file: format!("{name}.go"),
        runtime: FunctionRuntime::Go,
        reach: Reach::Path,
        limits: FunctionLimits::default(),
        warm: Vec::new(),
        inclusion: crate::included::Inclusion::default(),
    };
    let mut functions: Vec<DetectedFunction> = names.iter().map(one).collect();
    functions.sort_unstable_by(|left, right| left.name.cmp(&right.name));
    functions
}

fn routes(names: &[&str]) -> Result<RouteTable, DetectError> {
    let mut table = RouteTable::new();
    push_function_routes(&mut table, &detected(names), FileNames::Answer).map(|()| table)
}

/// Which function answers at `path`, and with which query.
fn answer(names: &[&str], path: &str) -> Option<(String, Option<String>)> {
    let table = routes(names).unwrap();
    let function = |function: DetectedFunction| Function {
        name: function.name,
        runtime: function.runtime,
        digest: Digest::of(b""),
        size_bytes: 0,
        layers: Vec::new(),
        warm: Vec::new(),
        limits: function.limits,
    };
    let functions = detected(names).into_iter().map(function).collect();
    let manifest = Manifest::new(vec![], functions, table, vec![]).unwrap();
    let path = UrlPath::parse(path).unwrap();
    let request = RouteRequest { method: "GET", host: "a.test", path: &path, query: None, header: &|_| None };
    match resolve(manifest.routes(), &SiteIndex::new(&manifest), &request).outcome {
        Outcome::Found { found: Found::Function(index), query, .. } => {
            Some((manifest.functions()[index.0 as usize].name.to_string(), query))
        }
        _ => None,
    }
}

/// The more specific function answers, whatever stands beside it, and values arrive in the query.
#[test]
fn dynamic_functions() {
    let names = [
        "api/index",
        "api/users/me",
        "api/users/[id]",
        "api/users/[id]/posts",
        "api/[team]",
        "api/[...rest]",
        "api/docs/[[...page]]",
    ];
    for (path, name, query) in [
        ("/api", "api/index", None),
        ("/api/users/me", "api/users/me", None),
        ("/api/users/me.go", "api/users/me", None),
        ("/api/users/7", "api/users/[id]", Some("id=7")),
        ("/api/users/7/", "api/users/[id]", Some("id=7")),
        ("/api/users/a%20b", "api/users/[id]", Some("id=a%20b")),
        ("/api/users/7/posts", "api/users/[id]/posts", Some("id=7")),
        ("/api/users/7/likes", "api/[...rest]", Some("rest=users%2F7%2Flikes")),
        ("/api/red", "api/[team]", Some("team=red")),
        ("/api/docs", "api/docs/[[...page]]", Some("page=")),
        ("/api/docs/a/b", "api/docs/[[...page]]", Some("page=a%2Fb")),
    ] {
        assert_eq!(answer(&names, path), Some((name.to_owned(), query.map(str::to_owned))), "{path}");
    }
    assert_eq!(answer(&names, "/other"), None);
    assert_eq!(answer(&["api/[...rest]"], "/api"), None, "one segment at the least");
}

/// What Vercel documents of functions' paths: each row is a file, a path, and what is asked there (`-` is nobody). Catch-alls
/// answer every path below them, which Vercel's do not.
#[test]
fn documented_table() {
    for (file, path, expected) in [
        ("api/hello", "/api/hello", "api/hello"),
        ("api/hello", "/api/hello/", "api/hello"),
        ("api/hello", "/api/hello.go", "api/hello"),
        ("api/hello", "/api/hello.js", "-"),
        ("api/hello", "/api/hello/x", "-"),
        ("api/hello", "/api", "-"),
        ("api/hello", "/hello", "-"),
        ("api/index", "/api", "api/index"),
        ("api/index", "/api/", "api/index"),
        ("api/index", "/api/index", "api/index"),
        ("api/index", "/api/index.go", "api/index"),
        ("api/index", "/api/other", "-"),
        ("api/[id]", "/api/7", "api/[id]?id=7"),
        ("api/[id]", "/api/7/8", "-"),
        ("api/[id]", "/api", "-"),
        ("api/[id]/[x]", "/api/7/8", "api/[id]/[x]?id=7&x=8"),
        ("api/[id]/index", "/api/7", "api/[id]/index?id=7"),
        ("api/[id]/index", "/api/7/", "api/[id]/index?id=7"),
        ("api/[...slug]", "/api/a", "api/[...slug]?slug=a"),
        ("api/[...slug]", "/api/a/b/c", "api/[...slug]?slug=a%2Fb%2Fc"),
        ("api/[...slug]", "/api", "-"),
        ("api/[[...slug]]", "/api", "api/[[...slug]]?slug="),
        ("api/[[...slug]]", "/api/a/b", "api/[[...slug]]?slug=a%2Fb"),
    ] {
        let found = answer(&[file], path).map(|(name, query)| match query {
            Some(query) => format!("{name}?{query}"),
            None => name,
        });
        assert_eq!(found.as_deref().unwrap_or("-"), expected, "{file} at {path}");
    }
}

/// With clean URLs a file's name leads to the function's path; nothing below `/api` falls to what answers every other path.
#[test]
fn clean_names_and_nothing_else() {
    let outcome = |names: FileNames, path: &str| {
        let mut table = RouteTable::new();
        push_function_routes(&mut table, &detected(&["api/date", "api/index"]), names).unwrap();
        let mut everything = Route::new(known_pattern(r"^/.*$"));
        everything.dest = Some("/index.html".to_owned());
        everything.check = true;
        table.push(Phase::Rewrite, everything);
        let asset = ship_core::Asset {
            path: "index.html".parse().unwrap(),
            digest: Digest::of(b""),
            size_bytes: 0,
            media_type: ship_core::MediaType::octet_stream(),
        };
        let manifest = Manifest::new(vec![asset], vec![], table, vec![]).unwrap();
        let path = UrlPath::parse(path).unwrap();
        let request = RouteRequest { method: "GET", host: "a.test", path: &path, query: None, header: &|_| None };
        resolve(manifest.routes(), &SiteIndex::new(&manifest), &request).outcome
    };
    let led = |location: &str| Outcome::Redirect { status: 308, location: location.to_owned() };
    let plain = FileNames::Lead { end: "" };
    assert_eq!(outcome(plain, "/api/date.go"), led("/api/date"));
    assert_eq!(outcome(plain, "/api/date.go/"), led("/api/date"));
    assert_eq!(outcome(plain, "/api/index.go"), led("/api"));
    assert_eq!(outcome(FileNames::Lead { end: "/" }, "/api/date.go"), led("/api/date/"));
    for names in [plain, FileNames::Answer] {
        assert_eq!(outcome(names, "/api/none"), Outcome::NotFound);
        assert!(matches!(outcome(names, "/about"), Outcome::Found { .. }));
        assert!(matches!(outcome(names, "/apiary"), Outcome::Found { .. }));
    }
}

/// Brackets around part of a segment, and other characters that patterns know, are themselves.
#[test]
fn literal_segments() {
    assert_eq!(answer(&["api/post-[id]/[x]"], "/api/post-[id]/7").unwrap().0, "api/post-[id]/[x]");
    assert_eq!(answer(&["api/post-[id]/[x]"], "/api/post-i/7"), None);
    assert_eq!(answer(&["api/a.b+c/[x]"], "/api/aXbbc/7"), None);
    assert_eq!(answer(&["api/a.b+c/[x]"], "/api/a.b+c/7").unwrap().1.as_deref(), Some("x=7"));
}

/// Brackets without a pair or a name are refused: the path would be answered as it is written. What only has some inside stays a name.
#[test]
fn lone_brackets() {
    let refusal = |name: &str| routes(&[name]).unwrap_err().to_string();
    assert_eq!(
        refusal("api/[id"),
        "invalid_path_segment: `[id` in the path of `api/[id.go` is no placeholder: expected `[name]` for one segment, `[...name]` or \
         `[[...name]]` for several"
    );
    for name in ["api/id]", "api/[]", "api/[...]", "api/[[...a]", "api/[a/index", "api/a[b", "api/]a["] {
        assert!(refusal(name).starts_with("invalid_path_segment: "), "{name}");
    }
    assert_eq!(answer(&["api/user-[id]-x"], "/api/user-[id]-x").unwrap().0, "api/user-[id]-x");
    assert_eq!(answer(&["api/[...a]/b"], "/api/x/y/b").unwrap().1.as_deref(), Some("a=x%2Fy"));
}

/// Two files at one route are refused with both names, and so are two names for one placeholder.
#[test]
fn conflicts() {
    let refusal = |names: &[&str]| routes(names).unwrap_err().to_string();
    assert_eq!(
        refusal(&["api/[id]", "api/[name]"]),
        "conflicting_file_path: `api/[id].go` and `api/[name].go` both answer at `/api/[name]`: rename one of them"
    );
    assert!(refusal(&["api/[user]", "api/[team]/[id]"]).starts_with("conflicting_file_path: "));
    assert!(refusal(&["api/[...a]", "api/[...b]"]).starts_with("conflicting_file_path: "));
    assert_eq!(
        refusal(&["api/[id]/[id]"]),
        "conflicting_path_segment: the path of `api/[id]/[id].go` has `[id]` twice: rename one of them"
    );
    assert_eq!(
        refusal(&["api/date", "api/date/index"]),
        "conflicting_file_path: `api/date.go` and `api/date/index.go` both answer at `/api/date`: rename one of them"
    );
    assert_eq!(answer(&["api/[id]", "api/[...rest]"], "/api/a").unwrap().0, "api/[id]");
}

proptest! {
    /// The table does not depend on the order in which files were found.
    #[test]
    fn order_does_not_matter(mut names in proptest::collection::hash_set("api(/(a|b|\\[id\\]|\\[\\.\\.\\.rest\\])){1,3}", 1..8)
        .prop_map(|names| names.into_iter().collect::<Vec<_>>()), seed in any::<u64>())
    {
        let table = |names: &[String]| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            routes(&names).map(|table| serde_json::to_string(&table).unwrap()).map_err(|error| error.to_string())
        };
        let before = table(&names);
        let middle = usize::try_from(seed % names.len() as u64).unwrap();
        names.rotate_left(middle);
        prop_assert_eq!(before, table(&names));
    }
}
