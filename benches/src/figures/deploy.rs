//! From a folder to a URL: the first time, again, and after one changed line.

use std::fs;
use std::path::{Path, PathBuf};

use ship_tests::{TestEnv, TestProject};

use super::floor::{PlainGo, go_is_installed};
use crate::bench::Bench;
use crate::contest::{Contender, timed_rows};
use crate::figure::{Bound, Row};
use crate::peer::{NotThere, Peer, build};
use crate::samples::Samples;
use crate::turns::timed;

/// How often the shortest commands run: their spread is as large as they are.
const SHORT_RUNS: usize = 21;

/// D1: everything from nothing, the start of the embedded host included.
pub(crate) fn cold(bench: &Bench) -> Vec<Row> {
    let work = "first deploy of examples/date-weather, empty compiler cache";
    if !go_is_installed() {
        return vec![Row::skipped(work, "no go on PATH to compare with")];
    }
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    let others = Others::new(folder.path());
    let ship = |_| {
        let environment = TestEnv::new();
        let project = environment.example("date-weather");
        let deploy = environment.ship(["deploy"]).within(project.folder());
        let (seconds, output) = timed(|| deploy.with("GOCACHE", environment.folder().join("go-cache")).run());
        let _ = output.success();
        environment.stop_embedded_host();
        seconds
    };
    let forgetting = |_: usize| others.forget();
    timed_rows(work, bench.runs, ship, others.contenders(bench, Bound::times(1.05), &forgetting))
}

/// D2: the whole process, until the URL is printed.
pub(crate) fn unchanged(bench: &Bench) -> Vec<Row> {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let _ = environment.ship(["deploy"]).within(project.folder()).run().success();
    let deploy = || environment.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let sent = deploy()["upload"]["sent_bytes"].clone();
    let seconds: Vec<f64> = (0..bench.runs.max(SHORT_RUNS)).map(|_| timed(deploy).0).collect();
    let row =
        Row::alone("deploy again, nothing changed", Samples::seconds(seconds), Some(Bound::AtMost { value: 0.040 }));
    vec![row.noting(format!("{sent} bytes sent"))]
}

/// D3: one line of one function is another one.
pub(crate) fn one_line(bench: &Bench) -> Vec<Row> {
    let work = "deploy after one changed line in one Go function";
    if !go_is_installed() {
        return vec![Row::skipped(work, "no go on PATH to compare with")];
    }
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let others = Others::new(environment.folder());
    others.plain.build();
    let _ = environment.ship(["deploy"]).within(project.folder()).run().success();
    let ship = |run| {
        change_line(&project.path("api/date.go"), run);
        timed(|| environment.ship(["deploy"]).within(project.folder()).run().success()).0
    };
    let changing = |run: usize| others.change(run);
    let bound = Bound::TimesAtMost { times: 1.15, plus: 0.060 };
    // What never changes is compiled before the first change is measured, by everybody with the flags of their own.
    for mut contender in others.contenders(bench, bound, &|_| {}) {
        let _ = (contender.run)(0);
    }
    timed_rows(work, bench.runs.max(SHORT_RUNS), ship, others.contenders(bench, bound, &changing))
}

/// Who else builds the same two functions: Go's own compiler, and programs around it.
struct Others {
    plain: PlainGo,
    folder: PathBuf,
    linked: PathBuf,
}

impl Others {
    fn new(folder: &Path) -> Self {
        let linked = folder.join("linked");
        let example = ship_tests::workspace_root().join("examples/date-weather");
        for file in ["api/date.go", "api/weather.go", "public/index.html"] {
            let to = linked.join(file);
            fs::create_dir_all(to.parent().expect("a file stands in a folder")).expect("the folder is writable");
            fs::copy(example.join(file), to).expect("the example is there");
        }
        // Without a module of this version `vercel build` fetches a Go of its own.
        let version = crate::machine::go_version().unwrap_or_else(|| "1.24".to_owned());
        fs::write(linked.join("go.mod"), format!("module linked\n\ngo {version}\n")).expect("the folder is writable");
        Self { plain: PlainGo::new(folder), folder: folder.to_owned(), linked }
    }

    /// Everybody at the same work, `prepared` before each turn.
    fn contenders<'s>(&'s self, bench: &Bench, bound: Bound, prepared: &'s dyn Fn(usize)) -> Vec<Contender<'s, f64>> {
        let of = move |name: &str, bound: Option<Bound>, build: fn(&Self) -> Result<(), NotThere>| {
            Contender::new(name, bound, move |run| {
                prepared(run);
                let (seconds, built) = timed(|| build(self));
                built.map(|()| seconds)
            })
        };
        let go = of("go build", Some(bound), |others| {
            others.plain.build();
            Ok(())
        });
        let others = bench.against.iter().map(|peer| match peer {
            Peer::Vercel => of("vercel build", None, |others| {
                build::run(build::vercel_build(&others.linked)?.env("GOCACHE", others.plain.cache()))
            }),
            _ => of(peer.name(), None, |others| {
                let (programs, output) = (others.plain.programs(), others.folder.join("zipped"));
                build::run(build::zip_it_and_ship_it(&programs, &output)?.env("GOCACHE", others.plain.cache()))
            }),
        });
        std::iter::once(go).chain(others).collect()
    }

    /// Leaves nothing of an earlier build.
    fn forget(&self) {
        self.plain.forget();
        for folder in ["zipped", "linked/.vercel"] {
            let _ = fs::remove_dir_all(self.folder.join(folder));
        }
    }

    /// Makes the date function another one for each `run`, wherever it stands.
    fn change(&self, run: usize) {
        change_line(&self.plain.date_source(), run);
        change_line(&self.linked.join("api/date.go"), run);
    }
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
