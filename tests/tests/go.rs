//! What people do with Go beyond a handler in a file.

use std::path::Path;
use std::process::Command;

use ship_tests::{TestEnv, TestHost, http};

const SERVER: &str = r#"package main

import (
	"fmt"
	"net/http"

	"example.com/inn/internal/settings"
)

func main() {
	http.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "home") })
	http.HandleFunc("GET /rooms/{room}", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.PathValue("room")) })
	fmt.Println(http.ListenAndServe(":"+settings.Port, nil))
}
"#;

const HOARDER: &str = r#"package api

import (
	"fmt"
	"net/http"
	"runtime/debug"
)

var kept [][]byte

func Hoard(w http.ResponseWriter, r *http.Request) {
	for len(kept) < 60 {
		kept = append(kept, filled())
	}
	for i := 0; i < 300; i++ {
		garbage = filled()
	}
	fmt.Fprint(w, debug.SetMemoryLimit(-1)>>20)
}

var garbage []byte

func filled() []byte {
	memory := make([]byte, 1<<20)
	for i := range memory {
		memory[i] = 1
	}
	return memory
}
"#;

/// Go's collector knows how much memory there is: what a function has let go of does not end it. Whoever says something else is believed.
#[test]
fn memory() {
    let environment = TestEnv::new();
    let settings = "[functions.\"api/*\"]\nmemory_mb = 128\n";
    let project = environment.project("site").file("api/hoard.go", HOARDER).file("ship.toml", settings);
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&format!("{url}/api/hoard")).success().text(), "115");
    let _ = host.ship(["env", "set", "GOMEMLIMIT"]).within(project.folder()).reading("100MiB").run().success();
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&format!("{url}/api/hoard")).success().text(), "100");
}

/// A handler finds in `RemoteAddr` where a request is from, in the form in which libraries take it apart.
#[test]
fn who_asks() {
    let environment = TestEnv::new();
    let project = environment.project("site").file(
        "api/me.go",
        "package api\n\nimport (\n\t\"net\"\n\t\"net/http\"\n)\n\nfunc Me(w http.ResponseWriter, r *http.Request) {\n\
         \thost, _, err := net.SplitHostPort(r.RemoteAddr)\n\tif err != nil {\n\t\tpanic(err)\n\t}\n\tw.Write([]byte(host))\n}\n",
    );
    let host = TestHost::start(&environment);
    let url = host.ship(["deploy"]).within(project.folder()).run().success().url();
    assert_eq!(http::get(&format!("{url}/api/me")).success().text(), "127.0.0.1");
}

/// A program that opens the port in `PORT` itself, wherever it reads that, is one function that answers at every path; of its
/// sources, nothing is served.
#[test]
fn a_server_of_its_own() {
    let environment = TestEnv::new();
    let project = environment
        .project("inn")
        .file("go.mod", "module example.com/inn\n\ngo 1.22\n")
        .file("cmd/server/main.go", SERVER)
        .file("internal/settings/settings.go", "package settings\n\nimport \"os\"\n\nvar Port = os.Getenv(\"PORT\")\n")
        .file("internal/settings/secret.json", "{}")
        .file("public/logo.txt", "logo");
    let host = TestHost::start(&environment);
    let deployed = host.ship(["deploy", "--json"]).within(project.folder()).run().success().json();
    let url = deployed["url"].as_str().expect("the deployment has a URL");
    assert_eq!((&deployed["functions"][0]["name"], &deployed["static"]["files"]), (&"index".into(), &1.into()));
    for (path, status, text) in [
        ("/", 200, "home"),
        ("/rooms/7", 200, "7"),
        ("/logo.txt", 200, "logo"),
        ("/cmd/server/main.go", 404, "404 page not found\n"),
        ("/internal/settings/secret.json", 404, "404 page not found\n"),
    ] {
        let answer = http::get(&format!("{url}{path}"));
        assert_eq!((answer.status, answer.text().as_str()), (status, text), "{path}");
    }
}

/// A program that does not listen on the port in `PORT` has as long for that as its `init_timeout_secs`, and the deploy is told what it waits for.
#[test]
fn a_server_that_does_not_listen() {
    let environment = TestEnv::new();
    let project = environment
        .project("inn")
        .file("go.mod", "module example.com/inn\n\ngo 1.16\n")
        .file("ship.toml", "[functions.\"**\"]\ninit_timeout_secs = 3\n")
        .file("main.go", "package main\n\nimport \"time\"\n\nfunc main() { time.Sleep(time.Hour) }\n");
    let host = TestHost::start(&environment);
    let refused = host.ship(["deploy"]).within(project.folder()).run().exits_with(1);
    let said = "the program does not listen yet on the port in PORT, ";
    assert!(
        refused.stderr().contains("was not ready in 3 s, which is its `init_timeout_secs`\n"),
        "{}",
        refused.stderr()
    );
    assert_eq!(refused.stderr().matches(said).count(), 1, "{}", refused.stderr());
}

const FILES: &str = r#"package handler

import (
	"net/http"
	"os"

	"example.com/shop/_private/prices"
)

var version = "dev"

func Shop(w http.ResponseWriter, r *http.Request) {
	list, err := os.ReadFile("data/list.txt")
	if err != nil {
		http.Error(w, err.Error(), 500)
		return
	}
	w.Write([]byte(version + " " + prices.Of("tea") + " " + string(list)))
}
"#;

/// A module in `api/` with private packages; files that a function takes along, which count like its sources; and flags for the
/// compiler, which count too.
#[test]
fn files_and_flags() {
    let environment = TestEnv::new();
    let project = environment
        .project("shop")
        .file("ship.toml", "[functions.\"api/*\"]\ninclude_files = [\"data\"]\nexclude_files = [\"**/*.bak\"]\n")
        .file("data/list.txt", "tea, milk")
        .file("data/list.bak", "old")
        .file("api/go.mod", "module example.com/shop\n\ngo 1.22\n")
        .file("api/_private/prices/prices.go", "package prices\n\nfunc Of(string) string { return \"3.50\" }\n")
        .file("api/shop.go", FILES);
    let host = TestHost::start(&environment);
    let answer = |flags: &str| {
        let deployed = host.ship(["deploy", "--json"]).within(project.folder()).with("GO_BUILD_FLAGS", flags).run();
        let deployed = deployed.success().json();
        let url = deployed["url"].as_str().expect("the deployment has a URL");
        (http::get(&format!("{url}/api/shop")).success().text(), deployed["functions"][0]["cached"] == true)
    };
    assert_eq!(answer(""), ("dev 3.50 tea, milk".to_owned(), false));
    assert_eq!(answer(""), ("dev 3.50 tea, milk".to_owned(), true));
    project.write("data/list.txt", "tea");
    assert_eq!(answer(""), ("dev 3.50 tea".to_owned(), false));
    assert_eq!(answer("-ldflags='-s -w -X main.version=v2'"), ("v2 3.50 tea".to_owned(), false));

    let refused = host.ship(["deploy"]).within(project.folder()).with("GO_BUILD_FLAGS", "-ldflags='-s").run();
    insta::assert_snapshot!(refused.snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: GO_BUILD_FLAGS has a quote that is not closed: -ldflags='-s
    ");
}

/// A private module comes from where git's own settings lead, if the caller says that it is private; if not, that is what is said.
#[test]
fn private_module() {
    let environment = TestEnv::new();
    let function = "package handler\n\nimport (\n\t\"net/http\"\n\n\tsecret \"example.com/secret.git\"\n)\n\n\
                    func Handler(w http.ResponseWriter, r *http.Request) { w.Write([]byte(secret.Word())) }\n";
    let module = environment
        .project("secret")
        .file("go.mod", "module example.com/secret.git\n\ngo 1.22\n")
        .file("s.go", "package secret\n\nfunc Word() string { return \"ours\" }\n");
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-C"]).arg(module.folder());
        let output = git.args(arguments).env("HOME", environment.folder()).output().expect("there is a git");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "words"]);
    git(&["tag", "v1.0.0"]);
    let settings =
        format!("[url \"file://{}\"]\n\tinsteadOf = https://example.com/secret\n", module.folder().display());
    let project = environment
        .project("site")
        .file("go.mod", "module example.com/site\n\ngo 1.22\n\nrequire example.com/secret.git v1.0.0\n")
        .file("go.sum", GO_SUM)
        .file("api/word.go", function);
    let settings = environment.project("settings").file("gitconfig", settings).path("gitconfig");
    let modules = environment.folder().join("modules");
    let build = |name: &str, value: &str| {
        let ship = environment.ship(["build"]).within(project.folder()).with("GIT_CONFIG_GLOBAL", &settings);
        ship.with("GOMODCACHE", &modules).with(name, value).run()
    };
    // A proxy that has no module at all.
    let refused = build("GOPROXY", &format!("file://{}", environment.ship_home().display())).exits_with(1);
    let advice =
        "if that module is private, name it in GOPRIVATE, and let NETRC, GOAUTH or git's settings hold the password";
    assert!(refused.stderr().contains(advice), "{}", refused.stderr());
    let _ = build("GOPRIVATE", "example.com").success();
    make_writable(&modules);
}

const GO_SUM: &str = "example.com/secret.git v1.0.0 h1:uA+ltClkE6XozEeHA2e5o6dfFzmZVRptxcFwgTuZuno=\n\
                      example.com/secret.git v1.0.0/go.mod h1:+5eA7zLSesDPeSLtQRJlhC3/PvMiX5BbqgOi8DTLrMQ=\n";

/// Go writes its modules so that nobody can remove them.
fn make_writable(folder: &Path) {
    let status = Command::new("chmod").args(["-R", "u+w"]).arg(folder).status().expect("there is a chmod");
    assert!(status.success());
}
