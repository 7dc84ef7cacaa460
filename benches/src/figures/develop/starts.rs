//! From the start of the process, and at rest.

use ship_tests::{TestEnv, TestProject, http};

use super::{SHORT_RUNS, project_of, start, started};
use crate::bench::Bench;
use crate::contest::{Contender, timed_rows};
use crate::figure::{Bound, Row};
use crate::peer::dev::DevServer;
use crate::peer::{Peer, dev};
use crate::samples::{Samples, Unit};
use crate::turns::timed;

/// V1: from the start of the process until a page, and until a function that was compiled before.
pub(crate) fn first_answer(bench: &Bench) -> Vec<Row> {
    let environment = TestEnv::new();
    let example = environment.example("date-weather");
    let script = environment
        .project("script")
        .file("public/index.html", "<!doctype html><title>Measured</title>")
        .file("api/hello.ts", dev::source("api/hello.ts", dev::ANSWER));
    let until = |project: &TestProject, path: &str| {
        let (seconds, running) = timed(|| {
            let (running, url) = start(&environment, project);
            let _ = http::get(&format!("{url}{path}")).success();
            running
        });
        let _ = running.terminate();
        seconds
    };
    for (project, path) in [(&example, "/api/date"), (&script, "/api/hello")] {
        let _ = until(project, path);
    }
    let runs = bench.runs.max(SHORT_RUNS);
    let of_example = |path: &str| Samples::seconds((0..runs).map(|_| until(&example, path)).collect());
    let bound = Some(Bound::AtMost { value: 0.100 });
    let mut rows = vec![
        Row::alone("ship dev until the first answer, a page", of_example("/"), bound),
        Row::alone("ship dev until the first answer, a Go function", of_example("/api/date"), bound),
    ];
    let against = |pages: bool| {
        let peers = bench.against.iter().copied();
        let path =
            move |peer| if pages { dev::serves_pages(peer).then_some("/") } else { Some(dev::function_of(peer)?.1) };
        peers.filter_map(|peer| Some(first_answer_of(&environment, peer, path(peer)?))).collect()
    };
    let page = "development server until the first answer, a page";
    rows.extend(timed_rows(page, bench.runs, |_| until(&script, "/"), against(true)));
    let function = "development server until the first answer, a TypeScript function";
    rows.push(Row::alone(
        "ship dev until the first answer, a TypeScript function",
        Samples::seconds((0..runs).map(|_| until(&script, "/api/hello")).collect()),
        bound,
    ));
    rows.extend(timed_rows(function, bench.runs, |_| until(&script, "/api/hello"), against(false)));
    rows
}

fn first_answer_of<'e>(environment: &'e TestEnv, peer: Peer, path: &'static str) -> Contender<'e, f64> {
    let project = project_of(environment, peer);
    let bound = if peer == Peer::Vite { Bound::times(1.) } else { Bound::times(0.1) };
    Contender::new(peer.name(), bound, move |run| {
        if run == 0 {
            // As with ship, what it keeps from an earlier start is there.
            started(peer, &project, path)?;
        }
        let (seconds, server) = timed(|| started(peer, &project, path));
        server.map(|_| seconds)
    })
}

/// V5: a dev server that has answered once and then rests.
pub(crate) fn memory(bench: &Bench) -> Vec<Row> {
    let work = "memory of ship dev at rest";
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let (running, url) = start(&environment, &project);
    let _ = http::get(&format!("{url}/")).success();
    let _ = http::get(&format!("{url}/api/date")).success();
    let bytes = |bytes: u64| Samples::new(Unit::Bytes, vec![bytes as f64]);
    let own = bytes(running.process().resident_bytes());
    let _ = running.terminate();
    let alone = Row::alone(work, own.clone(), Some(Bound::AtMost { value: 40. * 1024. * 1024. }));
    let beside = bench.against.iter().map(|&peer| {
        let project = project_of(&environment, peer);
        let paths = [dev::serves_pages(peer).then_some("/"), dev::function_of(peer).map(|(_, path)| path)];
        let held = paths.into_iter().flatten().try_fold(None, |server: Option<DevServer>, path| match server {
            None => started(peer, &project, path).map(Some),
            Some(mut server) => server.wait_for(path).map(|_| Some(server)),
        });
        match held {
            Ok(server) => {
                let held = bytes(server.map_or(0, |server| server.proportional_bytes()));
                Row::compared(work, own.clone(), peer.name(), held, None)
                    .noting("all its processes, what they share counted once".to_owned())
            }
            Err(reason) => Row::without(work, peer.name(), &reason.to_string()),
        }
    });
    std::iter::once(alone).chain(beside).collect()
}
