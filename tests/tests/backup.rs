//! Backups: saved while it is served, and served again elsewhere; and what becomes of state that another version wrote.

use std::fs;
use std::path::Path;

use ship_tests::{HostAddresses, TestEnv, TestHost, http};

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder is there").flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A host is saved while it serves, and another begins with that: the same deployments under the same ids, production where it was, the
/// same way back, and the functions run. Tokens of others open it.
#[test]
fn saved_and_restored() {
    let environment = TestEnv::new();
    let source = "def app(environ, start):\n    start('200 OK', [])\n    return [b'from a function']\n";
    let project = environment.project("site").file("public/index.html", "one").file("api/app.py", source);
    let host = TestHost::start(&environment);
    let ship = |words: &[&str]| host.ship(words).within(project.folder()).run().success();
    let first = ship(&["deploy", "--prod"]).url();
    project.write("public/index.html", "two");
    let second = ship(&["deploy", "--prod"]).url();
    let archive = environment.folder().join("backup.tar");
    let archive_name = archive.to_str().expect("the path is text");
    insta::assert_snapshot!(ship(&["backup", archive_name]).snapshot(), @r#"
    exit code: 0
    ----- stdout -----
    [ENV]/backup.tar  (2 deployments, 7 blobs, [SIZE])
    ----- stderr -----
    "#);
    let before = ship(&["ls", "--json"]).json();
    project.write("public/index.html", "after the backup");
    let _ = ship(&["deploy", "--prod"]);

    let elsewhere = TestEnv::new();
    let restored = TestHost::start_with(&elsewhere, &["--restore", archive_name]);
    let ship = |words: &[&str]| restored.ship(words).within(project.folder()).run().success();
    let after = ship(&["ls", "--json"]).json();
    let ids = |list: &serde_json::Value| {
        let deployments = list["deployments"].as_array().expect("deployments are listed").clone();
        deployments.into_iter().map(|one| one["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&after), ids(&before));
    let label = |url: &str| url["http://".len()..].split('.').next().expect("it has a label").to_owned();
    for (url, page) in [(&first, "one"), (&second, "two")] {
        assert_eq!(http::get(&restored.site_url(&label(url))).success().text(), page);
        let answer = http::get(&format!("{}/api/app", restored.site_url(&label(url)))).success();
        assert_eq!(answer.text(), "from a function");
    }
    assert_eq!(http::get(&restored.site_url("site")).success().text(), "two");
    let _ = ship(&["rollback"]);
    assert_eq!(http::get(&restored.site_url("site")).success().text(), "one");
    assert_ne!(restored.token(), host.token(), "the owner has a token for each host");
}

/// The key of variables is in no backup. Who begins without it hears how many cannot be opened, and can set them again: the functions that see them
/// answer after the next deployment, and the old key opens the rest.
#[test]
fn restored_without_the_key() {
    let environment = TestEnv::new();
    let source = "export const GET = () => new Response(`${process.env.GREETING}, ${process.env.NAME}`);\n";
    let project = environment.project("site").file("public/index.html", "one").file("api/greet.ts", source);
    let host = TestHost::start(&environment);
    let set = |host: &TestHost<'_>, name: &str, value: &str| {
        let _ = host.ship(["env", "set", name]).within(project.folder()).reading(value).run().success();
    };
    set(&host, "GREETING", "hello");
    set(&host, "NAME", "you");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let archive = environment.folder().join("backup.tar");
    let archive_name = archive.to_str().expect("the path is text");
    let _ = host.ship(["backup", archive_name]).within(project.folder()).run().success();
    let old_key = fs::read_to_string(host.data().join("secrets.key")).expect("it was made");

    let elsewhere = TestEnv::new();
    let mut restored = TestHost::start_with(&elsewhere, &["--restore", archive_name]);
    let site = restored.site_url("site");
    assert_eq!(http::get(&site).success().text(), "one");
    assert_eq!(http::get(&format!("{site}/api/greet")).status, 500);
    set(&restored, "GREETING", "good day");
    restored.ask_to_end();
    let said = restored.ended();
    assert!(said.stderr().contains("4 values of variables cannot be opened"), "{}", said.stderr());

    let key = restored.data().join("secrets.key");
    let new_key = fs::read_to_string(&key).expect("it was made");
    assert_ne!(new_key, old_key);
    fs::write(&key, format!("{new_key}{old_key}")).expect("the folder is writable");
    drop(restored);
    let restored = TestHost::start(&elsewhere);
    let _ = restored.ship(["deploy", "--force"]).within(project.folder()).run().success();
    assert_eq!(http::get(&format!("{}/api/greet", restored.site_url("site"))).success().text(), "good day, you");
}

/// Where a host has its data already nothing is restored, and nothing comes of an archive that is cut off.
#[test]
fn what_is_not_restored() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "here");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let archive = environment.folder().join("backup.tar");
    let _ = host.ship(["backup"]).and([&archive]).run().success();
    let restore = |data: &Path, archive: &Path| {
        let command = TestHost::command(&environment, data, &HostAddresses::any());
        command.and(["--restore".as_ref(), archive.as_os_str()]).run().exits_with(1).snapshot().to_owned()
    };
    insta::assert_snapshot!(restore(host.data(), &archive), @r#"
    exit code: 1
    ----- stdout -----
    {"error":{"kind":"project","exit_code":1,"code":null,"message":"[ENV]/data is not empty: `VERSION` is there","details":[],"causes":[],"hints":["`--data DIR` names another folder; without `--restore` the host serves what is there"],"places":[]}}
    ----- stderr -----
    "#);
    let bytes = fs::read(&archive).expect("the backup is there");
    let cut = environment.folder().join("cut.tar");
    fs::write(&cut, &bytes[..bytes.len() / 2]).expect("the folder is writable");
    let data = environment.folder().join("new");
    insta::assert_snapshot!(restore(&data, &cut), @r#"
    exit code: 1
    ----- stdout -----
    {"error":{"kind":"project","exit_code":1,"code":null,"message":"[ENV]/cut.tar cannot be restored","details":[],"causes":["it is cut off"],"hints":[],"places":[]}}
    ----- stderr -----
    "#);
    assert_eq!(names(&data), ["lock"]);
    fs::write(&cut, "something else").expect("the folder is writable");
    insta::assert_snapshot!(restore(&data, &cut), @r#"
    exit code: 1
    ----- stdout -----
    {"error":{"kind":"project","exit_code":1,"code":null,"message":"[ENV]/cut.tar cannot be restored","details":[],"causes":["it is no backup of ship"],"hints":[],"places":[]}}
    ----- stderr -----
    "#);
}

/// Without a host the data directory itself is saved; a file that cannot be made, and a folder that is none, are said to be so.
#[test]
fn without_a_host() {
    let environment = TestEnv::new();
    let archive = environment.folder().join("backup.tar");
    let nothing = environment.ship(["backup"]).and([&archive]).run().exits_with(1);
    insta::assert_snapshot!(nothing.snapshot(), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: no host runs here, and [ENV]/ship/host is no data directory
    hint: `--host URL` names a host, `--data DIR` a data directory
    "#);
    let project = environment.project("site").file("index.html", "here");
    let _ = environment.ship(["deploy"]).within(project.folder()).run().success();
    environment.stop_embedded_host();
    let _ = environment.ship(["backup"]).and([&archive]).run().success();
    let unwritable = environment.ship(["backup", "no/such/folder/file"]).within(project.folder()).run().exits_with(1);
    insta::assert_snapshot!(unwritable.snapshot(), @r#"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: [ENV]/projects/site/no/such/folder/file cannot be written: No such file or directory (os error 2)
    "#);
    let elsewhere = TestEnv::new();
    let restored = TestHost::start_with(&elsewhere, &["--restore", archive.to_str().expect("the path is text")]);
    assert_eq!(http::get(&restored.site_url("site")).success().text(), "here");
    assert_eq!(names(environment.folder()), ["backup.tar", "home", "projects", "ship"], "nothing unfinished is left");
}

/// A file that is there may be the only backup of what is gone by now: a person is asked, a script goes on, and nothing else than a file is
/// replaced.
#[test]
fn file_that_is_there() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let archive = environment.folder().join("backup.tar");
    let backup = |words: &[&str]| host.ship(["backup"]).and([&archive]).and(words);
    let lose = || fs::write(&archive, "the last one").expect("the folder is writable");
    let is_replaced = || fs::read(&archive).expect("it is there") != b"the last one";
    let asked = |answer: &str| {
        lose();
        let mut running = backup(&[]).start_on_terminal(200);
        running.type_keys(answer);
        let _ = running.stdout().wait_for(|line| line.contains("backup.tar is there: write over it? [y/N]"));
        (running.finish().code(), is_replaced())
    };
    assert_eq!([asked("n\n"), asked("y\n")], [(Some(1), false), (Some(0), true)]);
    for words in [&[][..], &["--yes"]] {
        lose();
        assert_eq!((backup(words).run().code(), is_replaced()), (Some(0), true), "{words:?}");
    }
    let folder = host.ship(["backup", "--yes"]).and([environment.folder()]).run().exits_with(1);
    assert!(folder.stderr().contains("is there, and is no file"), "{}", folder.stderr());
}

/// State that a newer version wrote is refused by an older one, which harms nothing: not when it starts, and not when it should take over.
#[test]
fn newer_state() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "here");
    let mut host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    host.ask_to_end();
    let _ = host.ended().success();
    let state = host.data().join("state.db");
    let ours = fs::read(&state).expect("the state is there");
    // Where SQLite's file format has `user_version`: 4 bytes, the highest first, at offset 60.
    let mut newer = ours.clone();
    newer[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&state, &newer).expect("the state is ours");
    // What a start of one that knows the schema would remove.
    let unfinished = host.data().join("tmp/blob-of-a-newer-ship");
    fs::write(&unfinished, "half").expect("the folder is ours");
    let before = names(host.data());
    let refused = TestHost::command(&environment, host.data(), &HostAddresses::any()).run().exits_with(1);
    let message = refused.json()["error"]["causes"].to_string();
    assert!(message.contains("the schema has version 99, newer than the "), "{message}");
    assert_eq!(fs::read(&state).expect("the state is there"), newer, "nothing was changed");
    assert_eq!(names(host.data()), before);
    assert_eq!(fs::read(&unfinished).expect("it is still there"), b"half");
    fs::write(&state, &ours).expect("the state is ours");
    host.start_again();
    assert_eq!(http::get(&url).success().text(), "here");

    // Changed under a host that serves, as by a newer one that was tried: the next one refuses, and this one serves on.
    let version = host.data().join("VERSION");
    fs::write(&version, "2\n").expect("the file is ours");
    let kept = host.ship(["host", "upgrade"]).run().exits_with(4);
    insta::assert_snapshot!(kept.snapshot(), @r#"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    error: the new host did not start: the data directory [ENV]/data was written by a newer ship: version 2, this one knows 1
    hint: the host serves on as before
    "#);
    fs::write(&version, "1\n").expect("the file is ours");
    assert_eq!(http::get(&url).success().text(), "here");
    let _ = host.ship(["host", "upgrade"]).run().success();
    assert_eq!(http::get(&url).success().text(), "here");
}
