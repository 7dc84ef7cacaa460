//! Crash points at the system calls of a real process, those of `SQLite` among them: `strace` kills it at the first, at the
//! second and so on, or lets one of them fail. And it is the witness of what was synced when a step was acknowledged.

use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ship_store::{Durability, Store};

use super::scenario::{Scenario, Step};

/// What tells a process of this program that it is the one that may die, and what it does.
const DATA: &str = "SHIP_CRASH_DATA";
const STEP: &str = "SHIP_CRASH_STEP";

/// What the process says on its standard output when the step is done.
const ACKNOWLEDGED: &str = "acknowledged";

/// The system calls that change files or make changes durable.
const CHANGING: &str = "write,pwrite64,writev,pwritev,ftruncate,fallocate,fsync,fdatasync,syncfs,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,utimensat";

/// How many processes are tried at a time.
const AT_ONCE: usize = 4;

/// The process that may die: does the step that it is told, on the data directory that it is told. Nothing to do otherwise.
#[test]
fn process_that_may_die() {
    let (Some(data), Ok(step)) = (env::var_os(DATA), env::var(STEP)) else { return };
    let store = Store::open(Path::new(&data), Durability::Durable).unwrap();
    let step = Step::ALL.into_iter().find(|known| format!("{known:?}") == step).unwrap();
    if step.perform(&store).is_ok() {
        // At once, past all that would gather it: it is what a client would hear.
        let _ = fs::File::options().write(true).open("/dev/stdout").and_then(|mut out| writeln!(out, "{ACKNOWLEDGED}"));
    }
}

/// Runs the process that may die under `strace` with these options.
fn run(step: Step, data: &Path, options: &[&str]) -> Output {
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "--seccomp-bpf"]).args(options);
    command.arg(env::current_exe().unwrap());
    command.args(["--exact", "traced::process_that_may_die", "--nocapture", "--test-threads=1"]);
    command.env(DATA, data).env(STEP, format!("{step:?}"));
    command.output().expect("strace is there (on Debian: apt-get install strace)")
}

fn is_acknowledged(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stdout).contains(ACKNOWLEDGED)
}

/// Tries the first system call, the second, and so on, with what `injection` says, until one is no longer reached.
fn at_each_call(step: Step, injection: &str) -> u64 {
    let scenario = Scenario::of(step);
    let (next, last) = (AtomicU64::new(1), Mutex::new(u64::MAX));
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth > *last.lock().unwrap() {
                        return;
                    }
                    let data = scenario.begin();
                    let log =
                        data.path().join("../").join(format!("{}.trace", data.path().file_name().unwrap().display()));
                    let inject = format!("inject={CHANGING}:{injection}:when={nth}");
                    let output = run(step, data.path(), &["-y", "-o", log.to_str().unwrap(), "-e", &inject]);
                    let is_reached = fs::read_to_string(&log)
                        .is_ok_and(|text| text.contains("INJECTED") || text.contains("SIGKILL"));
                    let point = fs::read_to_string(&log).ok().and_then(|text| last_point(&text, data.path()));
                    let point = point.unwrap_or_else(|| "a call outside of the data directory".to_owned());
                    let context = format!("{step:?} has {injection} at `{point}` (call {nth})");
                    fs::remove_file(&log).unwrap();
                    scenario.check(data.path(), is_acknowledged(&output), &context);
                    if !is_reached {
                        assert!(is_acknowledged(&output), "{context}: {output:?}");
                        let mut last = last.lock().unwrap();
                        *last = nth.min(*last);
                    }
                }
            });
        }
    });
    last.into_inner().unwrap()
}

/// The last point in a trace that is one.
fn last_point(trace: &str, data: &Path) -> Option<String> {
    trace.lines().rev().find_map(|line| point(line, data))
}

/// What a system call below the data directory is called: what it does, and to what. Names there that differ each time are what they
/// stand for.
fn point(line: &str, data: &Path) -> Option<String> {
    let (head, arguments) = line.split_once('(')?;
    let verb = match head.rsplit(' ').next()? {
        "write" | "pwrite64" | "writev" | "pwritev" => "write",
        "ftruncate" => "cut",
        "fallocate" => "take room for",
        "fsync" | "fdatasync" => "sync",
        "syncfs" => return Some("sync everything".to_owned()),
        "rename" | "renameat" | "renameat2" => "rename",
        "unlink" | "unlinkat" | "rmdir" => "remove",
        "mkdir" | "mkdirat" => "create",
        "utimensat" => "mark",
        _ => return None,
    };
    let at = Path::new(described(arguments).unwrap_or_default());
    // What is written is quoted, too.
    let is_named = matches!(verb, "rename" | "remove" | "create");
    let path = quoted(arguments).last().filter(|_| is_named).map_or_else(|| at.to_owned(), |name| at.join(name));
    let within = path.strip_prefix(data).ok()?;
    let names: Vec<&str> = within.iter().filter_map(|name| name.to_str()).collect();
    let what = match names[..] {
        [] => "the data directory",
        ["blobs"] => "folder of buckets",
        ["blobs", _] => "bucket",
        ["blobs", ..] => "blob",
        ["tmp", name, ..] if name.starts_with("blob-") => "temporary file",
        ["tmp", _, ..] => "function in tmp",
        ["begun"] => "folder of beginnings",
        ["begun", _] => "beginning of a blob",
        ["functions", name] if name.contains(".boot") => "note of the boot",
        ["functions", _, ..] => "function",
        [name, ..] => name,
    };
    Some(format!("{verb} {what}"))
}

/// What the points of a step in a real process are called, the same several times in a row once.
fn points(step: Step) -> Vec<String> {
    let data = Scenario::of(step).begin();
    let log = tempfile::NamedTempFile::new().unwrap();
    let calls = format!("trace={CHANGING}");
    let output = run(step, data.path(), &["-y", "-o", log.path().to_str().unwrap(), "-e", &calls]);
    assert!(is_acknowledged(&output), "{output:?}");
    let trace = fs::read_to_string(log.path()).unwrap();
    let calls = trace.lines().take_while(|line| !line.contains(ACKNOWLEDGED));
    let mut points: Vec<String> = calls.filter_map(|line| point(line, data.path())).collect();
    points.dedup();
    points
}

/// Every point at which a process may die, by name, from the opening of the data directory to the acknowledgement: those of `SQLite` are
/// among them. Opening is the same for all steps, and stands once.
#[test]
fn table() {
    let all = Step::ALL.map(|step| (step, points(step)));
    let first = &all[0].1;
    let is_opening = |at: &usize| all.iter().all(|(_, points)| points.get(*at) == first.get(*at));
    let opening = (0..first.len()).take_while(is_opening).count();
    let mut table = format!("Opening\n  {}\n", first[..opening].join("\n  "));
    for (step, points) in &all {
        writeln!(table, "{step:?}\n  {}", points[opening..].join("\n  ")).unwrap();
    }
    insta::assert_snapshot!(table);
}

/// The process is killed before each of its system calls that change something.
#[test]
fn killed_at_each_call() {
    for step in Step::ALL {
        let tried = at_each_call(step, "signal=KILL");
        assert!(tried > 10, "{step:?} has {tried} calls");
    }
}

/// Each system call fails once, as on a full disk, a broken one, and when a signal comes.
#[test]
fn failing_at_each_call() {
    for error in ["ENOSPC", "EIO", "EINTR"] {
        for step in [Step::Deploy, Step::RollBack, Step::Collect, Step::GoOn] {
            at_each_call(step, &format!("error={error}"));
        }
    }
}

/// When a step is acknowledged, no byte and no name that it has written is still on its way to the disk.
#[test]
fn synced_when_acknowledged() {
    for step in Step::ALL {
        let scenario = Scenario::of(step);
        let data = scenario.begin();
        let log = tempfile::NamedTempFile::new().unwrap();
        let calls = format!("trace={CHANGING},openat,close");
        let output = run(step, data.path(), &["-y", "-s", "64", "-o", log.path().to_str().unwrap(), "-e", &calls]);
        assert!(is_acknowledged(&output), "{output:?}");
        let trace = fs::read_to_string(log.path()).unwrap();
        let mut witness = Witness::new(data.path());
        let calls: Vec<&str> = trace.lines().take_while(|line| !line.contains(ACKNOWLEDGED)).collect();
        assert!(calls.len() < trace.lines().count(), "the acknowledgement is seen");
        for line in calls {
            witness.see(line);
        }
        assert!(witness.syncs > 0, "{step:?} syncs something");
        assert_eq!(witness.unsynced, BTreeSet::new(), "{step:?}");
    }
}

/// Follows what is written and what is synced below a folder.
struct Witness<'d> {
    data: &'d Path,
    unsynced: BTreeSet<String>,
    syncs: u64,
}

impl<'d> Witness<'d> {
    fn new(data: &'d Path) -> Self {
        Self { data, unsynced: BTreeSet::new(), syncs: 0 }
    }

    /// A line such as `123 fdatasync(7</data/state.db-wal>) = 0`.
    fn see(&mut self, line: &str) {
        let Some((head, rest)) = line.split_once('(') else { return };
        if !line.contains(" = ") || line.contains(" = -1") {
            return;
        }
        let call = head.rsplit(' ').next().unwrap_or_default();
        match call {
            "write" | "pwrite64" | "writev" | "pwritev" | "ftruncate" | "fallocate" => {
                if let Some(file) = described(rest) {
                    self.change(file);
                }
            }
            "fsync" | "fdatasync" => {
                self.syncs += 1;
                if let Some(file) = described(rest) {
                    self.unsynced.remove(file);
                }
            }
            "syncfs" => {
                self.syncs += 1;
                self.unsynced.clear();
            }
            "rename" | "renameat" | "renameat2" => {
                let names: Vec<&str> = quoted(rest);
                let [from, to] = names[..] else { panic!("not understood: {line}") };
                // Content that was not synced under its earlier name is not under the new one either.
                if self.unsynced.remove(from) {
                    self.change(to);
                }
                self.change(Path::new(to).parent().unwrap().to_str().unwrap());
            }
            _ => {}
        }
    }

    /// Notes a change that matters after a power cut. Temporary files do not, the lock and the index of the log beside the
    /// database and what keeps room are made anew at each start, functions are unpacked anew when the machine was started, and the beginning
    /// of a blob was promised to nobody.
    fn change(&mut self, path: &str) {
        let Ok(within) = Path::new(path).strip_prefix(self.data) else { return };
        let of_no_matter = ["begun", "tmp", "functions", "lock", "reserve", "state.db-shm"];
        if !of_no_matter.iter().any(|name| within.starts_with(name)) {
            self.unsynced.insert(path.to_owned());
        }
    }
}

/// The file of the first descriptor: `7</data/a>, …`.
fn described(arguments: &str) -> Option<&str> {
    arguments.split_once('<')?.1.split_once('>').map(|(path, _)| path)
}

fn quoted(arguments: &str) -> Vec<&str> {
    arguments.split('"').skip(1).step_by(2).collect()
}
