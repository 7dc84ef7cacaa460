//! Functions for a machine of another kind are not only compiled: they run, on a processor that an emulator stands in for.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use ship_tests::{TestEnv, http};

/// What runs programs for 64-bit ARM on another processor.
const EMULATOR: &str = "qemu-aarch64-static";

/// A program that was started on a listener, as a host starts it.
struct Emulated {
    program: Child,
    url: String,
}

impl Emulated {
    #[track_caller]
    fn start(program: &std::path::Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let url = format!("http://{}", listener.local_addr().expect("the listener has an address"));
        let program = Command::new(EMULATOR)
            .arg(program)
            .env_clear()
            .env("SHIP_LISTEN_FD", "0")
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .spawn()
            .expect("qemu is there (on Debian: apt-get install qemu-user-static)");
        Self { program, url }
    }

    /// Asks it to end, and gives how it did.
    #[track_caller]
    fn end(mut self) -> Option<i32> {
        let id = Pid::from_child(&self.program);
        kill_process(id, Signal::TERM).expect("it still runs");
        self.program.wait().expect("a child can be waited for").code()
    }
}

/// Functions in Go that were built for ARM answer like any other, and end in order when they are asked to.
#[test]
fn go_on_arm() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let _ = environment.ship(["build", "--arch", "arm64"]).within(project.folder()).run().success();
    let program = project.path(".ship/output/functions/api/weather.func/bootstrap");
    let function = Emulated::start(&program);
    let weather = http::get(&format!("{}/api/weather?city=Lisbon", function.url)).success().json();
    assert_eq!(weather["city"], "Lisbon");
    assert_eq!(function.end(), Some(0));
}
