//! From a folder to a URL, with one command.

use std::thread;

use ship_tests::{GoToolchain, TestEnv, TestHost, http, processes_mentioning};

/// The README's first command: the URL on standard output, the talk on standard error, and a site that answers.
#[test]
fn the_example_goes_live() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);

    let output = host.ship(["deploy"]).within(project.folder()).run();
    insta::assert_snapshot!(output.snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://date-weather-[ID-1].localhost:[PORT]
    ----- stderr -----
    Built 2 functions and 4 files in [TIME]
    6 files sent, 0 already there
    Published date-weather as production in [TIME]
    It is the first deployment of this project, so it is production
      http://date-weather.localhost:[PORT]
    ");

    let url = output.url();
    let page = http::get(&format!("{url}/")).success();
    assert!(page.text().contains("<title>Date and weather</title>"));
    assert_eq!(page.header("content-type").as_deref(), Some("text/html; charset=utf-8"));
    let date = http::get(&format!("{url}/api/date")).success().json();
    assert!(date["now"].as_u64() > Some(1_700_000_000_000), "{date}");
    let weather = http::get(&format!("{url}/api/weather?city=Lisbon")).success().json();
    assert_eq!(weather["city"], "Lisbon");
    let unknown = http::get(&format!("{url}/api/weather?city=Atlantis"));
    assert_eq!((unknown.status, unknown.json()["error"]["code"].as_str()), (404, Some("unknown_city")));
    // The first deployment of a project is production too.
    let production = http::get(&format!("{}/", host.site_url("date-weather"))).success();
    assert_eq!(production.body, page.body);
}

/// `--json` prints one document with everything about the deployment, in the form that scripts rely on.
#[test]
fn json_document() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather").on_branch("feature/new-map");
    let host = TestHost::start(&environment);

    let output = host.ship(["deploy", "--json"]).within(project.folder()).run().success();
    let document = output.json();
    let pretty = serde_json::to_string_pretty(&document).expect("what was read as JSON can be written as JSON");
    insta::assert_snapshot!(environment.filtered(&pretty), @r#"
    {
      "deployment": {
        "id": "[ID-1]",
        "project": "date-weather",
        "target": "production",
        "branch": "feature/new-map",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "created_at": "[AT]"
      },
      "url": "http://date-weather-[ID-1].localhost:[PORT]",
      "aliases": [
        "http://date-weather-git-feature-new-map.localhost:[PORT]",
        "http://date-weather.localhost:[PORT]"
      ],
      "functions": [
        {
          "name": "api/date",
          "route": "/api/date",
          "runtime": "go",
          "digest": "sha256:[DIGEST]",
          "size_bytes": [SIZE],
          "cached": false
        },
        {
          "name": "api/weather",
          "route": "/api/weather",
          "runtime": "go",
          "digest": "sha256:[DIGEST]",
          "size_bytes": [SIZE],
          "cached": false
        }
      ],
      "static": {
        "files": 4,
        "bytes": [SIZE]
      },
      "upload": {
        "sent_blobs": 6,
        "sent_bytes": [SIZE],
        "reused_blobs": 0
      },
      "timings_ms": {
        "detect": [TIME],
        "build": [TIME],
        "hash": [TIME],
        "upload": [TIME],
        "publish": [TIME],
        "total": [TIME]
      }
    }
    "#);
    let id = document["deployment"]["id"].as_str().expect("the document names the deployment");
    assert_eq!(document["url"], host.site_url(&format!("date-weather-{}", &id[..8])));
}

/// Deploying the same content again sends nothing, makes nothing new, and prints the same URL.
#[test]
fn nothing_changed() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let deploy = || host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();

    let (first, second) = (deploy(), deploy());
    for same in ["deployment", "url", "aliases"] {
        assert_eq!(first[same], second[same]);
    }
    assert_eq!((&second["upload"]["sent_blobs"], &second["upload"]["sent_bytes"]), (&0.into(), &0.into()));
    assert_eq!(second["functions"][0]["cached"], true);
    insta::assert_snapshot!(host.ship(["deploy"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://date-weather-[ID-1].localhost:[PORT]
    ----- stderr -----
    Built 2 functions and 4 files in [TIME] (functions from the build cache)
    Nothing to send, 6 files already there
    Already published: date-weather as production in [TIME]
      http://date-weather.localhost:[PORT]
    ");
    let list = host.ship(["ls", "--json"]).within(project.folder()).run().success().json();
    assert_eq!(list["deployments"].as_array().map(Vec::len), Some(1));
}

/// The same content from another folder, written at another time, is the same deployment.
#[test]
fn same_content_is_the_same_deployment() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let here = environment.project("here").file("public/index.html", "same").file("ship.toml", "name = \"same\"");
    let there = environment.project("there").file("ship.toml", "name = \"same\"").file("public/index.html", "same");
    let url = |project: &ship_tests::TestProject| host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(url(&here), url(&there));
}

/// One changed file: that file is sent and nothing else.
#[test]
fn one_changed_file() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();

    project.edit("public/index.html", "Two buttons", "Three buttons");
    let output = host.ship(["deploy", "--json"]).within(project.folder()).run().success();
    let sent = output.json()["upload"].clone();
    assert_eq!((&sent["sent_blobs"], &sent["reused_blobs"]), (&1.into(), &5.into()), "{sent}");
}

/// `ship PATH` and `ship deploy PATH` are one command, wherever they are typed.
#[test]
fn path_and_working_folder() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "here");
    let host = TestHost::start(&environment);
    let within = host.ship::<&str>([]).within(project.folder()).run().success().url();
    let named = host.ship(["projects/site"]).run().success().url();
    let spelled_out = host.ship(["deploy", "projects/site"]).run().success().url();
    let elsewhere = host.ship(["deploy", "site", "--cwd", "projects"]).run().success().url();
    assert_eq!([&within, &within, &within], [&named, &spelled_out, &elsewhere]);
}

/// Two people deploy two projects at the same moment: both get their site.
#[test]
fn two_clients_at_once() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let projects = ["left", "right"].map(|name| environment.project(name).file("public/index.html", name));
    let urls = thread::scope(|scope| {
        projects
            .each_ref()
            .map(|project| scope.spawn(|| host.ship(["deploy"]).within(project.folder()).run().success().url()))
            .map(|client| client.join().expect("the deploy succeeds"))
    });
    assert_eq!(urls.map(|url| http::get(&url).success().text()), ["left", "right"]);
}

/// Two people move production of one project at the same moment: both deployments exist, one is production, none is lost.
#[test]
fn two_clients_move_one_production() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = |folder: &str, page: &str| {
        environment.project(folder).file("ship.toml", "name = \"shared\"").file("public/index.html", page)
    };
    let before = project("before", "before");
    let _ = host.ship(["deploy"]).within(before.folder()).run().success();

    let projects = [project("left", "left"), project("right", "right")];
    let urls = thread::scope(|scope| {
        projects
            .each_ref()
            .map(|project| {
                scope.spawn(|| host.ship(["deploy", "--prod"]).within(project.folder()).run().success().url())
            })
            .map(|client| client.join().expect("the deploy succeeds"))
    });
    assert_eq!(urls.map(|url| http::get(&url).success().text()), ["left", "right"]);
    let production = || http::get(&host.site_url("shared")).success().text();
    let last = production();
    let _ = host.ship(["rollback", "--project", "shared"]).run().success();
    let other = if last == "left" { "right" } else { "left" };
    assert!(["left", "right"].contains(&last.as_str()), "{last}");
    assert_eq!(production(), other, "rolling back undoes the later of the two moves only");
}

/// With no host configured, the first deploy starts one in the background; two at the same moment start one between them.
#[test]
fn embedded_host_starts_once() {
    let environment = TestEnv::new();
    let projects = ["left", "right"].map(|name| environment.project(name).file("public/index.html", name));
    let urls = thread::scope(|scope| {
        projects
            .each_ref()
            .map(|project| scope.spawn(|| environment.ship(["deploy"]).within(project.folder()).run().success().url()))
            .map(|client| client.join().expect("the deploy succeeds"))
    });
    assert_eq!(urls.each_ref().map(|url| http::get(url).success().text()), ["left", "right"]);
    let port = |url: &str| url.rsplit_once(':').map(|(_, port)| port.to_owned());
    assert_eq!(port(&urls[0]), port(&urls[1]));
    let hosts = processes_mentioning(environment.folder());
    assert_eq!(hosts.len(), 1, "{:?}", hosts.iter().map(|host| host.command_line()).collect::<Vec<_>>());

    insta::assert_snapshot!(environment.ship(["host", "status"]).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    host      ship 0.1.0, pid [PID], since [AT] UTC
    sites     http://127.0.0.1:[PORT]  (http://<project>.localhost:[PORT])
    control   http://127.0.0.1:[PORT]
    data      [ENV]/ship/host
    keeps     [ISOLATION]
    holds     2 projects, 2 deployments
    running   0 function instances
    ----- stderr -----
    ");
    insta::assert_snapshot!(environment.ship(["host", "stop"]).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    The host (pid [PID]) has ended
    ");
    assert_eq!(processes_mentioning(environment.folder()), []);
    insta::assert_snapshot!(environment.ship(["host", "stop"]).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    No host runs here
    ");
}

/// The embedded host comes back with everything it had.
#[test]
fn embedded_host_starts_again() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "still here");
    let first = environment.ship(["deploy"]).within(project.folder()).run().success().url();
    let _ = environment.ship(["host", "stop"]).run().success();
    assert!(http::request("GET", &first).try_open().is_err(), "nobody answers while it is stopped");

    let output = environment.ship(["deploy"]).within(project.folder()).run().success();
    insta::assert_snapshot!(output.snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site-[ID-1].localhost:[PORT]
    ----- stderr -----
    Built 1 file in [TIME]
    Started a host in the background in [TIME]; `ship host stop` ends it
    Nothing to send, 1 file already there
    Already published: site as production in [TIME]
      http://site.localhost:[PORT]
    ");
    let label = |url: &str| url.split('.').next().map(str::to_owned);
    assert_eq!(label(&first), label(&output.url()));
    assert_eq!(http::get(&output.url()).success().text(), "still here");
}

/// On a machine without Go, ship fetches the toolchain it knows, once, and compiles with it.
#[test]
fn fetches_go() {
    let environment = TestEnv::with_go(GoToolchain::FetchedByShip);
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let output = host.ship(["deploy"]).within(project.folder()).run().success();
    insta::assert_snapshot!(output.snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://date-weather-[ID-1].localhost:[PORT]
    ----- stderr -----
    Fetching go[VERSION], since there is no Go here, [SIZE]
    Built 2 functions and 4 files in [TIME]
    6 files sent, 0 already there
    Published date-weather as production in [TIME]
    It is the first deployment of this project, so it is production
      http://date-weather.localhost:[PORT]
    ");
    assert!(http::get(&format!("{}/api/date", output.url())).success().json()["now"].is_u64());
    let toolchains = std::fs::read_dir(environment.ship_home().join("toolchains")).expect("there is a toolchain now");
    assert_eq!(toolchains.flatten().filter(|entry| entry.path().join("bin/go").is_file()).count(), 1);
}

/// `ship open` says where a site is; without a display it opens nothing.
#[test]
fn open_names_the_site() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "a page");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    insta::assert_snapshot!(host.ship(["open"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site.localhost:[PORT]
    ----- stderr -----
    ");
    insta::assert_snapshot!(host.ship(["open", "--json"]).within(project.folder()).run().snapshot(), @r#"
    exit code: 0
    ----- stdout -----
    {"url":"http://site.localhost:[PORT]"}
    ----- stderr -----
    "#);
}

/// Where somebody has chosen a browser, it is started with the URL where they want it; of several the first there is.
#[test]
fn open_starts_the_chosen_browser() {
    use std::os::unix::fs::PermissionsExt as _;
    let environment = TestEnv::new();
    let project = environment.project("site").file("public/index.html", "a page");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let url = host.site_url("site");
    let told = environment.folder().join("told");
    let browser = environment.folder().join("browser");
    std::fs::write(&browser, format!("#!/bin/sh\necho \"$@\" > {}\n", told.display())).expect("the folder is writable");
    std::fs::set_permissions(&browser, std::fs::Permissions::from_mode(0o755)).expect("the file is ours");
    rustix::fs::mkfifoat(rustix::fs::CWD, &told, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).expect("a new name");

    let browser = browser.display();
    for (chosen, expected) in
        [(browser.to_string(), "URL"), (format!("no-such-browser:{browser} --new %s x"), "--new URL x")]
    {
        let _ = host.ship(["open"]).within(project.folder()).with("BROWSER", chosen).run().success();
        let told = std::fs::read_to_string(&told).expect("the browser writes what it was told");
        assert_eq!(told.trim_end().replace(&url, "URL"), expected);
    }
    insta::assert_snapshot!(host.ship(["open"]).within(project.folder()).with("BROWSER", "no-such").run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site.localhost:[PORT]
    ----- stderr -----
    warning: the browser cannot be opened: `no-such`: No such file or directory (os error 2)
    ");
}
