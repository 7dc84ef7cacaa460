//! The output's layout.

use std::collections::{BTreeMap, BTreeSet};
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
            "output-record.json",
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

/// The modification times of all files of an output, to the nanosecond.
fn written(folder: &Path) -> BTreeMap<String, std::time::SystemTime> {
    let mut found = BTreeSet::new();
    tree(folder, "", &mut found);
    found.into_iter().map(|path| (path.clone(), folder.join(path).metadata().unwrap().modified().unwrap())).collect()
}

/// An output that nothing has changed stays as it is; of another, what has not changed is not made again; and what somebody
/// did to the output is undone.
#[test]
fn what_is_there_is_not_made_again() {
    let source = handler("Date", "now");
    let project = TestProject::new([("api/date.go", source.as_str()), ("public/a.txt", "a"), ("public/b.txt", "b")]);
    let folder = project.root().join(".ship/output");
    let build = || write_output(&project.build().unwrap(), &folder).unwrap();
    build();
    let first = written(&folder);
    let inode = std::os::unix::fs::MetadataExt::ino(&folder.metadata().unwrap());
    build();
    assert_eq!(written(&folder), first);
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&folder.metadata().unwrap()), inode);

    std::fs::write(project.root().join("public/b.txt"), "changed").unwrap();
    build();
    let second = written(&folder);
    let changed: Vec<_> = second.iter().filter(|(path, time)| first[*path] != **time).map(|(path, _)| path).collect();
    assert_eq!(changed, ["static/b.txt"]);
    assert_eq!(std::fs::read_to_string(folder.join("static/b.txt")).unwrap(), "changed");

    std::fs::write(folder.join("functions/api/date.func/bootstrap"), "edited").unwrap();
    std::fs::write(folder.join("static/stranger.txt"), "").unwrap();
    build();
    assert_ne!(std::fs::read(folder.join("functions/api/date.func/bootstrap")).unwrap(), b"edited");
    assert!(!folder.join("static/stranger.txt").exists());
    assert_eq!(std::fs::read_to_string(folder.join("static/a.txt")).unwrap(), "a");
}
