//! Deploys over links that are slow, break, stand still or lose an answer: they go on where they were, send nothing twice, and leave nothing half.

use std::path::Path;
use std::thread;
use std::time::Instant;

use rustix::process::Signal;
use ship_tests::{ChaosProxy, ClosedPort, CommandOutput, PATIENCE, ShipCommand, TestEnv, TestHost, TestProject, http};

const MEGABYTE: usize = 1024 * 1024;

/// What may travel beside the bytes of files: questions and answers, heads, and what was on its way in a connection that was cut.
const SLACK: u64 = MEGABYTE as u64 / 2;

/// Bytes that nothing makes smaller, others for each seed.
fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..bytes).map(|_| next()).collect()
}

/// A host, a project that is deployed, and a link between them that is in order.
struct Scene<'e> {
    environment: &'e TestEnv,
    host: TestHost<'e>,
    project: TestProject,
    proxy: ChaosProxy,
    token: String,
}

impl<'e> Scene<'e> {
    fn new(environment: &'e TestEnv) -> Self {
        let host = TestHost::start(environment);
        let project = environment.project("site").file("public/index.html", "alive");
        let _ = host.ship(["deploy"]).within(project.folder()).run().success();
        let proxy = ChaosProxy::to(&host.addresses().control);
        let token = host.token();
        Self { environment, host, project, proxy, token }
    }

    /// `ship deploy --prod` over the link.
    fn deploy(&self, flags: &[&str]) -> ShipCommand<'e> {
        let command = self.environment.ship(["deploy", "--prod"]).and(flags).within(self.project.folder());
        command.with("SHIP_HOST", self.proxy.url()).with("SHIP_TOKEN", &self.token)
    }

    /// The file is live, nothing half is left, and everything that is kept is right.
    #[track_caller]
    fn is_live(&self, path: &str, content: &[u8]) {
        let answer = http::get(&format!("{}/{path}", self.host.site_url("site"))).success();
        assert!(answer.body == content, "{path} has other bytes");
        assert_eq!((files_in(&self.host, "begun"), files_in(&self.host, "tmp")), (vec![], vec![]));
        let report = self.host.ship(["fsck", "--json"]).run().success().json();
        assert_eq!(report["clean"], true, "{report}");
    }
}

/// The sizes of the files in a folder of the host's data.
fn files_in(host: &TestHost<'_>, folder: &str) -> Vec<u64> {
    let size = |path: &Path| path.metadata().map_or(0, |file| file.len());
    let files = std::fs::read_dir(host.data().join(folder)).into_iter().flatten().flatten();
    let files = files.filter(|file| !file.file_name().to_string_lossy().starts_with("turn-"));
    files.map(|file| size(&file.path())).collect()
}

/// Waits until a file in a folder of the host's data has at least so many bytes, and gives its size.
#[track_caller]
fn wait_for_file(host: &TestHost<'_>, folder: &str, bytes: usize) -> u64 {
    let began = Instant::now();
    loop {
        if let Some(size) = files_in(host, folder).into_iter().find(|size| *size >= bytes as u64) {
            return size;
        }
        assert!(began.elapsed() < PATIENCE, "{folder}: {:?}", files_in(host, folder));
        thread::yield_now();
    }
}

/// What a deploy said on standard error that begins like a warning.
fn warnings(output: &CommandOutput) -> Vec<String> {
    output.stderr().lines().filter(|line| line.starts_with("warning:")).map(str::to_owned).collect()
}

/// A connection that is cut in the middle of a large file is made again by the same command, which says so in a line and goes on where it was cut.
#[test]
fn cut_in_a_large_file() {
    let environment = TestEnv::new();
    let scene = Scene::new(&environment);
    let content = noise(48 * MEGABYTE, 1);
    scene.project.write("public/large.bin", &content);
    let before = scene.proxy.bytes_passed();
    scene.proxy.cut_one_after(30 * MEGABYTE as u64);
    let output = scene.deploy(&["--json"]).run().success();
    scene.proxy.wait_for_cut();
    let travelled = scene.proxy.bytes_passed() - before;
    assert!(travelled < content.len() as u64 + SLACK, "{travelled} bytes travelled");
    let [warning] = &warnings(&output)[..] else { panic!("{}", output.stderr()) };
    assert!(warning.ends_with("broke off; connecting again, for half a minute"), "{warning}");
    let upload = &output.json()["upload"];
    assert_eq!((upload["sent_blobs"].as_u64(), upload["sent_bytes"].as_u64()), (Some(1), Some(content.len() as u64)));
    scene.is_live("large.bin", &content);
}

/// A link that is cut again and again gets everything across all the same.
#[test]
fn cut_again_and_again() {
    let environment = TestEnv::new();
    let scene = Scene::new(&environment);
    let content = noise(10 * MEGABYTE, 2);
    scene.project.write("public/large.bin", &content);
    for number in 0..40_u8 {
        scene.project.write(&format!("public/{number}.txt"), noise(50_000, 100 + u64::from(number)));
    }
    let before = scene.proxy.bytes_passed();
    scene.proxy.cut_each_after(3 * MEGABYTE as u64);
    let output = scene.deploy(&[]).run().success();
    let travelled = scene.proxy.bytes_passed() - before;
    let cuts = warnings(&output).len();
    assert!((3..8).contains(&cuts), "{}", output.stderr());
    let most = content.len() as u64 + 40 * 50_000 + cuts as u64 * SLACK;
    assert!(travelled < most, "{travelled} of at most {most} bytes travelled");
    scene.is_live("large.bin", &content);
}

/// A deploy that is killed leaves the beginning of a large file with the host, and the next one goes on there.
#[test]
fn client_is_killed() {
    let environment = TestEnv::new();
    let scene = Scene::new(&environment);
    let content = noise(24 * MEGABYTE, 3);
    scene.project.write("public/large.bin", &content);
    scene.proxy.slow_down(20 * MEGABYTE as u64);
    let running = scene.deploy(&[]).start();
    wait_for_file(&scene.host, "tmp", 8 * MEGABYTE);
    let _ = running.kill();
    let kept = wait_for_file(&scene.host, "begun", 8 * MEGABYTE);
    let listed = scene.host.ship(["ls", "--json"]).within(scene.project.folder()).run().success().json();
    assert_eq!(listed["deployments"].as_array().map(Vec::len), Some(1), "nothing half is a deployment");

    scene.proxy.mend();
    let before = scene.proxy.bytes_passed();
    let output = scene.deploy(&[]).run().success();
    assert_eq!(warnings(&output), Vec::<String>::new());
    let travelled = scene.proxy.bytes_passed() - before;
    assert!(travelled < content.len() as u64 - kept + SLACK, "{travelled} bytes travelled, {kept} were there");
    scene.is_live("large.bin", &content);
}

/// A host that is killed in the middle of an upload and started again is found again by the same command, and has all that it had.
#[test]
fn host_is_killed() {
    let environment = TestEnv::new();
    let mut scene = Scene::new(&environment);
    let content = noise(24 * MEGABYTE, 4);
    scene.project.write("public/large.bin", &content);
    scene.proxy.slow_down(20 * MEGABYTE as u64);
    let before = scene.proxy.bytes_passed();
    let running = scene.deploy(&[]).start();
    wait_for_file(&scene.host, "tmp", 8 * MEGABYTE);
    scene.host.kill();
    scene.proxy.mend();
    scene.host.start_again();
    let output = running.finish().success();
    assert_eq!(warnings(&output).len(), 1, "{}", output.stderr());
    let travelled = scene.proxy.bytes_passed() - before;
    // What the kernels had taken for the host, and it had not read, goes with it.
    let in_buffers = 8 * MEGABYTE as u64;
    assert!(travelled < content.len() as u64 + in_buffers, "{travelled} bytes travelled");
    scene.is_live("large.bin", &content);
}

/// A connection that stands still is given up, although neither end closes it: the host ends its half when the client is back by another, and
/// nothing of what it had is lost.
#[test]
fn stands_still() {
    let environment = TestEnv::new();
    let scene = Scene::new(&environment);
    let content = noise(24 * MEGABYTE, 5);
    scene.project.write("public/large.bin", &content);
    let before = scene.proxy.bytes_passed();
    scene.proxy.stand_still_after(16 * MEGABYTE as u64);
    let output = scene.deploy(&[]).run().success();
    assert_eq!(warnings(&output), ["warning: the upload stood still; connecting again, for half a minute"]);
    let travelled = scene.proxy.bytes_passed() - before;
    assert!(travelled < content.len() as u64 + SLACK, "{travelled} bytes travelled");
    scene.is_live("large.bin", &content);
}

/// An answer that is lost makes nothing travel twice: neither that to an upload nor that to a publish, and not that to the first question either.
#[test]
fn answers_are_lost() {
    let environment = TestEnv::new();
    let scene = Scene::new(&environment);
    let content = noise(2 * MEGABYTE, 6);
    scene.project.write("public/a.bin", &content);
    for request in ["POST /v1/projects/site/deployments/", "POST /v1/blobs?", "POST /v1/projects/site/deployments HTTP"]
    {
        let changed = [request.as_bytes(), &content].concat();
        scene.project.write("public/a.bin", &changed);
        let before = scene.proxy.bytes_passed();
        scene.proxy.lose_answer_to(request);
        let output = scene.deploy(&[]).run().success();
        scene.proxy.wait_for_cut();
        assert_eq!(warnings(&output).len(), 1, "{}", output.stderr());
        let travelled = scene.proxy.bytes_passed() - before;
        assert!(travelled < changed.len() as u64 + SLACK, "{travelled} bytes travelled");
        scene.is_live("a.bin", &changed);
    }
    let listed = scene.host.ship(["ls", "--json"]).within(scene.project.folder()).run().success().json();
    assert_eq!(listed["deployments"].as_array().map(Vec::len), Some(4));
}

/// A host that is just being started refuses a deploy's first connection, and is found by the same command.
#[test]
fn host_is_just_being_started() {
    let environment = TestEnv::new();
    let scene = Scene::new(&environment);
    scene.project.write("public/index.html", "alive again");
    let port = ClosedPort::new();
    let mut running = scene.deploy(&[]).with("SHIP_HOST", port.url()).start();
    let warning = running.stderr().wait_for(|line| line.starts_with("warning:"));
    assert!(warning.ends_with(" cannot be reached; connecting again, for a few seconds"), "{warning}");
    let _proxy = port.open_to(&scene.host.addresses().control);
    let _ = running.finish().success();
    scene.is_live("index.html", b"alive again");
}

/// A host whose process is stopped takes connections, because its kernel does: it is not waited for without end, and not without a word.
#[test]
fn host_is_stuck() {
    let environment = TestEnv::new();
    let scene = Scene::new(&environment);
    scene.host.process().signal(Signal::STOP);
    let mut running = scene.deploy(&[]).start();
    let _ = running.stderr().wait_for(|line| line == "Waiting for the host: 5 s so far");
    let output = running.finish().exits_with(3);
    scene.host.process().signal(Signal::CONT);
    insta::assert_snapshot!(output.snapshot(), @"
    exit code: 3
    ----- stdout -----
    ----- stderr -----
    Built 1 file in [TIME]
    warning: the host at http://127.0.0.1:[PORT] does not answer; connecting again, once
    error: the host at http://127.0.0.1:[PORT] does not answer
    hint: it, or a proxy before it, takes connections and is stuck: it has to be started again there
    hint: run the same command again: only what the host still lacks is sent
    ");
    let _ = scene.deploy(&[]).run().success();
}

/// Of a large file in which a byte was changed and some were put in, what is around them is sent, and the host has the rest; also for somebody who
/// has to do with this project alone.
#[test]
fn a_little_changed() {
    let environment = TestEnv::new();
    let mut scene = Scene::new(&environment);
    let mut content = noise(64 * MEGABYTE, 7);
    scene.project.write("public/large.bin", &content);
    let _ = scene.host.ship(["deploy", "--prod"]).within(scene.project.folder()).run().success();

    content[40_000_000] ^= 1;
    scene.project.write("public/large.bin", &content);
    let before = scene.proxy.bytes_passed();
    let document = scene.deploy(&["--json"]).run().success().json();
    let travelled = scene.proxy.bytes_passed() - before;
    assert!(travelled < MEGABYTE as u64, "{travelled} bytes travelled");
    assert_eq!(document["upload"]["sent_bytes"].as_u64(), Some(content.len() as u64), "what was new, whole");
    scene.is_live("large.bin", &content);

    let words = ["tokens", "create", "--role", "deployer", "--project", "site", "--json"];
    let created = scene.host.ship(words).run().success().json();
    created["token"].as_str().expect("a new token is shown").clone_into(&mut scene.token);
    content.splice(20_000_000..20_000_000, *b"some more bytes");
    scene.project.write("public/large.bin", &content);
    let before = scene.proxy.bytes_passed();
    let _ = scene.deploy(&[]).run().success();
    let travelled = scene.proxy.bytes_passed() - before;
    assert!(travelled < MEGABYTE as u64, "{travelled} bytes travelled");
    scene.is_live("large.bin", &content);
}

/// A file that the host makes of another is gone on with where it was cut, too.
#[test]
fn cut_in_what_is_new_of_a_file() {
    let environment = TestEnv::new();
    let scene = Scene::new(&environment);
    let old = noise(16 * MEGABYTE, 8);
    scene.project.write("public/large.bin", &old);
    let _ = scene.host.ship(["deploy", "--prod"]).within(scene.project.folder()).run().success();
    let content = [&old[..8 * MEGABYTE], &noise(6 * MEGABYTE, 9), &old[8 * MEGABYTE..]].concat();
    scene.project.write("public/large.bin", &content);
    let before = scene.proxy.bytes_passed();
    scene.proxy.cut_one_after(4 * MEGABYTE as u64);
    let output = scene.deploy(&[]).run().success();
    assert_eq!(warnings(&output).len(), 1, "{}", output.stderr());
    let travelled = scene.proxy.bytes_passed() - before;
    assert!(travelled < 6 * MEGABYTE as u64 + 2 * SLACK, "{travelled} bytes travelled");
    scene.is_live("large.bin", &content);
}

/// Over a slow link what can be made smaller is, and what cannot goes as it is; how far it is gets said now and then. Over a fast one nothing is
/// compressed.
#[test]
fn compressed_where_it_pays() {
    let environment = TestEnv::new();
    let scene = Scene::new(&environment);
    let text = (0..600_000).map(|number| format!("{{\"number\":{number}}}\n")).collect::<Vec<_>>().concat();
    let noise = noise(8 * MEGABYTE, 10);
    scene.project.write("public/numbers.json", &text);
    let before = scene.proxy.bytes_passed();
    let output = scene.deploy(&[]).run().success();
    let travelled = scene.proxy.bytes_passed() - before;
    assert!(travelled > text.len() as u64, "{travelled} of {} bytes travelled", text.len());
    assert!(!output.stderr().contains("Sending"), "{}", output.stderr());
    scene.is_live("numbers.json", text.as_bytes());

    let text = text.replace("number", "Zahl");
    scene.project.write("public/numbers.json", &text);
    scene.project.write("public/noise.bin", &noise);
    let before = scene.proxy.bytes_passed();
    scene.proxy.slow_down(MEGABYTE as u64);
    let output = scene.deploy(&["--json"]).run().success();
    let travelled = scene.proxy.bytes_passed() - before;
    let most = text.len() as u64 * 6 / 10 + noise.len() as u64 + SLACK;
    assert!(travelled < most, "{travelled} of at most {most} bytes travelled");
    let lines: Vec<&str> = output.stderr().lines().filter(|line| line.starts_with("Sending: ")).collect();
    assert!((1..4).contains(&lines.len()), "{}", output.stderr());
    assert!(lines.iter().all(|line| line.contains(" MB of ") && line.ends_with(" s left")), "{lines:?}");
    let _ = output.json();
    scene.is_live("numbers.json", text.as_bytes());
    scene.is_live("noise.bin", &noise);
}
