//! What visitors who mean no good cost the others, and the host.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ship_tests::{Process, TestAuthority, TestEnv, TestHost};

use super::floor::go_is_installed;
use crate::attack::{Attack, Order};
use crate::bench::Bench;
use crate::figure::{Bound, Row};
use crate::load::Report;
use crate::samples::{Samples, Unit};
use crate::talk;
use crate::turns::alternate;
use crate::visit::Visit;

/// What attackers do.
const ATTACKS: [(Attack, &str); 12] = [
    (Attack::SlowHeads, "1,000 send heads slowly"),
    (Attack::SlowBodies, "1,000 send bodies slowly"),
    (Attack::SlowReaders, "1,000 read slowly"),
    (Attack::Crowd, "20,000 connect"),
    (Attack::NoWindow, "100 keep windows shut"),
    (Attack::Handshakes, "handshakes flood"),
    (Attack::RapidReset, "rapid resets flood"),
    (Attack::Continuation, "CONTINUATION floods"),
    (Attack::Ping, "PING floods"),
    (Attack::Settings, "SETTINGS floods"),
    (Attack::WindowUpdate, "WINDOW_UPDATE floods"),
    (Attack::EmptyData, "empty DATA floods"),
];

/// Where visitors come from, and where attackers do. Neither is where proxies are, who are not held back.
const VISITORS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const ATTACKERS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

/// How long visitors visit in each run, in seconds.
const SECONDS: f64 = 1.;

/// What the page says, and how large the large file is, in bytes.
const PAGE: &str = "here";
const LARGE_BYTES: usize = 4 * 1024 * 1024;

/// How much the host may grow, in bytes: what is said of a connection's memory, for as many of them as an attack has and that are let in,
/// comes to far more.
const MAX_GROWTH: f64 = 256. * 1024. * 1024.;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

const TAKES: &str = "package handler\n\nimport (\n\t\"io\"\n\t\"net/http\"\n)\n\nfunc Handler(w http.ResponseWriter, r *http.Request) {\n\tio.Copy(io.Discard, r.Body)\n}\n";

/// K4: the 99th percentile of visitors under attack, beside what it is without it, and what it is when another host of this machine is
/// attacked, so that the machine is as busy; what it is for visitors who have the attackers' address; and the host's memory.
pub(crate) fn under_attack(bench: &Bench) -> Vec<Row> {
    if !go_is_installed() {
        return vec![Row::skipped("visitors under attack", "no go on PATH")];
    }
    let (environment, other_environment) = (TestEnv::new(), TestEnv::new());
    let authority = TestAuthority::new();
    let (certificate, key) = authority.write(&environment.folder().join("pair"), &["*.ship.test"]);
    let files = [&certificate, &key].map(|path| path.display().to_string());
    let options =
        ["--domain", "ship.test", "--tls-listen", "127.0.0.1:0", "--tls-cert", &files[0], "--tls-key", &files[1]];
    let [(host, ship), (_other_host, other)] = [&environment, &other_environment].map(|environment| {
        let host = TestHost::start_with(environment, &options);
        let scene = Scene::set(environment, &host, &authority);
        (host, scene)
    });
    ATTACKS.iter().flat_map(|attack| under(*attack, host.process(), (&ship, &other), bench.runs)).collect()
}

fn under((attack, does): (Attack, &str), host: Process, (ship, other): (&Scene, &Scene), runs: usize) -> Vec<Row> {
    talk::say(&format!("measuring K4: {does}"));
    let (mut grown, mut beside, mut sharing) = (Vec::new(), Vec::new(), Vec::new());
    let attacked = |_| {
        let before = host.resident_bytes();
        let (report, most) = growing(host, || under_attack_of(attack, ship, || ship.visited(VISITORS)));
        grown.push(most.saturating_sub(before) as f64);
        report
    };
    let alone = |_| {
        beside.push(under_attack_of(attack, other, || ship.visited(VISITORS)));
        if !takes_the_share_of_its_address(attack) {
            sharing.push(under_attack_of(attack, ship, || ship.visited(ATTACKERS)));
        }
        ship.visited(VISITORS)
    };
    let (under, alone) = alternate(runs, attacked, alone);
    let told = if sharing.is_empty() { "nobody else" } else { &p99(&sharing).to_string() };
    let note = format!("{told} with their address");
    let [under, alone, beside] = [under, alone, beside].map(|reports| p99(&reports));
    let work = format!("a visitor's p99 while {does}");
    let growth = Samples::new(Unit::Bytes, grown);
    vec![
        Row::compared(&work, under.clone(), "without it", alone, Bound::times(2.)),
        Row::compared(&work, under, "to another host", beside, Bound::times(2.)).noting(note),
        Row::alone(&format!("the host grows while {does}"), growth, Some(Bound::AtMost { value: MAX_GROWTH })),
    ]
}

/// Whether attackers have as many connections as their address may, so that nobody else who has it is let in: one in four of the places that
/// are left, which are some thousands at the most.
fn takes_the_share_of_its_address(attack: Attack) -> bool {
    matches!(attack, Attack::Crowd | Attack::SlowHeads | Attack::SlowBodies | Attack::SlowReaders)
}

fn p99(reports: &[Report]) -> Samples {
    Samples::seconds(reports.iter().map(|report| report.p99).collect())
}

/// What comes of some work while a host is attacked.
fn under_attack_of<T>(attack: Attack, scene: &Scene, work: impl FnOnce() -> T) -> T {
    let Scene { authority, trusted } = scene.clone();
    let attackers = Order { attack, authority, trusted, from: ATTACKERS }.begin();
    let result = work();
    drop(attackers);
    result
}

/// Somewhere to visit and to attack.
#[derive(Clone)]
struct Scene {
    authority: String,
    trusted: String,
}

impl Scene {
    /// Deploys what there is to visit.
    fn set(environment: &TestEnv, host: &TestHost<'_>, authority: &TestAuthority) -> Self {
        let project = environment
            .project("site")
            .file("public/index.html", PAGE)
            .file("public/large.bin", "x".repeat(LARGE_BYTES))
            .file("api/takes.go", TAKES);
        let _ = host.ship(["deploy"]).within(project.folder()).run().success();
        let authority_of_url = host.secure_url("site.ship.test").replace("https://", "");
        Self { authority: authority_of_url, trusted: authority.pem().to_owned() }
    }

    fn visited(&self, from: Ipv4Addr) -> Report {
        let Self { authority, trusted } = self.clone();
        Visit { authority, trusted, from, page: PAGE.to_owned(), seconds: SECONDS }.carry_out()
    }
}

/// What comes of some work, and how large a process was meanwhile at the most, in bytes.
fn growing<T>(process: Process, work: impl FnOnce() -> T) -> (T, u64) {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut most = 0;
            while !is_over.load(Ordering::Relaxed) {
                most = most.max(process.resident_bytes());
                thread::sleep(LOOK);
            }
            most
        });
        let result = work();
        is_over.store(true, Ordering::Relaxed);
        (result, looking.join().expect("to look never fails"))
    })
}
