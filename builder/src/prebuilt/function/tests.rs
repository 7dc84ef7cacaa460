//! What of a project a function takes along.

use std::os::unix::fs::symlink;

use tempfile::TempDir;

use super::*;
use crate::environment::Architecture;

const FUNCTION: &str = ".vercel/output/functions/a.func";

/// A project whose function `a` maps these files.
fn project(mapped: &str) -> TempDir {
    let project = tempfile::tempdir().unwrap();
    for (path, content) in [
        (".env", "SECRET=1"),
        (".git/config", "[core]"),
        ("lib/.env.local", "SECRET=2"),
        ("lib/a.js", "1"),
        (".vercel/output/functions/a.func/index.js", "module.exports = 1"),
    ] {
        write(&project, path, content);
    }
    let config = format!(r#"{{"runtime": "nodejs20.x", "handler": "index.js", "filePathMap": {mapped}}}"#);
    write(&project, &format!("{FUNCTION}/{VC_CONFIG}"), &config);
    project
}

fn write(project: &TempDir, path: &str, content: &str) {
    let file = project.path().join(path);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, content).unwrap();
}

/// The names of what function `a` is packed of, or why it cannot be.
fn packed(project: &TempDir) -> Result<Vec<String>, String> {
    let project = project.path().canonicalize().unwrap();
    let folder = project.join(".vercel/output");
    let place = Place { folder: &folder, project: &project, arch: Architecture::default() };
    let functions = find(&place, &RouteTable::new()).map_err(|error| error.to_string())?;
    let Parts::Files(parts) = &functions[0].parts else { panic!("it is not packed yet") };
    Ok(parts.files.keys().cloned().collect())
}

/// Secrets stay behind whoever names them, also below folders; what else is named comes along.
#[test]
fn secrets_by_name() {
    let mapped =
        r#"{"lib": "lib", ".env": ".env", "b.js": "lib/.env.local", ".git/config": ".git/config", "c": ".git/config"}"#;
    assert_eq!(packed(&project(mapped)), Ok(vec!["index.js".to_owned(), "lib/a.js".to_owned()]));
}

/// A symlink with a harmless name does not carry a secret along.
#[test]
fn secrets_behind_symlinks() {
    let refused = |link: &str, target: &str, source: &str| {
        let project = project(&format!(r#"{{"settings.txt": "{source}"}}"#));
        symlink(target, project.path().join(link)).unwrap();
        packed(&project).unwrap_err()
    };
    let said = |link: &str, target: &str| format!("the symlink `{link}` leads to `{target}`, which is never deployed");
    assert_eq!(refused("settings.txt", ".env", "settings.txt"), said("settings.txt", ".env"));
    assert_eq!(refused("lib/x", ".env.local", "lib/x"), said("lib/x", "lib/.env.local"));
    assert_eq!(refused("versions", ".git", "versions"), said("versions", ".git"));
    assert_eq!(refused("versions", ".git", "versions/config"), said("versions/config", ".git/config"));
}
