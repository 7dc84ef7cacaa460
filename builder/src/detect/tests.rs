//! What a folder is found to consist of.

use super::*;
use crate::testing::{TestProject, handler};

fn names(config: &ProjectConfig) -> Vec<&str> {
    config.functions().iter().map(|function| function.name.as_str()).collect()
}

/// Files with a handler are functions at their paths; the others are not, and neither are tests, hidden and private files.
#[test]
fn functions() {
    let source = handler("Handler", "ok");
    let helper = "package handler\n\nfunc Double(n int) int { return 2 * n }\n";
    let project = TestProject::new([
        ("api/date.go", source.as_str()),
        ("api/helper.go", helper),
        ("api/date_test.go", &source),
        ("api/_draft.go", &source),
        ("api/.hidden.go", &source),
        ("api/_lib/x.go", &source),
        ("api/node_modules/x/x.go", &source),
        ("api/users/[id].go", &source),
        ("api/users/index.go", &source),
        ("src/api/no.go", &source),
        ("other.go", &source),
    ]);
    let config = project.detect().unwrap();
    assert_eq!(names(&config), ["api/date", "api/users/[id]", "api/users/index"]);
    assert_eq!(config.warnings, []);
    assert_eq!(
        config.sources.iter().map(|source| source.file.as_str()).collect::<Vec<_>>(),
        ["api/date.go", "api/helper.go", "api/users/[id].go", "api/users/index.go"]
    );
}

/// What would be silently missing is warned about.
#[test]
fn warnings() {
    let returning = "package handler\n\nimport \"net/http\"\n\nfunc Get(w http.ResponseWriter, r *http.Request) error { return nil }\n";
    let project = TestProject::new([
        ("vercel.json", "{}"),
        ("api/hello.ts", "export function GET() {}"),
        ("api/types.d.ts", ""),
        ("api/get.go", returning),
    ]);
    let said: Vec<String> = project.detect().unwrap().warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "vercel.json is not read by this version of ship: what it says does not apply",
            "`api/hello.ts` is not deployed: this version of ship builds functions in Go",
            "api/get.go:5: `Get` is not a function of the site, because it returns a value",
        ]
    );

    project.write("ship.toml", "");
    assert_eq!(project.detect().unwrap().warnings[0], ProjectWarning::BothConfigFiles);
}

/// Neither `api/` nor `public/` may be a symlink out of the project.
#[test]
fn folders_outside() {
    let elsewhere = TestProject::new([("date.go", handler("Date", "now").as_str())]);
    for folder in ["api", "public"] {
        let project = TestProject::new([("index.html", "")]);
        project.symlink(elsewhere.root(), folder);
        assert_eq!(project.detect().unwrap_err().code(), Some("symlink_leaves_project"), "{folder}");
    }
}

/// A name comes from `ship.toml`, or else the nearest one to the folder's.
#[test]
fn names_of_projects() {
    let project = TestProject::new([("ship.toml", "name = \"my-site\"")]);
    assert_eq!(project.detect().unwrap().name, Some("my-site".parse().unwrap()));
    assert_eq!(project.dir().name_from_folder().unwrap().as_str(), "project");
    let nameless = project.root().join("___");
    std::fs::create_dir(&nameless).unwrap();
    let error = ProjectDir::open(&nameless).unwrap().name_from_folder().unwrap_err();
    assert!(error.to_string().ends_with("cannot name a project: set `name = \"…\"` in ship.toml"), "{error}");
}

/// A folder that is not there, or is a file, is said to be just that.
#[test]
fn no_folder() {
    let project = TestProject::new([("a.txt", "")]);
    let open = |path: &str| ProjectDir::open(&project.root().join(path)).unwrap_err().to_string();
    assert!(open("missing").ends_with("missing` does not exist"));
    assert!(open("a.txt").ends_with("a.txt` is not a folder"));
}

/// Changes in version control, packages and ship's own output never matter; changes in the project do.
#[test]
fn what_a_watcher_ignores() {
    let project = TestProject::new([]);
    let config = project.detect().unwrap();
    for path in
        [".git/index", ".ship/output/config.json", "node_modules/a/b.js", "api/date.go~", "public/.index.html.swp"]
    {
        assert!(config.is_ignored(Path::new(path)) && config.is_ignored(&project.root().join(path)), "{path}");
    }
    for path in ["ship.toml", "api/date.go", "lib/x.go", "public/index.html", "go.mod"] {
        assert!(!config.is_ignored(Path::new(path)), "{path}");
    }
}
