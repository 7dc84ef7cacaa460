//! `ship dev`: how soon it answers, and how soon an edit is seen.

use std::fs;

use ship_tests::{RunningShip, TestEnv, TestProject, http};

use super::deploy::change_line;
use super::floor::{PlainGo, go_is_installed};
use crate::alternate::{alternate, timed};
use crate::figure::{Bound, Row};
use crate::samples::{Samples, Unit};

/// How often the short ones run.
const SHORT_RUNS: usize = 21;

/// Starts a dev server and waits until it says that it is ready.
fn start<'e>(environment: &'e TestEnv, project: &TestProject) -> (RunningShip<'e>, String) {
    let command = environment.ship(["dev", "--json", "--listen", "127.0.0.1:0"]).within(project.folder());
    let mut running = command.start();
    let line = running.stdout().wait_for(|line| line.contains("\"ready\""));
    let ready: serde_json::Value = serde_json::from_str(&line).expect("each line is one JSON document");
    let url = ready["url"].as_str().expect("the event names the URL").to_owned();
    (running, url)
}

/// V1: from the start of the process until a page, and until a function that was compiled before.
pub(crate) fn first_answer(runs: usize) -> Vec<Row> {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let script =
        environment.project("script").file("api/hello.ts", "export const GET = () => new Response(\"hello\");\n");
    let until_in = |project: &TestProject, path: &str| {
        let (seconds, running) = timed(|| {
            let (running, url) = start(&environment, project);
            let _ = http::get(&format!("{url}{path}")).success();
            running
        });
        let _ = running.terminate();
        seconds
    };
    let until = |path: &str| until_in(&project, path);
    let _ = until("/api/date");
    let _ = until_in(&script, "/api/hello");
    let (page, function) = alternate(runs.max(SHORT_RUNS), |_| until("/"), |_| until("/api/date"));
    let script: Vec<f64> = (0..runs.max(SHORT_RUNS)).map(|_| until_in(&script, "/api/hello")).collect();
    let bound = Some(Bound::AtMost { value: 0.100 });
    vec![
        Row::alone("ship dev until the first answer, a page", Samples::seconds(page), bound),
        Row::alone("ship dev until the first answer, a Go function", Samples::seconds(function), bound),
        Row::alone("ship dev until the first answer, a TypeScript function", Samples::seconds(script), bound),
    ]
}

/// V2: from the edit of a function in TypeScript or Python until the new code has answered.
pub(crate) fn edited_script(runs: usize) -> Vec<Row> {
    let typescript = ("api/typescript.ts", "export const GET = () => new Response(\"run 0\");\n");
    let python = ("api/python.py", PYTHON);
    [("TypeScript", typescript), ("Python", python)]
        .into_iter()
        .map(|(language, (file, source))| edited_file(language, file, source, runs))
        .collect()
}

/// The shortest function in Python.
const PYTHON: &str = r#"def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"run 0"]
"#;

fn edited_file(language: &str, file: &str, source: &str, runs: usize) -> Row {
    let environment = TestEnv::new();
    let project = environment.project("edited").file("public/index.html", "<!doctype html>").file(file, source);
    let (running, url) = start(&environment, &project);
    let route = file.split_once('.').map_or(file, |(route, _)| route);
    let answer = || http::get(&format!("{url}/{route}")).success().text();
    let _ = answer();
    let edit = |run: usize| {
        project.write(file, source.replace("run 0", &format!("run {run}")));
        let (seconds, answered) = timed(answer);
        assert_eq!(answered, format!("run {run}"), "an answer after an edit is the new one");
        seconds
    };
    let seconds = (1..=runs.max(SHORT_RUNS)).map(edit).collect();
    let _ = running.terminate();
    let work = format!("edit of a {language} function until the new answer");
    Row::alone(&work, Samples::seconds(seconds), Some(Bound::AtMost { value: 0.100 }))
}

/// V3: from the edit of a Go function until the new program has answered.
pub(crate) fn edited_function(runs: usize) -> Vec<Row> {
    let work = "edit of a Go function until the new answer";
    if !go_is_installed() {
        return vec![Row::skipped(work, "no go on PATH to compare with")];
    }
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let plain = PlainGo::new(environment.folder());
    plain.build();
    let (running, url) = start(&environment, &project);
    let ship = |run| {
        change_line(&project.path("api/date.go"), run);
        timed(|| http::get(&format!("{url}/api/date")).success()).0
    };
    let go = |run| {
        change_line(&plain.date_source(), run);
        timed(|| plain.build()).0
    };
    let (ship, go) = alternate(runs.max(SHORT_RUNS), ship, go);
    let _ = running.terminate();
    let bound = Bound::TimesAtMost { times: 1.2, plus: 0.050 };
    vec![Row::compared(work, Samples::seconds(ship), "go build", Samples::seconds(go), bound)]
}

/// V4: from the edit of a page until an open page is told to load itself again.
pub(crate) fn edited_page(runs: usize) -> Vec<Row> {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let (running, url) = start(&environment, &project);
    let page = fs::read_to_string(project.path("public/index.html")).expect("the example has a page");
    let mut events = http::get_events(&format!("{url}/_ship/dev/events"));
    let _ = events.next_event();
    let mut edit = |run: usize| {
        let edited = page.replace("Two buttons", &format!("{run} buttons"));
        timed(|| {
            project.write("public/index.html", &edited);
            events.next_event()
        })
        .0
    };
    let seconds = (0..runs.max(SHORT_RUNS)).map(&mut edit).collect();
    let _ = running.terminate();
    let bound = Some(Bound::AtMost { value: 0.050 });
    vec![Row::alone("edit of a page until its reload event", Samples::seconds(seconds), bound)]
}

/// V5: a dev server that has answered once and then rests.
pub(crate) fn memory(_: usize) -> Vec<Row> {
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let (running, url) = start(&environment, &project);
    let _ = http::get(&format!("{url}/")).success();
    let _ = http::get(&format!("{url}/api/date")).success();
    let bytes = running.process().resident_bytes() as f64;
    let _ = running.terminate();
    let bound = Some(Bound::AtMost { value: 40. * 1024. * 1024. });
    vec![Row::alone("memory of ship dev at rest", Samples::new(Unit::Bytes, vec![bytes]), bound)]
}
