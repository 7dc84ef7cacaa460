//! What is kept sealed, who sees which version, and what becomes of a store whose key or rows are not what they were.

use std::os::unix::fs::PermissionsExt as _;

use ship_core::{EnvironmentError, VariableNameError};

use super::*;
use crate::{Durability, Store};

fn store(folder: &tempfile::TempDir) -> Store {
    Store::open(&folder.path().join("data"), Durability::Durable).unwrap()
}

fn project(name: &str) -> ProjectName {
    name.parse().unwrap()
}

fn name(text: &str) -> VariableName {
    text.parse().unwrap()
}

fn scope(target: VariableTarget, branch: Option<&str>) -> VariableScope {
    VariableScope::new(target, branch.map(|branch| branch.parse().unwrap())).unwrap()
}

fn set(
    store: &Store,
    variable: &str,
    scopes: &[VariableScope],
    value: &str,
) -> Result<Vec<VariableRecord>, VariablesError> {
    store.variables().set(&VariableChange {
        project: &project("site"),
        name: &name(variable),
        scopes,
        kind: VariableKind::Secret,
        value: &value.to_owned().try_into().unwrap(),
        at: Timestamp::UNIX_EPOCH,
    })
}

fn seen(store: &Store, target: VariableTarget, branch: Option<&str>) -> Vec<String> {
    let branch = branch.map(|branch| branch.parse().unwrap());
    let sealed = store.variables().effective(&project("site"), target, branch.as_ref()).unwrap();
    let opened = store.variables().open(&project("site"), &sealed).unwrap();
    opened.iter().map(|variable| format!("{}={}", variable.name, variable.value.expose())).collect()
}

const PREVIEW: VariableTarget = VariableTarget::Preview;
const PRODUCTION: VariableTarget = VariableTarget::Production;

/// A branch goes before its target, and what is removed for it uncovers the target's; each scope sees its own alone.
#[test]
fn scopes() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    set(&store, "A", &[scope(PREVIEW, None), scope(PRODUCTION, None)], "of all").unwrap();
    set(&store, "A", &[scope(PREVIEW, Some("feature/a"))], "of branch").unwrap();
    set(&store, "B", &[scope(PRODUCTION, None)], "multi\nline ü").unwrap();
    assert_eq!(seen(&store, PREVIEW, Some("feature/a")), ["A=of branch"]);
    assert_eq!(seen(&store, PREVIEW, Some("feature/b")), ["A=of all"]);
    assert_eq!(seen(&store, PREVIEW, None), ["A=of all"]);
    assert_eq!(seen(&store, PRODUCTION, None), ["A=of all", "B=multi\nline ü"]);
    assert_eq!(seen(&store, VariableTarget::Development, None), [""; 0]);
    assert!(store.variables().effective(&project("other"), PRODUCTION, None).unwrap().is_empty());

    let of_branch = |scope: &VariableScope| scope.branch().is_some();
    let removed = store.variables().remove(&project("site"), &name("A"), of_branch, Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(removed.iter().map(|record| record.scope.to_string()).collect::<Vec<_>>(), ["preview (feature/a)"]);
    assert_eq!(seen(&store, PREVIEW, Some("feature/a")), ["A=of all"]);
    let listed = store.variables().list(&project("site")).unwrap();
    let listed: Vec<_> = listed.iter().map(|record| format!("{} {}", record.name, record.scope)).collect();
    assert_eq!(listed, ["A production", "A preview", "B production"]);
    assert_eq!(versions(&store), 3, "what nobody sees any more is gone");
}

fn versions(store: &Store) -> i64 {
    let count = |transaction: &Transaction| {
        Ok::<_, StateError>(transaction.query_row("SELECT count(*) FROM variables", [], |row| row.get(0))?)
    };
    store.variables().database.read(count).unwrap()
}

/// Neither the database nor anything beside it holds a value; the key is its owner's alone, and survives a restart.
#[test]
fn sealed_at_rest() {
    let folder = tempfile::tempdir().unwrap();
    let value = "a value that nobody may find";
    {
        let store = store(&folder);
        assert!(!folder.path().join("data/secrets.key").exists(), "it is made when it is needed");
        set(&store, "A", &[scope(PREVIEW, None)], value).unwrap();
    }
    for entry in std::fs::read_dir(folder.path().join("data")).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_file() {
            let bytes = std::fs::read(entry.path()).unwrap();
            assert!(memchr::memmem::find(&bytes, value.as_bytes()).is_none(), "{:?}", entry.path());
        }
    }
    let key = std::fs::metadata(folder.path().join("data/secrets.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    assert_eq!(seen(&store(&folder), PREVIEW, None), [format!("A={value}")]);
}

/// A sealed value that is put into any other row, or changed by a bit, does not open.
#[test]
fn rows_cannot_be_swapped() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    set(&store, "A", &[scope(PRODUCTION, None)], "the value").unwrap();
    let changes = [
        ("project", "'other'"),
        ("target", "'preview'"),
        ("name", "'B'"),
        ("kind", "'plain'"),
        ("version", "7"),
        ("nonce", "zeroblob(24)"),
        ("sealed", "CAST(substr(sealed, 2) || x'00' AS BLOB)"),
    ];
    for (column, value) in changes {
        let sealed = store.variables().database.read::<_, StateError>(|transaction| {
            transaction.execute(&format!("UPDATE variables SET {column} = {value}"), [])?;
            let (name, target) = if column == "project" { ("other", PRODUCTION) } else { ("site", PRODUCTION) };
            let target = if column == "target" { PREVIEW } else { target };
            Ok((project(name), effective(transaction, &project(name), target, None, u64::MAX)?))
        });
        let (project, sealed) = sealed.unwrap();
        let error = store.variables().open(&project, &sealed).unwrap_err();
        assert!(matches!(error, VariablesError::Altered { .. }), "{column}: {error:?}");
    }
    assert_eq!(seen(&store, PRODUCTION, None), ["A=the value"], "a reader's changes are undone");
}

/// A key that is lost, another one, one that others can read, and one that is none: each is said, and no new one is made.
#[test]
fn keys_that_are_not_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/secrets.key");
    set(&store(&folder), "A", &[scope(PREVIEW, None)], "the value").unwrap();
    let right = std::fs::read_to_string(&path).unwrap();
    let failure = |text: Option<&str>, mode: u32| {
        match text {
            None => std::fs::remove_file(&path).unwrap(),
            Some(text) => {
                std::fs::write(&path, text).unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            }
        }
        let store = store(&folder);
        let sealed = store.variables().effective(&project("site"), PREVIEW, None).unwrap();
        let error = store.variables().open(&project("site"), &sealed).unwrap_err();
        assert!(error.is_about_key());
        error.to_string().replace(folder.path().to_str().unwrap(), "")
    };
    assert_eq!(
        failure(Some(&right), 0o640),
        "the host's key /data/secrets.key can be read by others (mode 640, expected 600)"
    );
    assert_eq!(
        failure(Some("nonsense"), 0o600),
        "the host's key /data/secrets.key is none: expected lines of 64 hexadecimal digits"
    );
    let other = failure(Some(&"ab".repeat(32)), 0o600);
    assert!(other.starts_with("`A` for preview was sealed under another key ("), "{other}");
    assert_eq!(failure(None, 0), "the host's key is missing: /data/secrets.key is not there");
    let error = set(&store(&folder), "B", &[scope(PREVIEW, None)], "x").unwrap_err();
    assert!(matches!(error, VariablesError::KeyMissing { .. }), "no key takes the place of a lost one: {error:?}");
}

/// A new key above the old one seals everything anew; then the old one can go.
#[test]
fn changing_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/secrets.key");
    set(&store(&folder), "A", &[scope(PREVIEW, None)], "the value").unwrap();
    let old = std::fs::read_to_string(&path).unwrap();
    let new = "cd".repeat(32);
    std::fs::write(&path, format!("{new}\n{old}")).unwrap();
    {
        let store = store(&folder);
        assert_eq!((store.variables().reseal().unwrap(), store.variables().reseal().unwrap()), (1, 0));
    }
    std::fs::write(&path, &new).unwrap();
    assert_eq!(seen(&store(&folder), PREVIEW, None), ["A=the value"]);
}

/// A key of somebody else is read where it is, and never written.
#[test]
fn given_key() {
    let folder = tempfile::tempdir().unwrap();
    let given = folder.path().join("ship-host-key");
    let store = store(&folder);
    store.variables().read_key_from(&given);
    let error = set(&store, "A", &[scope(PREVIEW, None)], "x").unwrap_err();
    assert!(matches!(error, VariablesError::KeyMissing { .. }), "{error:?}");
    std::fs::write(&given, "ef".repeat(32)).unwrap();
    std::fs::set_permissions(&given, std::fs::Permissions::from_mode(0o440)).unwrap();
    set(&store, "A", &[scope(PREVIEW, None)], "the value").unwrap();
    assert_eq!(seen(&store, PREVIEW, None), ["A=the value"]);
    assert!(!folder.path().join("data/secrets.key").exists());
}

/// What no program can be started with is refused when it is set, with nothing of it kept.
#[test]
fn bounds() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder);
    let large = "x".repeat(30 * 1024);
    for variable in ["A", "B"] {
        set(&store, variable, &[scope(PREVIEW, None)], &large).unwrap();
    }
    let error = set(&store, "C", &[scope(PREVIEW, Some("a"))], &large).unwrap_err();
    assert!(matches!(error, VariablesError::Environment(EnvironmentError::TooLarge { .. })), "{error:?}");
    set(&store, "C", &[scope(PRODUCTION, None)], &large).unwrap();
    assert_eq!(seen(&store, PREVIEW, Some("a")).len(), 2);
    assert!(matches!("PATH".parse::<VariableName>(), Err(VariableNameError::Reserved { .. })));
}
