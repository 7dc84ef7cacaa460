//! Uploads by clients that lie, break off, or mean ill: nothing stands outside of the store, and nothing half is kept.
//!
//! What is sent in whole is a blob, however hostile its content: it is data under its digest until a deployment makes it more. So each story
//! looks at every file that the host has, before and after.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::thread;

use serde_json::{Value, json};
use ship_api::{
    Beginning, FRAMED_PACK_MEDIA_TYPE, FrameWriter, HEAD_BYTES, PACK_MEDIA_TYPE, copy_part, framed_end, framed_entry,
    literal_part, pack_end, pack_entry,
};
use ship_core::Digest;
use ship_tests::artifact::{DEVICE, EXECUTABLE, Entry, FILE, FOLDER, LINK, zip};
use ship_tests::http::{self, Answer};
use ship_tests::{PATIENCE, TestEnv, TestHost};

/// The live site that has to stay as it is.
fn deploy_live(environment: &TestEnv, host: &TestHost<'_>) {
    let project = environment.project("site").file("public/index.html", "alive");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
}

/// Every file below these folders of the data directory, but for locks: what is stored, unpacked, set aside and half written.
fn kept(data: &Path) -> BTreeSet<String> {
    let folders = ["begun", "blobs", "functions", "quarantine", "tmp"];
    let mut names = BTreeSet::new();
    for folder in folders {
        collect(data, &data.join(folder), &mut names);
    }
    names
}

fn collect(data: &Path, folder: &Path, names: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.is_symlink() {
            collect(data, &path, names);
        } else if !entry.file_name().to_string_lossy().starts_with("turn-") {
            names.insert(path.strip_prefix(data).expect("it is below").to_string_lossy().into_owned());
        }
    }
}

/// Where a blob stands.
fn place(content: &[u8]) -> String {
    let hex = Digest::of(content).to_hex();
    format!("blobs/{}/{}", &hex[..2], &hex[2..])
}

/// The site is served, and everything that is kept is right.
#[track_caller]
fn is_unharmed(host: &TestHost<'_>) {
    assert_eq!(http::get(&host.site_url("site")).success().text(), "alive");
    let report = host.ship(["fsck", "--json"]).run().success().json();
    assert_eq!(report["clean"], true, "{report}");
}

fn put(host: &TestHost<'_>, digest: &Digest) -> http::Request {
    host.control("PUT", &format!("/v1/blobs/{digest}"))
}

/// The status of an answer, and the code of its error.
fn outcome(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned())
}

fn code(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

/// Sends bytes and goes away. The host has noticed when this returns.
fn break_off(host: &TestHost<'_>, bytes: &[u8]) {
    let mut stream = TcpStream::connect(&host.addresses().control).expect("the host listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("the kernel takes a timeout");
    // Who is refused early may find the connection closed.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(Shutdown::Write);
    let _ = stream.read_to_end(&mut Vec::new());
}

/// What is answered to bytes that are a whole request, and whatever follows it.
fn answer_to(host: &TestHost<'_>, bytes: &[u8]) -> String {
    String::from_utf8_lossy(&http::exchange_raw(&host.addresses().control, bytes)).into_owned()
}

/// Waits until what is kept fits.
#[track_caller]
fn wait_until(host: &TestHost<'_>, fits: impl Fn(&BTreeSet<String>) -> bool) {
    let began = std::time::Instant::now();
    loop {
        let names = kept(host.data());
        if fits(&names) {
            return;
        }
        assert!(began.elapsed() < PATIENCE, "{names:?}");
        thread::yield_now();
    }
}

/// Waits until an upload that has ended has taken its temporary file with it, and sees what is left: what was `before`, and the blobs of
/// these contents.
#[track_caller]
fn settled(host: &TestHost<'_>, before: &BTreeSet<String>, added: &[&[u8]]) {
    let expected: BTreeSet<String> = before.iter().cloned().chain(added.iter().map(|content| place(content))).collect();
    wait_until(host, |names| *names == expected);
    for content in added {
        assert!(std::fs::read(host.data().join(place(content))).expect("the blob is there") == *content);
    }
}

/// A single blob that is not what its name, its length or its coding says: each is refused, and nothing of any is kept.
#[test]
fn lengths_and_codings_that_lie() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    deploy_live(&environment, &host);
    let before = kept(host.data());
    let content = b"sixteen byte txt";
    let digest = Digest::of(content);

    let wrong = put(&host, &digest).body("sixteen BYTE txt").send();
    assert_eq!(outcome(&wrong), code(400, "DIGEST_MISMATCH"));
    for short_or_long in ["sixteen byte tx", "sixteen byte txt!", ""] {
        assert_eq!(outcome(&put(&host, &digest).body(short_or_long).send()), code(400, "DIGEST_MISMATCH"));
    }
    // The bytes of a blob are those that travel: a coding is nothing that is taken off.
    let coded = put(&host, &digest).header("content-encoding", "gzip").body(zip(&[])).send();
    assert_eq!(outcome(&coded), code(400, "DIGEST_MISMATCH"));
    let unknown_length = put(&host, &digest).header("transfer-encoding", "chunked").send();
    assert_eq!(outcome(&unknown_length), code(400, "BAD_REQUEST"));
    let too_large = put(&host, &digest).header("content-length", (5_u64 * 1024 * 1024 * 1024 + 1).to_string()).send();
    assert_eq!(outcome(&too_large), code(413, "PAYLOAD_TOO_LARGE"));
    for name in
        ["sha256:../../../etc/passwd", "sha256:..%2f..%2fetc", "..%2f..%2fx", "sha256:", "md5:00", &"a".repeat(60_000)]
    {
        let answer = host.control("PUT", &format!("/v1/blobs/{name}")).body("x").send();
        assert!((400..500).contains(&answer.status), "{}: {}", answer.status, answer.text());
    }
    settled(&host, &before, &[]);

    assert_eq!(put(&host, &digest).body(content).send().status, 201);
    assert_eq!(put(&host, &digest).body(content).send().status, 200, "it is here");
    assert_eq!(outcome(&put(&host, &digest).body("sixteen BYTE txt").send()), code(400, "DIGEST_MISMATCH"));
    settled(&host, &before, &[content]);
    is_unharmed(&host);
}

/// Uploads that break off at any place, of single blobs and of packs, with a length and in chunks: nothing half stays, and a host that dies
/// meanwhile begins without it.
#[test]
fn uploads_that_break_off() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    deploy_live(&environment, &host);
    let before = kept(host.data());
    let content = vec![7_u8; 256 * 1024];
    let digest = Digest::of(&content);
    let head = |line: &str, length: &str| {
        let token = host.token();
        format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\nauthorization: Bearer {token}\r\n{length}\r\n\r\n")
            .into_bytes()
    };
    let one = head(&format!("PUT /v1/blobs/{digest}"), &format!("content-length: {}", content.len()));
    let pack = [&pack_entry(&digest, content.len() as u64)[..], &content].concat();
    let many = head("POST /v1/blobs", "transfer-encoding: chunked");
    let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
    for cut in [0, 1, 4096, content.len() / 2, content.len() - 1] {
        break_off(&host, &[one.as_slice(), &content[..cut]].concat());
        break_off(&host, &[many.as_slice(), &chunk(&pack[..=cut])].concat());
        let ended = [many.as_slice(), &chunk(&pack[..=cut]), b"0\r\n\r\n"].concat();
        let ended = answer_to(&host, &ended);
        assert!(ended.starts_with("HTTP/1.1 400 "), "{ended}");
        settled(&host, &before, &[]);
    }
    let beyond = answer_to(&host, &[one.as_slice(), &content, b"and more"].concat());
    assert!(beyond.starts_with("HTTP/1.1 201 "), "{beyond}");
    settled(&host, &before, &[&content]);

    let other = vec![8_u8; 256 * 1024];
    let length = format!("content-length: {}", other.len());
    let head = head(&format!("PUT /v1/blobs/{}", Digest::of(&other)), &length);
    let mut half = TcpStream::connect(&host.addresses().control).expect("the host listens");
    half.write_all(&[head.as_slice(), &other[..other.len() / 2]].concat()).expect("the host reads");
    let has_half = |names: &BTreeSet<String>| names.iter().any(|name| name.starts_with("tmp/blob-"));
    wait_until(&host, has_half);
    host.kill();
    assert!(has_half(&kept(host.data())), "a host that is killed removes nothing");
    host.start_again();
    settled(&host, &before, &[&content]);
    is_unharmed(&host);
}

/// Packs in frames that claim what is not so: frames that unpack to more than they announce, beginnings that nobody has sent, copies of what is not
/// there or is others'. Each is refused, and nothing of any is kept.
#[test]
fn frames_that_lie() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    deploy_live(&environment, &host);
    let large = vec![5_u8; 200_000];
    assert_eq!(put(&host, &Digest::of(&large)).body(large.as_slice()).send().status, 201);
    let before = kept(host.data());
    let content = b"sixteen byte txt";
    let digest = Digest::of(content);
    let send = |token: &str, pack: Vec<u8>| {
        let request = http::request("POST", &format!("{}/v1/blobs", host.control_url())).token(token);
        request.header("content-type", FRAMED_PACK_MEDIA_TYPE).body(pack).send()
    };
    let admin = host.token();
    let framed = |parts: &[&[u8]]| {
        FrameWriter::stored([&[&[0; HEAD_BYTES][..]], parts].concat().concat().as_slice().into()).to_vec()
    };
    let entry = framed_entry(&digest, 16, None);

    let mut bomb = zstd::bulk::compress(&vec![0; 16 * 1024 * 1024], 19).expect("zeros are compressed");
    let length = u32::try_from(bomb.len()).expect("it is small").to_le_bytes();
    bomb.splice(0..0, [&[1][..], &length, &(256_u32 * 1024).to_le_bytes()].concat());
    assert_eq!(outcome(&send(&admin, bomb)), code(400, "BAD_REQUEST"));

    let beginning = Beginning { bytes: 8, digest: Digest::of(&content[..8]) };
    let begun = framed_entry(&digest, 16, Some(&beginning));
    let pack = framed(&[&begun, &literal_part(8), &content[8..], &framed_end(1)]);
    assert_eq!(outcome(&send(&admin, pack)), code(409, "UPLOAD_LOST"));

    let copy = |from: &Digest, offset: u64| framed(&[&entry, &copy_part(from, offset, 16), &framed_end(1)]);
    assert_eq!(outcome(&send(&admin, copy(&Digest::of(b"nowhere"), 0))), code(409, "UPLOAD_LOST"));
    let known = Digest::of(&large);
    for beyond in [large.len() as u64 - 15, u64::MAX - 3] {
        assert_eq!(outcome(&send(&admin, copy(&known, beyond))), code(400, "BAD_REQUEST"));
    }
    assert_eq!(outcome(&send(&admin, copy(&known, 0))), code(400, "DIGEST_MISMATCH"));
    settled(&host, &before, &[]);

    // Who has to do with one project alone cannot have others' bytes copied, whatever they guess them to be.
    let words = ["tokens", "create", "--role", "deployer", "--project", "mine", "--json"];
    let token = host.ship(words).run().success().json()["token"].as_str().expect("it is shown").to_owned();
    let guessed =
        framed(&[&framed_entry(&Digest::of(&large[..16]), 16, None), &copy_part(&known, 0, 16), &framed_end(1)]);
    assert_eq!(outcome(&send(&token, guessed.clone())), code(409, "UPLOAD_LOST"));
    let asked = http::request("GET", &format!("{}/v1/projects/site/chunks?file=index.html", host.control_url()));
    assert_eq!(asked.token(&token).send().status, 404, "nor hear of their chunks");
    settled(&host, &before, &[]);

    let stored = send(&admin, guessed).success().json();
    assert_eq!(stored, json!({ "stored_blobs": 1, "stored_bytes": 16, "reused_blobs": 0 }));
    settled(&host, &before, &[&large[..16]]);
    is_unharmed(&host);
}

/// A pack of more blobs than are made durable at once is counted and kept whole. Of one whose last blob is wrong everything before that is kept, also
/// what was still being made durable when the wrong bytes came.
#[test]
fn more_than_is_made_durable_at_once() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    deploy_live(&environment, &host);
    let before = kept(host.data());
    let blobs = |word: &str| (0..4_500).map(|number| format!("{word} {number}").into_bytes()).collect::<Vec<_>>();
    let pack_of = |blobs: &[Vec<u8>]| {
        let entries = blobs.iter().map(|blob| [&pack_entry(&Digest::of(blob), blob.len() as u64)[..], blob].concat());
        entries.chain([pack_end(blobs.len() as u64).to_vec()]).collect::<Vec<_>>().concat()
    };
    let send =
        |pack: Vec<u8>| host.control("POST", "/v1/blobs").header("content-type", PACK_MEDIA_TYPE).body(pack).send();

    let right = blobs("right");
    let stored_bytes: usize = right.iter().map(Vec::len).sum();
    let stored = send(pack_of(&right)).success().json();
    assert_eq!(stored, json!({ "stored_blobs": 4_500, "stored_bytes": stored_bytes, "reused_blobs": 0 }));
    let again = send(pack_of(&right)).success().json();
    assert_eq!(again, json!({ "stored_blobs": 0, "stored_bytes": 0, "reused_blobs": 4_500 }));

    let mut others = blobs("other");
    let mut pack = pack_of(&others);
    // The last byte of the last blob, before what ends a pack.
    let at = pack.len() - pack_end(4_500).len() - 1;
    pack[at] ^= 1;
    assert_eq!(outcome(&send(pack)), code(400, "DIGEST_MISMATCH"));
    others.pop();
    let added: Vec<&[u8]> = right.iter().chain(&others).map(Vec::as_slice).collect();
    settled(&host, &before, &added);
    is_unharmed(&host);
}

/// Many send the same blob at once, half of them wrong bytes under its name: one file is kept, the right one, and everybody hears what is true of
/// what they sent.
#[test]
fn right_and_wrong_at_once() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    deploy_live(&environment, &host);
    let before = kept(host.data());
    let right = vec![1_u8; 512 * 1024];
    let wrong = [&right[..right.len() - 1], b"!"].concat();
    let digest = Digest::of(&right);
    let send = |content: &[u8]| put(&host, &digest).body(content).send();
    let answers: Vec<(bool, Answer)> = thread::scope(|scope| {
        let sending: Vec<_> = (0..12)
            .map(|number| {
                let (content, send) = (if number % 2 == 0 { &right } else { &wrong }, &send);
                scope.spawn(move || (number % 2 == 0, send(content)))
            })
            .collect();
        sending.into_iter().map(|sent| sent.join().expect("the client gets an answer")).collect()
    });
    let mut stored = 0;
    for (is_right, answer) in &answers {
        if *is_right {
            assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
            stored += answer.json()["stored_blobs"].as_u64().expect("a count");
        } else {
            assert_eq!(outcome(answer), code(400, "DIGEST_MISMATCH"));
        }
    }
    assert_eq!(stored, 1, "one of them was first");
    settled(&host, &before, &[&right]);
    is_unharmed(&host);
}

/// Clients upload while garbage is collected again and again: what was acknowledged is there when it is published.
#[test]
fn uploads_while_garbage_is_collected() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    deploy_live(&environment, &host);
    let contents: Vec<String> = (0..60).map(|number| format!("file {number}")).collect();
    thread::scope(|scope| {
        for share in contents.chunks(20) {
            let host = &host;
            scope.spawn(move || {
                for content in share {
                    let answer = put(host, &Digest::of(content.as_bytes())).body(content.as_str()).send();
                    assert_eq!(answer.status, 201, "{}", answer.text());
                }
            });
        }
        for _ in 0..6 {
            let collected = host.control("POST", "/v1/gc").header("content-type", "application/json").body("{}").send();
            assert_eq!(collected.status, 200, "{}", collected.text());
        }
    });
    let asset = |content: &String| {
        let path = format!("{}.txt", content.replace(' ', "-"));
        json!({ "path": path, "digest": Digest::of(content.as_bytes()), "size_bytes": content.len(), "media_type": "text/plain" })
    };
    let assets: Vec<Value> = contents.iter().map(asset).collect();
    let published = publish(&host, "many", &json!({ "assets": assets }));
    assert_eq!(published.status, 201, "{}", published.text());
    for number in [0, 31, 59] {
        let file = http::get(&format!("{}/file-{number}.txt", host.site_url("many"))).success();
        assert_eq!(file.text(), format!("file {number}"));
    }
    is_unharmed(&host);
}

/// Publishes a manifest of these parts.
fn publish(host: &TestHost<'_>, project: &str, parts: &Value) -> Answer {
    let mut manifest = json!({ "version": 1, "assets": [], "functions": [], "routes": [], "cors": [] });
    for (name, part) in parts.as_object().expect("parts have names") {
        manifest[name] = part.clone();
    }
    let request = host.control("POST", &format!("/v1/projects/{project}/deployments"));
    let body = json!({ "manifest": manifest, "publish": {} }).to_string();
    request.header("content-type", "application/json").body(body).send()
}

/// A function of this artifact.
fn function(name: &str, artifact: &[u8], size_bytes: usize) -> Value {
    let limits = json!({
        "timeout_secs": 60, "init_timeout_secs": 10, "memory_mb": 512, "concurrency": 50, "min_instances": 0,
        "max_instances": 10, "idle_secs": 300,
    });
    json!({ "name": name, "runtime": "go", "digest": Digest::of(artifact), "size_bytes": size_bytes, "limits": limits })
}

/// Artifacts that nobody packs by accident, and a word of what each is refused with.
fn hostile_artifacts() -> Vec<(Vec<u8>, &'static str)> {
    let start = || Entry::new(EXECUTABLE, "bootstrap", "#!");
    let with = |entries: &[Entry]| zip(&[&[start()], entries].concat());
    let named = |name: &str| with(&[Entry::new(FILE, name, "evil")]);
    let zeros = vec![0_u8; 24 * 1024 * 1024];
    let shared = vec![0_u8; 6 * 1024 * 1024];
    let over = |number: usize| Entry::new(FILE, format!("file-{number}"), shared.clone()).over_the_first();
    let overlapping: Vec<Entry> =
        std::iter::once(Entry::new(FILE, "file-0", shared.clone()).deflated()).chain((1..6).map(over)).collect();
    vec![
        (named("../../evil"), "segment"),
        (named("/evil"), "starts with `/`"),
        (named("a/../../../evil"), "segment"),
        (named(".."), "segment"),
        (named("..\\evil"), "backslash"),
        (named("C:\\evil"), "backslash"),
        (named("evil\0.txt"), "control character"),
        (named("evil\r\n"), "control character"),
        (named(&["x"; 2_050].join("/")), "longer than 4096 bytes"),
        (named(&"x".repeat(60_000)), "longer than 4096 bytes"),
        (named(&"x".repeat(256)), "longer than 255 bytes"),
        (with(&[Entry::new(FILE, *b"evil\xff", "x")]), "not UTF-8"),
        (named("BOOTSTRAP"), "the same name as"),
        (named("bootstrap"), "names an entry twice"),
        (named("bootstrap/evil"), "which is no folder"),
        (with(&[Entry::new(LINK, "out", "../../../evil")]), "no place in the artifact"),
        (with(&[Entry::new(LINK, "out", "/etc")]), "no place in the artifact"),
        (with(&[Entry::new(LINK, "out", "lib"), Entry::new(FILE, "out/evil", "x")]), "which is no folder"),
        (with(&[Entry::new(FOLDER, "folder/", "")]), "is not a file"),
        (with(&[Entry::new(DEVICE, "device", "")]), "is not a file"),
        (with(&[Entry::new(FILE, "zeros", zeros.clone()).deflated()]), "larger than 16777216 bytes"),
        (with(&[Entry::new(FILE, "zeros", zeros).deflated().saying(1)]), "declared uncompressed size"),
        (zip(&overlapping), "larger than 16777216 bytes"),
        (
            zip(&(0..50_001).map(|number| Entry::new(FILE, number.to_string(), "")).collect::<Vec<_>>()),
            "more than 50000 entries",
        ),
        ([zip(&[start()]), b"tail".to_vec()].concat(), "not the end of a zip"),
        ([b"head".to_vec(), zip(&[start()])].concat(), "list of names"),
        (b"no zip at all, but long enough for one".to_vec(), "not the end of a zip"),
        (Vec::new(), "too short"),
    ]
}

/// Every artifact that would leave its folder, fill the disk or hide something is a blob and never more: its deployment is refused with the
/// reason, nothing of it is unpacked, and once nobody needs it it is gone.
#[test]
fn artifacts_that_mean_ill() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    deploy_live(&environment, &host);
    let before = kept(host.data());
    let mut expected = before.clone();
    for (artifact, reason) in hostile_artifacts() {
        let uploaded = put(&host, &Digest::of(&artifact)).body(artifact.as_slice()).send();
        assert!(matches!(uploaded.status, 200 | 201), "{}", uploaded.text());
        let refused =
            publish(&host, "site", &json!({ "functions": [function("api/evil", &artifact, artifact.len())] }));
        assert_eq!(outcome(&refused), code(400, "BAD_REQUEST"), "{reason}: {}", refused.text());
        assert!(refused.text().contains(reason), "{reason}: {}", refused.text());
        expected.insert(place(&artifact));
        let there: BTreeSet<String> =
            kept(host.data()).into_iter().filter(|name| !is_manifest(&host, name, &expected)).collect();
        assert_eq!(there, expected, "{reason}");
    }
    is_unharmed(&host);
    for folder in [environment.folder(), Path::new("/"), Path::new("/tmp")] {
        let names = std::fs::read_dir(folder).expect("the folder is readable").flatten().map(|entry| entry.file_name());
        assert!(!names.into_iter().any(|name| name.to_string_lossy().starts_with("evil")), "in {}", folder.display());
    }
    // Uploads of a host that is gone are nobody's any more.
    host.kill();
    host.start_again();
    let _ = host.ship(["gc"]).run().success();
    assert_eq!(kept(host.data()), before);
    is_unharmed(&host);
}

/// A function whose program cannot be run is refused with its name and what the kernel said. Where on the machine it stands is said in the
/// host's own log, and nowhere else.
#[test]
fn errors_name_no_file_of_the_host() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let artifact = zip(&[Entry::new(EXECUTABLE, "bootstrap", "#!/nowhere/at/all\n")]);
    assert_eq!(put(&host, &Digest::of(&artifact)).body(artifact.as_slice()).send().status, 201);
    let refused = publish(&host, "site", &json!({ "functions": [function("api/evil", &artifact, artifact.len())] }));
    assert_eq!(outcome(&refused), code(422, "FUNCTION_START_FAILED"));
    let message = "function `api/evil` does not start: its process could not be started: \
                   cannot run `bootstrap`: No such file or directory (os error 2)";
    assert_eq!(refused.json()["error"]["message"], message);
    let data = host.data().to_string_lossy().into_owned();
    assert!(!refused.text().contains(&data), "{}", refused.text());
    host.ask_to_end();
    let ended = host.ended().success();
    let place = format!("{data}/functions/{}/bootstrap", Digest::of(&artifact).to_hex());
    assert!(ended.stderr().contains(&place), "{}", ended.stderr());
}

/// Whether a file is the manifest of a deployment that was refused: it is stored before its functions are tried.
fn is_manifest(host: &TestHost<'_>, name: &str, expected: &BTreeSet<String>) -> bool {
    let content = || std::fs::read(host.data().join(name)).unwrap_or_default();
    !expected.contains(name) && name.starts_with("blobs/") && content().starts_with(b"{\"version\":1,")
}

/// Manifests that say what is not so, that name places outside, or that are too much: each is refused, none is stored.
#[test]
fn manifests_that_mean_ill() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    deploy_live(&environment, &host);
    let artifact = zip(&[Entry::new(EXECUTABLE, "bootstrap", "#!")]);
    for content in [b"content".as_slice(), &artifact] {
        assert_eq!(put(&host, &Digest::of(content)).body(content).send().status, 201);
    }
    let before = kept(host.data());
    let asset = |path: &str, size_bytes: usize| json!({ "path": path, "digest": Digest::of(b"content"), "size_bytes": size_bytes, "media_type": "text/plain" });
    let assets = |assets: &[Value]| json!({ "assets": assets });
    let functions = |function: Value| json!({ "functions": [function] });
    let layer = |mount: &str| {
        let mut function = function("api/a", &artifact, artifact.len());
        function["layers"] = json!([{ "mount": mount, "digest": Digest::of(&artifact), "size_bytes": artifact.len() }]);
        functions(function)
    };
    let mut cases = vec![
        assets(&[asset("a", 6)]),
        assets(&[asset("a", 8)]),
        assets(&[asset("a", usize::MAX)]),
        assets(&[asset("a", 7), asset("b", 8)]),
        assets(&[asset("a", 7), asset("a", 7)]),
        functions(function("api/a", &artifact, artifact.len() + 1)),
        json!({ "functions": [function("api/a", &artifact, artifact.len()), function("api/a", &artifact, artifact.len())] }),
        json!({ "routes": vec![json!({ "src": "/a", "dest": "/b" }); 100_000] }),
        json!({ "routes": [{ "src": "((a{500}){500}){500}" }] }),
        json!({ "routes": [{ "src": "(" }] }),
        json!({ "environment": { "A=B": "c" } }),
        json!({ "environment": { "A": "\0" } }),
    ];
    for path in ["../a", "/a", "a//b", "./a", "a/..", "a\\b", "a\0", "a\n", "", &"a/".repeat(3_000)] {
        cases.push(assets(&[asset(path, 7)]));
        cases.push(functions(function(path, &artifact, artifact.len())));
        cases.push(layer(path));
    }
    cases.push(layer("a/b"));
    for parts in cases {
        let refused = publish(&host, "site", &parts);
        let shown: String = parts.to_string().chars().take(300).collect();
        assert_eq!(outcome(&refused), code(400, "BAD_REQUEST"), "{shown}: {}", refused.text());
        let there: BTreeSet<String> =
            kept(host.data()).into_iter().filter(|name| !is_manifest(&host, name, &before)).collect();
        assert_eq!(there, before, "{shown}");
    }
    let nested = format!("{{\"manifest\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let request = host.control("POST", "/v1/projects/site/deployments").header("content-type", "application/json");
    assert_eq!(outcome(&request.body(nested).send()), code(400, "BAD_REQUEST"));
    for project in ["..%2f..%2fetc", "..", "%00", "A", "-a", &"a".repeat(64)] {
        let answer = publish(&host, project, &assets(&[asset("a", 7)]));
        assert!(matches!(answer.status, 400 | 404 | 405), "{project}: {}", answer.status);
    }
    // Escapes are characters of a name: they lead to that file, and nowhere else.
    let named = publish(&host, "escapes", &assets(&[asset("%2e%2e/a", 7), asset("C:/b.", 7)]));
    assert_eq!(named.status, 201, "{}", named.text());
    let url = host.site_url("escapes");
    assert_eq!(http::get(&format!("{url}/%252e%252e/a")).success().text(), "content");
    assert_eq!(http::get(&format!("{url}/%2e%2e/a")).status, 404);
    // A file of the function stands where its layer belongs. The layer is unpacked by then, and whole: it goes with the garbage.
    assert_eq!(outcome(&publish(&host, "site", &layer("bootstrap"))), code(400, "BAD_REQUEST"));
    is_unharmed(&host);
}
