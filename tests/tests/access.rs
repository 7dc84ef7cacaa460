//! Who may do what: every route of the control API, asked by everybody.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use ship_api::{PACK_MEDIA_TYPE, pack_end, pack_entry};
use ship_core::Digest;
use ship_tests::http::Answer;
use ship_tests::{TestEnv, TestHost, http};

/// What each route answers to whom. A route that is not here fails the test, and so does a line for a route that is gone.
///
/// The columns: the viewer, the deployer and the admin of the project that the route is asked about; the admin of another project; and
/// the viewer, the deployer and the admin of all projects. `+` is whatever the route answers to those who may, 403 and 404 are
/// refusals. Without a token, with a wrong one, with one that has expired and with one that was removed, the answer is 401
/// everywhere but where everybody may.
const EXPECTED: &str = "
                                                          one project        another  all projects
                                                          view  dep   adm    adm      view  dep   adm
GET    /metrics                                           403   403   403    403      403   403   +
GET    /v1/audit                                          403   403   +      +        403   403   +
GET    /v1/backup                                         403   403   403    403      403   403   +
POST   /v1/blobs                                          403   +     +      +        403   +     +
POST   /v1/blobs/missing                                  403   +     +      +        403   +     +
PUT    /v1/blobs/{digest}                                 403   +     +      +        403   +     +
GET    /v1/deployments                                    +     +     +      +        +     +     +
DELETE /v1/deployments/{reference}                        403   403   +      404      403   403   +
GET    /v1/deployments/{reference}                        +     +     +      404      +     +     +
GET    /v1/deployments/{reference}/build                  +     +     +      404      +     +     +
PUT    /v1/deployments/{reference}/build                  403   +     +      404      403   +     +
GET    /v1/deployments/{reference}/changes                +     +     +      404      +     +     +
GET    /v1/deployments/{reference}/composition            +     +     +      404      +     +     +
GET    /v1/domains                                        +     +     +      +        +     +     +
POST   /v1/exchange                                       everybody
POST   /v1/fsck                                           403   403   403    403      403   403   +
POST   /v1/gc                                             403   403   403    403      403   403   +
GET    /v1/history                                        403   403   403    403      403   403   +
POST   /v1/logins                                         everybody
POST   /v1/logins/wait                                    everybody
GET    /v1/logins/{code}                                  403   403   +      +        403   403   +
POST   /v1/logins/{code}/approve                          403   403   +      +        403   403   +
GET    /v1/projects                                       +     +     +      +        +     +     +
DELETE /v1/projects/{project}                             403   403   +      404      403   403   +
GET    /v1/projects/{project}/chunks                      403   +     +      404      403   +     +
POST   /v1/projects/{project}/deployments                 403   +     +      404      403   +     +
POST   /v1/projects/{project}/deployments/{id}/publish    403   +     +      404      403   +     +
POST   /v1/projects/{project}/domains                     403   403   +      404      403   403   +
DELETE /v1/projects/{project}/domains/{name}              403   403   +      404      403   403   +
POST   /v1/projects/{project}/domains/{name}/verify       403   403   +      404      403   403   +
GET    /v1/projects/{project}/env                         +     +     +      404      +     +     +
DELETE /v1/projects/{project}/env/{name}                  403   403   +      404      403   403   +
PUT    /v1/projects/{project}/env/{name}                  403   403   +      404      403   403   +
GET    /v1/projects/{project}/history                     +     +     +      404      +     +     +
GET    /v1/projects/{project}/logs                        +     +     +      404      +     +     +
POST   /v1/projects/{project}/promote                     403   +     +      404      403   +     +
GET    /v1/projects/{project}/protection                  +     +     +      404      +     +     +
PUT    /v1/projects/{project}/protection                  403   403   +      404      403   403   +
GET    /v1/projects/{project}/readable-env                403   +     +      404      403   +     +
POST   /v1/projects/{project}/rollback                    403   +     +      404      403   +     +
POST   /v1/sessions                                       +     +     +      +        +     +     +
POST   /v1/shutdown                                       403   403   403    403      403   403   +
GET    /v1/status                                         403   403   403    403      403   403   +
GET    /v1/tokens                                         403   403   +      +        403   403   +
POST   /v1/tokens                                         403   403   +      +        403   403   +
DELETE /v1/tokens/{id}                                    403   403   +      +        403   403   +
GET    /v1/trusts                                         403   403   +      +        403   403   +
POST   /v1/trusts                                         403   403   +      +        403   403   +
DELETE /v1/trusts/{id}                                    403   403   +      +        403   403   +
POST   /v1/upgrade                                        403   403   403    403      403   403   +
GET    /v1/whoami                                         +     +     +      +        +     +     +
";

/// The columns of [`EXPECTED`]: a role, and a project or none for all.
const ASKING: [(&str, Option<&str>); 7] = [
    ("viewer", Some("blue")),
    ("deployer", Some("blue")),
    ("admin", Some("blue")),
    ("admin", Some("red")),
    ("viewer", None),
    ("deployer", None),
    ("admin", None),
];

/// Every route that the API describes is asked by everybody, and answers as the table says.
#[test]
fn every_route_and_everybody() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let blue = deploy(&environment, &host, "blue", "a blue page");
    let expired = expired_token(&host);
    let removed = token(&host, "viewer", None);
    let id = removed["id"].as_str().unwrap();
    let gone = host.control("DELETE", &format!("/v1/tokens/{id}")).send().success();
    assert_eq!(gone.json(), json!({ "id": id }));
    let strangers = [None, Some("ship_wrong".to_owned()), Some(expired), Some(secret(&removed))];
    let asking = ASKING.map(|(role, project)| secret(&token(&host, role, project)));

    let description = host.control("GET", "/v1/openapi.json").send().success().json();
    let mut table = heading();
    for (method, path) in routes_of(&description) {
        let concrete = path.replace("{project}", "blue").replace("{reference}", &blue).replace("{id}", "something");
        let ask = |token: Option<&str>| {
            let request = http::request(&method, &format!("{}{concrete}", host.control_url()));
            token.into_iter().fold(request, http::Request::token).body("{").send()
        };
        let to_strangers = strangers.each_ref().map(|token| ask(token.as_deref()));
        let is_open = description["paths"][&path][method.to_lowercase()]["x-ship-access"]["of"] == "everybody";
        if is_open {
            assert!(to_strangers.iter().all(|answer| answer.status == 400), "{method} {path}: {to_strangers:?}");
            table.push_str(&line(&method, &path, &["everybody".to_owned()]));
            continue;
        }
        for answer in &to_strangers {
            assert_eq!((answer.status, code(answer).as_deref()), (401, Some("UNAUTHORIZED")), "{method} {path}");
            assert_eq!(answer.header("www-authenticate").as_deref(), Some("Bearer"), "{method} {path}");
        }
        // What would end the host, or what the other columns need, is tried in stories of its own.
        let spares = (method.as_str(), path.as_str()) == ("POST", "/v1/shutdown") || method == "DELETE";
        let columns = asking.iter().zip(ASKING).map(|(token, (role, project))| {
            let may = role == "admin" && (project.is_none() || (project == Some("blue") && path != "/v1/shutdown"));
            if spares && may { "+".to_owned() } else { cell(&ask(Some(token))) }
        });
        table.push_str(&line(&method, &path, &columns.collect::<Vec<_>>()));
    }
    assert_eq!(table.trim_end(), EXPECTED.trim_end(), "the routes answer:\n{table}");
}

/// The same table stands in the documentation.
#[test]
fn documented() {
    let path = ship_tests::workspace_root().join("docs/access.md");
    let text = std::fs::read_to_string(&path).expect("the page is there");
    assert!(text.contains(EXPECTED.trim_matches('\n')), "docs/access.md shows another table");
}

fn heading() -> String {
    EXPECTED.split_inclusive('\n').take(3).collect()
}

fn line(method: &str, path: &str, columns: &[String]) -> String {
    if let [only] = columns {
        return format!("{method:<6} {path:<50} {only}\n");
    }
    let widths = [5, 5, 6, 8, 5, 5, 0];
    let cells: Vec<String> = columns.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
    format!("{method:<6} {path:<50} {}\n", cells.join(" ").trim_end())
}

/// What an answer is in the table: a refusal, or anything that a route answers to those who may.
fn cell(answer: &Answer) -> String {
    match (answer.status, code(answer).as_deref()) {
        (403, Some("FORBIDDEN")) => "403".to_owned(),
        (404, Some("NOT_FOUND"))
            if answer.text().contains("the token is") || answer.text().contains("no deployment") =>
        {
            "404".to_owned()
        }
        (401, _) => "401".to_owned(),
        _ => "+".to_owned(),
    }
}

fn code(answer: &Answer) -> Option<String> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    body["error"]["code"].as_str().map(str::to_owned)
}

/// Another project's things answer what things answer that do not exist, byte for byte but for the name that was asked for.
#[test]
fn others_are_as_if_they_were_not() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let crimson = deploy(&environment, &host, "crimson", "a crimson page");
    let _ = deploy(&environment, &host, "blue", "a blue page");
    let claim = host.control("POST", "/v1/projects/crimson/domains").body(r#"{"name":"a.example"}"#);
    let _ = claim.send().success();
    let trust = json!({ "issuer": "github", "repository": "acme/crimson", "role": "viewer", "project": "crimson" });
    let their_trust = host.control("POST", "/v1/trusts").body(trust.to_string()).send().json();
    let their_trust_id = their_trust["id"].as_str().unwrap();
    let absent: String = crimson.chars().rev().collect();
    let blue = secret(&token(&host, "admin", Some("blue")));
    let their_token = token(&host, "viewer", Some("crimson"));
    let their_token_id = their_token["id"].as_str().unwrap();
    let ask = |method: &str, path: &str, body: &Value| {
        let request = http::request(method, &format!("{}{path}", host.control_url())).token(&blue);
        request.body(body.to_string()).send()
    };
    let none = Value::Null;
    let publish =
        json!({ "manifest": { "version": 1, "functions": [], "routes": [], "cors": [], "assets": [] }, "publish": {} });
    for (method, path, body) in [
        ("GET", "/v1/deployments/NAME", &none),
        ("DELETE", "/v1/deployments/NAME", &none),
        ("GET", "/v1/projects/PROJECT/logs", &none),
        ("DELETE", "/v1/projects/PROJECT", &none),
        ("POST", "/v1/projects/PROJECT/deployments", &publish),
        ("POST", "/v1/projects/PROJECT/deployments/NAME/publish", &json!({})),
        ("POST", "/v1/projects/PROJECT/promote", &json!({ "deployment": "NAME" })),
        ("POST", "/v1/projects/PROJECT/rollback", &json!({})),
        ("POST", "/v1/projects/PROJECT/domains", &json!({ "name": "b.example" })),
        ("POST", "/v1/projects/PROJECT/domains/a.example/verify", &none),
        ("DELETE", "/v1/projects/PROJECT/domains/a.example", &none),
        ("POST", "/v1/projects/blue/deployments/NAME/publish", &json!({})),
        ("POST", "/v1/projects/blue/promote", &json!({ "deployment": "NAME" })),
        ("POST", "/v1/projects/blue/rollback", &json!({ "deployment": "NAME" })),
        ("GET", "/v1/deployments?project=PROJECT", &none),
        ("GET", "/v1/domains?project=PROJECT", &none),
        ("GET", "/v1/audit?project=PROJECT", &none),
        ("DELETE", "/v1/tokens/TOKEN", &none),
        ("DELETE", "/v1/trusts/TRUST", &none),
    ] {
        let ask_about = |project: &str, name: &str, token: &str, trust: &str| {
            let fill = |text: &str| {
                let text = text.replace("PROJECT", project).replace("NAME", name);
                text.replace("TOKEN", token).replace("TRUST", trust)
            };
            let body: Value = serde_json::from_str(&fill(&body.to_string())).unwrap();
            let answer = ask(method, &fill(path), &body);
            let text = answer.text().replace(project, "PROJECT").replace(name, "NAME").replace(token, "TOKEN");
            let text = text.replace(trust, "TRUST");
            (answer.status, text)
        };
        let theirs = ask_about("crimson", &crimson, their_token_id, their_trust_id);
        assert_eq!(theirs, ask_about("nothing", &absent, "zzzzzzzzzz", "yyyyyyyyyy"), "{method} {path}");
        assert!(theirs.0 == 404 || path.contains('?'), "{method} {path}: {theirs:?}");
    }
    for path in ["/v1/projects", "/v1/deployments", "/v1/domains", "/v1/tokens", "/v1/trusts", "/v1/audit?limit=1000"] {
        let answer = ask("GET", path, &none).success();
        assert!(!answer.text().contains("crimson"), "{path}: {}", answer.text());
    }
}

/// A deployer of one project cannot have what another project's files are made of: not by a manifest that names their digests, and not
/// even the knowledge that they are here.
#[test]
fn blobs_of_others() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let _ = deploy(&environment, &host, "red", "the secret of red");
    let secret_of_red = Digest::of(b"the secret of red");
    let blue = secret(&token(&host, "deployer", Some("blue")));
    let ask = |path: &str, media_type: &str, body: Vec<u8>| {
        let request = http::request("POST", &format!("{}{path}", host.control_url())).token(&blue);
        request.header("content-type", media_type).body(body).send()
    };
    let missing = |digest: Digest| {
        let question = json!({ "digests": [digest] }).to_string().into_bytes();
        ask("/v1/blobs/missing", "application/json", question).success().json()["missing"].clone()
    };
    let publish = || {
        let asset =
            json!({ "path": "index.html", "digest": secret_of_red, "size_bytes": 17, "media_type": "text/html" });
        let manifest = json!({ "version": 1, "functions": [], "routes": [], "cors": [], "assets": [asset] });
        let body = json!({ "manifest": manifest, "publish": {} }).to_string().into_bytes();
        ask("/v1/projects/blue/deployments", "application/json", body)
    };
    assert_eq!(missing(secret_of_red), json!([secret_of_red]));
    let stolen = publish();
    assert_eq!((stolen.status, code(&stolen).as_deref()), (409, Some("MISSING_BLOBS")), "{}", stolen.text());
    assert_eq!(stolen.json()["error"]["missing"], json!([secret_of_red]));

    let send = |bytes: &[u8]| {
        let pack = [&pack_entry(&Digest::of(bytes), bytes.len() as u64)[..], bytes, &pack_end(1)[..]].concat();
        ask("/v1/blobs", PACK_MEDIA_TYPE, pack).success().json()
    };
    // Whoever has the bytes hears the same whether somebody had them before.
    let there_before = send(b"the secret of red");
    assert_eq!(there_before, json!({ "stored_blobs": 1, "stored_bytes": 17, "reused_blobs": 0 }));
    assert_eq!(send(b"the secret of me!"), there_before);
    assert_eq!(send(b"the secret of red"), json!({ "stored_blobs": 0, "stored_bytes": 0, "reused_blobs": 1 }));
    assert_eq!(missing(secret_of_red), json!([]));
    assert_eq!(publish().status, 201);
}

/// A colleague with a token for one project deploys to it, sends what the project lacks and nothing else, and sees nothing of others.
#[test]
fn a_deployer_of_one_project() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let _ = deploy(&environment, &host, "red", "a red page");
    let project = environment.project("blue").file("index.html", "first").file("other.html", "stays");
    let created = host.ship(["tokens", "create", "--role", "deployer", "--project", "blue", "--json"]).run().success();
    let created = created.json();
    assert_eq!(
        created.as_object().unwrap().keys().collect::<Vec<_>>(),
        ["token", "id", "name", "role", "project", "created_at", "created_by", "expires_at", "last_used_at"]
    );
    let token = secret(&created);
    let ship = |words: &[&str]| host.ship(words).with("SHIP_TOKEN", &token).within(project.folder());
    let first = ship(&["deploy", "--json"]).run().success().json();
    assert_eq!(first["upload"]["sent_blobs"], 2, "{first}");
    // The owner deploys in between: what is the project's is not sent again by somebody else.
    project.write("index.html", "second");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    project.write("third.html", "third");
    let second = ship(&["deploy", "--prod", "--json"]).run().success().json();
    assert_eq!(second["upload"]["sent_blobs"], 1, "{second}");
    let _ = ship(&["rollback"]).run().success();
    let listed = ship(&["ls", "--json"]).run().success().json();
    assert_eq!(listed["deployments"].as_array().unwrap().len(), 3);
    for refused in [&["rm", "--project", "blue", "--yes"][..], &["tokens", "ls"], &["host", "status"], &["audit"]] {
        let _ = ship(refused).run().exits_with(3);
    }
    let elsewhere = ship(&["deploy", "--project", "red"]).run().exits_with(1);
    let end = "error: the host has no project `red`\nhint: the token is for `blue`, as deployer\n";
    assert!(elsewhere.stderr().ends_with(end), "{}", elsewhere.stderr());
}

/// A token that is removed opens nothing from that moment on, and what goes on with it ends.
#[test]
fn removed_at_once() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let _ = deploy(&environment, &host, "blue", "a page");
    let created = token(&host, "viewer", Some("blue"));
    let following = http::request("GET", &format!("{}/v1/projects/blue/logs?follow=true", host.control_url()))
        .token(&secret(&created))
        .open();
    assert_eq!(following.status(), 200);
    let _ = host.ship(["tokens", "rm", created["id"].as_str().unwrap()]).run().success();
    let again = http::request("GET", &format!("{}/v1/whoami", host.control_url())).token(&secret(&created)).send();
    assert_eq!((again.status, code(&again).as_deref()), (401, Some("UNAUTHORIZED")));
    let rest = following.whole();
    assert_eq!(rest.ending, ship_tests::http::Ending::Complete);
    let unknown = host.ship(["tokens", "rm", created["id"].as_str().unwrap()]).run();
    assert_eq!(unknown.code(), Some(1), "{}", unknown.snapshot());
}

/// Nobody locks themselves out by mistake: the token that a command comes with is removed only by who says so.
#[test]
fn own_token() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let own = host.ship(["whoami", "--json"]).run().success().json();
    let id = own["token"]["id"].as_str().unwrap();
    let refused = host.ship(["tokens", "rm", id]).run().exits_with(2).snapshot().replace(id, "[ID]");
    insta::assert_snapshot!(refused, @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: [ID] is the token that this command uses: without it you are locked out
    hint: `ship tokens rm [ID] --yes`
    ");
    let _ = host.ship(["whoami"]).run().success();
    let _ = host.ship(["tokens", "rm", id, "--yes"]).run().success();
    let _ = host.ship(["whoami"]).run().exits_with(3);
}

/// Nobody gives away more than they have: no larger role, no other project, no longer life.
#[test]
fn no_more_than_oneself() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let admin = host.ship(["tokens", "create", "--role", "admin", "--project", "blue", "--expires", "2d", "--json"]);
    let admin = admin.run().success().json();
    let ship = |words: &[&str]| host.ship(words).with("SHIP_TOKEN", secret(&admin)).run();
    for words in
        [&["tokens", "create", "--role", "viewer"][..], &["tokens", "create", "--role", "viewer", "--project", "red"]]
    {
        let refused = ship(words).exits_with(3);
        assert!(refused.stderr().contains("no more than the one that makes it"), "{}", refused.stderr());
    }
    let own = ship(&["tokens", "create", "--role", "admin", "--project", "blue", "--expires", "90d", "--json"]);
    let own = own.success().json();
    assert_eq!((&own["expires_at"], &own["created_by"]), (&admin["expires_at"], &admin["id"]));
    let listed = ship(&["tokens", "ls", "--json"]).success().json();
    let ids: Vec<&Value> = listed["tokens"].as_array().unwrap().iter().map(|token| &token["id"]).collect();
    assert_eq!(ids, [&admin["id"], &own["id"]], "the owner's is not among them");
    assert!(!listed.to_string().contains("ship_"), "no token is ever listed");
    let mine = ship(&["whoami", "--json"]).success().json();
    assert_eq!((&mine["token"]["role"], &mine["token"]["project"]), (&json!("admin"), &json!("blue")));
    for words in [&["--expires", "367d"][..], &["--expires", "0d"], &["--expires", "soon"], &["--role", "root"]] {
        let wrong = [&["tokens", "create", "--role", "viewer"], words].concat();
        assert_eq!(ship(&wrong).code(), Some(2), "{words:?}");
    }
}

/// When a token was last used is known at once, and still known after the host was started again.
#[test]
fn last_use() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let created = token(&host, "viewer", None);
    let last_use = |host: &TestHost<'_>| {
        let listed = host.control("GET", "/v1/tokens").send().success().json();
        let tokens = listed["tokens"].as_array().unwrap().clone();
        tokens.into_iter().find(|token| token["id"] == created["id"]).unwrap()["last_used_at"].clone()
    };
    assert_eq!(last_use(&host), Value::Null);
    let who =
        http::request("GET", &format!("{}/v1/whoami", host.control_url())).token(&secret(&created)).send().success();
    let used = who.json()["token"]["last_used_at"].clone();
    assert!(used.is_string());
    assert_eq!(last_use(&host), used);
    host.ask_to_end();
    assert_eq!(host.ended().code(), Some(0));
    host.start_again();
    assert_eq!(last_use(&host), used);
}

/// The audit log names who did what from where, changes and refusals alike, and every change that was acknowledged has its entry
/// although the host was killed right after.
#[test]
fn audit() {
    let environment = TestEnv::new();
    let mut host = TestHost::start(&environment);
    let project = environment.project("blue").file("index.html", "first");
    let first = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let _ = host
        .ship(["tokens", "create", "--role", "viewer", "--project", "blue", "--name", "ann", "--json"])
        .run()
        .success();
    let ann = token(&host, "viewer", Some("blue"));
    let ask = |host: &TestHost<'_>, method: &str, path: &str, token: &str| {
        http::request(method, &format!("{}{path}", host.control_url())).token(token).send().status
    };
    assert_eq!(ask(&host, "DELETE", "/v1/projects/blue", &secret(&ann)), 403);
    assert_eq!(ask(&host, "DELETE", "/v1/projects/red", &secret(&ann)), 404);
    assert_eq!(ask(&host, "GET", "/v1/status", "ship_nonsense"), 401);
    let entries = host.control("GET", "/v1/audit").send().success().json()["entries"].as_array().unwrap().clone();
    let short = |entry: &Value| -> Vec<String> {
        let keys = ["token_name", "peer", "action", "project", "outcome", "code"];
        keys.iter().map(|key| entry[key].as_str().unwrap_or("-").to_owned()).collect()
    };
    let mut found: Vec<String> = entries.iter().map(|entry| short(entry).join(" ")).collect();
    found.sort();
    assert_eq!(
        found,
        [
            "- 127.0.0.1 authenticate - refused UNAUTHORIZED",
            "owner 127.0.0.1 deployment.publish blue done -",
            "owner 127.0.0.1 token.create blue done -",
            "owner 127.0.0.1 token.create blue done -",
            "viewer 127.0.0.1 project.remove blue refused FORBIDDEN",
            "viewer 127.0.0.1 project.remove red refused NOT_FOUND",
        ]
    );
    let published = entries.iter().find(|entry| entry["action"] == "deployment.publish").unwrap();
    assert_eq!(published["resource"], first["deployment"]["id"]);

    project.write("index.html", "second");
    let second = host.ship(["deploy", "--prod", "--json"]).within(project.folder()).run().success().json();
    host.kill();
    host.start_again();
    let listed = host.ship(["audit", "--project", "blue", "--since", "1h", "-n", "1", "--json"]).run().success().json();
    assert_eq!(listed["entries"][0]["resource"], second["deployment"]["id"], "{listed}");
    assert_eq!(listed["entries"].as_array().unwrap().len(), 1);
    let table = host.ship(["audit", "--project", "blue"]).run().success();
    assert!(table.stdout().contains("deployment.publish"), "{}", table.stdout());
}

/// Of what decides who may see or do something, the log also says what it was set to.
#[test]
fn audit_of_settings() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let put = |path: &str, body: &Value| {
        let _ = host.control("PUT", path).body(body.to_string()).send().success();
    };
    put(
        "/v1/projects/blue/env/KEY",
        &json!({"value": "a secret", "kind": "secret", "targets": ["production", "preview"]}),
    );
    put("/v1/projects/blue/env/URL", &json!({"value": "x", "targets": ["preview"], "branch": "b", "kind": "plain"}));
    put("/v1/projects/blue/protection", &json!({"mode": "password", "password": "long enough"}));
    put("/v1/projects/blue/protection", &json!({"mode": "off", "coverage": "everything"}));
    put("/v1/projects/blue/protection", &json!({"rotate_bypass": true}));
    let made = token(&host, "deployer", Some("blue"));
    let entries = host.control("GET", "/v1/audit").send().success().json()["entries"].as_array().unwrap().clone();
    let found: Vec<_> = entries.iter().rev().map(|entry| entry["resource"].as_str().unwrap_or("-")).collect();
    let expected = [
        "KEY for production, preview",
        "URL, plain, for preview (b)",
        "password for previews, another password, another bypass secret",
        "off for everything",
        "off for everything, another bypass secret",
        &format!("{} as deployer", made["id"].as_str().unwrap()),
    ];
    assert_eq!(found, expected);
}

/// Whoever gives many wrong tokens hears 429 and when to come back; whoever has a right one is let in from the same address all the
/// while.
#[test]
fn wrong_tokens_are_limited() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let attempt = || http::request("GET", &format!("{}/v1/whoami", host.control_url())).token("ship_wrong").send();
    let limited = (0..1_000).map(|_| attempt()).find(|answer| answer.status != 401).expect("at some time it is enough");
    assert_eq!((limited.status, code(&limited).as_deref()), (429, Some("TOO_MANY_REQUESTS")));
    let wait: u64 = limited.header("retry-after").expect("it says when").parse().unwrap();
    assert!((1..=2).contains(&wait), "{wait}");
    assert_eq!(host.control("GET", "/v1/whoami").send().status, 200);
    let nobody = http::get(&format!("{}/v1/whoami", host.control_url()));
    assert_eq!(nobody.status, 401, "who gives no token guesses none");
}

/// A machine logs in by a code: it waits, an admin approves, and the machine's commands have a token that nobody else has seen.
#[test]
fn login_by_code() {
    let environment = TestEnv::new();
    let owner = TestEnv::new();
    let host = TestHost::start(&owner);
    let _ = deploy(&owner, &host, "blue", "a page");
    let mut waiting = environment.ship(["login", &host.control_url(), "--name", "laptop", "--json"]).start();
    let line = waiting.stderr().wait_for(|line| line.contains("The code of this login is"));
    let code = line.rsplit(' ').next().unwrap().to_owned();
    let unasked = host.ship(["tokens", "approve", &code, "--role", "viewer"]).run().exits_with(2);
    // The address goes before the name, which is whatever the machine calls itself.
    assert!(unasked.stderr().contains("from 127.0.0.1, `laptop`"), "{}", unasked.stderr());
    let approve = ["tokens", "approve", &code, "--role", "viewer", "--project", "blue", "--yes", "--json"];
    let approved = host.ship(approve).run().success().json();
    assert_eq!((&approved["login"]["name"], &approved["role"]), (&json!("laptop"), &json!("viewer")));
    let logged_in = waiting.finish().success().json();
    assert_eq!(logged_in["token"]["name"], "laptop");
    assert!(!logged_in.to_string().contains("ship_"), "the token is in its file alone");
    let _ = host.ship(approve).run().exits_with(1);

    let listed = environment.ship(["ls", "--json"]).run().success().json();
    assert_eq!(listed["deployments"][0]["deployment"]["project"], "blue");
    let who = environment.ship(["whoami", "--json"]).run().success().json();
    assert_eq!((&who["token"]["name"], &who["token"]["project"]), (&json!("laptop"), &json!("blue")));
    let _ = environment.ship(["logout"]).run().success();
    let _ = environment.ship(["whoami"]).run().exits_with(3);
}

/// A token that somebody was given is kept by `ship login`, in a file for its owner alone; a wrong one is not kept.
#[test]
fn login_with_a_token() {
    use std::os::unix::fs::PermissionsExt as _;
    let environment = TestEnv::new();
    let owner = TestEnv::new();
    let host = TestHost::start(&owner);
    let given = secret(&token(&host, "viewer", None));
    let wrong = environment.ship(["login", &host.control_url(), "--with-token"]).reading("ship_wrong\n").run();
    assert_eq!(wrong.code(), Some(3), "{}", wrong.snapshot());
    assert!(!environment.ship_home().join("credentials.toml").exists());
    let login = environment.ship(["login", &host.control_url(), "--with-token"]).reading(format!("{given}\n")).run();
    assert_eq!(login.success().stdout(), "");
    let file = environment.ship_home().join("credentials.toml");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(environment.ship(["ls", "--json"]).run().success().json()["deployments"], json!([]));
}

/// A folder is linked to a project on a host, and commands in that folder mean them; another folder, and a project that somebody cloned,
/// say nothing about where things are sent.
#[test]
fn linked_folder() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("folder").file("index.html", "a page").file("ship.toml", "name = \"written\"\n");
    let ship = |words: &[&str]| environment.ship(words).within(project.folder());
    let url = host.control_url();
    let linked = ship(&["link", "--host", &url, "--project", "blue", "--json"]).run().success().json();
    assert_eq!(linked, json!({ "host": url, "project": "blue" }));
    let deployed = ship(&["deploy", "--json"]).run().success().json();
    assert_eq!(deployed["deployment"]["project"], "blue");
    assert_eq!(host.control("GET", "/v1/projects").send().success().json()["projects"][0]["name"], "blue");
    let shown = ship(&["link", "--json"]).run().success().json();
    assert_eq!(shown, linked);
    let elsewhere = environment.ship(["link", "--cwd"]).and([project.folder().parent().unwrap()]).and(["--json"]).run();
    assert_eq!(elsewhere.success().json(), json!({ "host": null, "project": "projects" }));
    assert!(!project.path(".ship/link.toml").exists());
    let _ = ship(&["link", "--remove"]).run().success();
    assert_eq!(ship(&["link", "--json"]).run().success().json(), json!({ "host": null, "project": "written" }));
}

/// Deploys a page and gives the deployment's id.
fn deploy(environment: &TestEnv, host: &TestHost<'_>, project: &str, page: &str) -> String {
    let project = environment.project(project).file("index.html", page);
    let deployed = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    deployed["deployment"]["id"].as_str().expect("a deployment has an id").to_owned()
}

/// Makes a token with the owner's.
fn token(host: &TestHost<'_>, role: &str, project: Option<&str>) -> Value {
    let request = json!({ "name": role, "role": role, "project": project });
    make(host, &request)
}

fn make(host: &TestHost<'_>, request: &Value) -> Value {
    let answer = host.control("POST", "/v1/tokens").body(request.to_string()).send();
    assert_eq!(answer.status, 201, "{}", answer.text());
    answer.json()
}

/// A token whose time is over.
fn expired_token(host: &TestHost<'_>) -> String {
    let request = json!({ "name": "short", "role": "admin", "expires": "1s" });
    let token = secret(&make(host, &request));
    let opens =
        || http::request("GET", &format!("{}/v1/whoami", host.control_url())).token(&token).send().status == 200;
    let started = std::time::Instant::now();
    while opens() {
        assert!(started.elapsed() < ship_tests::PATIENCE, "it never expires");
    }
    token
}

fn secret(created: &Value) -> String {
    created["token"].as_str().expect("the answer has the token").to_owned()
}

/// Each method and path of the API's description, sorted.
fn routes_of(description: &Value) -> Vec<(String, String)> {
    let paths = description["paths"].as_object().expect("the description lists paths");
    let paths: BTreeMap<&String, &Value> = paths.iter().collect();
    let routes = paths.into_iter().flat_map(|(path, methods)| {
        let mut methods: Vec<String> =
            methods.as_object().expect("a path lists its methods").keys().map(|method| method.to_uppercase()).collect();
        methods.sort();
        methods.into_iter().map(move |method| (method, path.clone()))
    });
    routes.collect()
}

/// Whoever has no token is heard on the few routes that are open, and not at length: what they send would stand in the host's memory.
#[test]
fn strangers_are_brief() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    for path in ["/v1/exchange", "/v1/logins", "/v1/logins/wait"] {
        let request = http::request("POST", &format!("{}{path}", host.control_url()));
        let request = request.header("content-type", "application/json");
        let long = format!("{{\"identity\":\"{}\"}}", "a".repeat(64 * 1024));
        let answer = request.body(long).send();
        let said = (answer.status, answer.json()["error"]["code"].clone());
        assert_eq!(said, (413, "PAYLOAD_TOO_LARGE".into()), "{path}: {}", answer.text());
    }
}
