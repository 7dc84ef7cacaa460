//! Functions that look around: at the host's files, at those of other functions, at processes and at sockets.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use ship_tests::TestEnv;

use crate::site::{Bad, Kind, QUICK, Site};

/// Every file below a folder, as the machine sees them.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| if entry.path().is_dir() { files_below(&entry.path()) } else { vec![entry.path()] })
        .collect()
}

/// A function reads its own files and the system's. It reads nothing of the host's: neither its data, nor the token, nor other
/// functions, nor the files of the machine's users.
pub(crate) fn reads_others_files(bad: Bad<'_>) {
    let read = |path: &Path| bad.ask(Kind::Bad, &format!("read&path={}", path.display()));
    for path in ["/var/task", "/usr/bin/env", "/etc/passwd", "/proc/self/status"] {
        assert_eq!(read(Path::new(path)).status, 200, "{:?} reads {path}", bad.language);
    }
    let data = bad.site.host.data();
    let token = bad.site.host.ready()["token_file"].as_str().expect("the ready line names the token's file");
    let others =
        ["/root", "/home", "/etc/shadow", "/etc/ssh", "/var/lib", "/var/run/docker.sock", "/sys", "/boot", "/.ship"];
    let functions = files_below(data);
    let programs: Vec<&PathBuf> =
        functions.iter().filter(|path| path.to_string_lossy().contains("/functions/")).take(20).collect();
    assert!(!programs.is_empty(), "the host has functions in {}", data.display());
    let paths = [data, Path::new(token)].into_iter().chain(others.map(Path::new));
    for path in paths.chain(programs.into_iter().map(PathBuf::as_path)) {
        let answer = read(path);
        assert_eq!(answer.status, 403, "{:?} reads {}: {}", bad.language, path.display(), answer.text());
    }
    bad.is_served(Kind::Bad);
}

/// A function sees its own processes: no other's environment, folder or root, and none that it could send a signal to.
pub(crate) fn looks_at_processes(bad: Bad<'_>) {
    let own = bad.ask(Kind::Bad, "processes").success().text();
    assert!(own.lines().count() <= 4, "{:?} sees {own}", bad.language);
    let host = bad.site.host.process().id();
    let neighbour = std::process::id();
    for process in [host.unsigned_abs(), neighbour] {
        for file in ["environ", "root", "cwd", "maps", "fd"] {
            let answer = bad.ask(Kind::Bad, &format!("read&path=/proc/{process}/{file}"));
            assert_eq!(answer.status, 403, "{:?} reads {file} of {process}: {}", bad.language, answer.text());
        }
        assert_eq!(bad.ask(Kind::Bad, &format!("signal&process={process}")).status, 403, "{:?}", bad.language);
    }
    // The first process of the cell is the host's.
    for file in ["environ", "root", "cwd", "maps", "fd", "mem"] {
        let answer = bad.ask(Kind::Bad, &format!("read&path=/proc/1/{file}"));
        assert_eq!(answer.status, 403, "{:?} reads {file} of the first: {}", bad.language, answer.text());
    }
    bad.is_served(Kind::Bad);
}

/// A socket of the machine that everybody may use, as the one of Docker is for its group, is not there for functions.
pub(crate) fn connects_to_sockets(bad: Bad<'_>, socket: &Path) {
    for path in [socket, Path::new("/var/run/docker.sock"), Path::new("/run/docker.sock")] {
        let answer = bad.ask(Kind::Bad, &format!("connect&path={}", path.display()));
        assert_eq!(answer.status, 403, "{:?} reaches {}: {}", bad.language, path.display(), answer.text());
    }
    bad.is_served(Kind::Bad);
}

/// A socket that everybody may connect to, and where it is.
pub(crate) fn open_socket() -> (tempfile::TempDir, UnixListener, PathBuf) {
    let everybody = std::fs::Permissions::from_mode(0o777);
    let folder =
        tempfile::Builder::new().permissions(everybody.clone()).tempdir().expect("there is a temporary folder");
    let path = folder.path().join("open.sock");
    let listener = UnixListener::bind(&path).expect("the folder is writable");
    std::fs::set_permissions(&path, everybody).expect("the socket is ours");
    assert!(std::os::unix::net::UnixStream::connect(&path).is_ok(), "it can be reached from outside");
    (folder, listener, path)
}

#[test]
fn look_around() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Bad]);
    site.each().for_each(reads_others_files);
    site.each().for_each(looks_at_processes);
    let (_folder, _listener, path) = open_socket();
    site.each().for_each(|bad| connects_to_sockets(bad, &path));
}
