//! Stories of routing: a table, a site, a request, and the whole decision.

use super::*;
use crate::digest::Digest;
use crate::function::{Function, FunctionRuntime};
use crate::limits::FunctionLimits;
use crate::manifest::{Asset, Manifest};
use crate::media_type::MediaType;

/// A site of these assets and functions with these routes, in the JSON of the Build Output API.
struct Site {
    manifest: Manifest,
    index: SiteIndex,
}

fn site(assets: &[&str], functions: &[&str], routes: &str) -> Site {
    let digest = Digest::of(b"");
    let assets = assets.iter().map(|path| Asset {
        path: path.parse().unwrap(),
        digest,
        size_bytes: 0,
        media_type: MediaType::octet_stream(),
    });
    let functions = functions.iter().map(|name| Function {
        name: name.parse().unwrap(),
        runtime: FunctionRuntime::Go,
        digest,
        size_bytes: 0,
        limits: FunctionLimits::default(),
        layers: Vec::new(),
        warm: Vec::new(),
    });
    let routes = serde_json::from_str(routes).unwrap();
    let manifest = Manifest::new(assets.collect(), functions.collect(), routes, Vec::new()).unwrap();
    let index = SiteIndex::new(&manifest);
    Site { manifest, index }
}

impl Site {
    /// The decision for a GET, in one line.
    fn get(&self, target: &str) -> String {
        self.request("GET", target, &[])
    }

    fn request(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> String {
        let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let path = UrlPath::parse(path).unwrap();
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let request = RouteRequest { method, host: "site.test", path: &path, query, header: &header };
        self.shown(resolve(self.manifest.routes(), &self.index, &request))
    }

    /// The decision for a GET of `target` after its middleware let it pass, to `rewritten` if that is not the same.
    fn passed(&self, target: &str, rewritten: Option<&str>) -> String {
        let request = |target: &str, decide: &dyn Fn(&RouteRequest<'_>) -> Resolution| {
            let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
            let path = UrlPath::parse(path).unwrap();
            decide(&RouteRequest { method: "GET", host: "site.test", path: &path, query, header: &|_| None })
        };
        let routes = self.manifest.routes();
        let before = request(target, &|request| resolve(routes, &self.index, request));
        let Outcome::Middleware { pause, .. } = before.outcome else { panic!("no middleware is asked for {target}") };
        let heading = if rewritten.is_some() { Heading::Rewritten } else { Heading::AsBefore };
        let again = |request: &RouteRequest<'_>| resume(routes, &self.index, request, (*pause).clone(), heading);
        self.shown(request(rewritten.unwrap_or(target), &again))
    }

    fn shown(&self, resolution: Resolution) -> String {
        let outcome = match resolution.outcome {
            Outcome::Found { found, query, status } => {
                let name = match found {
                    Found::Asset(index) => format!("asset {}", self.manifest.assets()[index.0 as usize].path),
                    Found::Function(index) => format!("function {}", self.manifest.functions()[index.0 as usize].name),
                };
                let query = query.map(|query| format!("?{query}")).unwrap_or_default();
                format!("{name}{query}{}", status.map(|status| format!(" {status}")).unwrap_or_default())
            }
            Outcome::Redirect { status, location } => format!("{status} to {location}"),
            Outcome::External { url, status } => {
                format!("external {url}{}", status.map(|status| format!(" {status}")).unwrap_or_default())
            }
            Outcome::Status(status) => format!("status {status}"),
            Outcome::Middleware { function, .. } => format!("asks {function}"),
            Outcome::NotFound => "not found".to_owned(),
            Outcome::Exhausted { pattern } => format!("exhausted {pattern}"),
        };
        resolution.headers.iter().fold(outcome, |line, (name, value)| format!("{line} [{name}: {value}]"))
    }
}

/// Without any route, a site is its files and functions.
#[test]
fn files_and_functions() {
    let site = site(&["index.html", "docs/index.html", "a b.txt", "100%.txt"], &["api/date", "api/index"], "[]");
    assert_eq!(site.get("/"), "asset index.html");
    assert_eq!(site.get("/docs"), "asset docs/index.html");
    assert_eq!(site.get("/docs/"), "asset docs/index.html");
    assert_eq!(site.get("/a%20b.txt"), "asset a b.txt");
    assert_eq!(site.get("/100%25.txt"), "asset 100%.txt");
    assert_eq!(site.get("/api/date?x=1"), "function api/date?x=1");
    assert_eq!(site.get("/api/date/"), "function api/date");
    assert_eq!(site.get("/api"), "function api/index");
    assert_eq!(site.get("/index.html/"), "not found");
    assert_eq!(site.get("/API/date"), "not found");
}

/// Dynamic functions get their segments as parameters, which a visitor cannot overwrite.
#[test]
fn dynamic_functions() {
    let routes = r#"[{"handle":"miss"},{"src":"^/api/(.+)(?:\\.(?:go))$","dest":"/api/$1","check":true},
        {"handle":"rewrite"},
        {"src":"^/api/users/([^/]+)$","dest":"/api/users/[id]?id=$1","check":true},
        {"src":"^/api/(.+)$","dest":"/api/[...path]?path=$1","check":true}]"#;
    let site = site(&[], &["api/date", "api/users/[id]", "api/[...path]"], routes);
    assert_eq!(site.get("/api/date.go"), "function api/date");
    assert_eq!(site.get("/api/users/7"), "function api/users/[id]?id=7");
    assert_eq!(site.get("/api/users/7?id=8&x=1"), "function api/users/[id]?id=7&x=1");
    assert_eq!(site.get("/api/users/a%26id=2"), "function api/users/[id]?id=a%26id%3D2");
    assert_eq!(site.get("/api/users/a%2Fb"), "function api/users/[id]?id=a%2Fb");
    assert_eq!(site.get("/api/x/y"), "function api/[...path]?path=x%2Fy");
}

/// Redirects and headers come before files, rewrites after them.
#[test]
fn order_of_phases() {
    let routes = r#"[{"src":"^/old/(.*)$","headers":{"Location":"/new/$1"},"status":308},
        {"src":"^/(.*)$","headers":{"X-A":"1"},"continue":true},
        {"src":"^/secret$","status":403},
        {"handle":"filesystem"},
        {"src":"^/file$","dest":"/other","check":true},
        {"src":"^/(?!api/).*$","dest":"/index.html","check":true},
        {"handle":"hit"},{"src":"^/assets/.*$","headers":{"cache-control":"immutable"},"continue":true},
        {"handle":"error"},{"status":404,"src":"^/api.*$","dest":"/404.html"}]"#;
    let site = site(&["index.html", "404.html", "file", "assets/a.js"], &["api/date"], routes);
    assert_eq!(site.get("/old/a%20b?x=1"), "308 to /new/a%20b?x=1");
    assert_eq!(site.get("/file"), "asset file [x-a: 1]");
    assert_eq!(site.get("/deep/link"), "asset index.html [x-a: 1]");
    assert_eq!(site.get("/assets/a.js"), "asset assets/a.js [x-a: 1] [cache-control: immutable]");
    assert_eq!(site.get("/api/none"), "asset 404.html 404 [x-a: 1]");
    assert_eq!(site.get("/secret"), "status 403 [x-a: 1]");
}

/// A line break that a path carries cannot become a header of its own.
#[test]
fn redirects_cannot_split_headers() {
    let site = site(&[], &[], r#"[{"src":"^/go/(.*)$","headers":{"location":"https://example.com/$1"},"status":307}]"#);
    assert!(UrlPath::parse("/go/%0d%0aset-cookie:x").is_err());
    assert_eq!(site.get("/go/%22%3Cb%3E"), "307 to https://example.com/%22%3Cb%3E");
}

/// What a visitor sends cannot lead a redirect to a host that the site does not name.
#[test]
fn redirects_stay_on_their_host() {
    let routes = r#"[{"src":"^/go$","headers":{"location":"/$u"},"status":307,"has":[{"type":"query","key":"u","value":"(?<u>.*)"}]},
        {"src":"^/to$","headers":{"location":"https://$u.site.test/"},"status":307,"has":[{"type":"query","key":"u","value":"(?<u>.*)"}]},
        {"src":"^(.*)/$","headers":{"location":"$1"},"status":308}]"#;
    let site = site(&["index.html"], &[], routes);
    assert_eq!(site.get("/go?u=/evil.test"), "307 to /evil.test?u=/evil.test");
    assert_eq!(site.get("/go?u=%5Cevil.test"), "307 to /%5Cevil.test?u=%5Cevil.test");
    assert_eq!(site.get("/to?u=a"), "307 to https://a.site.test/?u=a");
    assert_eq!(site.get("/to?u=evil.test/"), "not found");
    assert_eq!(site.get("/\\evil.test/"), "308 to /%5Cevil.test");
}

/// Conditions on the host, headers, cookies and the query; a named group feeds the destination.
#[test]
fn conditions() {
    let routes = r#"[{"src":"^/$","dest":"/beta.html","has":[{"type":"cookie","key":"beta"}]},
        {"src":"^/$","dest":"/lang/$lang.html","has":[{"type":"header","key":"X-Lang","value":"(?<lang>de|fr)"}]},
        {"src":"^/$","dest":"/query.html","has":[{"type":"query","key":"q","value":"a b"}]},
        {"src":"^/$","dest":"/other-host.html","missing":[{"type":"host","value":"site.test"}]}]"#;
    let site = site(&["index.html", "beta.html", "lang/de.html", "query.html"], &[], routes);
    assert_eq!(site.get("/"), "asset index.html");
    assert_eq!(site.request("GET", "/", &[("cookie", "a=b; beta=1")]), "asset beta.html");
    assert_eq!(site.request("GET", "/", &[("x-lang", "de")]), "asset lang/de.html");
    assert_eq!(site.request("GET", "/", &[("x-lang", "es")]), "asset index.html");
    assert_eq!(site.get("/?q=a+b"), "asset query.html?q=a+b");
}

/// Comparisons: each operator, several at once, and numbers that are compared as numbers.
#[test]
fn comparisons() {
    let holds = |value: &str, found: &str| {
        let routes = format!(
            r#"[{{"src":"^/$","dest":"/yes.html","has":[{{"type":"header","key":"X-Value","value":{value}}}]}}]"#
        );
        site(&["index.html", "yes.html"], &[], &routes).request("GET", "/", &[("x-value", found)]) == "asset yes.html"
    };
    for (value, met, unmet) in [
        (r#"{"eq":"a"}"#, ["a"].as_slice(), ["b", "A", "ab", ""].as_slice()),
        (r#"{"eq":2}"#, &["2", "2.0", " 2"], &["3", "two", ""]),
        (r#"{"neq":"a"}"#, &["b", ""], &["a"]),
        (r#"{"inc":["a","b",3]}"#, &["a", "b", "3"], &["c", ""]),
        (r#"{"ninc":["a","b"]}"#, &["c", ""], &["a", "b"]),
        (r#"{"pre":"ab"}"#, &["ab", "abc"], &["a", "cab"]),
        (r#"{"suf":"ab"}"#, &["ab", "cab"], &["b", "abc"]),
        (r#"{"re":"a+"}"#, &["a", "aa"], &["", "ab"]),
        (r#"{"gt":2}"#, &["3", "10"], &["2", "1", "x", "NaN", "inf"]),
        (r#"{"gte":2}"#, &["2", "10"], &["1.9"]),
        (r#"{"lt":2}"#, &["1", "-10"], &["2", ""]),
        (r#"{"lte":2.5}"#, &["2.5", "2"], &["2.6"]),
        (r#"{"gte":1,"lt":5,"neq":3}"#, &["1", "4"], &["0", "3", "5"]),
        (r#"{"pre":"v","re":"v\\d"}"#, &["v1"], &["v", "v12", "1"]),
    ] {
        for found in met {
            assert!(holds(value, found), "{value} holds for {found:?}");
        }
        for found in unmet {
            assert!(!holds(value, found), "{value} does not hold for {found:?}");
        }
    }
    let wrong = |value: &str| {
        let routes = format!(r#"[{{"src":"/","has":[{{"type":"query","key":"a","value":{value}}}]}}]"#);
        serde_json::from_str::<RouteTable>(&routes).unwrap_err().to_string()
    };
    assert!(wrong(r#"{"equals":1}"#).starts_with("unknown field `equals`, expected one of `eq`"));
    assert!(wrong(r#"{"re":"("}"#).starts_with("the pattern `(` does not compile"));
    assert!(wrong("7").starts_with("invalid type: integer `7`, expected a string or a table of comparisons"));
}

/// What conditions look at reaches destinations: named groups, the host, and the value of a key that need only be there.
#[test]
fn names_from_conditions() {
    let routes = r#"[{"src":"^/host$","dest":"/x/$host/$tenant","has":[{"type":"host","value":"(?<tenant>.*)\\.test"}]},
        {"src":"^/key$","dest":"/api?was=$beta","has":[{"type":"cookie","key":"beta"}]},
        {"src":"^/re$","dest":"/api?v=$v","has":[{"type":"query","key":"q","value":{"re":"(?<v>\\d).*"}}]}]"#;
    let site = site(&["x/site.test/site"], &["api"], routes);
    assert_eq!(site.get("/host"), "asset x/site.test/site");
    assert_eq!(site.request("GET", "/key", &[("cookie", "beta=a b")]), "function api?was=a%20b");
    assert_eq!(site.get("/re?q=7up"), "function api?v=7&q=7up");
}

/// A destination that is taken only where it exists changes nothing where it does not.
#[test]
fn destinations_that_may_exist() {
    let routes = r#"[{"handle":"filesystem"},{"src":"^/(.+?)/?$","dest":"/$1.html","check":true,"continue":true},
        {"src":"^/users/([^/]+)$","dest":"/api/user?id=$1","check":true},
        {"handle":"rewrite"},{"src":"^/api/([^/]+)$","dest":"/api/[id]?id=$1","check":true}]"#;
    let site = site(&["about.html"], &["api/user", "api/[id]"], routes);
    assert_eq!(site.get("/about"), "asset about.html");
    assert_eq!(site.get("/about/"), "asset about.html");
    assert_eq!(site.get("/users/7"), "function api/user?id=7");
    assert_eq!(site.get("/api/7"), "function api/[id]?id=7");
}

/// Methods, other hosts, and a pattern that takes too long.
#[test]
fn methods_externals_and_exhaustion() {
    let routes = r#"[{"src":"^/only-post$","methods":["POST"],"status":405},
        {"src":"^/proxy/(.*)$","dest":"https://example.com/$1?a=1"},
        {"src":"^(?=(a+)+$)/(a|a)*b$","status":404},
        {"src":"^/(?=(x+)+$)(x|x)*b$","status":404}]"#;
    let site = site(&["only-post"], &[], routes);
    assert_eq!(site.get("/only-post"), "asset only-post");
    assert_eq!(site.request("POST", "/only-post", &[]), "status 405");
    assert_eq!(site.get("/proxy/x%20y?b=2"), "external https://example.com/x%20y?a=1&b=2");
    assert_eq!(site.get(&format!("/{}", "x".repeat(64))), "exhausted ^/(?=(x+)+$)(x|x)*b$");
}

/// A table read and written again is the same table; what its phases do not allow is refused by its place.
#[test]
fn tables_round_trip() {
    let routes = r#"[{"src":"^/a$","dest":"/b"},{"handle":"filesystem"},{"src":"^/c$","dest":"/d","check":true}]"#;
    let table: RouteTable = serde_json::from_str(routes).unwrap();
    assert_eq!(serde_json::to_string(&table).unwrap(), routes);
    let error = |routes: &str| serde_json::from_str::<RouteTable>(routes).unwrap_err().to_string();
    assert!(error(r#"[{"handle":"miss"},{"src":"/a","dest":"/b"}]"#).starts_with("routes[1]: after `handle: miss`"));
    assert!(error(r#"[{"src":"/a("}]"#).starts_with("routes[0]: the pattern `/a(` does not compile"));
    assert!(error(r#"[{"handle":"miss"},{"handle":"miss"}]"#).starts_with("routes[1]: this phase was opened before"));
    assert!(error(r#"[{"src":"/a","destination":"/b"}]"#).contains("unknown field `destination`"));
}

/// A list too long is refused at its first element too many, before anything in it is compiled; so is what no response holds.
#[test]
fn hostile_tables() {
    let error = |routes: &str| serde_json::from_str::<RouteTable>(routes).unwrap_err().to_string();
    let endless = format!("[{}", r#"{"src":"/a"},"#.repeat(20_000));
    assert!(error(&endless).starts_with("more than 10006 routes"), "{}", error(&endless));
    assert!(error(r#"[{"src":"/a","status":101}]"#).starts_with("routes[0]: 101 is not the status of a response"));
    assert!(
        error(r#"[{"src":"/a","headers":{"x":"a\r\nb"},"continue":true}]"#).starts_with("routes[0]: the header \"x\"")
    );
}

/// Routes that write what they caught again and again, in a path or in headers, and routes that have others walked once more: at some point
/// it is enough.
#[test]
fn tables_that_multiply() {
    for route in
        [r#"{"src":"/(.*)","dest":"/$1$1","continue":true}"#, r#"{"src":"/(.*)","dest":"/$1/$1","check":true}"#]
    {
        let decision =
            site(&[], &[], &format!("[{}]", vec![route; 60].join(","))).get(&format!("/{}", "a".repeat(8_000)));
        assert!(decision.starts_with("exhausted"), "{}", &decision[..60]);
    }
    let headers: Vec<String> = (0..9_000)
        .map(|number| format!(r#"{{"src":"/(.*)","headers":{{"x-{number}":"{}"}},"continue":true}}"#, "$1".repeat(20)))
        .collect();
    let decision = site(&[], &[], &format!("[{}]", headers.join(","))).get("/abcdefgh");
    assert!(decision.starts_with("exhausted"), "{decision}");
    let again = vec![r#"{"src":"/a.*","dest":"/ab","check":true}"#; 4_000].join(",");
    let tried = vec![r#"{"src":"/b","dest":"/x","check":true}"#; 4_000].join(",");
    let decision = site(&[], &[], &format!("[{again},{{\"handle\":\"rewrite\"}},{tried}]")).get("/a");
    assert!(decision.starts_with("exhausted"), "{decision}");
    // The largest table may still be walked through, and what stands in it is found.
    let longest =
        format!("[{},{}]", vec![r#"{"src":"/b","dest":"/x"}"#; 9_998].join(","), r#"{"src":"/a","dest":"/page"}"#);
    assert_eq!(site(&["page"], &[], &longest).get("/a"), "asset page");
}

/// However many patterns may backtrack, one request tries a bounded number of them; literal beginnings cost nothing.
#[test]
fn many_hard_patterns() {
    let routes = |beginning: &str| {
        let route = |number| format!(r#"{{"src":"^{beginning}/(a*)*\\1y{number}$","status":404}}"#);
        format!("[{}]", (0..1_000).map(route).collect::<Vec<_>>().join(","))
    };
    assert!(site(&["x"], &[], &routes("")).get("/x").starts_with("exhausted "));
    assert_eq!(site(&["x"], &[], &routes("/other")).get("/x"), "asset x");
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever is asked of whatever table, there is a decision, it is the same each time, and what is found exists.
        #[test]
        fn total_and_pure(
            path in "/[a-c/.%]{0,12}",
            patterns in proptest::collection::vec(("[a-c]{0,3}(\\(\\.\\*\\))?", "/[a-c]{0,3}(\\$1)?", 0..4u8), 0..6),
        ) {
            let routes: Vec<String> = patterns.iter().map(|(src, dest, kind)| match kind {
                0 => format!(r#"{{"src":"/{src}","dest":"{dest}"}}"#),
                1 => format!(r#"{{"src":"/{src}","dest":"{dest}","check":true}}"#),
                2 => format!(r#"{{"src":"/{src}","dest":"{dest}","continue":true}}"#),
                _ => format!(r#"{{"src":"/{src}","status":404}}"#),
            }).collect();
            let site = site(&["a", "b/index.html", "c"], &["a/b"], &format!("[{}]", routes.join(",")));
            if UrlPath::parse(&path).is_ok() {
                prop_assert_eq!(site.get(&path), site.get(&path));
            }
        }
    }
}

/// A page without an extension answers with and without a slash, as frameworks route to it; one that has a folder of its own
/// leaves the slash to that.
#[test]
fn pages_without_extension() {
    let site = site(&["about", "both", "both/index.html", "app.js"], &[], r#"[{"src": "/us", "dest": "/about/"}]"#);
    assert_eq!(["/about", "/about/", "/us"].map(|path| site.get(path)), ["asset about"; 3]);
    assert_eq!(["/both", "/both/"].map(|path| site.get(path)), ["asset both", "asset both/index.html"]);
    assert_eq!(site.get("/app.js/"), site.get("/absent"));
}

/// A middleware is asked before anything is looked up; the request goes on with the routes behind, at its own path or another,
/// and keeps what the routes before have added. By itself a middleware stands nowhere.
#[test]
fn middleware() {
    let routes = r#"[
        {"src": "/a/(.*)", "headers": {"x-a": "$1"}, "continue": true},
        {"src": "/a/.*", "middlewarePath": "guard", "continue": true, "missing": [{"type": "header", "key": "free"}]},
        {"src": "/a/old", "dest": "/b?old=1"},
        {"src": "/b", "headers": {"x-b": "1"}, "continue": true},
        {"src": "/a/two", "middlewarePath": "second"},
        {"src": "/(b|c)", "middlewarePath": "guard"}
    ]"#;
    let site = site(&["a/x", "b", "c"], &["guard", "second"], routes);
    assert_eq!(site.get("/a/x"), "asks guard");
    assert_eq!(site.get("//a/%78"), "asks guard");
    assert_eq!(site.request("GET", "/a/x", &[("free", "1")]), "asset a/x [x-a: x]");
    assert_eq!(site.passed("/a/x?q=1", None), "asset a/x?q=1 [x-a: x]");
    assert_eq!(site.passed("/a/old?q=1", None), "asset b?old=1&q=1 [x-a: old]");
    assert_eq!(site.passed("/a/x?q=1", Some("/b?r=2")), "asset b?r=2 [x-a: x] [x-b: 1]");
    assert_eq!(site.passed("/a/x", Some("/nowhere")), "not found [x-a: x]");
    assert_eq!(site.passed("/a/two", None), "asks second");
    assert_eq!(site.get("/c"), "asks guard");
    assert_eq!(site.get("/guard"), "not found");
}

/// Where a middleware would be asked too late, or decide nothing, the table is refused; so is a site without it.
#[test]
fn misplaced_middleware() {
    let refused = |routes: &str| serde_json::from_str::<RouteTable>(routes).unwrap_err().to_string();
    let route = r#"{"src": "/a", "middlewarePath": "guard"}"#;
    for phase in ["filesystem", "hit", "miss", "rewrite", "error"] {
        let said = refused(&format!(r#"[{{"handle": "{phase}"}}, {route}]"#));
        assert!(said.starts_with("routes[1]: `middlewarePath` stands before the first `handle`"), "{phase}: {said}");
    }
    assert!(
        refused(r#"[{"src": "/a", "middlewarePath": "guard", "dest": "/b"}]"#).starts_with("routes[0]: a route with")
    );
    assert!(refused(r#"[{"src": "/a", "middlewarePath": "/guard"}]"#).contains("is not a path inside a site"));
    let alone = serde_json::from_str(&format!("[{route}]")).unwrap();
    let error = Manifest::new(Vec::new(), Vec::new(), alone, Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "a route asks the middleware `guard`, and there is no such function");
}
