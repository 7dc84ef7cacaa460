//! Walking trees that hold what cannot be deployed.

use super::*;
use crate::testing::TestProject;

/// Everything.
struct All;

impl Selection for All {
    fn enters(&self, _: &str, _: &str) -> bool {
        true
    }

    fn takes(&self, _: &str, _: &str) -> bool {
        true
    }
}

fn paths(project: &TestProject) -> Result<Vec<String>, String> {
    let files = walk(&project.root(), &project.root(), &All).map_err(|error| error.to_string())?;
    Ok(files.into_iter().map(|file| file.path.to_string()).collect())
}

/// Files come sorted, and a symlink inside the project counts as what it leads to, a folder as well.
#[test]
fn files_and_links() {
    let project = TestProject::new([("b.txt", "b"), ("a/c.txt", "c"), ("a-b.txt", "")]);
    project.symlink("a", "linked");
    project.symlink("b.txt", "d.txt");
    assert_eq!(paths(&project).unwrap(), ["a-b.txt", "a/c.txt", "b.txt", "d.txt", "linked/c.txt"]);
}

/// A symlink that leaves the project is named with its target, wherever it leads.
#[test]
fn links_out_of_the_project() {
    let project = TestProject::new([("a.txt", "")]);
    project.symlink("/etc/hostname", "below/host");
    let message =
        "symlink_leaves_project: the symlink `below/host` leads to `/etc/hostname`, which is outside of the project";
    assert_eq!(paths(&project).unwrap_err(), message);

    let project = TestProject::new([("a.txt", "")]);
    project.symlink("..", "up");
    assert!(paths(&project).unwrap_err().starts_with("symlink_leaves_project: the symlink `up` leads to `"));
}

/// Links that never end are refused, also when two folders lead to one another.
#[test]
fn endless_links() {
    let project = TestProject::new([("a/b/c.txt", "")]);
    project.symlink("../..", "a/b/again");
    assert!(paths(&project).unwrap_err().starts_with("the symlink `a/b/again` leads back to `"));

    let project = TestProject::new([("x/x.txt", ""), ("y/y.txt", "")]);
    project.symlink("../y", "x/to-y");
    project.symlink("../x", "y/to-x");
    assert!(paths(&project).unwrap_err().contains("leads back to"));

    let project = TestProject::new([("a.txt", "")]);
    project.symlink("round", "round");
    assert_eq!(paths(&project).unwrap_err(), "the symlink `round` leads back to `round`, so it never ends");
}

/// A link to nothing, and a link to what must stay private.
#[test]
fn broken_and_secret_links() {
    let project = TestProject::new([("a.txt", "")]);
    project.symlink("gone.txt", "link");
    assert_eq!(paths(&project).unwrap_err(), "the symlink `link` leads to `gone.txt`, which does not exist");

    let project = TestProject::new([(".env.local", "KEY=secret")]);
    project.symlink("../.env.local", "public/settings.txt");
    assert!(
        paths(&project).unwrap_err().contains("`public/settings.txt` leads to `.env.local`, which is never deployed")
    );
}

/// Sockets are named as what they are, and so are names that no URL can hold.
#[test]
fn what_is_no_file() {
    let project = TestProject::new([("a.txt", "")]);
    let _socket = std::os::unix::net::UnixListener::bind(project.root().join("live.sock")).unwrap();
    assert_eq!(paths(&project).unwrap_err(), "`live.sock` is a socket, and only files can be deployed");

    let project = TestProject::new([("back\\slash.txt", "")]);
    assert_eq!(paths(&project).unwrap_err(), "`back\\slash.txt` cannot be deployed under its name");

    let project = TestProject::new([("a.txt", "")]);
    let name = <std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"caf\xe9.txt");
    std::fs::write(project.root().join(name), "").unwrap();
    assert!(paths(&project).unwrap_err().ends_with("is not UTF-8, so no URL can ask for it"));
}
