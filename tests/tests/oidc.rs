//! Jobs of continuous integration come in without a secret: their platform vouches for them, and an admin has said whom to trust.
//!
//! The platform is one on this machine that signs as GitHub and GitLab do; neither of them is asked.

use serde_json::{Value, json};
use ship_tests::http::Answer;
use ship_tests::issuer::{JOB_SECRET, KeysAnswer, SigningKey, TestIssuer, compact, now, signed};
use ship_tests::{TestEnv, TestHost, http};

/// A job at GitHub deploys: it asks its platform for an identity, gets a token for a quarter of an hour, and all of its commands use it. When
/// nobody trusts the job any more, the token opens nothing.
#[test]
fn a_job_deploys() {
    let owner = TestEnv::new();
    let runner = TestEnv::new();
    let host = TestHost::start(&owner);
    let issuer = TestIssuer::start();
    let trusted = host.ship(add(&format!("github={}", issuer.url()), &["--branch", "main"])).run().success().json();
    assert_eq!((&trusted["audience"], &trusted["lifetime"]), (&json!("ship://localhost"), &json!("15m")), "{trusted}");
    issuer.runs(issuer.github("main", &json!({})));
    let project = runner.project("blue").file("index.html", "deployed by a job");
    let job = |words: &[&str]| {
        let command = runner.ship(words).within(project.folder()).with("SHIP_HOST", host.control_url());
        let command = command.with("ACTIONS_ID_TOKEN_REQUEST_URL", issuer.request_url());
        command.with("ACTIONS_ID_TOKEN_REQUEST_TOKEN", JOB_SECRET)
    };
    let deployed = job(&["deploy", "--json"]).run().success().json();
    assert_eq!(deployed["deployment"]["project"], "blue");
    assert_eq!(http::get(&host.site_url("blue")).text(), "deployed by a job");
    let who = job(&["whoami", "--json"]).run().success().json()["token"].clone();
    let short = [&who["name"], &who["role"], &who["project"], &who["trust"], &who["created_by"]];
    let expected =
        [&json!("acme/blue run 4711"), &json!("deployer"), &json!("blue"), &trusted["id"], &trusted["created_by"]];
    assert_eq!(short, expected);
    let seconds = lifetime(&who);
    assert_eq!(seconds, 15 * 60, "{who}");
    let elsewhere = job(&["deploy", "--project", "red"]).run().exits_with(1);
    assert!(elsewhere.stderr().contains("the host has no project `red`"), "{}", elsewhere.stderr());

    let exchanged = entries(&host, "token.exchange");
    assert_eq!(exchanged.len(), 1, "one token for all commands of the job: {exchanged:?}");
    let noted = [&exchanged[0]["token"], &exchanged[0]["project"], &exchanged[0]["outcome"]];
    assert_eq!(noted, [&who["id"], &json!("blue"), &json!("done")]);
    let words = format!(
        "trust {}, repo:acme/blue:ref:refs/heads/main, repository acme/blue, run 4711",
        trusted["id"].as_str().unwrap()
    );
    assert_eq!(exchanged[0]["resource"], json!(words));
    assert_eq!(entries(&host, "deployment.publish")[0]["token_name"], "acme/blue run 4711");

    let listed = host.ship(["tokens", "trust", "ls", "--json"]).run().success().json();
    assert_eq!(listed, json!({ "trusts": [trusted] }));
    let id = trusted["id"].as_str().unwrap();
    let removed = host.ship(["tokens", "trust", "rm", id, "--json"]).run().success().json();
    assert_eq!(removed, json!({ "id": id, "tokens": [who["id"]] }));
    let gone = job(&["whoami"]).run().exits_with(3);
    assert!(gone.stderr().contains("this host does not know the token"), "{}", gone.stderr());
    let again = job(&["login", &host.control_url(), "--oidc"]).run().exits_with(3);
    assert!(again.stderr().contains("the host does not take this identity"), "{}", again.stderr());
    let _ = host.ship(["tokens", "trust", "rm", id]).run().exits_with(1);
    let refused = entries(&host, "token.exchange");
    assert_eq!(refused[0]["resource"], "no trust names its issuer");
}

/// A job at GitLab is given its identity. It logs in once, and what it is given is for no other job on the same runner.
#[test]
fn a_job_logs_in() {
    let owner = TestEnv::new();
    let runner = TestEnv::new();
    let host = TestHost::start(&owner);
    let issuer = TestIssuer::start();
    let words = ["--repository", "acme/teams/blue", "--branch", "main", "--lifetime", "1h", "--role", "viewer"];
    let trust =
        ["tokens", "trust", "add", "--project", "blue", "--json", "--issuer", &format!("gitlab={}", issuer.url())];
    let _ = host.ship([&trust[..], &words].concat()).run().success();
    let identity = signed(&issuer.key("large"), &issuer.gitlab("main", &json!({})));
    let job = |words: &[&str], identity: &str| runner.ship(words).with("SHIP_ID_TOKEN", identity).run();
    let login = ["login", &host.control_url(), "--oidc", "--json"];
    let logged_in = job(&login, &identity).success().json();
    assert_eq!((&logged_in["token"]["name"], lifetime(&logged_in["token"])), (&json!("acme/teams/blue run 815"), 3600));
    assert!(!logged_in.to_string().contains("ship_"), "the token is in its file alone");
    assert_eq!(job(&["ls", "--json"], &identity).success().json()["deployments"], json!([]));
    let another = job(&["ls"], &signed(&issuer.key("large"), &issuer.gitlab("feature", &json!({})))).exits_with(3);
    assert!(another.stderr().contains("the host does not take this identity"), "{}", another.stderr());
    let nobody = runner.ship(["ls"]).run().exits_with(3);
    assert!(nobody.stderr().contains("the request has no token"), "{}", nobody.stderr());
    let no_job = runner.ship(&login[..3]).run().exits_with(2);
    assert!(no_job.stderr().contains("this is no job that has an identity"), "{}", no_job.stderr());
}

/// Whatever is wrong with an identity, the job hears the same, byte for byte; what it was stands in the audit log.
#[test]
fn wrong_identities() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let issuer = TestIssuer::start();
    trust(&host, &issuer, &["--branch", "main"]);
    let (small, large) = (issuer.key("small"), issuer.key("large"));
    let claims = |change: Value| issuer.github("main", &change);
    let with = |change: Value| signed(&small, &claims(change));
    let headed = |header: Value, sign: &dyn Fn(&[u8]) -> Vec<u8>| compact(&header, &claims(json!({})), sign);
    let right = |key: &SigningKey| signed(key, &claims(json!({})));
    let mut cut = right(&small);
    cut.truncate(cut.rfind('.').unwrap());
    let (head, tail) = (right(&small), with(json!({ "sub": "repo:acme/blue:ref:refs/heads/main2" })));
    let part = |text: &str, number: usize| text.split('.').nth(number).unwrap().to_owned();
    let swapped = [part(&tail, 0), part(&tail, 1), part(&head, 2)].join(".");
    // Whoever takes a public key for a secret would take this for signed.
    let secret = |key: &SigningKey| key.published()["x"].as_str().unwrap().to_owned();
    let hmac = |message: &[u8]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret(&small).as_bytes());
        ring::hmac::sign(&key, message).as_ref().to_vec()
    };
    let other = SigningKey::es256("small");
    let unread = "it cannot be read";
    let untrusted = |subject: &str| format!("no trust fits {subject}");
    let main = "repo:acme/blue:ref:refs/heads/main";
    let cases: Vec<(String, String)> = vec![
        (with(json!({ "aud": "ship://other.example" })), "its audience is another".into()),
        (with(json!({ "aud": "https://github.com/acme" })), "its audience is another".into()),
        (with(json!({ "aud": ["ship://localhost", "ship://other.example"] })), "its audience is another".into()),
        (with(json!({ "aud": null })), "a claim is missing or is not what it should be".into()),
        (with(json!({ "iss": "https://token.actions.githubusercontent.com" })), "no trust names its issuer".into()),
        (with(json!({ "iss": format!("{}/", issuer.url()) })), "no trust names its issuer".into()),
        (with(json!({ "iss": [issuer.url()] })), "no trust names its issuer".into()),
        (with(json!({ "exp": now() - 120 })), "it has expired".into()),
        (with(json!({ "exp": null })), "a claim is missing or is not what it should be".into()),
        (with(json!({ "exp": "never" })), "a claim is missing or is not what it should be".into()),
        (with(json!({ "nbf": now() + 120 })), "it is not valid yet".into()),
        (with(json!({ "iat": now() + 120 })), "it is not valid yet".into()),
        (with(json!({ "iat": null })), "a claim is missing or is not what it should be".into()),
        (with(json!({ "jti": null })), "a claim is missing or is not what it should be".into()),
        (with(json!({ "sub": null })), "a claim is missing or is not what it should be".into()),
        (right(&other), "its signature is wrong".into()),
        (swapped, "its signature is wrong".into()),
        (right(&other.called("strange")), "its issuer has no such key".into()),
        (right(&large.called("small")), "its issuer has no such key".into()),
        (headed(json!({ "alg": "ES256" }), &|message| small.sign(message)), "its issuer has no such key".into()),
        (headed(json!({ "alg": "none", "kid": "small" }), &|_| Vec::new()), unread.into()),
        (headed(json!({ "alg": "None", "kid": "small" }), &|_| Vec::new()), unread.into()),
        (headed(json!({ "alg": "HS256", "kid": "small" }), &hmac), "its algorithm is neither RS256 nor ES256".into()),
        (
            headed(json!({ "alg": "ES256", "kid": "small", "crit": ["b64"] }), &|message| small.sign(message)),
            unread.into(),
        ),
        (cut, unread.into()),
        ("ship_nonsense".into(), unread.into()),
        (String::new(), unread.into()),
        (with(json!({ "padding": "x".repeat(20_000) })), unread.into()),
        (
            with(json!({ "repository": "acme/red", "sub": "repo:acme/red:ref:refs/heads/main" })),
            untrusted("repo:acme/red:ref:refs/heads/main"),
        ),
        (with(json!({ "repository": "evil/blue" })), untrusted(main)),
        (with(json!({ "repository": null })), untrusted(main)),
        (signed(&small, &issuer.github("feature", &json!({}))), untrusted("repo:acme/blue:ref:refs/heads/feature")),
        (with(json!({ "ref": "refs/tags/main" })), untrusted(main)),
        (
            with(json!({ "event_name": "pull_request_target", "sub": "repo:acme/blue:pull_request" })),
            untrusted("repo:acme/blue:pull_request"),
        ),
    ];
    let answers: Vec<Answer> = cases.iter().map(|(identity, _)| exchange(&host, identity)).collect();
    for (answer, (identity, reason)) in answers.iter().zip(&cases) {
        assert_eq!((answer.status, code(answer)), (401, "UNAUTHORIZED".to_owned()), "{reason}: {identity}");
        assert_eq!(answer.text(), answers[0].text(), "{reason}");
        assert_eq!(answer.header("www-authenticate").as_deref(), Some("Bearer"));
    }
    let mut noted = entries(&host, "token.exchange");
    noted.reverse();
    for (entry, (identity, reason)) in noted.iter().zip(&cases) {
        assert_eq!((&entry["resource"], &entry["outcome"]), (&json!(reason), &json!("refused")), "{identity}");
        assert_eq!((&entry["token"], &entry["code"]), (&Value::Null, &json!("UNAUTHORIZED")));
    }
    assert_eq!(noted.len(), cases.len());
    let listed = host.control("GET", "/v1/tokens").send().success().json();
    assert_eq!(listed["tokens"].as_array().unwrap().len(), 1, "none but the owner's: {listed}");
    for key in [&small, &large] {
        assert_eq!(exchange(&host, &right(key)).status, 201, "{}", key.algorithm());
    }
}

/// An identity is good for one token: not at another time, not in another form, not by two at once, and not after the host was killed.
#[test]
fn once() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let issuer = TestIssuer::start();
    trust(&host, &issuer, &[]);
    let claims = issuer.github("main", &json!({}));
    let identity = signed(&issuer.key("small"), &claims);
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| exchange(&host, &identity).status)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(answers.iter().filter(|status| **status == 201).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 7, "{answers:?}");
    // Another signature, and another key, make another text of the same identity.
    for key in ["small", "large"] {
        assert_eq!(exchange(&host, &signed(&issuer.key(key), &claims)).status, 401);
    }
    host.kill();
    host.start_again();
    let again = exchange(&host, &identity);
    assert_eq!((again.status, code(&again)), (401, "UNAUTHORIZED".to_owned()));
    let noted = entries(&host, "token.exchange");
    let words = noted[0]["resource"].as_str().unwrap();
    assert!(words.starts_with("it was exchanged before: trust ") && words.ends_with("run 4711"), "{words}");
    let fresh = signed(&issuer.key("small"), &issuer.github("main", &json!({})));
    assert_eq!(exchange(&host, &fresh).status, 201);
}

/// An issuer whose keys are not to be had is said so, and whatever it answers is read to a bound, and from itself alone.
#[test]
fn no_keys() {
    let environment = TestEnv::new();
    let runner = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let other = TestIssuer::start();
    let elsewhere = KeysAnswer::At(format!("{}/keys", other.url()));
    let local_file = KeysAnswer::At("file:///etc/passwd".to_owned());
    for answer in [
        KeysAnswer::Failing,
        KeysAnswer::Endless,
        KeysAnswer::Elsewhere,
        KeysAnswer::OtherIssuer,
        elsewhere,
        local_file,
    ] {
        let issuer = TestIssuer::answering(answer.clone());
        trust(&host, &issuer, &[]);
        let identity = signed(&issuer.key("small"), &issuer.github("main", &json!({})));
        let refused = exchange(&host, &identity);
        assert_eq!((refused.status, code(&refused)), (502, "ISSUER_UNREACHABLE".to_owned()), "{answer:?}");
        let asked = issuer.questions();
        assert_eq!(exchange(&host, &identity).status, 502);
        assert_eq!(issuer.questions(), asked, "it is not asked again at once");
        let command = runner.ship(["login", &host.control_url(), "--oidc"]).with("SHIP_ID_TOKEN", identity);
        let said = command.run().exits_with(4);
        assert!(said.stderr().contains("the host cannot read the keys of the identity's issuer"), "{}", said.stderr());
    }
    assert_eq!(other.questions(), 0, "nobody is followed to another place");
    let noted = entries(&host, "token.exchange");
    assert!(noted.iter().all(|entry| entry["resource"] == "the keys of its issuer cannot be read"), "{noted:?}");
    host.ask_to_end();
    let log = host.ended();
    for reason in [
        "answered with 500",
        "answered with more than 262144 bytes",
        "answered with 302",
        "describes another issuer",
        "has its keys at another server",
    ] {
        assert!(log.stderr().contains(reason), "{reason}: {}", log.stderr());
    }
}

/// Strangers make the host ask nobody but the issuers that an admin has declared, and those not often; keys that an issuer has published
/// meanwhile are found.
#[test]
fn who_is_asked() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let (issuer, stranger) = (TestIssuer::start(), TestIssuer::start());
    trust(&host, &issuer, &[]);
    let theirs = signed(&stranger.key("small"), &stranger.github("main", &json!({})));
    assert_eq!(exchange(&host, &theirs).status, 401);
    assert_eq!(stranger.questions(), 0);
    issuer.publish(SigningKey::es256("new"));
    let identity = |key: &str| signed(&issuer.key(key), &issuer.github("main", &json!({})));
    assert_eq!(exchange(&host, &identity("new")).status, 201);
    for number in 0..20 {
        let unknown = issuer.key("small").called(&format!("unknown {number}"));
        let refused = exchange(&host, &signed(&unknown, &issuer.github("main", &json!({}))));
        assert_eq!(refused.status, 401);
        assert_eq!(exchange(&host, &identity("small")).status, 201, "the others' keys are there all the while");
    }
    assert_eq!(issuer.questions(), 2, "its description and its keys, once");
}

/// Nobody trusts more than they may themselves, nobody trusts everybody, and what belongs to others is not there.
#[test]
fn declaring_trust() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let command = ["tokens", "trust", "add", "--project", "blue", "--role", "deployer", "--issuer"];
    let attempt = |words: &[&str]| host.ship([&command[..], words].concat()).run();
    for (words, exit, said) in [
        (&["github"][..], 2, "--repository"),
        (&["github", "--subject", "*"], 2, "is no pattern of subjects"),
        (&["github", "--subject", "repo:*"], 1, "does not say which repository"),
        (&["github", "--subject", "repo:acme/*"], 1, "does not say which repository"),
        (&["github", "--subject", "repo:acme/blue*"], 1, "does not say which repository"),
        (&["gitlab", "--subject", "project_path:acme/*"], 1, "does not say which repository"),
        (&["github", "--repository", "acme"], 2, "names no repository"),
        (&["github", "--repository", "acme/*"], 2, "names no repository"),
        (&["github", "--subject", "repo:acme/blue:*", "--branch", "main"], 2, "--repository"),
        (&["https://ci.example", "--repository", "acme/blue"], 1, "only subjects can be trusted"),
        (&["https://ci.example", "--subject", "job*"], 1, "does not say which repository"),
        (&["http://ci.example", "--subject", "job"], 2, "is no issuer"),
        (&["github", "--repository", "acme/blue", "--lifetime", "61m"], 1, "lives for 1h at the most"),
    ] {
        let refused = attempt(words).exits_with(exit);
        assert!(refused.stderr().contains(said), "{words:?}: {}", refused.stderr());
    }
    let no_project = ["tokens", "trust", "add", "--issuer", "github", "--repository", "acme/blue", "--role", "viewer"];
    let refused = host.ship(no_project).run().exits_with(2);
    assert!(refused.stderr().contains("a trust is for one project"), "{}", refused.stderr());
    assert_eq!(host.ship(["tokens", "trust", "ls", "--json"]).run().success().json(), json!({ "trusts": [] }));

    let admin = ["tokens", "create", "--role", "admin", "--project", "blue", "--expires", "10m", "--json"];
    let admin = host.ship(admin).run().success().json();
    let blue = |words: &[&str]| host.ship(words).with("SHIP_TOKEN", admin["token"].as_str().unwrap()).run();
    let own = blue(&[&command[..], &["github", "--repository", "acme/blue", "--json"]].concat()).success().json();
    assert_eq!((&own["expires_at"], &own["created_by"]), (&admin["expires_at"], &admin["id"]));
    let mut elsewhere = command;
    elsewhere[4] = "red";
    for words in [&[&elsewhere[..], &["github"]].concat(), &[&command[..], &["gitlab=https://git.example"]].concat()] {
        let _ = blue(&[&words[..], &["--repository", "acme/blue"]].concat()).exits_with(3);
    }
    let red =
        host.ship([&elsewhere[..], &["github", "--repository", "acme/red", "--json"]].concat()).run().success().json();
    assert_eq!(blue(&["tokens", "trust", "ls", "--json"]).success().json(), json!({ "trusts": [own] }));
    let theirs = blue(&["tokens", "trust", "rm", red["id"].as_str().unwrap()]).exits_with(1);
    let nothing = blue(&["tokens", "trust", "rm", "zzzzzzzzzz"]).exits_with(1);
    assert_eq!(theirs.stderr().replace(red["id"].as_str().unwrap(), "zzzzzzzzzz"), nothing.stderr());
    let table = host.ship(["tokens", "trust", "ls"]).run().success();
    assert!(table.stdout().contains("acme/red"), "{}", table.stdout());
    let changes: Vec<Value> = entries(&host, "trust.add").iter().map(|entry| entry["outcome"].clone()).collect();
    assert_eq!(changes.iter().filter(|outcome| **outcome == "done").count(), 2, "{changes:?}");
}

/// A job that several trusts fit gets the most of one project, and says which of several projects it means.
#[test]
fn several_trusts() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let issuer = TestIssuer::start();
    let declare = |project: &str, role: &str| {
        let words = ["tokens", "trust", "add", "--repository", "acme/blue", "--project", project, "--role", role];
        let _ = host.ship([&words[..], &["--issuer", &format!("github={}", issuer.url())]].concat()).run().success();
    };
    let ask = |project: Option<&str>| {
        let identity = signed(&issuer.key("small"), &issuer.github("main", &json!({})));
        let body = json!({ "identity": identity, "project": project }).to_string();
        http::request("POST", &format!("{}/v1/exchange", host.control_url())).body(body).send()
    };
    declare("blue", "deployer");
    declare("blue", "viewer");
    assert_eq!(ask(None).json()["role"], "deployer");
    declare("red", "viewer");
    let unclear = ask(None);
    assert_eq!((unclear.status, code(&unclear)), (400, "BAD_REQUEST".to_owned()), "{}", unclear.text());
    assert_eq!(ask(Some("red")).json()["role"], "viewer");
    assert_eq!(ask(Some("blue")).json()["role"], "deployer");
    assert_eq!(ask(Some("green")).status, 401);
}

/// Whoever gives many wrong identities hears 429 and when to come back.
#[test]
fn wrong_identities_are_limited() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let limited = (0..1_000).map(|_| exchange(&host, "nonsense")).find(|answer| answer.status != 401);
    let limited = limited.expect("at some time it is enough");
    assert_eq!((limited.status, code(&limited)), (429, "TOO_MANY_REQUESTS".to_owned()));
    let wait: u64 = limited.header("retry-after").expect("it says when").parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    assert_eq!(host.control("GET", "/v1/whoami").send().status, 200);
}

/// The words of a trust for the jobs of `acme/blue` as deployer of `blue`.
fn add<'a>(issuer: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let words =
        ["tokens", "trust", "add", "--repository", "acme/blue", "--role", "deployer", "--project", "blue", "--json"];
    [&words[..], &["--issuer", issuer], more].concat()
}

fn trust(host: &TestHost<'_>, issuer: &TestIssuer, more: &[&str]) {
    let _ = host.ship(add(&format!("github={}", issuer.url()), more)).run().success();
}

fn exchange(host: &TestHost<'_>, identity: &str) -> Answer {
    let body = json!({ "identity": identity }).to_string();
    http::request("POST", &format!("{}/v1/exchange", host.control_url())).body(body).send()
}

fn code(answer: &Answer) -> String {
    answer.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// The entries of the audit log about an action, newest first.
fn entries(host: &TestHost<'_>, action: &str) -> Vec<Value> {
    let log = host.control("GET", "/v1/audit?limit=1000").send().success().json();
    log["entries"].as_array().into_iter().flatten().filter(|entry| entry["action"] == action).cloned().collect()
}

/// How many seconds a token lives.
fn lifetime(token: &Value) -> i64 {
    let time =
        |name: &str| token[name].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("it is a time");
    (time("expires_at").as_millisecond() - time("created_at").as_millisecond() + 500) / 1_000
}
