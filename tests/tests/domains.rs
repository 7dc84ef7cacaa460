//! Names of the world: claimed, proved, served, given up.

use std::path::Path;

use ship_tests::{Pebble, TestEnv, TestHost, TestProject, http};

/// A host that asks a DNS of the story, and a project that is deployed on it.
struct Stage<'e> {
    pebble: Pebble,
    host: TestHost<'e>,
    project: TestProject,
}

impl<'e> Stage<'e> {
    /// `None` on a machine without Go, which builds the DNS.
    fn start(environment: &'e TestEnv) -> Option<Self> {
        let pebble = Pebble::start(&environment.folder().join("pebble"), 1)?;
        let host = TestHost::start_with(environment, &["--domain", "ship.test", "--dns-server", &pebble.dns()]);
        let project = environment.project("site").file("public/index.html", "here");
        let _ = host.ship(["deploy"]).within(project.folder()).run().success();
        Some(Self { pebble, host, project })
    }

    fn domains(&self, folder: &Path, words: &[&str]) -> ship_tests::CommandOutput {
        self.host.ship([&["domains"], words].concat()).within(folder).run()
    }

    /// Claims a name for the project and makes the record that proves it.
    fn prove(&self, name: &str, more: &[&str]) -> ship_tests::CommandOutput {
        let claimed = self.domains(self.project.folder(), &[&["add", name, "--json"], more].concat()).success().json();
        let text = |key: &str| claimed[key].as_str().unwrap_or_default().to_owned();
        self.pebble.set_text(&text("record"), &text("proof"));
        self.domains(self.project.folder(), &["verify", name]).success()
    }

    fn url(&self, name: &str) -> String {
        let (_, port) = self.host.addresses().sites.rsplit_once(':').expect("an address ends in its port");
        format!("http://{name}:{port}")
    }
}

/// A name leads to its project once the DNS says so, however it is written; before and after, it is a name like any other.
#[test]
fn life_of_a_domain() {
    let environment = TestEnv::new();
    let Some(stage) = Stage::start(&environment) else { return };
    let folder = stage.project.folder();
    let claimed = stage.domains(folder, &["add", "Größe.example"]).success();
    let said = claimed.stdout().trim().to_owned();
    let (record, proof) = said.split_once(" TXT ").expect("it says what to set");
    assert_eq!(record, "_ship.xn--gre-6ka8i.example");
    let stranger = http::get(&stage.url("xn--nobody-5ya.example"));
    let unproved = http::get(&stage.url("xn--gre-6ka8i.example"));
    for answer in [&stranger, &unproved] {
        assert_eq!((answer.status, answer.header("x-ship-error").as_deref()), (404, Some("DEPLOYMENT_NOT_FOUND")));
        assert!(!answer.text().contains("site"), "{}", answer.text());
    }
    let absent = stage.domains(folder, &["verify", "größe.example"]);
    assert_eq!(absent.code(), Some(1));
    assert!(absent.stderr().contains("there is no TXT record at `_ship.xn--gre-6ka8i.example`"), "{}", absent.stderr());
    stage.pebble.set_text(record, "ship-domain-verification=another");
    let different = stage.domains(folder, &["verify", "größe.example"]);
    assert!(different.stderr().contains("says \"ship-domain-verification=another\""), "{}", different.stderr());
    stage.pebble.set_text(record, proof);
    let verified = stage.domains(folder, &["verify", "größe.example"]).success();
    assert_eq!(verified.stdout().trim(), stage.url("xn--gre-6ka8i.example"));

    for name in ["xn--gre-6ka8i.example", "XN--GRE-6KA8I.Example", "xn--gre-6ka8i.example."] {
        assert_eq!(http::get(&stage.url(name)).success().text(), "here", "{name}");
    }
    let deployed = stage.host.ship(["deploy", "--prod", "--json"]).within(folder).run().success().json();
    let aliases = deployed["aliases"].as_array().cloned().unwrap_or_default();
    assert!(aliases.iter().any(|url| *url == stage.url("xn--gre-6ka8i.example")), "{deployed}");

    assert_eq!(stage.domains(folder, &["rm", "größe.example"]).success().stdout().trim(), "xn--gre-6ka8i.example");
    assert_eq!(http::get(&stage.url("xn--gre-6ka8i.example")).status, 404);
    assert_eq!(stage.domains(folder, &["ls", "--json"]).success().json()["domains"].as_array().map(Vec::len), Some(0));

    let audit = stage.host.ship(["audit", "--json"]).run().success().json();
    let entries = audit["entries"].as_array().expect("it lists entries").iter();
    let of_domains = entries.filter(|entry| entry["action"].as_str().is_some_and(|word| word.starts_with("domain.")));
    let noted: Vec<String> = of_domains
        .map(|entry| ["action", "project", "resource"].map(|key| entry[key].as_str().unwrap_or("-")).join(" "))
        .collect();
    let change = |word: &str| format!("domain.{word} site xn--gre-6ka8i.example");
    assert_eq!(noted, [change("remove"), change("verify"), change("add")]);
}

/// A name that was given up cannot become another project's, even with the proof; its own project has it back at once.
#[test]
fn given_up() {
    let environment = TestEnv::new();
    let Some(stage) = Stage::start(&environment) else { return };
    let other = environment.project("other").file("public/index.html", "there");
    let _ = stage.host.ship(["deploy"]).within(other.folder()).run().success();
    let _ = stage.prove("a.example", &[]);
    let taken = stage.domains(other.folder(), &["add", "a.example"]);
    assert_eq!(taken.code(), Some(1));
    assert!(taken.stderr().contains("`a.example` leads to another project"), "{}", taken.stderr());
    let viewer = ["tokens", "create", "--role", "viewer", "--project", "other", "--json"];
    let viewer = stage.host.ship(viewer).run().success().json()["token"].as_str().unwrap_or_default().to_owned();
    let [theirs, nobodys] = ["a.example", "b.example"].map(|name| {
        let refused = stage.host.ship(["inspect", name, "--token", &viewer]).within(other.folder()).run().exits_with(1);
        refused.stderr().replace(name, "[NAME]")
    });
    assert_eq!(theirs, nobodys, "whose it is is nobody else's business");
    let _ = stage.domains(stage.project.folder(), &["rm", "a.example"]).success();
    let resting = stage.domains(other.folder(), &["add", "a.example"]);
    assert_eq!(resting.code(), Some(1));
    assert!(resting.stderr().contains("can be taken from"), "{}", resting.stderr());
    let _ = stage.prove("a.example", &[]);
    assert_eq!(http::get(&stage.url("a.example")).success().text(), "here");
    // A project that goes gives its names up as well.
    let _ = stage.host.ship(["rm", "--project", "site", "--yes"]).run().success();
    assert_eq!(http::get(&stage.url("a.example")).status, 404);
    assert_eq!(stage.domains(other.folder(), &["add", "a.example"]).code(), Some(1));
}

/// Visitors of one name can be led to another, with path and query; names that cannot lead anywhere are refused.
#[test]
fn redirects_and_refusals() {
    let environment = TestEnv::new();
    let Some(stage) = Stage::start(&environment) else { return };
    let folder = stage.project.folder();
    let _ = stage.prove("example.example", &[]);
    let _ = stage.prove("www.example.example", &["--redirect-to", "example.example"]);
    let led = http::get(&format!("{}/a?b=c", stage.url("www.example.example")));
    let there = format!("{}/a?b=c", stage.url("example.example"));
    assert_eq!((led.status, led.header("location")), (308, Some(there)));
    for (words, code, part) in [
        (&["add", "x.ship.test"][..], 1, "below the host's own domain"),
        (&["add", "y.example", "--redirect-to", "unknown.example"], 1, "has no domain `unknown.example`"),
        (&["add", "y.example", "--redirect-to", "www.example.example"], 1, "leads elsewhere itself"),
        (&["add", "a_b.example"], 2, "is no domain name"),
        (&["add", "127.0.0.1"], 2, "is an address"),
        (&["add", "localhost"], 2, "is no full domain name"),
        (&["rm", "example.example"], 1, "visitors of `www.example.example` are led to `example.example`"),
        (&["verify", "unknown.example"], 1, "has no domain `unknown.example`"),
        (&["rm", "unknown.example"], 1, "has no domain `unknown.example`"),
        (&["add", "y.example", "--project", "nothing"], 1, "there is no project `nothing`"),
    ] {
        let refused = stage.domains(folder, words);
        assert_eq!(refused.code(), Some(code), "{words:?}: {}", refused.stderr());
        assert!(refused.stderr().contains(part), "{words:?}: {}", refused.stderr());
    }
}
