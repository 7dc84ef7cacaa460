//! Whole builds of sites without functions: what stands in the manifest.

use ship_core::Digest;
use ship_core::route::Phase;

use crate::testing::TestProject;
use crate::{BlobSource, PlanError};

/// The same tree in another folder, with other times and modes, is the same deployment; its blobs are where the output says.
#[test]
fn the_same_tree_is_the_same_deployment() {
    let files = [("public/index.html", "<h1>hello</h1>"), ("public/b/c.css", "h1 {}"), ("public/404.html", "gone")];
    let (one, other) = (TestProject::new(files), TestProject::new(files.into_iter().rev()));
    let (one, other) = (one.build().unwrap(), (other.build().unwrap(), other).0);
    assert_eq!(one.canonical_json(), other.canonical_json());
    assert_eq!((one.static_files(), one.static_bytes()), (3, 23));
    let Some(BlobSource::File(file)) = one.blob_source(&Digest::of(b"h1 {}")) else { panic!("a file") };
    assert!(file.ends_with("public/b/c.css"));
    assert_eq!(one.blob_source(&Digest::of(b"unknown")), None);
}

/// A page for what is not found gets a route; without one there is none.
#[test]
fn not_found_page() {
    let with = TestProject::new([("public/404.html", "gone")]).build().unwrap();
    let [route] = with.manifest().routes().phase(Phase::Error) else { panic!("one route") };
    assert_eq!((route.status, route.dest.as_deref()), (Some(404), Some("/404.html")));
    assert_eq!(route.src.is_match("/apiary"), Ok(true));
    assert_eq!(route.src.is_match("/api/x"), Ok(false));
    let without = TestProject::new([("public/index.html", "")]).build().unwrap();
    assert!(without.manifest().routes().is_empty());
}

/// A folder with nothing in it says what was looked for.
#[test]
fn nothing_to_deploy() {
    let project = TestProject::new([(".env", "KEY=secret"), ("README.md", "")]);
    let error = project.plan().unwrap_err();
    assert_eq!(error.code(), Some("nothing_to_deploy"));
    assert!(
        error.to_string().ends_with(
            "looked for a folder `public/`, static files in the folder itself, functions in `api/**/*.{go,js,ts,py,rs}`"
        ),
        "{error}"
    );
}

/// A static file that would answer in place of a function is refused with both names.
#[test]
fn shadowed_function() {
    let source = crate::testing::handler("Date", "now");
    let project = TestProject::new([("api/date.go", source.as_str()), ("public/api/date", "x")]);
    let error = project.plan().unwrap_err();
    assert!(matches!(error, PlanError::ConflictingFilePath { .. }));
    assert_eq!(
        error.to_string(),
        "conflicting_file_path: `api/date.go` and `public/api/date` both answer at `/api/date`: rename one of them"
    );
}

/// A function that Go leaves out is refused, with what leaves it out.
#[test]
fn excluded_functions() {
    let source = crate::testing::handler("Date", "now");
    let arch = crate::BuildOptions::default().arch;
    for (file, text, expected) in [
        (
            "api/date_windows.go",
            source.clone(),
            format!(
                "api/date_windows.go: this function is not compiled for linux/{arch}: its name says that it is for windows \
                 alone: give it another name"
            ),
        ),
        (
            "api/date.go",
            format!("//go:build windows\n\n{source}"),
            format!(
                "api/date.go:1: this function is not compiled for linux/{arch}: `//go:build windows` does not hold: drop it, \
                 or move the file out of `api/`"
            ),
        ),
        (
            "api/date.go",
            source.replace("import ", "import \"C\"\nimport "),
            format!(
                "api/date.go:3: this function is not compiled for linux/{arch}: it imports \"C\", and functions are compiled \
                 without cgo: do without C"
            ),
        ),
    ] {
        let project = TestProject::new([(file, text.as_str())]);
        assert_eq!(project.plan().unwrap_err().to_string(), expected);
    }
}

/// A file that cannot be read is named, and the file beside it does not get in its way. Whoever may read everything, as `root`
/// may, finds no such file.
#[test]
fn unreadable_file() {
    use std::os::unix::fs::PermissionsExt;
    let project = TestProject::new([("public/a.txt", "a"), ("public/locked.txt", "b")]);
    let locked = project.root().join("public/locked.txt");
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o000)).unwrap();
    let built = project.build();
    if std::fs::read(&locked).is_ok() {
        assert!(built.is_ok());
    } else {
        assert_eq!(built.unwrap_err().to_string(), "`public/locked.txt` cannot be read");
    }
}
