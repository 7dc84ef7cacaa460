//! Damage on the disk: nobody gets it as if it were good, `ship fsck` lists it, and the next deploy heals it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ship_core::Digest;
use ship_tests::http::Ending;
use ship_tests::{Exposition, PATIENCE, TestEnv, TestHost, http};

const MEGABYTE: usize = 1024 * 1024;

const FUNCTION: &str = "package handler

import (
	\"fmt\"
	\"net/http\"
)

func Handler(w http.ResponseWriter, r *http.Request) {
	fmt.Fprint(w, \"hello\")
}
";

/// The file of a stored blob.
fn blob(data: &Path, content: &[u8]) -> PathBuf {
    let digest = Digest::of(content).to_hex();
    data.join("blobs").join(&digest[..2]).join(&digest[2..])
}

fn writable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).expect("the file is ours");
}

/// One bit is another, as a bad disk does it.
fn flip(path: &Path) {
    let mut bytes = fs::read(path).expect("the file is there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    writable(path);
    fs::write(path, bytes).expect("the file is ours");
}

/// Puts another program in the place of one that may still run.
fn replace(program: &Path, bytes: &[u8]) {
    writable(program.parent().expect("it stands in a folder"));
    delete(program);
    fs::write(program, bytes).expect("the folder is ours");
    fs::set_permissions(program, fs::Permissions::from_mode(0o555)).expect("the file is ours");
}

fn truncate(path: &Path) {
    let length = path.metadata().expect("the file is there").len();
    writable(path);
    fs::File::options().write(true).open(path).expect("the file is ours").set_len(length - 1).expect("it can be cut");
}

fn delete(path: &Path) {
    fs::remove_file(path).expect("the file is ours");
}

/// What is done to a file.
type Damage = fn(&Path);

/// What `ship fsck --json` says of a host that has damage.
#[track_caller]
fn damage(host: &TestHost<'_>) -> Value {
    host.ship(["fsck", "--json"]).run().exits_with(4).json()
}

#[track_caller]
fn is_clean(host: &TestHost<'_>) {
    let document = host.ship(["fsck", "--json"]).run().success().json();
    assert_eq!(document["clean"], true, "{document}");
}

#[track_caller]
fn blob_corrupt(url: &str) {
    let answer = http::get(url);
    assert_eq!((answer.status, answer.header("x-ship-error").as_deref()), (500, Some("BLOB_CORRUPT")), "{url}");
}

/// Three files are damaged under a running host, each in another way: each is a 500 with its code, listed with the
/// deployment that it touches, and sent again by the next deploy. The rest of the site goes on.
#[test]
fn damaged_files() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let damages: [(&str, Damage); 3] = [("flipped", flip), ("truncated", truncate), ("deleted", delete)];
    let mut project = environment.project("site").file("public/index.html", "fine");
    for (name, _) in damages {
        project = project.file(&format!("public/{name}.txt"), name);
    }
    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let (url, id) = (document["url"].as_str().expect("a URL"), &document["deployment"]["id"]);
    is_clean(&host);

    for (name, damage) in damages {
        damage(&blob(host.data(), name.as_bytes()));
    }
    for (name, _) in damages {
        blob_corrupt(&format!("{url}/{name}.txt"));
    }
    assert_eq!(http::get(url).success().text(), "fine");

    // Whoever asked for them has found the damage already, so all three are missing now.
    let found = damage(&host);
    let mut expected: Vec<Value> = damages
        .iter()
        .map(|(name, _)| {
            let touched = json!({ "id": id, "project": "site", "used_as": [format!("/{name}.txt")] });
            json!({ "digest": Digest::of(name.as_bytes()).to_string(), "fault": "missing", "deployments": [touched] })
        })
        .collect();
    expected.sort_by_key(|blob| blob["digest"].to_string());
    assert_eq!(found["damaged"], Value::Array(expected));
    assert_eq!((&found["clean"], &found["state"], &found["functions"]), (&json!(false), &json!([]), &json!([])));

    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(document["upload"]["sent_blobs"], 3, "only what is damaged is sent: {document}");
    for (name, _) in damages {
        assert_eq!(http::get(&format!("{url}/{name}.txt")).success().text(), name);
    }
    is_clean(&host);
}

/// A file is damaged that nobody has asked for, in place and without another size, while the host runs and while it does not: the next
/// deploy of the same tree sends that file again, and nothing else.
#[test]
fn damaged_and_never_read() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let content = "nobody has read this";
    let project = environment.project("site").file("public/index.html", "page").file("public/unread.txt", content);
    let deploy = |host: &TestHost<'_>| {
        let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
        (document["upload"]["sent_blobs"].clone(), document["url"].as_str().expect("a URL").to_owned())
    };
    let path = blob(host.data(), content.as_bytes());
    let over_write = || {
        let file = fs::File::options().write(true).open(&path).expect("the file is ours");
        std::os::unix::fs::FileExt::write_all_at(&file, b"?", 3).expect("it can be written");
    };
    assert_eq!(deploy(&host).0, 2);
    assert_eq!(deploy(&host).0, 0);

    over_write();
    let (sent, url) = deploy(&host);
    assert_eq!(sent, 1);
    assert_eq!(http::get(&format!("{url}/unread.txt")).success().text(), content);

    host.kill();
    over_write();
    host.start_again();
    assert_eq!(deploy(&host).0, 1);
    assert_eq!(http::get(&format!("{url}/unread.txt")).success().text(), content);
    is_clean(&host);
    assert_eq!(deploy(&host).0, 0);
}

/// What no file system shows, because it is below: bytes are others, and all that the system says of the file is as before. The scrubber
/// finds it at its rate, says so in the log, in the metrics and to whoever asks, and the next deploy heals it.
#[test]
fn found_by_the_scrubber() {
    let environment = TestEnv::new();
    let mut host = TestHost::start_with(&environment, &["--scrub-after", "0", "--scrub-mb", "4"]);
    let content = vec![7; 4 * MEGABYTE];
    let project = environment.project("site").file("public/index.html", "page").file("public/unread.bin", &content);
    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let url = format!("{}/unread.bin", document["url"].as_str().expect("a URL"));
    host.ask_to_end();
    let _ = host.ended().success();
    let path = blob(host.data(), &content);
    let time = path.metadata().and_then(|metadata| metadata.modified()).expect("files have times");
    let file = fs::File::options().write(true).open(&path).expect("the file is ours");
    std::os::unix::fs::FileExt::write_all_at(&file, b"?", 3).expect("it can be written");
    file.set_modified(time).expect("the file is ours");

    let began = Instant::now();
    host.start_again();
    let count = |host: &TestHost<'_>, name: &str| {
        Exposition::read(&host.control("GET", "/metrics").send().success().text()).count(name)
    };
    while count(&host, "ship_scrubs_total") == 0 {
        assert!(began.elapsed() < PATIENCE, "everything is read again");
    }
    // Between the first megabyte and the last there are the pauses that make the rate.
    assert!(began.elapsed() >= Duration::from_millis(750), "{:?}", began.elapsed());
    assert_eq!(count(&host, "ship_blob_corrupt_total"), 1);
    assert!(count(&host, "ship_scrubbed_bytes_total") > content.len() as u64);
    let found = damage(&host);
    let touched = json!({ "id": document["deployment"]["id"], "project": "site", "used_as": ["/unread.bin"] });
    let digest = Digest::of(&content).to_string();
    assert_eq!(found["damaged"], json!([{ "digest": digest, "fault": "missing", "deployments": [touched] }]));
    blob_corrupt(&url);

    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(document["upload"]["sent_blobs"], 1, "{document}");
    assert!(http::get(&url).success().body == content);
    is_clean(&host);
    host.ask_to_end();
    let ended = host.ended().success();
    let said = |words: [&str; 2]| ended.stderr().lines().any(|line| words.iter().all(|word| line.contains(word)));
    assert!(said(["a blob is damaged", &digest]), "{}", ended.stderr());
    assert!(said(["everything that is kept was read again", "damaged=1"]), "{}", ended.stderr());
}

/// A file that visitors have had is in memory: damage on the disk never reaches them, and is found all the same.
#[test]
fn damaged_while_in_memory() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site").file("public/index.html", "kept in memory");
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&url).success().text(), "kept in memory");
    flip(&blob(host.data(), b"kept in memory"));
    assert_eq!(http::get(&url).success().text(), "kept in memory");
    let found = damage(&host);
    assert_eq!((&found["damaged"][0]["fault"], &found["leftovers"]["set_aside"]), (&json!("corrupt"), &json!(1)));
    assert_eq!(http::get(&url).success().text(), "kept in memory");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    is_clean(&host);
}

/// A large file is damaged while it is half sent: the answer is cut off, and no byte of the damage was in it.
#[test]
fn damaged_while_half_sent() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    // More than all buffers between the file and a visitor who does not read.
    let content = vec![7; 64 * MEGABYTE];
    let project = environment.project("site").file("public/large.bin", &content);
    let url = format!("{}/large.bin", host.ship(["deploy"]).within(project.folder()).run().success().url());
    let mut opened = http::request("GET", &url).open();
    assert!(opened.body().next_piece().is_some());
    let path = blob(host.data(), &content);
    writable(&path);
    let damaged = fs::File::options().write(true).open(&path).expect("the file is ours");
    std::os::unix::fs::FileExt::write_all_at(&damaged, &vec![8; MEGABYTE], 63 * MEGABYTE as u64)
        .expect("it can be written");
    let rest = opened.whole();
    assert_eq!(rest.ending, Ending::CutOff, "{} bytes came", rest.body.len());
    assert!(rest.body.iter().all(|byte| *byte == 7));
    blob_corrupt(&url);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    assert_eq!(http::get(&url).success().body, content);
}

/// The artifact of a function is damaged: the function is not started from it, and deploying it again heals it.
#[test]
fn damaged_artifact() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.project("site").file("public/index.html", "page").file("api/hello.go", FUNCTION);
    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let url = format!("{}/api/hello", document["url"].as_str().expect("a URL"));
    assert_eq!(http::get(&url).success().text(), "hello");
    let digest =
        document["functions"][0]["digest"].as_str().expect("a digest").trim_start_matches("sha256:").to_owned();
    host.kill();
    flip(&host.data().join("blobs").join(&digest[..2]).join(&digest[2..]));
    // As after a start of the machine: what was unpacked is not believed any more.
    delete(&host.data().join("functions").join(format!("{digest}.boot")));
    host.start_again();
    blob_corrupt(&url);
    let found = damage(&host);
    assert_eq!(found["damaged"][0]["deployments"][0]["used_as"], json!(["api/hello"]), "{found}");
    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(document["upload"]["sent_blobs"], 1, "{document}");
    assert_eq!(http::get(&url).success().text(), "hello");
    is_clean(&host);
}

/// What a function was unpacked to is damaged: `ship fsck` lists it and mends it from the artifact. So does a function that
/// does not start, for whoever asks next.
#[test]
fn damaged_unpacked_function() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.project("site").file("public/index.html", "page").file("api/hello.go", FUNCTION);
    let document = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let url = format!("{}/api/hello", document["url"].as_str().expect("a URL"));
    let digest = &document["functions"][0]["digest"];
    let name = digest.as_str().expect("a digest").trim_start_matches("sha256:");
    let program = host.data().join("functions").join(name).join("bootstrap");
    host.kill();
    let mut damaged = fs::read(&program).expect("the file is there");
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    replace(&program, &damaged);
    host.start_again();
    let found = damage(&host);
    let difference = "`bootstrap` is not what the artifact has";
    assert_eq!(found["functions"], json!([{ "artifact": digest, "difference": difference }]));
    assert_eq!(found["damaged"], json!([]));
    is_clean(&host);
    assert_eq!(http::get(&url).success().text(), "hello");

    host.kill();
    replace(&program, b"");
    host.start_again();
    let answer = http::get(&url);
    assert_eq!(answer.header("x-ship-error").as_deref(), Some("FUNCTION_INVOCATION_FAILED"));
    // It is compared in the background; promoting waits for a start, and mends what it needs.
    let id = document["deployment"]["id"].as_str().expect("an id");
    let _ = host.ship(["promote", id]).within(project.folder()).run().success();
    assert_eq!(http::get(&url).success().text(), "hello");
    is_clean(&host);
}

/// Without a host the data directory itself is read, and none is started; where there is no data directory none is made.
#[test]
fn without_a_host() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.project("site").file("public/index.html", "page").file("public/a.txt", "other");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let data = host.data().to_owned();
    let data_name = data.to_str().expect("the folder's name is text").to_owned();
    let named = ["fsck", "--data", &data_name];
    // The host of this account has it open, so it is the host that looks.
    let asked = environment.ship(named).run().success();
    host.ask_to_end();
    let _ = host.ended().success();
    let read = environment.ship(named).run().success();
    assert_eq!(asked.stdout(), read.stdout());
    insta::assert_snapshot!(read.snapshot(), @"
    exit code: 0
    ----- stdout -----
    clean: 1 deployment, 3 blobs, 386 B read
    ----- stderr -----
    ");
    flip(&blob(&data, b"other"));
    let found = environment.ship(named).run().exits_with(4);
    insta::assert_snapshot!(found.snapshot(), @"
    exit code: 4
    ----- stdout -----
    sha256:[DIGEST] was damaged and is set aside
      site [ID-1]  /a.txt
    ----- stderr -----
    Set aside: 1 damaged blob (5 B) in `quarantine` of the data directory
    error: 1 damaged blob found
    hint: `ship deploy` of the same content sends what is missing, and heals it
    ");

    fs::write(data.join("state.db"), "no database at all, but something else").expect("the file is ours");
    for name in ["state.db-wal", "state.db-shm"] {
        let _ = fs::remove_file(data.join(name));
    }
    insta::assert_snapshot!(environment.ship(named).run().exits_with(4).snapshot(), @"
    exit code: 4
    ----- stdout -----
    state.db: [ENV]/data/state.db cannot be opened: file is not a database
    ----- stderr -----
    error: 1 state database problem found
    hint: put `state.db` back from a backup
    ");

    let nowhere = environment.folder().join("nowhere");
    let nowhere_name = nowhere.to_str().expect("the folder's name is text");
    insta::assert_snapshot!(environment.ship(["fsck", "--data", nowhere_name]).run().exits_with(1).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: [ENV]/nowhere is not a data directory of ship: there is no VERSION in it
    ");
    assert!(!nowhere.exists());
    assert!(!environment.ship_home().join("host").exists());
}
