//! Static files: which there are, and that none is read twice.

use std::fs::File;
use std::time::{Duration, SystemTime};

use ship_core::Digest;

use super::*;
use crate::testing::TestProject;

/// The paths of a project's static files.
fn paths(project: &TestProject) -> Vec<String> {
    let config = project.detect().unwrap();
    let found = find(&config.site, &config.ignore).unwrap();
    found.files.into_iter().map(|file| file.path.to_string()).collect()
}

/// The assets of a project, and how many files were read for them. The cache stands below `cache`.
fn digested(project: &TestProject, cache: &Path) -> (Vec<(String, Digest)>, usize) {
    let config = project.detect().unwrap();
    let found = find(&config.site, &config.ignore).unwrap();
    let assets = digest(found, &config.site, cache).unwrap();
    (assets.assets.into_iter().map(|asset| (asset.path.to_string(), asset.digest)).collect(), assets.read_files)
}

/// Makes a file look as if it was last written long before any test.
fn age(project: &TestProject, path: &str) {
    let file = File::options().write(true).open(project.root().join(path)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000)).unwrap();
}

/// `public/` is the site as it is, except for hidden files; `.well-known` is not one of them.
#[test]
fn public_folder() {
    let project = TestProject::new([
        ("public/index.html", ""),
        ("public/.env", "KEY=secret"),
        ("public/.env.production", "KEY=secret"),
        ("public/.DS_Store", ""),
        ("public/.git/config", ""),
        ("public/.well-known/security.txt", ""),
        ("public/assets/node_modules/icon.png", ""),
        ("public/package.json", "{}"),
        ("public/README.md", ""),
        ("index.html", "not this one"),
        ("dist/index.html", "nor this"),
    ]);
    assert_eq!(
        paths(&project),
        [".well-known/security.txt", "README.md", "assets/node_modules/icon.png", "index.html", "package.json"]
    );
    project.write("ship.toml", "[build]\noutput = \"dist\"\n");
    assert_eq!(paths(&project), ["index.html"]);
}

/// Without `public/` the folder is the site, without what is about the project or secret.
#[test]
fn project_folder() {
    let project = TestProject::new([
        ("index.html", ""),
        ("docs/README.md", ""),
        ("docs/page.html", ""),
        ("README.md", ""),
        ("LICENSE-MIT", ""),
        ("ship.toml", ""),
        ("package.json", ""),
        ("package-lock.json", ""),
        ("tsconfig.base.json", ""),
        ("vite.config.ts", ""),
        ("go.mod", "module a"),
        ("go.sum", ""),
        ("Dockerfile", ""),
        ("Makefile", ""),
        ("lib/a.go", "package lib"),
        ("vendor/modules.txt", ""),
        ("node_modules/a/index.js", ""),
        ("api/date.ts", ""),
        (".env", "KEY=secret"),
        (".env.local", "KEY=secret"),
        ("certs/server.key", "secret"),
        (".ship/output/config.json", "{}"),
        (".git/config", ""),
    ]);
    assert_eq!(paths(&project), ["docs/README.md", "docs/page.html", "index.html"]);
}

/// `.shipignore` goes before `.vercelignore`, and `.gitignore` is asked only for the project folder and only without them.
#[test]
fn ignore_files() {
    let project = TestProject::new([
        ("a.html", ""),
        ("b.html", ""),
        ("c/d.html", ""),
        ("c/keep.html", ""),
        (".gitignore", "a.html\n"),
    ]);
    assert_eq!(paths(&project), ["b.html", "c/d.html", "c/keep.html"]);
    project.write(".vercelignore", "b.html\n");
    assert_eq!(paths(&project), ["a.html", "c/d.html", "c/keep.html"]);
    project.write(".shipignore", "/c/*\n!/c/keep.html\n");
    assert_eq!(paths(&project), ["a.html", "b.html", "c/keep.html"]);

    let project = TestProject::new([("public/a.html", ""), (".gitignore", "public\n*.html\n")]);
    assert_eq!(paths(&project), ["a.html"], "an ignored output is still the output");
}

/// A file in the same state is read once; a changed one is read again, also if its size and its modification time are as before.
#[test]
fn read_once() {
    let project = TestProject::new([("public/a.txt", "one"), ("public/b.txt", "two")]);
    let cache = tempfile::tempdir().unwrap();
    let settled = |project: &TestProject| {
        // A file that was just written stays under suspicion until the clock has moved on.
        loop {
            let (assets, read) = digested(project, cache.path());
            if read == 0 {
                return assets;
            }
        }
    };
    assert_eq!(digested(&project, cache.path()).1, 2);
    let before = settled(&project);
    assert_eq!(before, [("a.txt".into(), Digest::of(b"one")), ("b.txt".into(), Digest::of(b"two"))]);

    age(&project, "public/a.txt");
    settled(&project);
    project.write("public/a.txt", "uno");
    age(&project, "public/a.txt");
    let (after, read) = digested(&project, cache.path());
    assert_eq!((after[0].1, read), (Digest::of(b"uno"), 1), "the change time gives it away");

    project.write("public/c.txt", "three");
    std::fs::remove_file(project.root().join("public/b.txt")).unwrap();
    settled(&project);
    let (after, read) = digested(&project, cache.path());
    assert_eq!((after, read), (vec![("a.txt".into(), Digest::of(b"uno")), ("c.txt".into(), Digest::of(b"three"))], 0));
}

/// A cache that is damaged, or cannot be written, costs time and nothing else.
#[test]
fn damaged_cache() {
    let project = TestProject::new([("public/a.txt", "one"), ("public/b.txt", "two")]);
    let cache = tempfile::tempdir().unwrap();
    let expected = digested(&project, cache.path()).0;
    let file = std::fs::read_dir(cache.path().join("stat")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&file).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        std::fs::write(&file, &damaged).unwrap();
        assert_eq!(digested(&project, cache.path()).0, expected, "byte {at} damaged");
        std::fs::write(&file, &bytes[..at]).unwrap();
        assert_eq!(digested(&project, cache.path()).0, expected, "cut at {at}");
    }
    let no_folder = cache.path().join("file");
    std::fs::write(&no_folder, "").unwrap();
    assert_eq!(digested(&project, &no_folder), (expected, 2));
}
