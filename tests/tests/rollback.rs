//! Production moves when somebody says so, at once, forth and back, and nobody who visits meanwhile notices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use ship_tests::{GO_FUNCTION_AT_GATE, Gate, PATIENCE, TestEnv, TestHost, TestProject, http};

/// Deploys a page to production and gives back the URL of that very deployment.
fn publish(host: &TestHost<'_>, project: &TestProject, page: &str) -> String {
    project.write("public/index.html", page);
    host.ship(["deploy", "--prod"]).within(project.folder()).run().success().url()
}

/// There and back again: `--prod`, `rollback`, `promote`, each seen by the next request.
#[test]
fn production_moves() {
    let environment = TestEnv::new();
    let project = environment.project("site");
    let host = TestHost::start(&environment);
    let production = || http::get(&host.site_url("site")).success().text();
    let command = |words: &[&str]| host.ship(words).within(project.folder()).run();

    let urls = ["one", "two", "three"].map(|page| {
        let url = publish(&host, &project, page);
        assert_eq!(production(), page);
        url
    });
    insta::assert_snapshot!(command(&["rollback"]).snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site.localhost:[PORT]
    ----- stderr -----
    Production moved from [ID-3] to [ID-2]
    ");
    assert_eq!(production(), "two");
    insta::assert_snapshot!(command(&["rollback"]).snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site.localhost:[PORT]
    ----- stderr -----
    Production moved from [ID-2] to [ID-1]
    ");
    assert_eq!(production(), "one");
    insta::assert_snapshot!(command(&["rollback"]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: project `site` had no production deployment before [ID-1] that still exists
    hint: `ship promote ID` moves production to any deployment that `ship ls` shows
    ");
    assert_eq!(production(), "one");
    insta::assert_snapshot!(command(&["promote", &urls[2]]).snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site.localhost:[PORT]
    ----- stderr -----
    Production moved from [ID-1] to [ID-3]
    ");
    assert_eq!(production(), "three");
    insta::assert_snapshot!(command(&["rollback", &urls[0]]).snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site.localhost:[PORT]
    ----- stderr -----
    Production moved from [ID-3] to [ID-1]
    ");
    assert_eq!(production(), "one");
    for (url, page) in urls.iter().zip(["one", "two", "three"]) {
        assert_eq!(http::get(url).success().text(), page, "what was published never changes");
    }
}

/// A preview deployed after a rollback does not move production: a rollback holds until somebody moves production again.
#[test]
fn a_rollback_holds() {
    let environment = TestEnv::new();
    let project = environment.project("site");
    let host = TestHost::start(&environment);
    let _ = publish(&host, &project, "one");
    let _ = publish(&host, &project, "two");
    let _ = host.ship(["rollback"]).within(project.folder()).run().success();
    project.write("public/index.html", "three");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    assert_eq!(http::get(&host.site_url("site")).success().text(), "one");
}

/// Under a stream of visitors, production moves forth and back: each visitor sees one whole deployment or the other.
#[test]
fn visitors_never_notice() {
    let environment = TestEnv::new();
    let project = environment.project("site");
    let host = TestHost::start(&environment);
    let urls = ["left", "right"].map(|page| publish(&host, &project, page));
    let done = AtomicBool::new(false);
    let visits = thread::scope(|scope| {
        let visitors = [(); 2].map(|()| {
            scope.spawn(|| {
                let mut visits = 0;
                while !done.load(Ordering::SeqCst) {
                    let page = http::get(&host.site_url("site")).success().text();
                    assert!(["left", "right"].contains(&page.as_str()), "a visitor saw {page:?}");
                    visits += 1;
                }
                visits
            })
        });
        for number in 0..20 {
            let _ = host.ship(["promote", &urls[number % 2]]).within(project.folder()).run().success();
        }
        done.store(true, Ordering::SeqCst);
        visitors.map(|visitor| visitor.join().expect("no visit fails")).iter().sum::<u32>()
    });
    assert!(visits > 20, "there were visitors while production moved: {visits}");
}

/// What production shows cannot be removed; anything else can, and is gone with its URL.
#[test]
fn removing() {
    let environment = TestEnv::new();
    let project = environment.project("site");
    let host = TestHost::start(&environment);
    let command = |words: &[&str]| host.ship(words).within(project.folder()).run();
    let one = publish(&host, &project, "one");
    let two = publish(&host, &project, "two");

    insta::assert_snapshot!(command(&["rm", &two, "--yes"]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: deployment [ID-2] is the production of project `site`
    hint: promote another deployment first (`ship promote ID`), or remove the whole project (`ship rm --project NAME`)
    ");
    assert_eq!(http::get(&two).success().text(), "two");
    insta::assert_snapshot!(command(&["rm", &one, "--yes"]).snapshot(), @"
    exit code: 0
    ----- stdout -----
    [ID-1]
    ----- stderr -----
    Removed 1 deployment of site
    ");
    let gone = http::get(&one);
    assert_eq!((gone.status, gone.header("x-ship-error").as_deref()), (404, Some("DEPLOYMENT_NOT_FOUND")));
    insta::assert_snapshot!(command(&["rm", &one, "--yes"]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the host has no deployment `site-[ID-1].localhost`
    hint: `ship ls` shows what is deployed
    ");
    insta::assert_snapshot!(command(&["rollback"]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: project `site` had no production deployment before [ID-2] that still exists
    hint: `ship promote ID` moves production to any deployment that `ship ls` shows
    ");
    assert_eq!(http::get(&host.site_url("site")).success().text(), "two");
}

/// A person is asked about what cannot be brought back, and sees what the beginning of an id fits; a script is not.
#[test]
fn removing_asks() {
    let environment = TestEnv::new();
    let project = environment.project("site").on_branch("main");
    let host = TestHost::start(&environment);
    let one = publish(&host, &project, "one");
    let two = publish(&host, &project, "two");
    let _ = publish(&host, &project, "three");
    let prefix = |url: &str| url["http://site-".len()..][..4].to_owned();
    let asked = |answer: &str| {
        let command = host.ship(["rm", &prefix(&one)]).within(project.folder());
        let mut running = command.start_on_terminal(200);
        running.type_keys(answer);
        let question = running.stdout().wait_for(|line| line.contains("[y/N]"));
        assert!(question.contains(" of site from `main`, 20") && question.contains("for good?"), "{question}");
        assert!(
            question.contains(one["http://site-".len()..].split('.').next().expect("it has a label")),
            "{question}"
        );
        running.finish()
    };
    let refused = asked("n\n");
    assert!(refused.code() == Some(1) && refused.stdout().contains("was not removed"), "{}", refused.stdout());
    assert_eq!(http::get(&one).success().text(), "one");
    assert_eq!(asked("y\n").code(), Some(0));
    assert_eq!(http::get(&one).status, 404);
    let _ = host.ship(["rm", &prefix(&two)]).within(project.folder()).run().success();
    assert_eq!(http::get(&two).status, 404);
}

/// `ship ls` shows what there is, newest first, and what production leads to.
#[test]
fn list() {
    let environment = TestEnv::new();
    let project = environment.project("site").on_branch("main");
    let host = TestHost::start(&environment);
    insta::assert_snapshot!(host.ship(["ls"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    Nothing is deployed yet
    hint: `ship deploy` deploys the current folder
    ");
    let _ = publish(&host, &project, "one");
    project.check_out("topic");
    project.write("public/index.html", "two");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    insta::assert_snapshot!(host.ship(["ls"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    PROJECT  ID        TARGET        BRANCH  CREATED (UTC)        URL
    site     [ID-2]  preview       topic   [AT]  http://site-[ID-2].localhost:[PORT]
    site     [ID-1]  production *  main    [AT]  http://site-[ID-1].localhost:[PORT]
    ----- stderr -----
    ");
}

/// `ship alias` shows where each name leads, of all deployments that there are.
#[test]
fn names() {
    let environment = TestEnv::new();
    let project = environment.project("site").on_branch("main");
    let host = TestHost::start(&environment);
    let alias = |words: &[&str]| host.ship(["alias"]).and(words).within(project.folder()).run();
    insta::assert_snapshot!(alias(&[]).snapshot(), @"
    exit code: 0
    ----- stdout -----
    ----- stderr -----
    No name leads to a deployment yet
    hint: `ship deploy` makes a deployment, and the name of its project leads to it
    ");
    let _ = publish(&host, &project, "one");
    project.check_out("topic");
    project.write("public/index.html", "two");
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    insta::assert_snapshot!(alias(&[]).snapshot(), @"
    exit code: 0
    ----- stdout -----
    PROJECT  DEPLOYMENT  BRANCH  URL
    site     [ID-1]    main    http://site-git-main.localhost:[PORT]
    site     [ID-2]    topic   http://site-git-topic.localhost:[PORT]
    site     [ID-1]    main    http://site.localhost:[PORT]
    ----- stderr -----
    ");
    let listed = alias(&["--project", "site", "--json"]).success().json();
    assert_eq!(listed["aliases"].as_array().map(Vec::len), Some(3));
    assert_eq!(alias(&["--project", "other", "--json"]).success().json(), serde_json::json!({ "aliases": [] }));
}

/// A name that fits nothing, and an id that fits several.
#[test]
fn unknown_deployments() {
    let environment = TestEnv::new();
    let project = environment.project("site");
    let host = TestHost::start(&environment);
    let _ = publish(&host, &project, "one");
    let command = |words: &[&str]| host.ship(words).within(project.folder()).run();
    insta::assert_snapshot!(command(&["inspect", "0000aaaa"]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the host has no deployment `0000aaaa`
    hint: `ship ls` shows what is deployed
    ");
    insta::assert_snapshot!(command(&["promote", "http://no-such-site.localhost:1"]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the host has no deployment `no-such-site.localhost`
    hint: `ship ls` shows what is deployed
    ");
    // Ids are the same on every host, and so are first labels.
    insta::assert_snapshot!(command(&["rm", "https://site.prod.example.com", "--yes"]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: `site.prod.example.com` is no URL of this host, whose sites stand below `localhost`
    hint: `--host` asks another host
    ");
    insta::assert_snapshot!(command(&["inspect", "../../etc/passwd"]).snapshot(), @"
    exit code: 2
    ----- stdout -----
    ----- stderr -----
    error: invalid value '../../etc/passwd' for '[ID|URL]': `../../etc/passwd` names no deployment: expected an id, the first characters of one, or a URL

    For more information, try '--help'.
    ");
    insta::assert_snapshot!(command(&["rollback", "--project", "nobody"]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: the host has no project `nobody`
    hint: `ship deploy` makes it, `ship ls` shows those there are
    ");
    // What is to go need not be made first.
    let hint = |name: &str| {
        let refused = command(&["rm", "--project", name]).exits_with(1);
        refused.stderr().lines().last().unwrap_or_default().to_owned()
    };
    assert_eq!(hint("nobody"), "hint: `ship ls` shows those there are");
    assert_eq!(hint("sitee"), "hint: did you mean `--project site`?");
}

/// What production led to before, deployed again without `--prod`, is a preview: production stays.
#[test]
fn earlier_content_as_a_preview() {
    let environment = TestEnv::new();
    let project = environment.project("site");
    let host = TestHost::start(&environment);
    publish(&host, &project, "one");
    publish(&host, &project, "two");
    project.write("public/index.html", "one");
    insta::assert_snapshot!(host.ship(["deploy"]).within(project.folder()).run().snapshot(), @"
    exit code: 0
    ----- stdout -----
    http://site-[ID-1].localhost:[PORT]
    ----- stderr -----
    Built 1 file in [TIME]
    Nothing to send, 1 file already there
    Already published: site as preview in [TIME]
    ");
    assert_eq!(http::get(&host.site_url("site")).success().text(), "two");
}

/// A client that goes away in the middle of a move: it happens or it does not, and the log and the site agree.
#[test]
fn client_leaves_during_a_move() {
    let environment = TestEnv::new();
    let project = environment.project("site");
    let host = TestHost::start(&environment);
    let [first, second] = ["one", "two"].map(|page| {
        project.write("public/index.html", page);
        let document = host.ship(["deploy", "--prod", "--json"]).within(project.folder()).run().success().json();
        (document["deployment"]["id"].as_str().expect("a deployment has an id").to_owned(), page)
    });
    for step in 0..30_u32 {
        let (id, _) = if step % 2 == 0 { &first } else { &second };
        let body = format!("{{\"deployment\":\"{id}\"}}");
        let request = host.control("POST", "/v1/projects/site/promote").header("content-type", "application/json");
        request.body(body).abandon(Duration::from_micros(u64::from(step) * 100));
        let begun = Instant::now();
        loop {
            let list = host.control("GET", "/v1/deployments?project=site").send().success().json();
            let deployments = list["deployments"].as_array().expect("a list");
            let production = deployments.iter().find(|one| one["is_production"] == true).expect("production exists");
            let expected = [&first, &second].into_iter().find(|(id, _)| production["deployment"]["id"] == **id);
            let shown = http::get(&host.site_url("site")).success().text();
            if expected.is_some_and(|(_, page)| shown == *page) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "the log says {expected:?}, and visitors see {shown}");
        }
    }
}

/// Production does not move onto a deployment whose function does not start, neither forth nor back, unless one says so; what led
/// to it before is answered all the time.
#[test]
fn no_move_onto_what_does_not_start() {
    let environment = TestEnv::new();
    let handler = |body: &str| {
        format!(
            "package handler\n\nimport (\n\t\"net/http\"\n\t\"os\"\n)\n\nfunc init() {{ {body} }}\n\n\
             func Handler(w http.ResponseWriter, r *http.Request) {{}}\n"
        )
    };
    let project =
        environment.project("site").file("public/index.html", "well").file("api/f.go", handler("_ = os.Args"));
    let host = TestHost::start(&environment);
    let command = |words: &[&str]| host.ship(words).within(project.folder()).run();
    let production = || http::get(&host.site_url("site")).success().text();
    let well = command(&["deploy"]).success().url();
    project.write("public/index.html", "doomed");
    project.write("api/f.go", handler("os.Exit(3)"));
    let doomed = command(&["deploy", "--no-check"]).success().url();
    insta::assert_snapshot!(command(&["promote", &doomed]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: function `api/f` does not start: its process ended with exit code 3
    hint: production stays where it is; `--no-check` moves it without starting the functions
    ");
    assert_eq!(production(), "well");
    let _ = command(&["promote", &doomed, "--no-check"]).success();
    assert_eq!(production(), "doomed");
    let _ = command(&["rollback"]).success();
    assert_eq!(production(), "well");
    // Now the doomed one lies behind a third, where a rollback would lead.
    let _ = command(&["promote", &doomed, "--no-check"]).success();
    let _ = command(&["promote", &well]).success();
    insta::assert_snapshot!(command(&["rollback"]).snapshot(), @"
    exit code: 1
    ----- stdout -----
    ----- stderr -----
    error: function `api/f` does not start: its process ended with exit code 3
    hint: production stays where it is; `--no-check` moves it without starting the functions
    ");
    assert_eq!(production(), "well");
    let _ = command(&["rollback", "--no-check"]).success();
    assert_eq!(production(), "doomed");
}

/// A request that production has taken before it moved is answered by what took it, to the end; the next one by what production
/// leads to now.
#[test]
fn begun_before_a_move() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment
        .project("slow")
        .file("ship.toml", "[functions.\"**\"]\nnetwork = \"all\"\n")
        .file("api/wait.go", GO_FUNCTION_AT_GATE);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let gate = Gate::new();
    let production = host.site_url("slow");
    let mut answer = http::request("GET", &format!("{production}/api/wait?{}", gate.query())).open();
    let waiting = gate.wait_for_arrival();
    assert_eq!(answer.body().next_line().as_deref(), Some("begun"));
    project.edit("api/wait.go", "finished", "finished anew");
    let _ = host.ship(["deploy", "--prod"]).within(project.folder()).run().success();
    let mut next = http::request("GET", &format!("{production}/api/wait?{}", gate.query())).open();
    let next_waiting = gate.wait_for_arrival();
    assert_eq!(next.body().next_line().as_deref(), Some("begun"));
    waiting.open();
    next_waiting.open();
    assert_eq!(answer.whole().success().text(), "finished\n");
    assert_eq!(next.whole().success().text(), "finished anew\n");
}
