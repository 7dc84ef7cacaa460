//! The action for GitHub deploys the branch that a job runs for, and says in its pull request where it is; the template for GitLab says it to its
//! platform.

use serde_json::{Value, json};
use ship_tests::{
    COMMENT_TOKEN, CommandOutput, PullRequests, TestEnv, TestHost, TestProject, http, ship_binary, workspace_root,
};

/// A job at a platform whose comments are kept in `pulls`.
struct Job<'j> {
    host: &'j TestHost<'j>,
    project: &'j TestProject,
    pulls: &'j PullRequests,
    branch: &'j str,
    event: Value,
    token: &'j str,
}

/// What a job left behind.
struct Left {
    output: CommandOutput,
    outputs: String,
    summary: String,
}

impl Job<'_> {
    /// Runs the action as the platform does: its inputs and all else are in the environment.
    fn run(&self) -> Left {
        let action = workspace_root().join("contrib/github/deploy.mjs");
        let file = |name: &str, content: &str| {
            self.project.write(&format!(".git/{name}"), content);
            self.project.path(&format!(".git/{name}"))
        };
        let (event, outputs, summary) =
            (file("event", &self.event.to_string()), file("outputs", ""), file("summary", ""));
        let output = self
            .host
            .ship([""; 0])
            .started_by(["node".as_ref(), action.as_os_str()])
            .within(self.project.folder())
            .with("GITHUB_EVENT_PATH", event)
            .with("GITHUB_OUTPUT", &outputs)
            .with("GITHUB_STEP_SUMMARY", &summary)
            .with("GITHUB_REF_NAME", self.branch)
            .with("GITHUB_API_URL", self.pulls.url())
            .with("GITHUB_REPOSITORY", "acme/blue")
            .with("INPUT_SHIP", ship_binary())
            .with("INPUT_HOST", self.host.control_url())
            .with("INPUT_PROJECT", "blue")
            .with("INPUT_PRODUCTION-BRANCH", "main")
            .with("INPUT_GITHUB-TOKEN", self.token)
            .with("SHIP_TOKEN", self.host.token())
            .run();
        let read = |path| std::fs::read_to_string(path).expect("the file is there");
        Left { output, outputs: read(outputs), summary: read(summary) }
    }
}

/// A pull request of `repository` into `acme/blue`.
fn pull_request(repository: &str) -> Value {
    let head = json!({ "repo": { "full_name": repository } });
    json!({ "pull_request": { "number": 7, "head": head, "base": { "repo": { "full_name": "acme/blue" } } } })
}

/// A pull request has one comment, which tells where the branch is; the next push changes it. Pushes to the main branch move production.
#[test]
fn one_comment() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site").file("index.html", "first");
    let others: Vec<String> = (0..120).map(|number| format!("comment {number}")).collect();
    let pulls = PullRequests::with(&others.iter().map(String::as_str).collect::<Vec<_>>());
    let job =
        |branch, event| Job { host: &host, project: &project, pulls: &pulls, branch, event, token: COMMENT_TOKEN };

    let first = job("feature", pull_request("acme/blue")).run();
    let _ = first.output.success();
    let url = first.outputs.lines().find_map(|line| line.strip_prefix("url=")).expect("it says where").to_owned();
    assert_eq!(http::get(&url).text(), "first");
    assert!(first.summary.contains(&url), "{}", first.summary);
    let comments = pulls.comments();
    assert_eq!(comments.len(), 121);
    assert!(
        comments[120].starts_with("<!-- deployed with ship: blue -->\n**blue** is deployed.")
            && comments[120].contains(&url)
    );
    assert_eq!(http::get(&host.site_url("blue")).status, 200, "a first deployment is production");

    project.write("index.html", "second");
    let second = job("feature", pull_request("acme/blue")).run();
    let _ = second.output.success();
    let changed = pulls.comments();
    assert_eq!((changed.len(), &changed[..120]), (121, &comments[..120]));
    assert!(changed[120] != comments[120]);
    assert_eq!(http::get(&host.site_url("blue")).text(), "first", "a pull request moves no production");

    let _ = job("main", json!({})).run().output.success();
    assert_eq!(http::get(&host.site_url("blue")).text(), "second");
    assert_eq!(pulls.comments(), changed, "a push is no pull request");
}

/// Who opens a pull request from a repository of their own has nothing deployed. A comment that may not be written fails no job; a deploy that
/// fails does.
#[test]
fn strangers_and_failures() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("site").file("index.html", "from a stranger");
    let pulls = PullRequests::with(&[]);
    let job = |event, token| Job { host: &host, project: &project, pulls: &pulls, branch: "feature", event, token };

    let fork = job(pull_request("mallory/blue"), COMMENT_TOKEN).run();
    let fork_said = fork.output.success();
    assert_eq!(fork_said.stdout(), "::notice::This pull request comes from mallory/blue: it is not deployed.\n");
    assert_eq!((fork.outputs.as_str(), pulls.comments()), ("", vec![]));
    assert_eq!(http::get(&host.site_url("blue")).status, 404);

    let mute = job(pull_request("acme/blue"), "another token").run();
    let mute_said = mute.output.success();
    assert!(mute_said.stdout().starts_with("::warning::The comment was not written: 403"), "{}", mute_said.stdout());
    assert!(mute.outputs.contains("deployment="));

    project.write("ship.toml", "name = 5\n");
    let failed = job(pull_request("acme/blue"), COMMENT_TOKEN).run();
    let said = failed.output.exits_with(1);
    let reason = "::error::ship.toml:1:8: expected a string, found the number `5`%0A 1 | name = 5%0A";
    assert!(said.stdout().starts_with(reason), "{}", said.stdout());
    assert_eq!(pulls.comments(), [""; 0]);
}

/// The lines of the template's script, which a runner gives to a shell one after the other and ends at the first that fails.
fn gitlab_script() -> String {
    let template = std::fs::read_to_string(workspace_root().join("contrib/gitlab/ship.yml")).expect("it is there");
    let script = template.lines().skip_while(|line| line.trim() != "script:").skip(1);
    let lines = script
        .map_while(|line| line.strip_prefix("    "))
        .filter_map(|line| line.strip_prefix("- "))
        .collect::<Vec<_>>()
        .join("\n");
    format!("set -e\n{lines}\n")
}

/// A job at GitLab leaves the URL for its environment. One that cannot deploy fails, and its log says why.
#[test]
fn at_gitlab() {
    let environment = TestEnv::new();
    let host = TestHost::start(&environment);
    let project = environment.project("blue").file("index.html", "by GitLab");
    let programs = ship_binary().parent().expect("it is in a folder").display().to_string();
    let path = format!("{programs}:{}", std::env::var("PATH").unwrap_or_default());
    let job = || {
        let shell = host.ship([""; 0]).started_by(["sh", "-c", &gitlab_script()]).within(project.folder());
        let shell = shell.with("PATH", &path).with("SHIP_HOST", host.control_url()).with("SHIP_TOKEN", host.token());
        shell.with("CI_COMMIT_REF_NAME", "main").with("SHIP_DEPLOY_OPTIONS", "--prod").run()
    };
    let _ = job().success();
    let left = std::fs::read_to_string(project.path(".ship/url.env")).expect("it says where");
    let url = left.trim().strip_prefix("SHIP_URL=").expect("it is a variable");
    assert_eq!(http::get(url).text(), "by GitLab");
    assert_eq!(http::get(&format!("{url}/deployed.json")).status, 404);

    project.write("ship.toml", "name = 5\n");
    let failed = job().exits_with(1);
    assert!(failed.stdout().contains("expected a string, found the number `5`"), "{}", failed.stdout());
}
