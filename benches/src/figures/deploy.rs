//! From a folder to a URL: the first time, again, and after one changed line.

use std::fs;
use std::path::Path;

use ship_tests::{TestEnv, TestProject};

use super::floor::{PlainGo, go_is_installed};
use crate::alternate::{alternate, timed};
use crate::figure::{Bound, Row};
use crate::samples::Samples;

/// How often the shortest commands run: their spread is as large as they are.
const SHORT_RUNS: usize = 21;

/// D1: everything from nothing, the start of the embedded host included.
pub(crate) fn cold(runs: usize) -> Vec<Row> {
    let work = "first deploy of examples/date-weather, empty compiler cache";
    if !go_is_installed() {
        return vec![Row::skipped(work, "no go on PATH to compare with")];
    }
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let plain = PlainGo::new(folder.path());
    let ship = |_| {
        let environment = TestEnv::new();
        let project = environment.example("date-weather");
        let deploy = environment.ship(["deploy"]).within(project.folder());
        let (seconds, output) = timed(|| deploy.with("GOCACHE", environment.folder().join("go-cache")).run());
        let _ = output.success();
        environment.stop_embedded_host();
        seconds
    };
    let go = |_| {
        plain.forget();
        timed(|| plain.build()).0
    };
    let (ship, go) = alternate(runs, ship, go);
    vec![Row::compared(work, Samples::seconds(ship), "go build", Samples::seconds(go), Bound::times(1.05))]
}

/// D2: the whole process, until the URL is printed.
pub(crate) fn unchanged(runs: usize) -> Vec<Row> {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let _ = environment.ship(["deploy"]).within(project.folder()).run().success();
    let deploy = || environment.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let sent = deploy()["upload"]["sent_bytes"].clone();
    let seconds: Vec<f64> = (0..runs.max(SHORT_RUNS)).map(|_| timed(deploy).0).collect();
    let row =
        Row::alone("deploy again, nothing changed", Samples::seconds(seconds), Some(Bound::AtMost { value: 0.040 }));
    vec![row.noting(format!("{sent} bytes sent"))]
}

/// D3: one line of one function is another one.
pub(crate) fn one_line(runs: usize) -> Vec<Row> {
    let work = "deploy after one changed line in one Go function";
    if !go_is_installed() {
        return vec![Row::skipped(work, "no go on PATH to compare with")];
    }
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let plain = PlainGo::new(environment.folder());
    plain.build();
    let _ = environment.ship(["deploy"]).within(project.folder()).run().success();
    let ship = |run| {
        change_line(&project.path("api/date.go"), run);
        timed(|| environment.ship(["deploy"]).within(project.folder()).run().success()).0
    };
    let go = |run| {
        change_line(&plain.date_source(), run);
        timed(|| plain.build()).0
    };
    let (ship, go) = alternate(runs.max(SHORT_RUNS), ship, go);
    let bound = Bound::TimesAtMost { times: 1.15, plus: 0.060 };
    vec![Row::compared(work, Samples::seconds(ship), "go build", Samples::seconds(go), bound)]
}

/// Makes the date function another one for each `run`, in what it computes and not only in a comment.
pub(crate) fn change_line(path: &Path, run: usize) {
    let source = fs::read_to_string(path).expect("the function is there");
    let (before, rest) = source.split_once("time.Now()").expect("the function asks for the time");
    let (_, after) = rest.split_once(".UnixMilli()").expect("the function answers with milliseconds");
    fs::write(path, format!("{before}time.Now().Add({run}).UnixMilli(){after}")).expect("the function is writable");
}

/// A project of files only.
pub(crate) fn of_files(environment: &TestEnv, count: usize, bytes: usize) -> TestProject {
    let project = environment.project("many-files");
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    for number in 0..count {
        project.write(&format!("public/{:03}/{number:05}.bin", number / 100), noise.bytes(bytes));
    }
    project.file("public/index.html", "<!doctype html><title>Many files</title>")
}

/// Bytes that nothing can compress, the same in every run (xorshift64*, Vigna 2016).
struct Noise(u64);

impl Noise {
    fn bytes(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(count + 8);
        while bytes.len() < count {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            bytes.extend_from_slice(&self.0.wrapping_mul(0x2545_f491_4f6c_dd1d).to_le_bytes());
        }
        bytes.truncate(count);
        bytes
    }
}
