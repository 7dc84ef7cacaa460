//! The page about what is promised names the tests that show it, and they exist.

use std::collections::BTreeMap;
use std::fs;

use regex::Regex;

/// Each promise has tests behind it, and each of these is where the page says.
#[test]
fn promises_have_tests() {
    let docs = ship_tests::workspace_root().join("docs");
    let page = fs::read_to_string(docs.join("durability.md")).expect("the page is there");
    let row = Regex::new(r"(?m)^\| (I\d+) \|(.*)$").expect("the pattern is right");
    let named = Regex::new(r"\[`(\w+)`\]\(([^)]+\.rs)\)").expect("the pattern is right");
    let mut promises = BTreeMap::new();
    for promise in row.captures_iter(&page) {
        let tests: Vec<(String, String)> =
            named.captures_iter(&promise[2]).map(|test| (test[1].to_owned(), test[2].to_owned())).collect();
        for (name, file) in &tests {
            let source = fs::read_to_string(docs.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
            let test = Regex::new(&format!(r"#\[(tokio::)?test[^\n]*\]\n(\s*#\[[^\n]*\n)*\s*(async )?fn {name}\("));
            assert!(test.expect("the pattern is right").is_match(&source), "{file} has no test `{name}`");
        }
        assert!(!tests.is_empty(), "{} is shown by no test", &promise[1]);
        promises.insert(promise[1].to_owned(), tests);
    }
    let expected: Vec<String> = (1..=10).map(|number| format!("I{number}")).collect();
    let mut found: Vec<String> = promises.into_keys().collect();
    found.sort_by_key(|name| name[1..].parse::<u32>().unwrap_or(0));
    assert_eq!(found, expected);
}
