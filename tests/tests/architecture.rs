//! House rules that a compiler does not check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, MetadataCommand};
use ship_tests::workspace_root;

/// The crates from the bottom up, and which of the others each may depend on: the table of ARCHITECTURE.md.
const MAY_DEPEND_ON: [(&str, &[&str]); 8] = [
    ("ship-core", &[]),
    ("ship-api", &["ship-core"]),
    ("ship-builder", &["ship-core"]),
    ("ship-store", &["ship-core"]),
    ("ship-runtime", &["ship-core"]),
    ("ship-edge", &["ship-core", "ship-store", "ship-runtime"]),
    ("ship-host", &["ship-core", "ship-edge", "ship-store", "ship-runtime", "ship-api"]),
    ("ship", &["ship-core", "ship-api", "ship-builder", "ship-store", "ship-runtime", "ship-edge", "ship-host"]),
];

/// What an engine crate must not know: terminals, command lines, and where a user lives.
const ONLY_IN_THE_PROGRAM: [&str; 6] = ["clap", "anstream", "indicatif", "dirs", "console", "tracing-subscriber"];

/// Dependencies point down the table and nowhere else.
#[test]
fn dependencies_point_one_way() {
    let metadata =
        MetadataCommand::new().current_dir(workspace_root()).no_deps().exec().expect("cargo describes itself");
    let packages: BTreeMap<&str, &cargo_metadata::Package> =
        metadata.packages.iter().map(|package| (package.name.as_str(), package)).collect();
    for (name, allowed) in MAY_DEPEND_ON {
        let package = packages.get(name).unwrap_or_else(|| panic!("there is no crate {name}"));
        let normal = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        let names: BTreeSet<&str> = normal.map(|dependency| dependency.name.as_str()).collect();
        let ours: BTreeSet<&str> = names.iter().copied().filter(|name| packages.contains_key(name)).collect();
        let beyond: Vec<&&str> = ours.iter().filter(|other| !allowed.contains(other)).collect();
        assert!(beyond.is_empty(), "{name} may not depend on {beyond:?}");
        if name != "ship" {
            let foreign: Vec<&&str> = ONLY_IN_THE_PROGRAM.iter().filter(|other| names.contains(*other)).collect();
            assert!(foreign.is_empty(), "{name} is an engine and may not know {foreign:?}");
        }
    }
    let known: BTreeSet<&str> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).collect();
    let others = ["ship-tests", "ship-bench", "xtask"];
    let unknown: Vec<&&str> = packages.keys().filter(|name| !known.contains(*name) && !others.contains(name)).collect();
    assert!(unknown.is_empty(), "{unknown:?} stand in no table");
}

/// Every crate and every module begins by saying what it is for.
#[test]
fn every_module_says_what_it_is_for() {
    let silent: Vec<PathBuf> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// Only the program reads the environment, and nobody starts a shell but for lines that were written for one, by a project's owner or for a page's readers. That only its output module prints is a lint.
#[test]
fn absences() {
    for (path, text) in sources() {
        if path.ends_with("tests/architecture.rs") {
            // This file names what it looks for.
            continue;
        }
        let engine = !["cli", "tests", "benches", "xtask"].iter().any(|folder| path.starts_with(folder));
        let test = path
            .components()
            .any(|part| ["tests", "benches", "tests.rs", "testing.rs"].iter().any(|name| part.as_os_str() == *name));
        for (line, number) in text.lines().zip(1..) {
            let place = format!("{}:{number}: {}", path.display(), line.trim());
            let code = line.split("//").next().unwrap_or_default();
            let reading = ["env::var", "env::args", "env::current_dir", "env::home_dir", "env::temp_dir"];
            let reads = reading.iter().any(|reading| code.contains(reading));
            // What builds a crate is told by cargo that way, and is no part of it.
            let builds = path == Path::new("runtime/build.rs");
            assert!(!engine || test || builds || !reads, "an engine reads the environment: {place}");
            let shell = ["Command::new(\"sh\")", "Command::new(\"bash\")", "Command::new(\"/bin/sh\")"];
            // The project owner's own command line is written for one, and so is what pages tell their readers to type.
            let written_for_shell = ["builder/src/frontend/command.rs", "tests/src/pages/shell.rs"];
            let is_written_for_it = written_for_shell.iter().any(|file| path.ends_with(file));
            let starts_shell = shell.iter().any(|shell| code.contains(shell));
            assert!(is_written_for_it || !starts_shell, "a shell is started: {place}");
            assert!(!code.contains("#[ignore"), "a test is ignored: {place}");
            assert!(!code.contains("#[allow("), "an exception without a reason: {place}");
        }
    }
}

/// Every Rust file of the workspace, by its path in it.
fn sources() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    for folder in ["core", "api", "builder", "store", "runtime", "edge", "host", "cli", "tests", "benches", "xtask"] {
        collect(&workspace_root().join(folder), &mut files);
    }
    files
}

fn collect(folder: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(folder).expect("the folder is readable").flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file is text");
            files.push((path.strip_prefix(workspace_root()).expect("it is below the workspace").to_owned(), text));
        }
    }
}
