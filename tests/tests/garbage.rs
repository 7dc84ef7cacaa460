//! Garbage: what is removed, what is not, and what a deploy does that finds its blobs collected.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use ship_core::Digest;
use ship_tests::http::Ending;
use ship_tests::{TestEnv, TestHost, TestProject, http};

/// The size of all files below a folder, in bytes, and how many they are.
fn files_below(folder: &Path) -> (u64, u64) {
    let files = walkdir::WalkDir::new(folder).into_iter().filter_map(Result::ok);
    let sizes = files.filter_map(|file| file.metadata().ok()).filter(fs::Metadata::is_file).map(|file| file.len());
    sizes.fold((0, 0), |(number, bytes), size| (number + 1, bytes + size))
}

#[track_caller]
fn gc(host: &TestHost<'_>, options: &[&str]) -> Value {
    host.ship(["gc", "--json"]).and(options).run().success().json()
}

#[track_caller]
fn deploy(host: &TestHost<'_>, project: &TestProject, page: &str, options: &[&str]) -> Value {
    project.write("public/index.html", page);
    host.ship(["deploy", "--json"]).and(options).within(project.folder()).run().success().json()
}

fn id(document: &Value) -> &str {
    document["deployment"]["id"].as_str().expect("a deploy has an id")
}

/// A removed deployment leaves its blobs until garbage is collected; looking first says what would go, and removes nothing.
#[test]
fn removed_deployment() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site").file("public/shared.txt", "shared");
    deploy(&host, &project, "first", &[]);
    let second = deploy(&host, &project, "second", &[]);
    let before = files_below(&host.data().join("blobs"));
    assert_eq!(gc(&host, &[])["blobs"], json!({ "number": 0, "bytes": 0 }));

    let _ = host.ship(["rm", id(&second)]).run().success();
    let looked = gc(&host, &["--dry-run"]);
    assert_eq!((&looked["dry_run"], &looked["blobs"]["number"]), (&json!(true), &json!(2)), "{looked}");
    assert_eq!(files_below(&host.data().join("blobs")), before);
    let collected = gc(&host, &[]);
    assert_eq!(collected["blobs"], looked["blobs"]);
    let (number, bytes) = files_below(&host.data().join("blobs"));
    let gone = (before.0 - number, before.1 - bytes);
    assert_eq!(collected["blobs"], json!({ "number": gone.0, "bytes": gone.1 }));
    assert_eq!(http::get(&host.site_url("site")).success().text(), "first");
    let fsck = host.ship(["fsck", "--json"]).run().success().json();
    assert_eq!((&fsck["leftovers"]["blobs"], &fsck["blobs"]), (&json!(0), &json!(number)));

    // What was collected comes back with the next deploy of it.
    let again = deploy(&host, &project, "second", &[]);
    assert_eq!((id(&again), &again["upload"]["sent_blobs"]), (id(&second), &json!(1)));
    let text = "
        exit code: 0
        ----- stdout -----
        Removed 0 deployments
        Removed 0 blobs (0 B)
        Removed 0 unpacked functions (0 B)
        Removed 0 compiled functions (0 B)
        ----- stderr -----
    ";
    let expected: Vec<&str> = text.trim().lines().map(str::trim).collect();
    assert_eq!(host.ship(["gc"]).run().success().snapshot().lines().collect::<Vec<_>>(), expected);
}

/// An upload that is not published yet stays, and what a client was told to be there does, too.
#[test]
fn upload_under_way() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site");
    deploy(&host, &project, "first", &[]);
    let removed = deploy(&host, &project, "declared present", &[]);
    let _ = host.ship(["rm", id(&removed)]).run().success();
    let digests = ["declared present", "just uploaded", "nowhere"].map(|text| Digest::of(text.as_bytes()).to_string());
    let asked = host.control("POST", "/v1/blobs/missing").header("content-type", "application/json");
    let asked = asked.body(json!({ "digests": [digests[0], digests[2]] }).to_string()).send().success();
    assert_eq!(asked.json(), json!({ "missing": [digests[2]], "pack": 2 }));
    let put = host.control("PUT", &format!("/v1/blobs/{}", digests[1])).body("just uploaded").send();
    assert_eq!(put.status, 201);

    let collected = gc(&host, &[]);
    assert_eq!(collected["spared"]["number"], 2, "{collected}");
    let asked = host.control("POST", "/v1/blobs/missing").header("content-type", "application/json");
    let still = asked.body(json!({ "digests": digests }).to_string()).send().success();
    assert_eq!(still.json(), json!({ "missing": [digests[2]], "pack": 2 }));
    let _ = deploy(&host, &project, "declared present", &[]);
    assert_eq!(http::get(&host.site_url("site")).success().text(), "first");
}

/// A large file is half sent when its deployment is removed and its blob collected: the visitor gets the rest of it.
#[test]
fn removed_while_half_sent() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    // More than all buffers between the file and a visitor who does not read.
    let content = vec![7; 64 * 1024 * 1024];
    let project = environment.project("site");
    deploy(&host, &project, "first", &[]);
    project.write("public/large.bin", &content);
    let large = deploy(&host, &project, "second", &[]);
    let mut opened = http::request("GET", &format!("{}/large.bin", large["url"].as_str().expect("a URL"))).open();
    let begun = opened.body().next_piece().expect("it begins").len();
    let _ = host.ship(["rm", id(&large)]).run().success();
    assert_eq!(gc(&host, &[])["blobs"]["number"], 3);
    let rest = opened.whole();
    assert_eq!((rest.ending, begun + rest.body.len()), (Ending::Complete, content.len()));
    assert!(rest.body.iter().all(|byte| *byte == 7));
}

/// What is published with blobs that are gone is refused with those that are missing; `ship deploy` sends them.
#[test]
fn publishing_what_is_gone() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site");
    let first = deploy(&host, &project, "first", &[]);
    let second = deploy(&host, &project, "second", &[]);
    let _ = host.ship(["rm", id(&second)]).run().success();
    gc(&host, &[]);
    let digest = Digest::of(b"second").to_string();
    let asset =
        json!({ "path": "index.html", "digest": digest, "size_bytes": 6, "media_type": "text/html; charset=utf-8" });
    let manifest = json!({ "version": 1, "assets": [asset], "functions": [], "routes": [], "cors": [] });
    let request = host.control("POST", "/v1/projects/site/deployments").header("content-type", "application/json");
    let refused = request.body(json!({ "manifest": manifest, "publish": {} }).to_string()).send();
    assert_eq!(refused.status, 409, "{}", refused.text());
    let error = &refused.json()["error"];
    assert_eq!((&error["code"], &error["missing"]), (&json!("MISSING_BLOBS"), &json!([digest])));
    assert_eq!(error["hint"], "deploy again: only what is missing is sent");
    assert_eq!(deploy(&host, &project, "second", &[])["upload"]["sent_blobs"], 1);
    assert_eq!(http::get(first["url"].as_str().expect("a URL")).success().text(), "first");
}

/// A host that is told to keep two of each branch removes the others when garbage is collected: their URLs are gone, those
/// of production and of the branches are not. One that is told nothing keeps all.
#[test]
fn retention() {
    let environment = TestEnv::new();
    let mut host = TestHost::start_with(&environment, &["--keep", "2", "--keep-days", "0"]);
    let project = environment.project("site");
    let production = deploy(&host, &project, "production", &["--branch", "main"]);
    let previews: Vec<Value> =
        (0..5).map(|number| deploy(&host, &project, &number.to_string(), &["--branch", "fix"])).collect();
    assert_eq!(gc(&host, &["--dry-run", "--keep", "100"])["deployments"], json!([]));
    let looked = gc(&host, &["--dry-run"]);
    let ids: Vec<&str> = previews[..3].iter().map(id).collect();
    let expired = |document: &Value| -> Vec<String> {
        let listed = document["deployments"].as_array().expect("a list");
        listed.iter().map(|deployment| deployment["id"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(expired(&looked), ids);
    assert_eq!(expired(&gc(&host, &["--dry-run", "--keep-days", "30"])), Vec::<String>::new());
    let collected = gc(&host, &[]);
    assert_eq!(collected["deployments"], looked["deployments"]);
    assert_eq!(collected["blobs"], looked["blobs"]);
    let page = |document: &Value| http::get(document["url"].as_str().expect("a URL"));
    for (number, preview) in previews.iter().enumerate() {
        assert_eq!(page(preview).status, if number < 3 { 404 } else { 200 }, "preview {number}");
    }
    assert_eq!(page(&production).success().text(), "production");
    assert_eq!(http::get(&host.site_url("site-git-fix")).success().text(), "4");
    let metrics = host.control("GET", "/metrics").send().success().text();
    assert!(metrics.contains("ship_gc_removed_total{what=\"deployment\"} 3\n"), "{metrics}");
    // The map of labels follows the log, also where the host is started anew.
    host.kill();
    host.start_again();
    assert_eq!(page(&previews[0]).status, 404);
    assert_eq!(page(&previews[4]).success().text(), "4");
}

/// The audit log says who had garbage collected, and which deployments of which projects went by policy. Looking what would go
/// changes nothing, nor does collecting where there is nothing, nor does reading everything again, so nothing is noted of these.
#[test]
fn noted() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site");
    let deployed: Vec<Value> =
        (0..3).map(|number| deploy(&host, &project, &number.to_string(), &["--branch", "fix"])).collect();
    let entries = |about: &[&str]| -> Vec<String> {
        let listed = host.ship(["audit", "--json"]).and(about).run().success().json();
        let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or("-").to_owned();
        let line =
            |entry: &Value| ["token_name", "action", "project", "resource"].map(|key| text(entry, key)).join(" ");
        let listed = listed["entries"].as_array().expect("a list").iter().map(line);
        listed.filter(|line| !line.contains("deployment.publish")).collect()
    };
    let policy = ["--keep", "1", "--keep-days", "0"];
    assert_eq!(gc(&host, &[&policy[..], &["--dry-run"]].concat())["deployments"].as_array().map(Vec::len), Some(1));
    assert_eq!(entries(&[]), [""; 0]);

    gc(&host, &policy);
    let of_one = format!("owner garbage.collect site {}", id(&deployed[1]));
    assert_eq!(entries(&[]), ["owner garbage.collect - -", &of_one]);
    assert_eq!(entries(&["--project", "site"]), [of_one.as_str()]);
    gc(&host, &policy);
    let _ = host.ship(["fsck"]).run().success();
    assert_eq!(entries(&[]).len(), 2);
}

/// Unpacked functions and the code that was compiled of them go with the last deployment that has them.
#[test]
fn functions() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let function = |text: &str| format!("export function GET() {{ return new Response(\"{text}\"); }}\n");
    let project = environment.project("site").file("api/hello.js", function("first"));
    deploy(&host, &project, "first", &[]);
    project.write("api/hello.js", function("second"));
    let second = deploy(&host, &project, "second", &[]);
    let folders = || fs::read_dir(host.data().join("functions")).expect("the folder is there").count();
    let before = folders();
    let _ = host.ship(["rm", id(&second)]).run().success();
    let collected = gc(&host, &[]);
    assert_eq!(collected["functions"]["number"], 1, "{collected}");
    // A folder and the note beside it.
    assert_eq!(before - folders(), 2);
    assert_eq!(http::get(&format!("{}/api/hello", host.site_url("site"))).success().text(), "first");
}

/// Where a manifest is damaged nobody knows what its deployment needs: nothing is removed, and that is said.
#[test]
fn damaged_manifest() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site");
    deploy(&host, &project, "first", &[]);
    let second = deploy(&host, &project, "second", &[]);
    let _ = host.ship(["rm", id(&second)]).run().success();
    let blobs = host.data().join("blobs");
    for file in
        walkdir::WalkDir::new(&blobs).into_iter().filter_map(Result::ok).filter(|file| file.file_type().is_file())
    {
        let content = fs::read(file.path()).expect("the file is ours");
        if content.starts_with(b"{\"version\"") {
            fs::write(file.path(), "{}").expect("the file is ours");
        }
    }
    let output = host.ship(["gc"]).run().exits_with(4);
    assert!(output.stderr().contains("nothing is removed while nobody knows what deployment"), "{}", output.stderr());
    assert!(output.stderr().contains("`ship fsck` shows what is damaged"), "{}", output.stderr());
}
