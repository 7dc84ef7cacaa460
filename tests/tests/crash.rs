//! Power cuts: whatever was acknowledged is there, whole; whatever was not is there whole or not at all.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use ship_tests::{ChaosProxy, PATIENCE, TestEnv, TestHost, http};

/// How often the host is killed. Each kill is at another moment of a deploy.
const KILLS: u64 = 25;

/// The seed of the moments. A failure can be repeated with it.
const SEED: u64 = 0x5eed_0f5a_11ed_7ea5;

/// Deploys go on while the host is killed again and again at random moments.
#[test]
fn killed_while_publishing() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.project("site").file("public/index.html", "0");
    let first = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let mut acknowledged = vec![(first, "0".to_owned())];
    project.write("public/index.html", "how long it takes");
    let begun = Instant::now();
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let mut moments = Moments { state: SEED, longest: begun.elapsed() * 3 / 2 };
    for number in 1..=KILLS {
        let page = number.to_string();
        project.write("public/index.html", &page);
        let output = deploy_and_kill(&mut host, project.folder(), moments.next_delay());
        let production = http::get(&host.site_url("site")).success().text();
        if output.code() == Some(0) {
            acknowledged.push((output.url(), page.clone()));
            assert_eq!(production, page, "an acknowledged move is seen after the kill (seed {SEED:#x})");
        } else {
            assert_eq!(output.code(), Some(3), "the client says that it lost the host:\n{}", output.stderr());
            let before = acknowledged.last().map(|(_, page)| page.as_str());
            assert!(Some(production.as_str()) == before || production == page, "production shows {production:?}");
            if production == page {
                // It was published, and only the answer was lost: deploying it again is no change.
                acknowledged
                    .push((host.ship(["deploy", "--prod"]).within(project.folder()).run().success().url(), page));
            }
        }
    }
    for (url, page) in &acknowledged {
        assert_eq!(&http::get(url).success().text(), page, "what was acknowledged is what is served (seed {SEED:#x})");
    }
    assert!(acknowledged.len() > 1, "some deploys were faster than the kill");
}

/// Starts a deploy, kills the host after `delay` or when the deploy is done, and starts it again. A deploy that was sending or publishing finds it
/// again and goes on; one that had only begun says that it lost it.
fn deploy_and_kill(host: &mut TestHost<'_>, folder: &Path, delay: Duration) -> ship_tests::CommandOutput {
    let deploy = host.ship(["deploy", "--prod"]).within(folder);
    let (done, is_done) = channel();
    thread::scope(|scope| {
        let client = scope.spawn(move || {
            let output = deploy.run();
            // Nobody listens if the kill came first.
            let _ = done.send(());
            output
        });
        let waited = is_done.recv_timeout(delay);
        assert_ne!(waited, Err(RecvTimeoutError::Disconnected), "the client ends by itself");
        host.kill();
        host.start_again();
        client.join().expect("the client ends by itself")
    })
}

/// Moments within a deploy and a little after it, different and repeatable (xorshift64*, Vigna 2016).
struct Moments {
    state: u64,
    longest: Duration,
}

impl Moments {
    fn next_delay(&mut self) -> Duration {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        // The upper 16 bits, as a share of the longest delay.
        let share = u32::try_from(self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 48).unwrap_or(0);
        self.longest * share / (1 << 16)
    }
}

/// How many files of a megabyte the interrupted upload has.
const FILES: u8 = 96;

const MEGABYTE: usize = 1024 * 1024;

/// Waits until the host has stored so many blobs.
fn wait_for_blobs(host: &TestHost<'_>, wanted: usize) {
    let files = || walkdir::WalkDir::new(host.data().join("blobs")).into_iter().flatten();
    let deadline = Instant::now() + PATIENCE;
    while files().filter(|file| file.file_type().is_file()).count() < wanted {
        assert!(Instant::now() < deadline, "{wanted} blobs are stored");
        thread::yield_now();
    }
}

/// The host is killed in the middle of an upload: the live site is unharmed, and the next deploy sends only the rest.
#[test]
fn killed_during_an_upload() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.project("site").file("public/index.html", "before");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    for number in 0..FILES {
        project.write(&format!("public/{number}.bin"), vec![number; MEGABYTE]);
    }

    let proxy = ChaosProxy::to(&host.addresses().control);
    let token = host.token();
    let through_proxy = |words: &[&str]| {
        let command = environment.ship(words).within(project.folder());
        command.with("SHIP_HOST", proxy.url()).with("SHIP_TOKEN", &token)
    };
    proxy.cut_after(72 * MEGABYTE as u64);
    let broken = through_proxy(&["deploy", "--prod"]).start();
    proxy.wait_for_cut();
    // However busy the disk is: it dies when it has written something.
    wait_for_blobs(&host, usize::from(FILES / 3) + 2);
    host.kill();
    let broken = broken.finish().exits_with(3);
    insta::assert_snapshot!(broken.snapshot(), @"
    exit code: 3
    ----- stdout -----
    ----- stderr -----
    Built 97 files in [TIME]
    warning: the connection to the host at http://127.0.0.1:[PORT] broke off; connecting again, for half a minute
    error: the connection to the host at http://127.0.0.1:[PORT] broke off
    hint: `ship host status` shows whether a host runs here
    hint: run the same command again: only what the host still lacks is sent
    ");

    host.start_again();
    assert_eq!(http::get(&host.site_url("site")).success().text(), "before");
    proxy.mend();
    let passed = proxy.bytes_passed();
    let document = through_proxy(&["deploy", "--prod", "--json"]).run().success().json();
    let sent = document["upload"]["sent_blobs"].as_u64().expect("a count");
    // A host writes through to the disk every so many megabytes: what it wrote before it died is not sent again.
    assert!((1..=u64::from(FILES) * 2 / 3).contains(&sent), "only the rest is sent: {}", document["upload"]);
    let travelled = proxy.bytes_passed() - passed;
    assert!(travelled < (sent + 1) * MEGABYTE as u64, "and nothing else travels: {travelled} bytes");
    let last = http::get(&format!("{}/{}.bin", host.site_url("site"), FILES - 1)).success();
    assert!(last.body.iter().all(|byte| *byte == FILES - 1) && last.body.len() == MEGABYTE);
}

/// The connection breaks and stays broken, and the host lives: nothing half is ever seen, and deploying again mends it.
#[test]
fn connection_cut_during_an_upload() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site").file("public/index.html", "before");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    project.write("public/large.bin", vec![7; 8 * 1024 * 1024]);
    let proxy = ChaosProxy::to(&host.addresses().control);
    let deploy = || {
        let command = environment.ship(["deploy"]).within(project.folder());
        command.with("SHIP_HOST", proxy.url()).with("SHIP_TOKEN", host.token())
    };
    proxy.cut_after(1024 * 1024);
    let _ = deploy().run().exits_with(3);
    let listed = host.ship(["ls", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(listed["deployments"].as_array().map(Vec::len), Some(1), "no half deployment");
    proxy.mend();
    let url = deploy().run().success().url();
    assert_eq!(http::get(&format!("{url}/large.bin")).success().body.len(), 8 * 1024 * 1024);
}

/// A stored file is damaged: nobody gets the wrong bytes, the rest goes on, and deploying again repairs it.
#[test]
fn damaged_blob() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.project("site").file("public/index.html", "fine").file("public/a.txt", "undamaged");
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let digest = ship_core::Digest::of(b"undamaged").to_hex();
    let blob = host.data().join("blobs").join(&digest[..2]).join(&digest[2..]);
    host.kill();
    let mut permissions = std::fs::metadata(&blob).expect("the blob is where the design says").permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o644);
    std::fs::set_permissions(&blob, permissions).expect("the blob is ours");
    std::fs::write(&blob, "UNDAMAGED").expect("the blob is ours");
    host.start_again();

    let damaged = http::get(&format!("{url}/a.txt"));
    assert_eq!((damaged.status, damaged.header("x-ship-error").as_deref()), (500, Some("BLOB_CORRUPT")));
    assert!(!damaged.text().contains("UNDAMAGED"));
    assert_eq!(http::get(&url).success().text(), "fine");

    let document = host.ship(["deploy", "--force", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(document["upload"]["sent_blobs"], 1, "only the damaged file is sent: {document}");
    assert_eq!(http::get(&format!("{url}/a.txt")).success().text(), "undamaged");
}
