//! What visitors who mean no good cost the others, and the host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use ship_tests::{Process, TestAuthority, TestEnv, TestHost};

use super::floor::go_is_installed;
use crate::alternate::alternate;
use crate::attack::{Attack, Order};
use crate::figure::{Bound, Row};
use crate::load::Report;
use crate::samples::{Samples, Unit};
use crate::talk;
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

/// How long visitors visit in each run, in seconds.
const SECONDS: f64 = 1.5;

/// What the page says, and how large the large file is, in bytes.
const PAGE: &str = "here";
const LARGE_BYTES: usize = 4 * 1024 * 1024;

/// How much the host may grow, in bytes: what is said of a connection's memory, for as many of them as an attack has and that are let in,
/// comes to far more.
const MAX_GROWTH: f64 = 256. * 1024. * 1024.;

/// How often memory is looked at.
const LOOK: Duration = Duration::from_millis(20);

const TAKES: &str = "package handler\n\nimport (\n\t\"io\"\n\t\"net/http\"\n)\n\nfunc Handler(w http.ResponseWriter, r *http.Request) {\n\tio.Copy(io.Discard, r.Body)\n}\n";

/// K4: the 99th percentile of visitors under attack and without it, beside what it is when the attackers only use their share of the
/// processors, and the host's memory.
pub(crate) fn under_attack(runs: usize) -> Vec<Row> {
    if !go_is_installed() {
        return vec![Row::skipped("visitors under attack", "no go on PATH")];
    }
    let environment = TestEnv::new();
    let authority = TestAuthority::new();
    let (certificate, key) = authority.write(&environment.folder().join("pair"), &["*.ship.test"]);
    let files = [&certificate, &key].map(|path| path.display().to_string());
    let options =
        ["--domain", "ship.test", "--tls-listen", "127.0.0.1:0", "--tls-cert", &files[0], "--tls-key", &files[1]];
    let host = TestHost::start_with(&environment, &options);
    let project = environment
        .project("site")
        .file("public/index.html", PAGE)
        .file("public/large.bin", "x".repeat(LARGE_BYTES))
        .file("api/takes.go", TAKES);
    let _ = host.ship(["deploy"]).within(project.folder()).run().success();
    let ship = Scene {
        authority: host.secure_url("site.ship.test").replace("https://", ""),
        trusted: authority.pem().to_owned(),
    };
    ATTACKS.iter().flat_map(|attack| under(*attack, host.process(), &ship, runs)).collect()
}

fn under((attack, does): (Attack, &str), host: Process, ship: &Scene, runs: usize) -> Vec<Row> {
    talk::say(&format!("measuring K4: {does}"));
    let (mut grown, mut beside) = (Vec::new(), Vec::new());
    let attacked = |_| {
        let before = host.resident_bytes();
        let (report, most) = growing(host, || ship.visited_under(attack));
        grown.push(most.saturating_sub(before) as f64);
        report
    };
    let alone = |_| {
        beside.push(ship.visited_under(Attack::Spin));
        ship.visited()
    };
    let (under, alone) = alternate(runs, attacked, alone);
    let beside = p99(&beside);
    let note =
        format!("{:.2} × what it is while as many only compute ({beside})", p99(&under).median() / beside.median());
    let work = format!("a visitor's p99 while {does}");
    let growth = Samples::new(Unit::Bytes, grown);
    vec![
        Row::compared(&work, p99(&under), "without it", p99(&alone), Bound::times(2.)).noting(note),
        Row::alone(&format!("the host grows while {does}"), growth, Some(Bound::AtMost { value: MAX_GROWTH })),
    ]
}

fn p99(reports: &[Report]) -> Samples {
    Samples::seconds(reports.iter().map(|report| report.p99).collect())
}

/// Somewhere to visit and to attack.
struct Scene {
    authority: String,
    trusted: String,
}

impl Scene {
    fn visited(&self) -> Report {
        let Self { authority, trusted } = self;
        Visit { authority: authority.clone(), trusted: trusted.clone(), page: PAGE.to_owned(), seconds: SECONDS }
            .carry_out()
    }

    fn visited_under(&self, attack: Attack) -> Report {
        let Self { authority, trusted } = self;
        let attackers = Order { attack, authority: authority.clone(), trusted: trusted.clone() }.begin();
        let report = self.visited();
        drop(attackers);
        report
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
