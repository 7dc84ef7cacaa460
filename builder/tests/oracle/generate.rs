//! Patterns, paths and configurations, always the same ones.

use serde_json::{Value, json};

/// Numbers that look random and are the same in every run (xorshift).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    /// True once in `times`.
    pub(crate) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

/// What sources are put together from. `#` becomes a name that is used once.
const PIECES: [&str; 34] = [
    "/a",
    "/b",
    "/a.b",
    "/:#",
    "/:#",
    "/:#?",
    "/:#*",
    "/:#+",
    "/(.*)",
    "/:#(\\d+)",
    "/:#(a|b)",
    "/:#(a|b)*",
    "/(a|b)?",
    "/(\\d+)+",
    "/((?!a).*)",
    "/a-:#",
    "/a:#?",
    "/@:#",
    "/:#.:#",
    ".:#?",
    ".:#(html|b)",
    "-:#",
    "{/:#}?",
    "{/b}?",
    "{/a}*",
    "{-:#(\\w+)}?",
    "{/:#.b}+",
    "{/x-:#-y}*",
    "/\\:a",
    "\\/:#",
    "{\\:a:#}?",
    "/",
    "/_:#(.*)",
    "/$a^",
];

/// What no source can hold.
const BROKEN: [&str; 10] = ["(", ")", "{", "}", "/:", "?", "*", "/()", "/(?:a)", "/((a))"];

/// A source: most are fine.
pub(crate) fn source(dice: &mut Dice) -> String {
    let mut source = String::new();
    let mut names = 0;
    for _ in 0..=dice.below(3) {
        for character in dice.one_of(&PIECES).chars() {
            if character == '#' {
                source.push_str(["p", "q", "r", "s", "t", "u", "v", "w"][names % 8]);
                names += 1;
            } else {
                source.push(character);
            }
        }
    }
    if dice.once_in(12) {
        source.push_str(dice.one_of(&BROKEN));
    }
    if source.starts_with('/') { source } else { format!("/x{source}") }
}

/// A destination with parameters of a source.
pub(crate) fn destination(dice: &mut Dice, source: &str) -> String {
    const ENDS: [&str; 5] = ["", "*", "+", "(\\d+)", "(a|b)*"];
    let mut destination = dice.one_of(&["/new", "/to/x", "/a.b", "", "/$1"]).to_string();
    for name in ["p", "q", "r", "s"].into_iter().filter(|name| has_parameter(source, name)) {
        if !dice.once_in(3) {
            let start = dice.one_of(&["/", "/x-", "."]);
            destination.push_str(&format!("{start}:{name}{}", dice.one_of(&ENDS)));
        }
    }
    if destination.starts_with('/') { destination } else { format!("/{destination}") }
}

fn has_parameter(source: &str, name: &str) -> bool {
    let at = source.find(&format!(":{name}"));
    at.is_some_and(|at| !source[..at].ends_with('\\'))
}

/// A path: often one that a source of these pieces is about.
pub(crate) fn path(dice: &mut Dice) -> String {
    const SEGMENTS: [&str; 16] =
        ["a", "b", "c", "7", "42", "a.b", "a-b", "ab", "a-x", "@me", "x-c-y", "a.html", "7.b", ":a", "_z", "x-q.html"];
    let mut path = String::new();
    for _ in 0..dice.below(5) {
        path.push('/');
        path.push_str(dice.one_of(&SEGMENTS));
    }
    if path.is_empty() || dice.once_in(6) {
        path.push('/');
    }
    path
}

/// The files of the site that configurations are about.
pub(crate) const FILES: [&str; 6] =
    ["index.html", "a.html", "docs/index.html", "docs/guide.html", "file.txt", "b/c.html"];

/// Paths that are asked of each configuration, with queries.
pub(crate) const TARGETS: [&str; 44] = [
    "/",
    "/index",
    "/index.html",
    "/a",
    "/a/",
    "/a.html",
    "/a.html/",
    "/A",
    "/docs",
    "/docs/",
    "/docs/index",
    "/docs/index.html",
    "/docs/guide",
    "/docs/guide/",
    "/docs/guide.html",
    "/file.txt",
    "/file.txt/",
    "/b",
    "/b/c",
    "/b/c/",
    "/b/c.html",
    "/nothing",
    "/nothing/",
    "/nothing/at/all",
    "/old",
    "/old/1",
    "/old/1/2",
    "/old/x-y",
    "/blog",
    "/blog/7",
    "/blog/seven",
    "/blog/7/comments",
    "/u/ann",
    "/u/ann/",
    "/u/ann/posts",
    "/a?x=1",
    "/u/ann?q=1&p=2",
    "/old/1?page=3",
    "/blog/7?p=9",
    "/search?q=ship",
    "/search?q=7",
    "/search?q=",
    "/v1.2",
    "/a%20b",
];

const SOURCES: [&str; 14] = [
    "/old/:p",
    "/old/:p*",
    "/old/(.*)",
    "/blog/:p(\\d+)",
    "/blog/:p/:q?",
    "/u/:p",
    "/u/:p/:q",
    "/u/:p+",
    "/search",
    "/:p",
    "/:p*",
    "/v:p.:q",
    "/a",
    "/docs/:p(guide|other)",
];

const CONDITIONS: [&str; 16] = [
    r#"{"type":"query","key":"q"}"#,
    r#"{"type":"query","key":"q","value":"(?<word>s.*)"}"#,
    r#"{"type":"query","key":"q","value":{"re":"(?<digit>\\d)"}}"#,
    r#"{"type":"query","key":"q","value":{"eq":"ship"}}"#,
    r#"{"type":"query","key":"q","value":{"gt":5}}"#,
    r#"{"type":"query","key":"x","value":{"neq":"2"}}"#,
    r#"{"type":"query","key":"x","value":{"inc":["1","2"]}}"#,
    r#"{"type":"query","key":"page","value":{"pre":"3"}}"#,
    r#"{"type":"header","key":"X-Lang","value":"(?<lang>de|fr)"}"#,
    r#"{"type":"header","key":"lang"}"#,
    r#"{"type":"header","key":"x-lang","value":{"ninc":["es"]}}"#,
    r#"{"type":"cookie","key":"beta"}"#,
    r#"{"type":"cookie","key":"beta","value":"on"}"#,
    r#"{"type":"host","value":"site\\.test"}"#,
    r#"{"type":"host","value":"(?<sub>.*)\\.test"}"#,
    r#"{"type":"host","value":{"suf":".example"}}"#,
];

/// Adds conditions to an entry, sometimes.
fn with_conditions(dice: &mut Dice, mut entry: Value) -> Value {
    for key in ["has", "missing"] {
        if dice.once_in(5) {
            let condition: Value = serde_json::from_str(dice.one_of(&CONDITIONS)).unwrap();
            entry[key] = json!([condition]);
        }
    }
    entry
}

fn target_of(dice: &mut Dice, source: &str, plain: &[&str]) -> String {
    let mut destination = dice.one_of(plain).to_string();
    for name in ["p", "q"].into_iter().filter(|name| has_parameter(source, name)) {
        if dice.once_in(2) {
            destination.push_str(&format!("/:{name}"));
            if source.contains(&format!(":{name}*")) {
                destination.push('*');
            }
        } else if dice.once_in(4) {
            let separator = if destination.contains('?') { '&' } else { '?' };
            destination.push_str(&format!("{separator}z=:{name}"));
            return destination;
        }
    }
    destination
}

/// A configuration of everything that becomes routes.
pub(crate) fn configuration(dice: &mut Dice) -> Value {
    let mut file = json!({});
    if dice.once_in(3) {
        file["cleanUrls"] = json!(!dice.once_in(5));
    }
    if dice.once_in(3) {
        file["trailingSlash"] = json!(dice.once_in(2));
    }
    if dice.once_in(4) {
        file["routes"] = json!([
            { "src": dice.one_of(&["/OLD/(.*)", "^/old/(.*)$", "/blog/(\\d+)"]), "dest": "/file.txt?legacy=$1" },
            { "src": "/u/(?<who>[^/]+)", "headers": { "x-who": "$who" }, "continue": true },
            { "src": "/search", "status": 302, "headers": { "Location": "/b/c" }, "methods": ["GET"] },
        ]);
    }
    let count = dice.below(3);
    for _ in 0..count {
        let source = dice.one_of(&SOURCES);
        let destination = target_of(dice, source, &["/to", "/a", "https://example.com/x", "/to?fixed=1"]);
        let mut entry = json!({ "source": source, "destination": destination });
        match dice.below(4) {
            0 => entry["permanent"] = json!(false),
            1 => entry["permanent"] = json!(true),
            2 => entry["statusCode"] = json!(dice.one_of(&[301, 302, 303])),
            _ => {}
        }
        push(&mut file, "redirects", with_conditions(dice, entry));
    }
    for _ in 0..dice.below(3) {
        let source = dice.one_of(&SOURCES);
        let value = if has_parameter(source, "p") { "was-:p" } else { "a: b; max=\"1\"" };
        let entry = json!({ "source": source, "headers": [{ "key": "X-One", "value": value }, { "key": "x-two", "value": "2" }] });
        push(&mut file, "headers", with_conditions(dice, entry));
    }
    for _ in 0..dice.below(4) {
        let source = dice.one_of(&SOURCES);
        let plain = [
            "/docs/guide",
            "/a",
            "/file.txt",
            "/nowhere",
            "/b/c?kept=1",
            "https://example.com",
            "https://api.example.com:8443/v1",
        ];
        let destination = target_of(dice, source, &plain);
        push(&mut file, "rewrites", with_conditions(dice, json!({ "source": source, "destination": destination })));
    }
    file
}

fn push(file: &mut Value, key: &str, entry: Value) {
    if file[key].is_null() {
        file[key] = json!([]);
    }
    file[key].as_array_mut().unwrap().push(entry);
}
