//! What is kept when, with a clock that the test moves and a stove that only remembers.

use std::sync::atomic::{AtomicBool, Ordering};

use ship_core::route::RouteTable;
use ship_core::{Digest, FunctionLimits, FunctionRuntime, Schedule, TimeZoneName};
use tokio::time::Instant;

use super::*;

/// When the tests begin: a Thursday, an hour before work.
const START: &str = "2026-01-15T06:00:00Z";

/// A deployment with one function that keeps so many instances, and others by schedules in Zurich.
fn manifest(min_instances: u32, warm: &[(&str, u32)]) -> Manifest {
    let schedule = |(cron, min_instances): &(&str, u32)| WarmSchedule {
        cron: Schedule::new(cron).unwrap(),
        min_instances: *min_instances,
        time_zone: TimeZoneName::new("Europe/Zurich").unwrap(),
    };
    let function = Function {
        name: "api/f".parse().unwrap(),
        runtime: FunctionRuntime::Go,
        digest: Digest::of(b""),
        size_bytes: 0,
        limits: FunctionLimits { min_instances, ..FunctionLimits::default() },
        layers: Vec::new(),
        warm: warm.iter().map(schedule).collect(),
    };
    Manifest::new(vec![], vec![function], RouteTable::new(), vec![]).unwrap()
}

/// A stove that knows these deployments and tells what it is asked to keep.
struct Notes {
    manifests: HashMap<DeploymentId, Manifest>,
    kept: mpsc::UnboundedSender<(DeploymentId, u32)>,
    /// Whether the next attempt fails.
    fails_once: AtomicBool,
}

impl Stove for Notes {
    async fn productions(&self) -> Result<Vec<ProductionMove>, StateError> {
        let at_start = self.manifests.contains_key(&id("at start")).then(|| id("at start"));
        Ok(at_start.into_iter().map(|id| ProductionMove { project: "site".parse().unwrap(), to: Some(id) }).collect())
    }

    async fn keep(&self, (deployment, _): &FunctionKey, instances: u32) -> bool {
        self.kept.send((*deployment, instances)).unwrap();
        !self.fails_once.swap(false, Ordering::Relaxed)
    }

    async fn manifest(&self, deployment: DeploymentId) -> Result<Manifest, StateError> {
        self.manifests.get(&deployment).cloned().ok_or(StateError::UnknownDeployment { id: deployment })
    }
}

/// A keeper at work.
struct Play {
    moves: mpsc::UnboundedSender<ProductionMove>,
    kept: mpsc::UnboundedReceiver<(DeploymentId, u32)>,
    began: Instant,
}

impl Play {
    fn begin(manifests: impl IntoIterator<Item = (DeploymentId, Manifest)>, fails_once: bool) -> Self {
        let (moves, inbox) = mpsc::unbounded_channel();
        let (sender, kept) = mpsc::unbounded_channel();
        let began = Instant::now();
        let clock: Clock = Arc::new(move || START.parse::<Timestamp>().unwrap() + began.elapsed());
        let manifests = manifests.into_iter().collect();
        let notes = Notes { manifests, kept: sender, fails_once: AtomicBool::new(fails_once) };
        tokio::spawn(Warmth::new(notes, clock, inbox).run(CancellationToken::new()));
        Self { moves, kept, began }
    }

    fn point(&self, to: Option<DeploymentId>) {
        self.moves.send(ProductionMove { project: "site".parse().unwrap(), to }).unwrap();
    }

    /// What is asked for next, and how many minutes after the start.
    async fn next(&mut self) -> (DeploymentId, u32, u64) {
        let (deployment, instances) = self.kept.recv().await.unwrap();
        (deployment, instances, self.began.elapsed().as_secs() / 60)
    }
}

fn id(name: &str) -> DeploymentId {
    DeploymentId::of_bytes(name.as_bytes())
}

/// What production leads to has its instances at once; what it led to before has none any more, and neither has what is gone.
#[tokio::test(start_paused = true)]
async fn follows_production() {
    let mut play = Play::begin([(id("a"), manifest(2, &[])), (id("b"), manifest(1, &[]))], false);
    play.point(Some(id("a")));
    assert_eq!(play.next().await, (id("a"), 2, 0));
    play.point(Some(id("b")));
    assert_eq!(play.next().await, (id("a"), 0, 0));
    assert_eq!(play.next().await, (id("b"), 1, 0));
    play.point(None);
    assert_eq!(play.next().await, (id("b"), 0, 0));
    play.point(Some(id("unreadable")));
    play.point(Some(id("a")));
    assert_eq!(play.next().await, (id("a"), 2, 0));
}

/// A working day in Zurich: two instances from eight, none from six, and again the next morning.
#[tokio::test(start_paused = true)]
async fn working_day() {
    let day = manifest(0, &[("0 8 * * MON-FRI", 2), ("0 18 * * *", 0)]);
    let mut play = Play::begin([(id("a"), day)], false);
    play.point(Some(id("a")));
    assert_eq!(play.next().await, (id("a"), 2, 60));
    assert_eq!(play.next().await, (id("a"), 0, 11 * 60));
    assert_eq!(play.next().await, (id("a"), 2, 25 * 60));
}

/// What production leads to when the host starts has its instances without anybody asking.
#[tokio::test(start_paused = true)]
async fn at_start() {
    let mut play = Play::begin([(id("at start"), manifest(3, &[]))], false);
    assert_eq!(play.next().await, (id("at start"), 3, 0));
    play.point(None);
    assert_eq!(play.next().await, (id("at start"), 0, 0));
}

/// What could not be kept is tried again a minute later.
#[tokio::test(start_paused = true)]
async fn tried_again() {
    let mut play = Play::begin([(id("a"), manifest(1, &[]))], true);
    play.point(Some(id("a")));
    assert_eq!(play.next().await, (id("a"), 1, 0));
    assert_eq!(play.next().await, (id("a"), 1, 1));
}
