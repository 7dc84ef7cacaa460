//! The output's layout.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::testing::{TestProject, handler};

fn tree(folder: &Path, below: &str, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder.join(below)).unwrap().flatten() {
        let path = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            tree(folder, &format!("{path}/"), found);
        } else {
            found.insert(path);
        }
    }
}

/// The layout of the Build Output API, replaced as a whole the second time, and kept out of version control.
#[test]
fn layout() {
    let source = handler("Date", "now");
    let project = TestProject::new([
        ("api/users/[id].go", source.as_str()),
        ("public/a/index.html", "<p>"),
        ("public/old.txt", ""),
    ]);
    let folder = project.root().join(".ship/output");
    write_output(&project.build().unwrap(), &folder).unwrap();
    std::fs::remove_file(project.root().join("public/old.txt")).unwrap();
    let output = project.build().unwrap();
    write_output(&output, &folder).unwrap();

    let mut found = BTreeSet::new();
    tree(&project.root().join(".ship"), "", &mut found);
    assert_eq!(
        found.into_iter().collect::<Vec<_>>(),
        [
            ".gitignore",
            "output/config.json",
            "output/functions/api/users/[id].func/.vc-config.json",
            "output/functions/api/users/[id].func/bootstrap",
            "output/functions/api/users/[id].zip",
            "output/static/a/index.html",
        ]
    );
    let bootstrap = folder.join("functions/api/users/[id].func/bootstrap").metadata().unwrap();
    assert_eq!(bootstrap.permissions().mode() & 0o100, 0o100);
    let zip = std::fs::read(folder.join("functions/api/users/[id].zip")).unwrap();
    assert_eq!(ship_core::Digest::of(&zip), output.functions()[0].function.digest);
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("config.json")).unwrap()).unwrap();
    assert_eq!(config["version"], 3);
    assert_eq!(config["routes"].as_array().unwrap().len(), 5);
}
