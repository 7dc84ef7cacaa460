//! What changes a function's digest, and what does not.

use super::*;
use crate::testing::{TestProject, handler};

fn digests(project: &TestProject) -> BTreeMap<String, Digest> {
    let plan = project.plan().unwrap();
    plan.languages.go.functions.iter().map(|function| (function.name.to_string(), function.package.digest)).collect()
}

/// Which functions have another digest after `change`.
fn changed_by(project: &TestProject, change: impl FnOnce(&TestProject)) -> Vec<String> {
    let before = digests(project);
    change(project);
    let after = digests(project);
    after.into_iter().filter(|(name, digest)| before.get(name) != Some(digest)).map(|(name, _)| name).collect()
}

fn importing(import: &str) -> String {
    format!(
        "package handler\n\nimport (\n\t\"net/http\"\n\t_ \"{import}\"\n)\n\nfunc H(w http.ResponseWriter, r *http.Request) {{}}\n"
    )
}

fn project() -> TestProject {
    TestProject::new([
        ("go.mod", "module example.com/site\n\ngo 1.26\n\nreplace example.com/local => ./local\n"),
        ("api/a.go", importing("example.com/site/lib").as_str()),
        ("api/b.go", importing("example.com/local/deep").as_str()),
        ("api/users/c.go", &handler("C", "c")),
        ("api/helper.go", "package handler\n"),
        ("lib/lib.go", "package lib\n\nimport _ \"example.com/site/lib/inner\"\n"),
        ("lib/inner/inner.go", "package inner\n\nimport _ \"embed\"\n\n//go:embed data/*.txt\nvar data string\n"),
        ("lib/inner/data/a.txt", "a"),
        ("local/go.mod", "module example.com/local\n"),
        ("local/deep/deep.go", "package deep\n"),
        ("unused/unused.go", "package unused\n"),
        ("public/index.html", ""),
    ])
}

/// A change reaches exactly the functions that are made of it: by an import, a helper, an embedded file or a replacement.
#[test]
fn reach_of_a_change() {
    let project = project();
    for (path, text, expected) in [
        ("api/a.go", importing("example.com/site/lib/inner").as_str(), vec!["api/a"]),
        ("api/helper.go", "package handler\n\nvar X = 1\n", vec!["api/a", "api/b"]),
        (
            "lib/inner/inner.go",
            "package inner\n\nimport _ \"embed\"\n\n//go:embed data/*.txt\nvar more string\n",
            vec!["api/a"],
        ),
        ("lib/inner/data/a.txt", "b", vec!["api/a"]),
        ("lib/inner/data/new.txt", "new", vec!["api/a"]),
        ("local/deep/more.go", "package deep\n", vec!["api/b"]),
        ("go.sum", "", vec!["api/a", "api/b", "api/users/c"]),
        ("lib/inner/inner_test.go", "package inner\n", vec![]),
        ("unused/unused.go", "package unused\n\nvar X = 1\n", vec![]),
        ("public/index.html", "changed", vec![]),
    ] {
        assert_eq!(changed_by(&project, |project| project.write(path, text)), expected, "{path}");
    }
}

/// Vendored packages count as far as they are imported.
#[test]
fn vendored_packages() {
    let project = TestProject::new([
        ("go.mod", "module example.com/site\n"),
        ("vendor/modules.txt", ""),
        ("vendor/example.com/used/x.go", "package used\n"),
        ("vendor/example.com/other/x.go", "package other\n"),
        ("api/a.go", importing("example.com/used").as_str()),
    ]);
    let write = |path: &'static str| move |project: &TestProject| project.write(path, "package changed\n");
    assert_eq!(changed_by(&project, write("vendor/example.com/used/x.go")), ["api/a"]);
    assert_eq!(changed_by(&project, write("vendor/example.com/other/x.go")), Vec::<String>::new());
}

/// A workspace brings the modules that it names.
#[test]
fn workspaces() {
    let project = TestProject::new([
        ("go.work", "go 1.26\n\nuse (\n\t.\n\t./shared\n)\n"),
        ("go.mod", "module example.com/site\n"),
        ("shared/go.mod", "module example.com/shared\n"),
        ("shared/x.go", "package shared\n"),
        ("api/a.go", importing("example.com/shared").as_str()),
    ]);
    assert_eq!(
        changed_by(&project, |project| project.write("shared/x.go", "package shared\n\nvar X = 1\n")),
        ["api/a"]
    );
}

/// The folder a project stands in is no part of what its functions are made of.
#[test]
fn folders_do_not_count() {
    assert_eq!(digests(&project()), digests(&project()));
}
