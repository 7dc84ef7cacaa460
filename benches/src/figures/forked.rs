//! Further instances of a function whose packages take long to load.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use ship_tests::http::{self, Opened};
use ship_tests::{TestEnv, TestHost};

use super::wake::{REST, ask, real_interpreter, start_bare};
use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::samples::Samples;
use crate::turns::{alternate, timed};

/// How many instances are started beside the first.
const INSTANCES: usize = 20;

/// How long the host gets to prepare for further instances, after the first.
const PREPARATION: Duration = Duration::from_secs(5);

const REQUIREMENTS: &str = "fastapi==0.121.0\nuvicorn==0.38.0\n";

/// How many requests an instance answers at once: where that is one, nothing is forked, and one instance is started ahead.
const AT_ONCE: [usize; 2] = [1, 2];

/// Answers, and keeps its instance busy until the visitor goes.
const FUNCTION: &str = "import asyncio\n\nfrom fastapi import FastAPI\nfrom fastapi.responses import StreamingResponse\n\napp = FastAPI()\n\n\n@app.get('/api')\nasync def hello():\n    async def stream():\n        yield b'hello'\n        await asyncio.sleep(100)\n\n    return StreamingResponse(stream())\n";

/// The same application as a program of its own, served on the socket that it inherits.
const FLOOR: &str = "import sys\n\nsys.path[:0] = ['PACKAGES']\nimport uvicorn\nfrom fastapi import FastAPI\n\napp = FastAPI()\n\n\n@app.get('/')\nasync def hello():\n    return 'hello'\n\n\nuvicorn.run(app, fd=0, log_level='critical')\n";

/// W5: the second instance of a `FastAPI` application, and all further ones.
pub(crate) fn further_instances(_: &Bench) -> Vec<Row> {
    let work = "second and later instances of a FastAPI application";
    let Some(interpreter) = real_interpreter("python3") else {
        return vec![Row::skipped(work, "python3 is not on PATH")];
    };
    let environment = TestEnv::new();
    let packages = environment.folder().join("packages");
    if !install(&interpreter, &packages) {
        return vec![Row::skipped(work, "the packages of the bare program cannot be installed")];
    }
    let floor = environment.folder().join("floor.py");
    fs::write(&floor, FLOOR.replace("PACKAGES", &packages.to_string_lossy())).expect("the folder is writable");
    let bare = Bare { interpreter, floor, socket: environment.folder().join("bare.sock") };
    AT_ONCE.map(|at_once| further(&environment, &bare, at_once, work)).into()
}

fn further(environment: &TestEnv, bare: &Bare, at_once: usize, work: &str) -> Row {
    let limits = format!(
        "name = \"fast\"\n[functions.\"api/index\"]\nconcurrency = {at_once}\nmax_instances = 40\ntimeout_secs = 120\n"
    );
    let project = environment
        .project(&format!("fast-{at_once}"))
        .file("ship.toml", limits)
        .file("requirements.txt", REQUIREMENTS)
        .file("api/index.py", FUNCTION);
    let host = TestHost::start_on(environment, &environment.folder().join(format!("data-{at_once}")));
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let url = format!("{}/api", host.site_url("fast"));
    let mut busy: Vec<Opened> = (0..at_once).map(|_| open(&url)).collect();
    sleep(PREPARATION);
    let ship = |_| {
        sleep(REST);
        let (seconds, opened) = timed(|| open(&url));
        busy.push(opened);
        // The next one finds none with room.
        busy.extend((1..at_once).map(|_| open(&url)));
        seconds
    };
    let (ship, bare) = alternate(INSTANCES, ship, |_| bare.starts());
    let (ship, bare) = (Samples::seconds(ship), Samples::seconds(bare));
    let work = format!("{work}, {at_once} at once in each");
    Row::compared(&work, ship, "bare interpreter", bare, Bound::times(1. / 20.))
}

/// The same application as a program of its own.
struct Bare {
    interpreter: PathBuf,
    floor: PathBuf,
    socket: PathBuf,
}

impl Bare {
    /// How long it takes until its first byte, in seconds.
    fn starts(&self) -> f64 {
        sleep(REST);
        let (seconds, mut running) = timed(|| {
            let running = start_bare(&self.interpreter, &self.floor, &self.socket);
            ask(&self.socket);
            running
        });
        let _ = running.kill();
        let _ = running.wait();
        seconds
    }
}

/// Asks for an instance that nobody else asks.
fn open(url: &str) -> Opened {
    let opened = http::request("GET", url).open();
    assert_eq!(opened.status(), 200, "the application answers");
    opened
}

fn install(interpreter: &Path, packages: &Path) -> bool {
    let requirements = packages.with_extension("txt");
    fs::write(&requirements, REQUIREMENTS).expect("the folder is writable");
    let mut command = Command::new(interpreter);
    command.args(["-m", "pip", "install", "--quiet", "--target"]).arg(packages).arg("-r").arg(&requirements);
    let installed = command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success());
    // A program that was started before has its code compiled.
    installed && Command::new(interpreter).args(["-m", "compileall", "-q"]).arg(packages).status().is_ok()
}
