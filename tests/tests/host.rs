//! The server as whoever runs it sees it: starting, ending, two at once, a port that is taken.

use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;

use ship_tests::{GO_FUNCTION_AT_GATE, Gate, HostAddresses, PATIENCE, TestEnv, TestHost, http};

/// One line when it is ready, and the token in a file that only its owner can read.
#[test]
fn ready_line() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let ready = host.ready();
    let names: Vec<&String> = ready.as_object().expect("the line is an object").keys().collect();
    for name in ["event", "sites", "control", "domain", "token_file"] {
        assert!(names.contains(&&name.to_owned()), "{ready}");
    }
    assert_eq!((&ready["event"], &ready["domain"]), (&"ready".into(), &"localhost".into()));
    let token_file = ready["token_file"].as_str().expect("the line names the token's file");
    let mode = fs::metadata(token_file).expect("the file is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // 256 bits are 64 hexadecimal digits or 43 of base64; the host itself keeps only a hash.
    let token = host.token();
    assert!(token.len() >= 43, "{} characters", token.len());
    let kept = fs::read(host.data().join("state.db")).expect("the host keeps its state");
    assert!(!kept.windows(token.len()).any(|window| window == token.as_bytes()), "the token is kept as it is");
}

/// A second host on the same data says whose they are and leaves them alone.
#[test]
fn second_host_on_the_same_data() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let second = TestHost::command(&environment, host.data(), &HostAddresses::any()).run().exits_with(1);
    insta::assert_snapshot!(second.snapshot(), @r#"
    exit code: 1
    ----- stdout -----
    {"error":{"kind":"project","exit_code":1,"code":null,"message":"the data directory [ENV]/data is in use by process [PID]","details":[],"causes":[],"hints":["`ship host status` shows the host that has it open, `ship host stop` ends it"],"places":[]}}
    ----- stderr -----
    "#);
    assert!(format!("{}{}", second.stdout(), second.stderr()).contains(&host.process().id().to_string()));
    assert_eq!(host.control("GET", "/v1/status").send().status, 200);
}

/// A port that is taken is an error for a host that was told to use it…
#[test]
fn port_taken() {
    let environment = TestEnv::new();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
    let address = taken.local_addr().expect("a bound listener has an address").to_string();
    let data = environment.folder().join("data");
    let addresses = HostAddresses { sites: address.clone(), ..HostAddresses::any() };
    let output = TestHost::command(&environment, &data, &addresses).run().exits_with(1);
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit code: 1
    ----- stdout -----
    {"error":{"kind":"project","exit_code":1,"code":null,"message":"127.0.0.1:[PORT] is taken by [WHO] (pid [PID])","details":[],"causes":[],"hints":["`ship host --listen 127.0.0.1:[PORT]` takes any free port"],"places":[]}}
    ----- stderr -----
    "#);
    assert!(format!("{}{}", output.stdout(), output.stderr()).contains(&address), "the address is named");
}

/// …and a reason to take the next for one that starts by itself.
#[test]
fn embedded_host_takes_the_next_port() {
    let environment = TestEnv::new();
    // Whoever has the usual port, it is not free now.
    let usual = TcpListener::bind((Ipv4Addr::LOCALHOST, 7700));
    let project = environment.project("site").file("index.html", "elsewhere");
    let url = environment.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&url).success().text(), "elsewhere");
    if usual.is_ok() {
        assert!(!url.ends_with(":7700"), "{url}");
    }
}

/// `SIGTERM`: no new visitors, but who is being answered gets the whole answer, and the host ends with 0.
#[test]
fn graceful_end() {
    let environment = TestEnv::new();
    let project = environment
        .project("slow")
        .file("ship.toml", "[functions.\"**\"]\nnetwork = \"all\"\n")
        .file("api/wait.go", GO_FUNCTION_AT_GATE);
    let mut host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let gate = Gate::new();
    let mut answer = http::request("GET", &format!("{url}/api/wait?{}", gate.query())).open();
    let waiting = gate.wait_for_arrival();
    assert_eq!(answer.body().next_line().as_deref(), Some("begun"));

    host.ask_to_end();
    wait_until_refused(&host.addresses().sites);
    waiting.open();
    let rest = answer.whole().success();
    assert_eq!(rest.text(), "finished\n");
    let ended = host.ended().success();
    assert!(!ended.stderr().contains("panicked"), "{}", ended.stderr());
}

/// Waits until nobody takes connections at `address` any more.
fn wait_until_refused(address: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        match TcpStream::connect(address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => return,
            _ => assert!(std::time::Instant::now() < deadline, "{address} still takes connections"),
        }
        std::thread::yield_now();
    }
}

/// A host that was killed starts again on the same data and ports, with everything it had acknowledged.
#[test]
fn starts_again_after_a_kill() {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let mut host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    let before = http::get(&format!("{url}/")).success();
    let token = host.token();
    let _ = http::get(&format!("{url}/api/date")).success();

    host.kill();
    host.start_again();
    let after = http::get(&format!("{url}/")).success();
    assert_eq!((before.body, before.status), (after.body, after.status));
    assert!(http::get(&format!("{url}/api/date")).success().json()["now"].is_u64());
    assert_eq!(host.token(), token, "the token is made once");
}

/// What is not a host's data is left alone.
#[test]
fn not_a_data_directory() {
    let environment = TestEnv::new();
    let data = environment.folder().join("precious");
    fs::create_dir(&data).expect("the folder is writable");
    fs::write(data.join("VERSION"), "999\n").expect("the folder is writable");
    let output = TestHost::command(&environment, &data, &HostAddresses::any()).run().exits_with(1);
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit code: 1
    ----- stdout -----
    {"error":{"kind":"project","exit_code":1,"code":null,"message":"the data directory [ENV]/precious was written by a newer ship: version 999, this one knows 1","details":[],"causes":[],"hints":[],"places":[]}}
    ----- stderr -----
    "#);
    assert_eq!(fs::read_to_string(data.join("VERSION")).ok().as_deref(), Some("999\n"));
}

/// A host that cannot be reached, and one that refuses the token: exit code 3.
#[test]
fn unreachable_and_refused() {
    let environment = TestEnv::new();
    let project = environment.project("site").file("index.html", "x");
    let host = TestHost::start(&environment);
    let refused = host.ship(["deploy", "--token", "ship_wrong"]).within(project.folder()).run();
    insta::assert_snapshot!(refused.exits_with(3).snapshot(), @"
    exit code: 3
    ----- stdout -----
    ----- stderr -----
    Built 1 file in [TIME]
    error: the token is mistyped or cut off
    hint: give the host's token with `--token` or SHIP_TOKEN; the host's ready line names the file that holds it
    ");
    // A port of the system's own, which no other story can be given.
    let unreachable = environment.ship(["deploy", "--host", "http://127.0.0.1:1"]).within(project.folder()).run();
    insta::assert_snapshot!(unreachable.exits_with(3).snapshot(), @"
    exit code: 3
    ----- stdout -----
    ----- stderr -----
    Built 1 file in [TIME]
    warning: the host at http://127.0.0.1:[PORT] cannot be reached; connecting again, for a few seconds
    error: the host at http://127.0.0.1:[PORT] cannot be reached: Connection refused (os error 111)
    hint: `ship host status` shows whether a host runs here
    hint: run the same command again: only what the host still lacks is sent
    ");
    let sites = host.site_url("site").replace("site.localhost", "127.0.0.1");
    let other = environment.ship(["deploy", "--host", &sites]).within(project.folder()).run();
    insta::assert_snapshot!(other.exits_with(4).snapshot(), @"
    exit code: 4
    ----- stdout -----
    ----- stderr -----
    Built 1 file in [TIME]
    error: no host's control API is at http://127.0.0.1:[PORT]: what answers there says 404 Not Found
    hint: a host has two addresses, one of its sites and one of its control API: the host's ready line names both
    ");
}

/// What functions are kept from can be asked before there is a host, and nothing is left of the question; a host that runs is
/// asked itself. Programs that are not there are said to be so, and are no error.
#[test]
fn the_doctor() {
    let environment = TestEnv::new();
    let alone = environment.ship(["doctor", "--json"]).run().success().json();
    assert_eq!((&alone["host"], &alone["reason"]), (&serde_json::Value::Null, &serde_json::Value::Null));
    let names: Vec<_> =
        alone["programs"].as_array().expect("programs are listed").iter().map(|program| &program["name"]).collect();
    assert_eq!(names, ["git", "go", "cargo", "node", "python3", "bun", "deno"]);
    let left = std::fs::read_dir(environment.ship_home().join("cache")).expect("it was made").count();
    assert_eq!(left, 0);

    let host = TestHost::start(&environment);
    let status = host.ship(["host", "status", "--json"]).run().success().json();
    let beside = host.ship(["doctor", "--json"]).run().success().json();
    assert_eq!(beside["host"], status["control"]);
    for known in ["isolation", "control_groups"] {
        assert_eq!((&beside[known], &alone[known]), (&status[known], &status[known]));
    }
    let shown = host.ship(["doctor"]).with("PATH", "/nowhere").run().success();
    assert!(shown.stdout().contains("go        not here; for functions in Go\n"), "{}", shown.stdout());
}

/// A host says when it starts that its functions have no sandbox, or that none can be started, and nothing where they have all that there is.
#[test]
fn what_functions_are_kept_from() {
    let said = |options: &[&str], script: &str| {
        let environment = TestEnv::new();
        let wrapper = ["unshare", "--map-root-user", "sh", "-c", script];
        let mut host = TestHost::start_by_with(&environment, &wrapper, options);
        // It has found out by the time it answers this.
        let _ = host.ship(["host", "status"]).run().success();
        host.ask_to_end();
        host.ended().stderr().to_owned()
    };
    let forbidden = "echo 0 > /proc/sys/user/max_user_namespaces && exec \"$0\" \"$@\"";
    let none = said(&[], forbidden);
    assert!(none.contains("no function can be started here; `ship doctor` says more"), "{none}");
    assert!(none.contains("`ship host --isolation process` does"), "{none}");
    let less = said(&["--isolation", "process"], forbidden);
    assert!(less.contains("functions have no sandbox here; `ship doctor` says more"), "{less}");
    let all = said(&[], "exec \"$0\" \"$@\"");
    assert!(!all.contains("ship doctor"), "{all}");
}

/// The process that makes functions' processes may end: what runs goes on, and what is asked for next starts.
#[test]
fn without_the_nursery() {
    let environment = TestEnv::new();
    let function = |word: &str| {
        format!(
            "package handler\n\nimport (\n\t\"fmt\"\n\t\"net/http\"\n)\n\n\
             func Handler(w http.ResponseWriter, r *http.Request) {{ fmt.Fprint(w, \"{word}\") }}\n"
        )
    };
    let project = environment.project("site").file("api/one.go", function("one")).file("api/two.go", function("two"));
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy", "--no-check"]).within(project.folder()).run().success().url();
    let ask = |name: &str| http::get(&format!("{url}/api/{name}")).success().text();
    assert_eq!(ask("one"), "one");
    let status = || host.ship(["host", "status", "--json"]).run().success().json();
    let (before, nursery) = (status(), nursery_of(&host).expect("the host has a nursery"));
    assert!(std::process::Command::new("kill").args(["-KILL", &nursery]).status().is_ok_and(|status| status.success()));
    assert_eq!((ask("two"), ask("one")), ("two".to_owned(), "one".to_owned()));
    let one = |status: &serde_json::Value| {
        let instances = status["instances"].as_array().expect("there are instances").clone();
        instances.into_iter().find(|instance| instance["function"] == "api/one").map(|instance| instance["pid"].clone())
    };
    assert_eq!(one(&status()), one(&before));
    let began = std::time::Instant::now();
    // Between the two there is none.
    while nursery_of(&host).is_none_or(|found| found == nursery) {
        assert!(began.elapsed().as_secs() < 30, "there is no other");
    }
}

fn nursery_of(host: &TestHost<'_>) -> Option<String> {
    let status = host.ship(["host", "status", "--json"]).run().success().json();
    let children = |task: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(task.expect("it can be read").path().join("children")).unwrap_or_default()
    };
    let tasks = std::fs::read_dir(format!("/proc/{}/task", status["pid"])).expect("the host runs");
    let lists: Vec<String> = tasks.map(children).collect();
    let name = |id: &str| std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
    let mut children = lists.iter().flat_map(|list| list.split_whitespace());
    children.find(|id| name(id).trim() == "ship-nursery").map(str::to_owned)
}
