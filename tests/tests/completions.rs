//! What shells are told while somebody types: quickly, silently, and what the host that runs has.

use ship_tests::{TestEnv, TestHost, http};

/// Projects, deployments and names are completed from the host, options and templates without one; and no shell starts a host.
#[test]
fn what_can_be_typed() {
    let environment = TestEnv::new();
    let asked = |words: &[&str]| {
        let index = (words.len() - 1).to_string();
        let shell = environment.ship(["--", "ship"]).and(&words[1..]).with("SHIP_COMPLETE", "bash");
        let answer = shell.with("_CLAP_COMPLETE_INDEX", index).with("_CLAP_IFS", "\n").run().success();
        assert_eq!(answer.stderr(), "");
        let is_value = |line: &&str| !line.is_empty() && !line.starts_with('-');
        let mut lines: Vec<String> = answer.stdout().lines().filter(is_value).map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(asked(&["ship", "pro"]), ["promote", "protect"]);
    assert_eq!(asked(&["ship", "init", "--template", "p"]), ["polyglot", "python"]);
    assert_eq!(asked(&["ship", "promote", ""]), [""; 0]);
    assert!(!environment.ship_home().join("hosts").exists(), "asking starts no host");

    let host = TestHost::start(&environment);
    let page = environment.project("shop").on_branch("main").file("index.html", "<!doctype html>");
    let id = host.ship(["deploy", "--json"]).within(page.folder()).run().success().json()["deployment"]["id"]
        .as_str()
        .expect("a deployment has an id")[..8]
        .to_owned();
    let control = host.control_url();
    assert_eq!(asked(&["ship", "--host", &control, "ls", "--project", "s"]), ["shop"]);
    let mut names = vec![id, "shop-git-main.localhost".into(), "shop.localhost".into()];
    names.sort();
    assert_eq!(asked(&["ship", "--host", &control, "promote", ""]), names);
    // Of a project's folder, or of one that is named, its own; elsewhere those of all.
    let stall = environment.project("stall").on_branch("main").file("index.html", "<!doctype html>");
    let _ = host.ship(["deploy", "--prod"]).within(stall.folder()).run().success();
    let site = http::get(&host.site_url("stall")).success();
    let request = site.header("x-ship-id").expect("each answer has one");
    let inside = |words: &[&str]| {
        let folder = stall.folder().display().to_string();
        asked(&[&["ship", "--host", &control, "--cwd", &folder], words].concat())
    };
    assert!(inside(&["open", ""]).iter().all(|name| !name.starts_with("shop")));
    assert!(inside(&["open", ""]).contains(&"stall.localhost".to_owned()));
    assert_eq!(inside(&["--project", "shop", "promote", ""]), names);
    let all = asked(&["ship", "--host", &control, "promote", ""]);
    assert!(["shop.localhost", "stall.localhost"].iter().all(|name| all.contains(&(*name).to_owned())), "{all:?}");
    assert_eq!(inside(&["dev", "--replay", ""]), [request]);
    // A host that does not answer, and a token that is wrong.
    assert_eq!(asked(&["ship", "--host", "http://127.0.0.1:1", "ls", "--project", "s"]), [""; 0]);
    assert_eq!(asked(&["ship", "--host", &control, "--token", "ship_wrong", "ls", "--project", "s"]), [""; 0]);
}

/// Bash itself takes the words apart, by its own script.
#[test]
fn in_bash() {
    let environment = TestEnv::new();
    let typed = |line: &str| {
        let script = format!(
            "program=$0; ship() {{ \"$program\" \"$@\"; }}; . <(ship completions bash); \
             COMP_WORDS=({line} ''); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _clap_complete_ship ship '' \"${{COMP_WORDS[COMP_CWORD-1]}}\"; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        );
        let answer = environment.ship([""; 0]).started_by(["bash", "-c", &script]).run().success();
        assert_eq!(answer.stderr(), "");
        answer.stdout().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let templates = "go typescript python rust polyglot vite-react astro fastapi hono";
    assert_eq!(typed("ship init --template").join(" "), templates);
    assert!(["deploy", "dev"].iter().all(|command| typed("ship").contains(&(*command).to_owned())));
}

/// The scripts ask the program that is on the path, and every page of the manual is written.
#[test]
fn scripts_and_pages() {
    let environment = TestEnv::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = environment.ship(["completions", shell]).run().success();

        assert!(script.stdout().contains("SHIP_COMPLETE") && script.stdout().contains(" -- "), "{}", script.stdout());
        assert!(!script.stdout().contains(&environment.folder().display().to_string()));
    }
    assert!(environment.ship(["man"]).run().success().stdout().contains(".TH ship 1"));
    let written = environment.ship(["man", "--dir", "pages", "--json"]).run().success().json();
    let pages = written["pages"].as_array().expect("it is a list");
    for page in ["ship.1", "ship-deploy.1", "ship-domains-add.1"] {
        assert!(pages.contains(&page.into()), "{page} is not in {pages:?}");
    }
    let deploy = std::fs::read_to_string(environment.folder().join("pages/ship-deploy.1")).expect("it was written");
    assert!(deploy.contains("ship deploy shop \\-\\-prod") && deploy.contains("\n.SH EXAMPLES\n"), "{deploy}");
    let first = deploy.lines().find(|line| line.starts_with(".TH")).expect("a page has a title");
    assert!(first.starts_with(".TH ship-deploy 1") && first.contains("\"ship 0."), "{first}");
    let all = std::fs::read_to_string(environment.folder().join("pages/ship.1")).expect("it was written");
    for heading in ["ENVIRONMENT", "EXIT STATUS", "ERROR CODES"] {
        assert!(all.contains(&format!("\n.SH {heading}\n")), "{heading}: {all}");
    }
    assert!(!all.contains(".SH EXTRA"), "{all}");
}
