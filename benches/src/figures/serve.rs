//! Static files, beside servers that do nothing else.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use ship_tests::{TestEnv, TestHost, TestProject, http};

use crate::bench::Bench;
use crate::contest::{Contender, Met, contest};
use crate::figure::{Bound, Row};
use crate::load::{Order, Report, Target};
use crate::peer::statics::{Served, StaticServer};
use crate::peer::{NotThere, Peer};
use crate::samples::{Samples, Unit};

/// How long each run makes load, in seconds.
const SECONDS: f64 = 2.;

/// How long variants may take to be made, once somebody has asked for a file.
const COMPRESSION: Duration = Duration::from_secs(30);

/// A load on one file.
struct Case {
    work: &'static str,
    file: &'static str,
    connections: usize,
    /// What visitors say that they take.
    codings: Option<&'static str>,
}

/// S1: 1 KB on 64 and on 256 connections.
pub(crate) fn small_file(bench: &Bench) -> Vec<Row> {
    let case = |work, connections| Case { work, file: "small.txt", connections, codings: None };
    beside(bench, &[case("1 KB, 64 connections", 64), case("1 KB, 256 connections", 256)])
}

/// S2: 100 KB and 1 MB, as they are and compressed.
pub(crate) fn large_files(bench: &Bench) -> Vec<Row> {
    let case = |work, file, codings| Case { work, file, connections: 64, codings };
    let both = Some("br, gzip");
    beside(
        bench,
        &[
            case("100 KB, 64 connections", "medium.bin", None),
            case("1 MB, 64 connections", "large.bin", None),
            case("100 KB of text, 64 connections that take br and gzip", "medium.txt", both),
            case("1 MB of text, 64 connections that take br and gzip", "large.txt", both),
        ],
    )
}

fn beside(bench: &Bench, cases: &[Case]) -> Vec<Row> {
    let environment = TestEnv::new();
    let project = site(&environment);
    let host = TestHost::start(&environment);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let root = environment.folder().join("precompressed");
    precompressed(&project.path("public"), &root);
    let servers: Vec<_> = bench
        .against
        .iter()
        .map(|peer| {
            let folder = environment.folder().join(peer.name());
            (*peer, StaticServer::start(*peer, Served { folder: &folder, root: &root, upstream: None }))
        })
        .collect();
    let ship = Target::Tcp(host.addresses().sites.parse().expect("a host names its address"));
    cases.iter().flat_map(|case| case.measured(bench, &ship, &servers)).collect()
}

impl Case {
    fn measured<E: std::fmt::Display>(
        &self,
        bench: &Bench,
        ship: &Target,
        servers: &[(Peer, Result<StaticServer, E>)],
    ) -> Vec<Row> {
        let order = |target: Target| {
            let path = format!("/{}", self.file);
            let order = Order::saturating(target, "files.localhost", &path, self.connections, SECONDS);
            let headers = self.codings.iter().map(|codings| format!("accept-encoding: {codings}")).collect();
            Order { headers, ..order }
        };
        let contenders = servers.iter().map(|(peer, server)| match server {
            Ok(server) => {
                let target = Target::Tcp(server.address);
                Contender::new(peer.name(), (*peer == Peer::Nginx).then_some(FASTER), move |_| {
                    answered(&order(target.clone()), bench)
                })
            }
            Err(reason) => Contender::absent(peer.name(), &NotThere(reason.to_string())),
        });
        let note = self.note(ship, servers);
        let (ours, met) = contest(bench.runs, |_| without_failures(&order(ship.clone()), bench), contenders.collect());
        met.into_iter().flat_map(|met| compared(self.work, &ours, met, &note)).collect()
    }

    /// Which coding everybody answers with, where some are taken.
    fn note<E>(&self, ship: &Target, servers: &[(Peer, Result<StaticServer, E>)]) -> String {
        let (Some(codings), Target::Tcp(ship)) = (self.codings, ship) else { return String::new() };
        let coding = |address: &str, host: &str| {
            let request = http::request("GET", &format!("http://{address}/{}", self.file)).header("host", host);
            let answer = request.header("accept-encoding", codings).send().success();
            answer.header("content-encoding").unwrap_or_else(|| "identity".to_owned())
        };
        let begun = Instant::now();
        // The host makes variants in the background, once somebody has asked.
        while coding(&ship.to_string(), "files.localhost") == "identity" && begun.elapsed() < COMPRESSION {
            std::thread::sleep(Duration::from_millis(100));
        }
        let others = servers.iter().filter_map(|(peer, server)| Some((peer.name(), server.as_ref().ok()?.address)));
        let others = others.map(|(name, address)| format!("{name} answers in {}", coding(&address.to_string(), name)));
        let own = format!("ship answers in {}", coding(&ship.to_string(), "files.localhost"));
        std::iter::once(own).chain(others).collect::<Vec<_>>().join(", ")
    }
}

const FASTER: Bound = Bound::TimesAtLeast { times: 1. };

/// Load that was answered in whole.
pub(crate) fn without_failures(order: &Order, bench: &Bench) -> Report {
    let report = order.carry_out_by(bench.generator);
    assert_eq!(report.failed, 0, "requests failed: {order:?}");
    report
}

/// The same of somebody else, who is left out if requests fail.
pub(crate) fn answered(order: &Order, bench: &Bench) -> Result<Report, NotThere> {
    let report = order.carry_out_by(bench.generator);
    if report.failed == 0 {
        return Ok(report);
    }
    Err(NotThere(format!("{} of {} requests fail", report.failed, report.failed + report.answered)))
}

fn compared(work: &str, ours: &[Report], met: Met<Report>, note: &str) -> Vec<Row> {
    let rate =
        |reports: &[Report]| Samples::new(Unit::PerSecond, reports.iter().map(|report| report.per_second).collect());
    let p99 = |reports: &[Report]| Samples::seconds(reports.iter().map(|report| report.p99).collect());
    match met.taken {
        Ok(theirs) => vec![
            Row::compared(work, rate(ours), &met.name, rate(&theirs), met.bound).noting(note.to_owned()),
            Row::compared(
                &format!("{work}, p99"),
                p99(ours),
                &met.name,
                p99(&theirs),
                met.bound.map(|_| Bound::times(1.2)),
            ),
        ],
        Err(reason) => vec![Row::without(work, &met.name, &reason.to_string())],
    }
}

fn site(environment: &TestEnv) -> TestProject {
    environment
        .project("files")
        .file("public/small.txt", "x".repeat(1000))
        .file("public/medium.bin", vec![b'x'; 100_000])
        .file("public/large.bin", vec![b'x'; 1_000_000])
        .file("public/medium.txt", text(100_000))
        .file("public/large.txt", text(1_000_000))
}

/// Text that compresses as a script does, to about a fifth: words in an order of their own (xorshift64*, Vigna 2016).
fn text(bytes: usize) -> String {
    let words = [
        "const", "return", "function", "value", "element", "=>", "(", ")", "{", "};\n", "request", "length", "map", "0",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut text = String::with_capacity(bytes + 32);
    while text.len() < bytes {
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        let drawn = state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        text.push_str(words[usize::try_from(drawn).unwrap_or(0) % words.len()]);
        text.push(' ');
        if drawn.is_multiple_of(5) {
            let _ = write!(text, "v{}", drawn % 10_000);
        }
    }
    text.truncate(bytes);
    text
}

/// A copy of a site with a compressed file beside each text, at the highest levels, as a build step would leave them.
fn precompressed(site: &Path, copy: &Path) {
    let run = |program: &str, arguments: &[&str], file: &Path| {
        // Where a program is not installed its variants are missing, which the row says.
        let _ = Command::new(program).args(arguments).arg(file).status();
    };
    std::fs::create_dir_all(copy).expect("the folder is writable");
    for entry in std::fs::read_dir(site).expect("the site is there").flatten() {
        let file = copy.join(entry.file_name());
        std::fs::copy(entry.path(), &file).expect("the folder is writable");
        if file.extension().is_some_and(|extension| extension == "txt") {
            run("gzip", &["--keep", "-9"], &file);
            run("brotli", &["--keep", "--quality=11"], &file);
        }
    }
}
