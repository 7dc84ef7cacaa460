//! An authority that gives certificates, as Let's Encrypt does: Pebble, its own test server, and a DNS that says what a story wants.

use std::ffi::OsStr;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::{PATIENCE, TestAuthority, http};

/// The release that stories run against.
const VERSION: &str = "v2.8.0";

/// An authority, its DNS, and where they can be reached.
#[derive(Debug)]
pub struct Pebble {
    authority: Child,
    dns: Child,
    folder: PathBuf,
    directory_port: u16,
    management_port: u16,
    dns_management_port: u16,
    dns_port: u16,
    trusted: TestAuthority,
}

impl Pebble {
    /// Starts an authority that looks for proofs in handshakes at `tls_port`, with its files in `folder`. All names lead to this machine.
    /// `None` on a machine without Go, which builds it.
    pub fn start(folder: &Path, tls_port: u16) -> Option<Self> {
        let programs = programs()?;
        fs::create_dir_all(folder).expect("the folder is writable");
        let trusted = TestAuthority::new();
        let (certificate, key) = trusted.write(folder, &["localhost"]);
        let root = folder.join("root.pem");
        fs::write(&root, trusted.pem()).expect("the folder is writable");
        let [directory_port, management_port, dns_port, dns_management_port] = free_ports();
        let configuration = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{directory_port}"),
            "managementListenAddress": format!("127.0.0.1:{management_port}"),
            "certificate": certificate, "privateKey": key,
            "httpPort": 1, "tlsPort": tls_port,
            "ocspResponderURL": "", "externalAccountBindingRequired": false,
            "retryAfter": { "authz": 1, "order": 1 },
            "profiles": { "default": { "description": "as always", "validityPeriod": 7_776_000 } },
        }});
        let file = folder.join("pebble.json");
        fs::write(&file, configuration.to_string()).expect("the folder is writable");
        let dns_listener = format!("127.0.0.1:{dns_port}");
        let management = format!("127.0.0.1:{dns_management_port}");
        let dns = spawn(
            &programs.join("pebble-challtestsrv"),
            &["-dns01", &dns_listener, "-management", &management, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""],
            &["-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", ""],
        );
        let file = file.display().to_string();
        let authority = spawn(&programs.join("pebble"), &["-config", &file, "-dnsserver", &dns_listener], &[]);
        let folder = folder.to_owned();
        let pebble =
            Self { authority, dns, folder, directory_port, management_port, dns_management_port, dns_port, trusted };
        for port in [directory_port, management_port, dns_management_port] {
            until_listening(port);
        }
        Some(pebble)
    }

    /// The URL of its directory.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.directory_port)
    }

    /// The file with the certificate of who vouches for its own server.
    pub fn root(&self) -> PathBuf {
        self.folder.join("root.pem")
    }

    /// Where its DNS answers.
    pub fn dns(&self) -> String {
        format!("127.0.0.1:{}", self.dns_port)
    }

    /// Where its DNS is told what to say.
    pub fn dns_management(&self) -> String {
        format!("http://127.0.0.1:{}", self.dns_management_port)
    }

    /// Who vouches for the certificates that it gives.
    pub fn issued(&self) -> TestAuthority {
        let url = format!("https://localhost:{}/roots/0", self.management_port);
        TestAuthority::known_by(&http::get_secure(&url, &self.trusted).success().body)
    }

    /// Has its DNS say a text at a name.
    pub fn set_text(&self, name: &str, value: &str) {
        let record = serde_json::json!({ "host": format!("{name}."), "value": value }).to_string();
        let _ = http::request("POST", &format!("{}/set-txt", self.dns_management())).body(record).send().success();
    }

    /// Has its DNS say nothing at a name any more.
    pub fn clear_text(&self, name: &str) {
        let record = serde_json::json!({ "host": format!("{name}.") }).to_string();
        let _ = http::request("POST", &format!("{}/clear-txt", self.dns_management())).body(record).send().success();
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for process in [&mut self.authority, &mut self.dns] {
            let _ = process.kill().and_then(|()| process.wait());
        }
    }
}

/// The folder that holds the programs, built once for all stories and kept with what cargo builds.
fn programs() -> Option<PathBuf> {
    let folder = crate::environment::shared_folder().join(format!("pebble-{VERSION}"));
    if folder.join("pebble-challtestsrv").is_file() && folder.join("pebble").is_file() {
        return Some(folder);
    }
    let built = tempfile::tempdir_in(crate::environment::shared_folder()).expect("the folder is writable");
    let package = |name: &str| format!("github.com/letsencrypt/pebble/v2/cmd/{name}@{VERSION}");
    let install = Command::new("go")
        .args(["install", &package("pebble"), &package("pebble-challtestsrv")])
        .env("GOBIN", built.path())
        .env("GOFLAGS", "")
        .output()
        .ok()?;
    assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
    // Another story may have been faster: what it put there is as good.
    let _ = fs::rename(built.path(), &folder);
    Some(folder)
}

fn spawn(program: &Path, arguments: &[&str], more: &[&str]) -> Child {
    Command::new(program)
        .args(arguments.iter().chain(more).map(OsStr::new))
        .env("PEBBLE_VA_NOSLEEP", "1")
        // Without it, it refuses now and then to see how clients take it.
        .env("PEBBLE_WFE_NONCEREJECT", "0")
        .env("PEBBLE_AUTHZREUSE", "0")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()))
}

/// Ports that nobody has at the moment.
fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}

fn until_listening(port: u16) {
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(begun.elapsed() < PATIENCE, "nobody listens at {port}");
        std::thread::yield_now();
    }
}

/// A program for `--acme-dns-hook` that tells a DNS of [`Pebble`], and notes what it was asked for in a file beside it.
pub fn write_dns_hook(folder: &Path, pebble: &Pebble) -> PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(folder).expect("the folder is writable");
    let (path, log) = (folder.join("hook"), folder.join("hook.log"));
    let script = format!(
        "#!/bin/sh\nset -e\necho \"$1 $2\" >> '{}'\ncase $1 in present) what=set-txt ;; *) what=clear-txt ;; esac\n\
         curl -sS --fail -o /dev/null -d \"{{\\\"host\\\":\\\"$2.\\\",\\\"value\\\":\\\"$3\\\"}}\" {}/$what\n",
        log.display(),
        pebble.dns_management(),
    );
    fs::write(&path, script).expect("the folder is writable");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the file is the story's");
    path
}
