//! What stands before a warm function costs: time added over asking the function itself.

use ship_tests::{TestEnv, TestHost, http};

use super::floor::{PlainGo, go_is_installed};
use super::serve::{answered, without_failures};
use crate::bench::Bench;
use crate::contest::{Contender, Met, contest};
use crate::figure::{Bound, Row};
use crate::load::{Generator, Order, Report, Target};
use crate::peer::statics::{Served, StaticServer};
use crate::peer::{NotThere, Peer};
use crate::samples::Samples;

/// How long each run makes load.
const SECONDS: f64 = 2.;

/// S3: one connection, and 64.
pub(crate) fn added(bench: &Bench) -> Vec<Row> {
    if !go_is_installed() {
        return vec![Row::skipped("time added to a warm Go function", "no go on PATH")];
    }
    let environment = TestEnv::new();
    let project = environment.example("date-weather");
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let _ = http::get(&format!("{}/api/date", host.site_url("date-weather"))).success();
    let plain = PlainGo::new(environment.folder());
    plain.build();
    let socket = environment.folder().join("date.sock");
    let _bare = plain.start_date(&socket);
    // Only the own generator speaks to Unix sockets; others ask the function at a port.
    let (_bare_at_port, direct) = if bench.generator == Generator::Own {
        (None, Target::Unix(socket.clone()))
    } else {
        let (bare, address) = plain.start_date_at_port();
        (Some(bare), Target::Tcp(address))
    };
    let servers = bench.against.iter().map(|peer| {
        let served = Served {
            folder: &environment.folder().join(peer.name()),
            root: &project.path("public"),
            upstream: Some(&socket),
        };
        (*peer, StaticServer::start(*peer, served))
    });
    let servers: Vec<_> = servers.collect();
    let ship = Target::Tcp(host.addresses().sites.parse().expect("a host names its address"));
    let measured = |connections| added_on(bench, connections, &direct, &ship, &servers);
    [1, 64].into_iter().flat_map(measured).collect()
}

/// In each run the function itself, then what stands before it; what each adds is what it took longer than the function in that run.
fn added_on(
    bench: &Bench,
    connections: u32,
    direct: &Target,
    ship: &Target,
    servers: &[(Peer, Result<StaticServer, NotThere>)],
) -> Vec<Row> {
    let order = |target: &Target| {
        let at_once = usize::try_from(connections).unwrap_or(usize::MAX);
        Order::saturating(target.clone(), "date-weather.localhost", "/api/date", at_once, SECONDS)
    };
    // With one request at a time on each connection, this is how long one takes on average.
    let mean = |report: Report| f64::from(connections) / report.per_second;
    let itself = Contender::new("itself", None, |_| answered(&order(direct), bench).map(mean));
    let others = servers.iter().map(|(peer, server)| match server {
        Ok(server) => {
            let bound = (*peer == Peer::Nginx).then_some(Bound::times(0.5));
            let target = Target::Tcp(server.address);
            Contender::new(peer.name(), bound, move |_| answered(&order(&target), bench).map(mean))
        }
        Err(reason) => Contender::absent(peer.name(), reason),
    });
    let (ship, mut met) = contest(
        bench.runs,
        |_| mean(without_failures(&order(ship), bench)),
        std::iter::once(itself).chain(others).collect(),
    );
    let Ok(direct) = met.remove(0).taken else { return Vec::new() };
    let work = format!("time added to a warm Go function, {connections} connections")
        .replace(" 1 connections", " 1 connection");
    let note = format!("the function itself {}", Samples::seconds(direct.clone()));
    let over_direct =
        |taken: &[f64]| Samples::seconds(taken.iter().zip(&direct).map(|(took, least)| took - least).collect());
    let row = |met: Met<f64>| match met.taken {
        Ok(taken) => {
            Row::compared(&work, over_direct(&ship), &format!("{} adds", met.name), over_direct(&taken), met.bound)
                .noting(note.clone())
        }
        Err(reason) => Row::without(&work, &met.name, &reason.to_string()),
    };
    met.into_iter().map(row).collect()
}
