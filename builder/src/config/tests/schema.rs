//! The published schema of `ship.toml` knows the keys that the reader knows, table by table.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::super::{ConfigFile, ConfigText, read};

/// A key that no table has.
const NO_KEY: &str = "zzzzzzzz";

/// The keys that the reader knows at a place: it lists them when it meets one that it does not know.
fn known(file: &str) -> BTreeSet<String> {
    let text = file.replace('?', NO_KEY);
    let message = read(ConfigText { file: ConfigFile::ShipToml, text: &text }).unwrap_err().to_string();
    let list = message.lines().next().unwrap().split_once("expected one of ").expect(&message).1;
    // Names that are read for the sake of the other file are not published.
    let is_published = |key: &String| key != "statusCode";
    list.split(", ").map(|key| key.trim_matches('`').to_owned()).filter(is_published).collect()
}

fn published(schema: &Value) -> BTreeSet<String> {
    assert_eq!(schema["additionalProperties"], false, "{schema}");
    schema["properties"].as_object().unwrap().keys().cloned().collect()
}

fn schema() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/ship.schema.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Where the schema is found is where it is: an identifier that is no whole address makes the language server of most editors refuse all of it.
#[test]
fn no_relative_identifier() {
    assert!(schema()["$id"].as_str().is_none_or(|id| id.starts_with("https://")));
}

/// What an editor offers is what ship takes.
#[test]
fn same_keys() {
    let schema = schema();
    assert_eq!(published(&schema), known("? = 1"));
    let tables = [
        ("function", "[functions.\"api/*\"]\n? = 1"),
        ("warm", "[functions.\"api/*\"]\nwarm = [{ ? = 1 }]"),
        ("redirect", "[[redirects]]\n? = 1"),
        ("rewrite", "[[rewrites]]\n? = 1"),
        ("headers", "[[headers]]\n? = 1"),
        ("header", "[[headers]]\nsource = \"/\"\nheaders = [{ ? = 1 }]"),
        ("cors", "[[cors]]\n? = 1"),
        ("build", "[build]\n? = 1"),
        ("cron", "[[crons]]\n? = 1"),
        ("condition", "[[redirects]]\nhas = [{ ? = 1 }]"),
        ("comparison", "[[redirects]]\nhas = [{ type = \"query\", key = \"a\", value = { ? = 1 } }]"),
    ];
    for (name, file) in tables {
        let expected = known(file);
        assert_eq!(published(&schema["definitions"][name]), expected, "{name}");
    }
    assert_eq!(
        schema["definitions"].as_object().unwrap().len(),
        tables.len() + 2,
        "`source` and `conditions` are no tables"
    );
}
