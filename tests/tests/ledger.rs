//! The host is killed again and again while clients deploy, move production, remove and have garbage collected; each client keeps a ledger of what
//! was acknowledged, and all of it is there each time the host is back.

use std::io;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use ship_api::{FRAME_BYTES, FRAMED_PACK_MEDIA_TYPE, FrameWriter, HEAD_BYTES, framed_entry, literal_part};
use ship_core::Digest;
use ship_tests::http::Ending;
use ship_tests::{TestEnv, TestHost, http};

/// How often the host is killed in a usual run. `SHIP_KILLS` says otherwise: a thousand take some minutes.
const KILLS: u64 = 12;

const CLIENTS: u64 = 4;

/// How many deployments there are when it is looked how soon the host is back, unless `SHIP_DEPLOYMENTS` says otherwise: ten thousand
/// take a minute to be made.
const DEPLOYMENTS: u64 = 400;

/// How soon it is back at the latest.
const BACK_WITHIN: Duration = Duration::from_secs(2);

/// The longest time until the host is killed.
const LONGEST_LIFE: Duration = Duration::from_millis(400);

/// The seed of moments and choices, unless `SHIP_SEED` says otherwise.
const SEED: u64 = 0x1ed6_e75e_ed00_0001;

/// Choices that can be repeated (xorshift64*, Vigna 2016).
struct Choices(u64);

impl Choices {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32) % end
    }
}

/// A number that whoever runs this by hand may give.
fn given(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().map_or(usual, |text| text.parse().expect("the variable is a number"))
}

/// A deployment of a client's project.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Page {
    content: String,
    id: String,
    url: String,
}

/// What a client was told, and what it has asked for without hearing an answer.
struct Ledger {
    project: String,
    choices: Choices,
    pages: Vec<Page>,
    production: Option<String>,
    /// What was under way when the host was killed.
    in_doubt: Option<Doubt>,
    number: u64,
    acknowledged: u64,
}

enum Doubt {
    Published { content: String, is_production: bool },
    Promoted(String),
    Removed(Page),
}

/// Where the host's API is, and what opens it.
#[derive(Clone)]
struct Api {
    control: String,
    token: String,
}

impl Api {
    /// An answer of the API; an error if the host died before it was complete.
    fn ask(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<(u16, Value)> {
        let request = http::request(method, &format!("{}{path}", self.control)).token(&self.token);
        let request = match body {
            Some(body) => request.header("content-type", "application/json").body(body.to_string()),
            None => request,
        };
        let answer = request.try_open()?.whole();
        if answer.ending == Ending::CutOff {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let value = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok((answer.status, value))
    }
}

impl Ledger {
    fn new(client: u64, seed: u64) -> Self {
        Self {
            project: format!("client-{client}"),
            choices: Choices(seed.wrapping_add(client.wrapping_mul(0x9e37_79b9_7f4a_7c15)) | 1),
            pages: Vec::new(),
            production: None,
            in_doubt: None,
            number: 0,
            acknowledged: 0,
        }
    }

    /// Goes on until the host is gone.
    fn work(&mut self, api: &Api) {
        while self.act(api).is_ok() {
            self.in_doubt = None;
            self.acknowledged += 1;
        }
    }

    fn act(&mut self, api: &Api) -> io::Result<()> {
        let removable = self.pages.iter().position(|page| self.production.as_ref() != Some(&page.content));
        match (self.choices.below(10), removable) {
            (0, Some(at)) => self.remove(api, at),
            (1, Some(at)) => self.promote(api, at),
            (9, _) => Self::collect(api),
            (choice, _) => self.publish(api, choice < 4),
        }
    }

    fn publish(&mut self, api: &Api, for_production: bool) -> io::Result<()> {
        self.number += 1;
        let content = format!("{} page {}", self.project, self.number);
        let is_production = for_production || self.production.is_none();
        let digest = Digest::of(content.as_bytes()).to_string();
        let put = http::request("PUT", &format!("{}/v1/blobs/{digest}", api.control)).token(&api.token);
        let put = put.body(content.as_bytes()).try_open()?.whole();
        if put.ending == Ending::CutOff {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        assert_eq!(put.status, 201, "{}", put.text());
        let media_type = "text/html; charset=utf-8";
        let asset =
            json!({ "path": "index.html", "digest": digest, "size_bytes": content.len(), "media_type": media_type });
        let manifest = json!({ "version": 1, "assets": [asset], "functions": [], "routes": [], "cors": [] });
        let target = if for_production { "production" } else { "preview" };
        let body = json!({ "manifest": manifest, "publish": { "target": target } });
        self.in_doubt = Some(Doubt::Published { content: content.clone(), is_production });
        let (status, published) =
            api.ask("POST", &format!("/v1/projects/{}/deployments", self.project), Some(&body))?;
        assert_eq!(status, 201, "{published}");
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let (id, url) = (text(&published["deployment"]["id"]), text(&published["url"]));
        self.pages.push(Page { content: content.clone(), id, url });
        if is_production {
            self.production = Some(content);
        }
        Ok(())
    }

    fn promote(&mut self, api: &Api, at: usize) -> io::Result<()> {
        let Page { content, id, .. } = self.pages[at].clone();
        self.in_doubt = Some(Doubt::Promoted(content.clone()));
        let path = format!("/v1/projects/{}/promote", self.project);
        let (status, answer) = api.ask("POST", &path, Some(&json!({ "deployment": id })))?;
        assert_eq!(status, 200, "{answer}");
        self.production = Some(content);
        Ok(())
    }

    fn remove(&mut self, api: &Api, at: usize) -> io::Result<()> {
        let page = self.pages[at].clone();
        self.in_doubt = Some(Doubt::Removed(page.clone()));
        let (status, answer) = api.ask("DELETE", &format!("/v1/deployments/{}", page.id), None)?;
        assert_eq!(status, 200, "{answer}");
        self.pages.remove(at);
        Ok(())
    }

    /// Takes nothing that the ledger knows of: no policy removes a deployment.
    fn collect(api: &Api) -> io::Result<()> {
        let (status, collected) = api.ask("POST", "/v1/gc", Some(&json!({})))?;
        assert_eq!((status, &collected["deployments"]), (200, &json!([])), "{collected}");
        Ok(())
    }

    /// The host is back: what was in doubt is either done or not, and everything else is as it was acknowledged. Only the
    /// newest pages are looked at, unless all are asked for.
    fn check(&mut self, host: &TestHost<'_>, newest: usize, context: &str) {
        let production = http::get(&host.site_url(&self.project));
        let production = (production.status == 200).then(|| production.text());
        match self.in_doubt.take() {
            Some(Doubt::Published { content, is_production }) => {
                let listed = host.control("GET", &format!("/v1/deployments?project={}&limit=1", self.project)).send();
                let newest = &listed.success().json()["deployments"][0];
                let url = newest["url"].as_str().unwrap_or_default();
                if !url.is_empty() && http::get(url).success().text() == content {
                    let id = newest["deployment"]["id"].as_str().expect("an id").to_owned();
                    self.pages.push(Page { content: content.clone(), id, url: url.to_owned() });
                    if is_production {
                        self.production = Some(content);
                    }
                }
            }
            Some(Doubt::Promoted(page)) if production.as_ref() == Some(&page) => self.production = Some(page),
            Some(Doubt::Removed(page)) if http::get(&page.url).status == 404 => {
                self.pages.retain(|other| *other != page);
            }
            _ => {}
        }
        assert_eq!(production, self.production, "{context}: production of {}", self.project);
        for page in self.pages.iter().rev().take(newest) {
            let answer = http::get(&page.url);
            assert_eq!((answer.status, answer.text()), (200, page.content.clone()), "{context}: {page:?}");
        }
    }
}

/// Nothing acknowledged is lost or altered, whenever the host is killed.
#[test]
fn killed_under_load() {
    let (kills, seed) = (given("SHIP_KILLS", KILLS), given("SHIP_SEED", SEED));
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let mut ledgers: Vec<Ledger> = (0..CLIENTS).map(|client| Ledger::new(client, seed)).collect();
    let mut moments = Choices(seed | 1);
    for kill in 1..=kills {
        let context = format!("kill {kill} of {kills}, SHIP_SEED={seed}");
        let api = Api { control: host.control_url(), token: host.token() };
        let life = LONGEST_LIFE * u32::try_from(moments.below(1_000)).expect("it is small") / 1_000;
        // Nobody ever sends: it is how long the host lives.
        let (_alive, is_over) = channel::<()>();
        thread::scope(|scope| {
            let working: Vec<_> = ledgers
                .iter_mut()
                .map(|ledger| {
                    let api = api.clone();
                    scope.spawn(move || ledger.work(&api))
                })
                .collect();
            assert_eq!(is_over.recv_timeout(life), Err(RecvTimeoutError::Timeout));
            host.kill();
            for client in working {
                client.join().expect("a client ends with the host");
            }
        });
        host.start_again();
        for ledger in &mut ledgers {
            ledger.check(&host, 5, &context);
        }
    }
    let context = format!("at the end, SHIP_SEED={seed}");
    for ledger in &mut ledgers {
        ledger.check(&host, usize::MAX, &context);
    }
    let acknowledged: u64 = ledgers.iter().map(|ledger| ledger.acknowledged).sum();
    assert!(acknowledged > kills, "{acknowledged} steps were acknowledged");
    let fsck = host.ship(["fsck", "--json"]).run().success().json();
    assert_eq!(fsck["clean"], true, "{fsck}");
    let pages: usize = ledgers.iter().map(|ledger| ledger.pages.len()).sum();
    assert_eq!(fsck["deployments"], pages, "{fsck}");
}

/// However many deployments there are, a host that was killed is back at once and has them all.
#[test]
fn back_at_once() {
    let deployments = given("SHIP_DEPLOYMENTS", DEPLOYMENTS);
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let api = Api { control: host.control_url(), token: host.token() };
    let mut ledgers: Vec<Ledger> = (0..CLIENTS).map(|client| Ledger::new(client, SEED)).collect();
    thread::scope(|scope| {
        for ledger in &mut ledgers {
            scope.spawn(|| {
                for _ in 0..deployments / CLIENTS {
                    ledger.publish(&api, false).expect("the host lives");
                }
            });
        }
    });
    host.kill();
    let began = Instant::now();
    host.start_again();
    let took = began.elapsed();
    assert!(took < BACK_WITHIN, "{took:?} with {deployments} deployments");
    for ledger in &mut ledgers {
        ledger.in_doubt = None;
        ledger.check(&host, 5, "after the kill");
    }
    let fsck = host.ship(["fsck", "--json"]).run().success().json();
    assert_eq!((&fsck["clean"], &fsck["deployments"]), (&json!(true), &json!(deployments / CLIENTS * CLIENTS)));
}

/// A host whose data directory is a disk of 24 MiB, which is there for its processes alone.
fn start_on_small_disk(environment: &TestEnv) -> TestHost<'_> {
    let data = environment.folder().join("small-disk");
    std::fs::create_dir(&data).expect("the folder is writable");
    let script = "mount -t tmpfs -o size=24m,mode=700 small-disk \"$0\" && exec \"$@\"";
    let words = ["unshare", "--map-root-user", "--mount", "sh", "-c", script];
    let wrapper: Vec<&std::ffi::OsStr> = words.iter().map(AsRef::as_ref).chain([data.as_os_str()]).collect();
    TestHost::start_by(environment, &data, &wrapper)
}

/// A really full disk: what is refused is said to be, everything acknowledged is served, removing makes room, and deploys
/// work again.
#[test]
fn full_disk() {
    let environment = TestEnv::new();
    let host = start_on_small_disk(&environment);
    let project = environment.project("site");
    let mut deployed = Vec::new();
    // Large files until one does not fit, and then smaller ones until the last page is taken.
    let mut number = 0_u32;
    for size in [2 * 1024 * 1024, 128 * 1024, 8 * 1024, 16] {
        loop {
            number += 1;
            let mut content = number.to_string().into_bytes();
            content.resize(size, b'x');
            project.write("public/index.html", &content);
            let output = host.ship(["deploy", "--json"]).within(project.folder()).run();
            if output.code() == Some(0) {
                deployed.push((output.json()["url"].as_str().expect("a URL").to_owned(), output.json(), content));
                continue;
            }
            let refused = output.exits_with(4).json();
            assert_eq!(refused["error"]["code"], "STORAGE_FULL", "{refused}");
            assert_eq!(refused["error"]["message"], "the host's disk is full", "no file of the host is named");
            break;
        }
    }
    // Neither is there room for the key that the first variable is sealed with.
    let set = ["env", "set", "KEY", "--project", "site", "--json"];
    let refused = host.ship(set).reading("a secret").run().exits_with(4).json();
    assert_eq!(refused["error"]["code"], "STORAGE_FULL", "{refused}");
    for (url, _, content) in &deployed {
        assert!(http::get(url).success().body == *content, "{url}");
    }
    let fsck = host.ship(["fsck", "--json"]).run().success().json();
    assert_eq!((&fsck["clean"], &fsck["deployments"]), (&json!(true), &json!(deployed.len())));
    // What a refused deploy left goes, and nothing else.
    let collected = host.ship(["gc", "--json"]).run().success().json();
    assert_eq!(collected["deployments"], json!([]), "{collected}");
    let fsck = host.ship(["fsck", "--json"]).run().success().json();
    assert_eq!((&fsck["clean"], &fsck["deployments"]), (&json!(true), &json!(deployed.len())), "{fsck}");
    let removed = deployed[1].1["deployment"]["id"].as_str().expect("an id");
    let _ = host.ship(["rm", removed]).run().success();
    let collected = host.ship(["gc", "--json"]).run().success().json();
    assert!(collected["blobs"]["bytes"].as_u64() >= Some(2 * 1024 * 1024), "{collected}");
    project.write("public/index.html", "there is room again");
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&url).success().text(), "there is room again");
}

/// A disk that is full of uploads that were begun and cut: they give way to deploys, the oldest first, and only as many as are in the way.
#[test]
fn full_of_cut_uploads() {
    const MEGABYTE: usize = 1024 * 1024;
    let environment = TestEnv::new();
    let host = start_on_small_disk(&environment);
    let control = |path: &str| http::request("POST", &format!("{}/v1/{path}", host.control_url())).token(&host.token());
    // The pack ends before the blob does, as on a connection that is cut.
    let cut = |number: u8| {
        let content = vec![number; 4 * MEGABYTE];
        let digest = Digest::of(&content);
        let beginning = [&framed_entry(&digest, content.len() as u64, None)[..], &literal_part(content.len() as u64)];
        let pack = [beginning.concat(), vec![number; 3 * MEGABYTE]].concat();
        let frames = pack.chunks(FRAME_BYTES).map(|piece| [&[0; HEAD_BYTES], piece].concat().as_slice().into());
        let body = frames.flat_map(FrameWriter::stored).collect::<Vec<u8>>();
        let answer = control("blobs").header("content-type", FRAMED_PACK_MEDIA_TYPE).body(body).send();
        assert_eq!(answer.status, 400, "{}", answer.text());
        digest
    };
    let digests: Vec<Digest> = (1..=6).map(cut).collect();
    let begun = || {
        let body = json!({ "digests": &digests }).to_string();
        let answer = control("blobs/missing").header("content-type", "application/json").body(body).send().success();
        let begun = answer.json()["begun"].as_array().cloned().unwrap_or_default();
        let names: Vec<_> = begun.iter().map(|begun| begun["digest"].as_str().expect("a digest").to_owned()).collect();
        digests.iter().filter(|digest| names.contains(&digest.to_string())).copied().collect::<Vec<_>>()
    };
    assert_eq!(begun(), digests);
    let project = environment.project("site");
    let mut deployed = Vec::new();
    for number in 0..12 {
        let mut content = number.to_string().into_bytes();
        content.resize(MEGABYTE, b'x');
        project.write("public/index.html", &content);
        let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
        deployed.push((url, content));
        let left = begun();
        assert!(digests.ends_with(&left), "{number}: the newest {} are left", left.len());
        assert!(number > 3 || left.len() > 1, "{number}: {left:?}");
    }
    for (url, content) in &deployed {
        assert!(http::get(url).success().body == *content, "{url}");
    }
    let fsck = host.ship(["fsck", "--json"]).run().success().json();
    assert_eq!((&fsck["clean"], &fsck["deployments"]), (&json!(true), &json!(deployed.len())), "{fsck}");
}
