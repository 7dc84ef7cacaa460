//! Functions that look around: at the host's files, at those of other functions, at processes and at sockets.

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use ship_tests::TestEnv;

use crate::site::{Bad, Kind, QUICK, Site};

/// Files and folders of the machine that are not the host's.
const OTHERS: [&str; 8] = ["/root", "/home", "/etc/shadow", "/etc/ssh", "/var/lib/dpkg", "/var/log", "/boot", "/.ship"];

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
    let data = files_below(bad.site.host.data());
    let named = |part: &str| data.iter().filter(|path| path.to_string_lossy().contains(part)).count();
    assert!(named("/functions/") > 0 && named("/blobs/") > 0, "{data:?}");
    let token = bad.site.host.ready()["token_file"].as_str().expect("the ready line names the token's file");
    // With this every interpreter begins. It is no secret.
    let secrets = data.iter().filter(|path| !path.ends_with("run/node.mjs") && !path.ends_with("run/python.py"));
    for path in secrets.map(PathBuf::as_path).chain(OTHERS.map(Path::new)).chain([Path::new(token)]) {
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

/// Sockets of the machine that everybody may use, as the one of Docker is for its group, are not there for functions, whether they
/// have a path or a name.
pub(crate) fn connects_to_sockets(bad: Bad<'_>, sockets: &OpenSockets) {
    for path in [&sockets.path, &format!("@{}", sockets.name), "/var/run/docker.sock", "/run/docker.sock"] {
        let answer = bad.ask(Kind::Bad, &format!("connect&path={path}"));
        assert_eq!(answer.status, 403, "{:?} reaches {path}: {}", bad.language, answer.text());
    }
    bad.is_served(Kind::Bad);
}

/// What listens on this machine, and the address at which clouds tell their machines secrets, are not reached by functions that may
/// reach the internet; those that may reach everything reach what listens.
pub(crate) fn connects_to_the_machine(bad: Bad<'_>, sockets: &OpenSockets) {
    let addresses = bad.site.host.addresses();
    let open = sockets.address();
    for to in [&addresses.control, &addresses.sites, &open, "169.254.169.254:80"] {
        let answer = bad.ask(Kind::Bad, &format!("dial&to={to}"));
        assert_eq!(answer.status, 403, "{:?} reaches {to}: {}", bad.language, answer.text());
    }
    assert_eq!(bad.ask(Kind::Open, &format!("dial&to={open}")).success().text(), "connected\n", "{:?}", bad.language);
    bad.is_served(Kind::Bad);
}

/// Sockets of this machine that are open to everybody.
pub(crate) struct OpenSockets {
    /// Where one of them has its path.
    path: String,
    /// The name of another, in the machine's network.
    name: String,
    internet: TcpListener,
    // Held so that they are there.
    _folder: tempfile::TempDir,
    _local: [UnixListener; 2],
}

impl OpenSockets {
    pub(crate) fn open() -> Self {
        let everybody = Permissions::from_mode(0o777);
        let folder = tempfile::Builder::new().permissions(everybody.clone()).tempdir();
        let folder = folder.expect("there is a temporary folder");
        let path = folder.path().join("open.sock");
        let with_path = UnixListener::bind(&path).expect("the folder is writable");
        std::fs::set_permissions(&path, everybody).expect("the socket is ours");
        let name = format!("ship-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("the name is short");
        let with_name = UnixListener::bind_addr(&address).expect("the name is free");
        assert!(UnixStream::connect(&path).is_ok() && UnixStream::connect_addr(&address).is_ok());
        Self {
            path: path.display().to_string(),
            name,
            internet: TcpListener::bind("127.0.0.1:0").expect("a port is free"),
            _folder: folder,
            _local: [with_path, with_name],
        }
    }

    fn address(&self) -> String {
        self.internet.local_addr().expect("a bound listener has an address").to_string()
    }
}

/// Without a sandbox functions run as whoever the host is, and read neither its data nor other functions all the same.
#[test]
fn pry_without_a_sandbox() {
    let environment = TestEnv::new();
    // The machine's `/tmp` is theirs as well.
    let elsewhere = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the folder is writable");
    let data = elsewhere.path().join("data");
    let site = Site::deploy_without_sandbox(&environment, &data, &QUICK, &[Kind::Bad]);
    let shown = site.host.ship(["inspect", &site.url]).run().success();
    assert!(shown.stdout().contains("public   process"), "{}", shown.stdout());
    let names = shown.stdout().lines().find_map(|line| line.strip_prefix("On this host these bound nothing: "));
    assert!(names.is_some_and(|names| names.ends_with("network, tmp_mb (`ship doctor` says why)")), "{names:?}");
    for bad in site.each() {
        bad.is_served(Kind::Bad);
        let read = |path: &Path| bad.ask(Kind::Bad, &format!("read&path={}", path.display()));
        for path in ["/usr/bin/env", "/etc/passwd", "/etc/resolv.conf", "/proc/self/status"] {
            assert_eq!(read(Path::new(path)).status, 200, "{:?} reads {path}", bad.language);
        }
        let files = files_below(&data);
        let own = read(Path::new("/proc/self/cwd")).text();
        assert!(!own.is_empty(), "{:?} reads its own folder", bad.language);
        let is_others = |path: &&PathBuf| !path.to_string_lossy().contains("/functions/");
        let folders = ["functions", "blobs", "."].map(|folder| data.join(folder));
        let others = OTHERS.iter().chain(&["/", "/etc", "/var", "/run"]).map(Path::new);
        let closed = files.iter().filter(is_others).chain(&folders).map(PathBuf::as_path).chain(others);
        for path in closed.filter(|path| path.exists()) {
            let answer = read(path);
            assert_eq!(answer.status, 403, "{:?} reads {}: {}", bad.language, path.display(), answer.text());
        }
        // Of all functions' folders it reads one. Beside them are layers, which are several functions'.
        let entries = ["bootstrap", "launcher.mjs", "launcher.py"];
        let folders = std::fs::read_dir(data.join("functions")).expect("functions are unpacked").flatten();
        let folders = folders.map(|folder| folder.path());
        let functions: Vec<PathBuf> =
            folders.filter(|folder| entries.iter().any(|entry| folder.join(entry).exists())).collect();
        assert_eq!(functions.len(), 4);
        let readable = functions.iter().filter(|folder| read(folder).status == 200).count();
        assert_eq!(readable, 1, "{:?}", bad.language);
    }
}

#[test]
fn look_around() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Bad]);
    site.each().for_each(reads_others_files);
    site.each().for_each(looks_at_processes);
}

#[test]
fn connect() {
    let environment = TestEnv::new();
    let site = Site::deploy(&environment, &QUICK, &[Kind::Bad, Kind::Open]);
    let sockets = OpenSockets::open();
    site.each().for_each(|bad| connects_to_sockets(bad, &sockets));
    site.each().for_each(|bad| connects_to_the_machine(bad, &sockets));
}
