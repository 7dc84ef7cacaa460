//! `source` and `destination` against `path-to-regexp` 6.1.0.

use serde::{Deserialize, Serialize};
use ship_core::route::{Outcome, RouteRequest, RouteTable, SourcePattern, resolve};
use ship_core::{SiteIndex, UrlPath};

use crate::generate::{self, Dice};
use crate::npm;

const SOURCES: usize = 4_000;
const PATHS_PER_SOURCE: usize = 12;

#[derive(Serialize)]
struct Question {
    source: String,
    destination: String,
    paths: Vec<String>,
}

#[derive(Deserialize)]
struct Answer {
    names: Vec<String>,
    matches: Vec<Option<Vec<String>>>,
    destination: String,
}

/// The groups that a path gives, found as a host finds them: through a route.
fn groups(source: &SourcePattern, path: &str) -> Option<Vec<String>> {
    let count = source.names().len();
    let location: Vec<String> = (1..=count).map(|group| format!("${group}")).collect();
    let table = serde_json::json!([{
        "src": source.regex(), "caseSensitive": true, "status": 308, "headers": { "location": location.join("|") }
    }]);
    let table: RouteTable = serde_json::from_value(table).unwrap();
    let path = UrlPath::parse(path).unwrap();
    let request = RouteRequest { method: "GET", host: "site.test", path: &path, query: None, header: &|_| None };
    match resolve(&table, &SiteIndex::default(), &request).outcome {
        Outcome::Redirect { location, .. } if count == 0 => (location.is_empty()).then(Vec::new),
        Outcome::Redirect { location, .. } => Some(location.split('|').map(str::to_owned).collect()),
        _ => None,
    }
}

/// Thousands of sources: the same ones are refused, the same paths match, with the same groups, and destinations come out the same.
///
/// One difference is meant: where all of a source may be absent (`/:path*`), ship takes `/` for the empty path. Everybody who
/// writes it means that, and path-to-regexp in strict mode does not match.
#[test]
fn same_as_path_to_regexp() {
    let mut dice = Dice::new(1);
    let questions: Vec<Question> = (0..SOURCES)
        .map(|_| {
            let source = generate::source(&mut dice);
            let destination = generate::destination(&mut dice, &source);
            let paths = (0..PATHS_PER_SOURCE).map(|_| generate::path(&mut dice)).collect();
            Question { source, destination, paths }
        })
        .collect();
    let answers: Vec<Option<Answer>> = npm::ask("sources.js", &questions);
    let (mut refused, mut matched, mut roots) = (0, 0, 0);
    let mut differences = Vec::new();
    for (question, answer) in questions.iter().zip(&answers) {
        let source = &question.source;
        let (ours, answer) = match (SourcePattern::parse(source), answer) {
            (Err(_), None) => {
                refused += 1;
                continue;
            }
            (Ok(ours), Some(answer)) => (ours, answer),
            (Ok(_), None) => {
                differences.push(format!("{source}: only ship takes it"));
                continue;
            }
            (Err(error), Some(_)) => {
                differences.push(format!("{source}: only ship refuses it: {error}"));
                continue;
            }
        };
        assert_eq!(ours.names(), answer.names, "{source}");
        let destination = ours.destination(&question.destination, &[]).unwrap();
        if destination != answer.destination {
            differences
                .push(format!("{source} to {}: {destination}, not {}", question.destination, answer.destination));
        }
        for (path, expected) in question.paths.iter().zip(&answer.matches) {
            let found = groups(&ours, path);
            if path == "/" && found.is_some() && expected.is_none() {
                assert!(found.unwrap().iter().all(String::is_empty), "{source}");
                roots += 1;
            } else if found != *expected {
                differences.push(format!("{source} on {path}: {found:?}, not {expected:?}"));
            } else {
                matched += usize::from(found.is_some());
            }
        }
    }
    assert!(
        differences.is_empty(),
        "{} differences, among them\n{}",
        differences.len(),
        differences[..differences.len().min(30)].join("\n")
    );
    // What was generated is worth the while: many match, some are refused, some are `/`.
    assert!(matched > 3_000 && refused > 150 && roots > 100, "{matched} {refused} {roots}");
}
