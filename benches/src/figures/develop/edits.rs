//! From an edit until it is seen.

use std::fs;

use ship_tests::{RunningShip, TestEnv, TestProject, http};

use super::{SHORT_RUNS, project_of, start, started};
use crate::bench::Bench;
use crate::contest::{Contender, timed_rows};
use crate::figure::{Bound, Row};
use crate::figures::deploy::change_line;
use crate::figures::floor::{PlainGo, go_is_installed};
use crate::peer::dev;
use crate::peer::dev::DevServer;
use crate::peer::vite_events::ViteEvents;
use crate::peer::{NotThere, Peer};
use crate::samples::Samples;
use crate::turns::{alternate, timed};

/// V2: from the edit of a function in TypeScript or Python until the new code has answered.
pub(crate) fn edited_script(bench: &Bench) -> Vec<Row> {
    let environment = TestEnv::new();
    let typescript = Edited::start(&environment, "api/hello.ts", dev::source("api/hello.ts", dev::ANSWER));
    let python = Edited::start(&environment, "api/hello.py", PYTHON.to_owned());
    let alone = |language: &str, edited: &Edited<'_>| {
        let seconds = (1..=bench.runs.max(SHORT_RUNS)).map(|run| edited.edit(run)).collect();
        let work = format!("edit of a {language} function until the new answer");
        Row::alone(&work, Samples::seconds(seconds), Some(Bound::AtMost { value: 0.100 }))
    };
    let mut rows = vec![alone("TypeScript", &typescript), alone("Python", &python)];
    let beside = bench.against.iter().filter_map(|&peer| edited_beside(&environment, peer)).collect();
    let work = "edit of a TypeScript function until the new answer, among others";
    // The numbers begin where those above have ended: an edit that changes nothing is none.
    rows.extend(timed_rows(work, bench.runs, |run| typescript.edit(1000 + run), beside));
    for edited in [typescript, python] {
        let _ = edited.running.terminate();
    }
    rows
}

/// The shortest function in Python.
const PYTHON: &str = r#"def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"run 0"]
"#;

/// A function that is edited while `ship dev` serves it.
struct Edited<'e> {
    project: TestProject,
    file: &'static str,
    source: String,
    running: RunningShip<'e>,
    url: String,
}

impl<'e> Edited<'e> {
    fn start(environment: &'e TestEnv, file: &'static str, source: String) -> Self {
        let project = environment.project(&file.replace(['/', '.'], "-"));
        let project = project.file("public/index.html", "<!doctype html>").file(file, &source);
        let (running, url) = start(environment, &project);
        let edited = Self { project, file, source, running, url };
        let _ = edited.answer();
        edited
    }

    fn answer(&self) -> String {
        let route = self.file.split_once('.').map_or(self.file, |(route, _)| route);
        http::get(&format!("{}/{route}", self.url)).success().text()
    }

    /// How long it takes from an edit until the new answer. The first answer is the new one.
    fn edit(&self, run: usize) -> f64 {
        self.project.write(self.file, self.source.replace(dev::ANSWER, &format!("run {run}")));
        let (seconds, answered) = timed(|| self.answer());
        assert_eq!(answered, format!("run {run}"), "an answer after an edit is the new one");
        seconds
    }
}

/// The same of a peer, which is asked until its answer is the new one.
fn edited_beside(environment: &TestEnv, peer: Peer) -> Option<Contender<'_, f64>> {
    let (file, path) = dev::function_of(peer)?;
    let project = project_of(environment, peer);
    let mut server: Option<DevServer> = None;
    Some(Contender::new(peer.name(), None, move |run| {
        if server.is_none() {
            server = Some(started(peer, &project, path)?);
        }
        let server = server.as_mut().ok_or_else(|| NotThere("it does not start".to_owned()))?;
        let wanted = format!("run {}", run + 1);
        project.write(file, dev::source(file, &wanted));
        let (seconds, seen) = timed(|| server.wait_until(path, |answer| answer == wanted));
        seen.map(|_| seconds)
    }))
}

/// V3: from the edit of a Go function until the new program has answered.
pub(crate) fn edited_function(bench: &Bench) -> Vec<Row> {
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
    let (ship, go) = alternate(bench.runs.max(SHORT_RUNS), ship, go);
    let _ = running.terminate();
    let bound = Bound::TimesAtMost { times: 1.2, plus: 0.050 };
    vec![Row::compared(work, Samples::seconds(ship), "go build", Samples::seconds(go), bound)]
}

/// V4: from the edit of a page until an open page is told to load itself again.
pub(crate) fn edited_page(bench: &Bench) -> Vec<Row> {
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
    let seconds: Vec<f64> = (0..bench.runs.max(SHORT_RUNS)).map(&mut edit).collect();
    let work = "edit of a page until its reload event";
    let alone = Row::alone(work, Samples::seconds(seconds), Some(Bound::AtMost { value: 0.050 }));
    let vite = bench.meets(Peer::Vite).then(|| reloaded_by_vite(&environment));
    let beside = timed_rows(work, bench.runs, |run| edit(1000 + run), vite.into_iter().collect());
    let rows = std::iter::once(alone).chain(beside.into_iter().filter(|row| row.peer.is_some())).collect();
    let _ = running.terminate();
    rows
}

/// The same of Vite, which tells its pages over a WebSocket.
fn reloaded_by_vite(environment: &TestEnv) -> Contender<'_, f64> {
    let project = project_of(environment, Peer::Vite);
    let mut opened: Option<(DevServer, ViteEvents)> = None;
    Contender::new(Peer::Vite.name(), None, move |run| {
        if opened.is_none() {
            let mut server = started(Peer::Vite, &project, "/")?;
            let client = server.wait_for("/@vite/client")?;
            let events = ViteEvents::listen(server.address(), &client)?;
            opened = Some((server, events));
        }
        let (_, events) = opened.as_mut().ok_or_else(|| NotThere("it does not start".to_owned()))?;
        events.rest()?;
        let (seconds, told) = timed(|| {
            project.write("public/index.html", format!("<!doctype html><title>Run {run}</title>"));
            events.wait_for_reload()
        });
        told.map(|()| seconds)
    })
}
