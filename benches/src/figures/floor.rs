//! The least that Go and the operating system need for the example's two functions: a plain `go build` of plain programs,
//! started with nothing around them.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use ship_tests::workspace_root;

/// A Go module with the example's functions, each wrapped in the shortest program that serves it.
pub(crate) struct PlainGo {
    folder: PathBuf,
    cache: PathBuf,
}

impl PlainGo {
    /// Writes the module below `folder`; its compiler cache is the empty folder beside it.
    pub(crate) fn new(folder: &Path) -> Self {
        let plain = Self { folder: folder.join("plain-go"), cache: folder.join("plain-go-cache") };
        let example = workspace_root().join("examples/date-weather/api");
        plain.write("go.mod", "module plain\n\ngo 1.24\n");
        for (file, function) in [("date", "Date"), ("weather", "Weather")] {
            let source = fs::read_to_string(example.join(format!("{file}.go"))).expect("the example is there");
            plain.write(&format!("handler/{file}.go"), &source);
            plain.write(&format!("cmd/{file}/main.go"), &program(function));
        }
        plain
    }

    /// The source of the date function.
    pub(crate) fn date_source(&self) -> PathBuf {
        self.folder.join("handler/date.go")
    }

    /// `go build` of both functions, with the flags that ship uses.
    pub(crate) fn build(&self) {
        let status = Command::new("go")
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", "out/", "./cmd/..."])
            .current_dir(&self.folder)
            .env("GOCACHE", &self.cache)
            .env("GOTOOLCHAIN", "local")
            .env("GOFLAGS", "")
            .env("GOOS", "linux")
            .env("CGO_ENABLED", "0")
            .status()
            .expect("go starts");
        assert!(status.success(), "the plain programs compile");
    }

    /// Makes the compiler cache empty again.
    pub(crate) fn forget(&self) {
        for folder in [&self.cache, &self.folder.join("out")] {
            // Go writes its cache read-only in places; a folder that is not there is as empty.
            let _ = fs::remove_dir_all(folder);
        }
    }

    /// Starts the date function on an inherited socket, as bare as can be.
    pub(crate) fn start_date(&self, socket: &Path) -> Bare {
        let _ = fs::remove_file(socket);
        self.start_date_on(UnixListener::bind(socket).expect("the folder is writable").into())
    }

    /// The same on a port of this machine, for whoever cannot speak to Unix sockets.
    pub(crate) fn start_date_at_port(&self) -> (Bare, SocketAddr) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("there are ports");
        let address = listener.local_addr().expect("a bound socket has an address");
        (self.start_date_on(listener.into()), address)
    }

    fn start_date_on(&self, listener: OwnedFd) -> Bare {
        let child = Command::new(self.folder.join("out/date"))
            .env_clear()
            .stdin(Stdio::from(listener))
            .stdout(Stdio::null())
            .spawn()
            .expect("the plain program starts");
        Bare { child }
    }

    /// The folder of the programs, one in each.
    pub(crate) fn programs(&self) -> PathBuf {
        self.folder.join("cmd")
    }

    /// The compiler cache.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().expect("a file stands in a folder")).expect("the folder is writable");
        fs::write(path, content).expect("the folder is writable");
    }
}

/// A function that runs with nothing around it. It ends when it is dropped.
pub(crate) struct Bare {
    child: Child,
}

impl Drop for Bare {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The shortest program that serves a handler on the socket it inherits as its standard input.
fn program(function: &str) -> String {
    format!(
        "package main

import (
	\"net\"
	\"net/http\"
	\"os\"

	\"plain/handler\"
)

func main() {{
	listener, err := net.FileListener(os.Stdin)
	if err != nil {{
		panic(err)
	}}
	panic(http.Serve(listener, http.HandlerFunc(handler.{function})))
}}
"
    )
}

/// Whether there is a Go to compare with.
pub(crate) fn go_is_installed() -> bool {
    Command::new("go").arg("version").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}
