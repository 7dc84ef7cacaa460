//! Functions that begin processes without pause, and how the others are kept from waiting for them.
//!
//! To begin and to end a process is the kernel's own work, which nobody interrupts: on two processors, one function that did nothing else
//! kept others waiting ten times as long as usual, for a tenth of a second at worst, whatever share of the processors it was given. What
//! helps is that it does less of it. So one that storms has next to nothing of the processors for a while.

use std::collections::BTreeMap;
use std::fs;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Folders;
use super::quota::Quota;
use crate::linux::process::computed;

/// Between two looks while the host does something, and while it does not: without visitors nobody waits.
const LOOKS: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));

/// How much a host computes between two looks at least that has visitors.
const BUSY: Duration = Duration::from_micros(200);

/// How many processes and threads are begun on the whole machine in a second before it is asked by whom.
const MANY_PER_SECOND: u64 = 1000;

/// How long nobody is asked after nobody was found: what else the machine does may begin many.
const ASKED_AGAIN: Duration = Duration::from_millis(200);

/// A cell is looked at so many times, each time for what began in it within so long. It storms if that was something in so many: it begins
/// two thousand processes a second or more. Threads are not seen, and a server that has one for each request begins as many.
const GLANCES: u32 = 16;
const GLANCE: Duration = Duration::from_micros(100);
const STORM_GLANCES: u32 = 5;

/// So many processes that a cell may not have, in the same time, are a storm as well.
const STORM_REFUSALS: u64 = 3;

/// How long a function is slow for its first storm. Each further one doubles it, up to so many times.
const FIRST_SLOW: Duration = Duration::from_secs(5);
const MOST_DOUBLINGS: u32 = 4;

/// One that begins nothing for so long has ended its storm.
const CALM: Duration = Duration::from_secs(1);

/// The cells in which functions run.
#[derive(Debug, Default)]
pub(super) struct RunningCells {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    cells: BTreeMap<u64, Arc<RunningCell>>,
    next: u64,
    is_watched: bool,
    is_over: bool,
}

impl RunningCells {
    /// Looks after a cell until it is said to be gone. Gives what it is called here.
    pub(super) fn add(self: &Arc<Self>, cell: Arc<RunningCell>) -> u64 {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.cells.insert(number, cell);
        if !std::mem::replace(&mut state.is_watched, true) {
            let own = Arc::clone(self);
            // Without it functions run as well.
            let started = thread::Builder::new().name("ship-storms".to_owned()).spawn(move || own.watch());
            state.is_watched = started.is_ok();
        }
        self.changed.notify_all();
        number
    }

    /// Forgets a cell.
    pub(super) fn remove(&self, number: u64) {
        self.state().cells.remove(&number);
    }

    /// Looks after nobody any more.
    pub(super) fn end(&self) {
        self.state().is_over = true;
        self.changed.notify_all();
    }

    fn watch(&self) {
        let mut lookout = Lookout::begin();
        while let Some(cells) = self.next_look(lookout.pace()) {
            lookout.look(&cells);
        }
    }

    /// Waits for `pace` while functions run, and for one that does. `None` when all is over.
    fn next_look(&self, pace: Duration) -> Option<Vec<Arc<RunningCell>>> {
        let state = self.changed.wait_while(self.state(), |state| state.cells.is_empty() && !state.is_over);
        drop(state);
        let state = self.changed.wait_timeout_while(self.state(), pace, |state| !state.is_over);
        let (state, _) = state.unwrap_or_else(PoisonError::into_inner);
        (!state.is_over).then(|| state.cells.values().cloned().collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cell in which a function runs.
#[derive(Debug)]
pub(super) struct RunningCell {
    folders: Arc<Folders>,
    /// What it has of the processors, and what if it storms.
    usual: Quota,
    slow: Quota,
    /// How often it was refused a process when that was last looked at.
    refusals: AtomicU64,
    slowness: Mutex<Slowness>,
    /// How long it is slow, each time that it becomes so.
    slowed: watch::Sender<Duration>,
}

#[derive(Debug, Default)]
struct Slowness {
    storms: u32,
    /// What it is slow for, while it is.
    storm: Option<Storm>,
    /// It is being ended, which takes processor time too.
    is_let_off: bool,
}

/// A storm that a cell is slow for.
#[derive(Clone, Copy, Debug)]
struct Storm {
    until: Instant,
    /// When it was last asked whether it goes on, and the newest process of that time.
    asked: Instant,
    newest: Option<u32>,
}

impl RunningCell {
    pub(super) fn new(folders: Arc<Folders>, usual: Quota, slow: Quota, slowed: watch::Sender<Duration>) -> Self {
        Self { folders, usual, slow, refusals: AtomicU64::new(0), slowness: Mutex::default(), slowed }
    }

    /// Gives it its usual share, for good.
    pub(super) fn let_off(&self) {
        let mut slowness = self.slowness();
        slowness.is_let_off = true;
        if slowness.storm.take().is_some() {
            let _ = self.folders.set_quota(self.usual);
        }
    }

    fn is_slow(&self) -> bool {
        self.slowness().storm.is_some()
    }

    fn slow_down(&self) {
        let mut slowness = self.slowness();
        if slowness.is_let_off || self.folders.set_quota(self.slow).is_err() {
            return;
        }
        let time = FIRST_SLOW * 2_u32.pow(slowness.storms.min(MOST_DOUBLINGS));
        slowness.storms += 1;
        let asked = Instant::now();
        slowness.storm = Some(Storm { until: asked + time, asked, newest: newest_process() });
        self.slowed.send_replace(time);
    }

    /// Gives it its usual share again when its time, or its storm, is over.
    fn speed_up(&self) {
        let mut slowness = self.slowness();
        let is_over = |storm: &mut Storm| storm.until <= Instant::now() || self.is_calm(storm);
        if slowness.storm.take_if(is_over).is_some() {
            let _ = self.folders.set_quota(self.usual);
        }
    }

    /// Whether it has begun nothing for a while.
    fn is_calm(&self, storm: &mut Storm) -> bool {
        if storm.asked.elapsed() < CALM {
            return false;
        }
        let has_begun = storm.newest.is_none_or(|newest| self.has_begun_since(newest));
        (storm.asked, storm.newest) = (Instant::now(), newest_process());
        !self.was_refused() && !has_begun
    }

    /// Whether it begins processes, or tries to, without pause.
    fn storms(&self) -> bool {
        let refused = self.refusals();
        let glances = (0..GLANCES).filter(|_| self.begins_something()).count();
        glances >= STORM_GLANCES as usize || self.refusals() >= refused + STORM_REFUSALS
    }

    fn begins_something(&self) -> bool {
        let Some(before) = newest_process() else { return false };
        let begun = Instant::now();
        while begun.elapsed() < GLANCE {
            std::hint::spin_loop();
        }
        self.has_begun_since(before)
    }

    /// Whether a process is in it that is newer than `before`.
    fn has_begun_since(&self, before: u32) -> bool {
        let list = self.folders.find("cgroup.procs").and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let Some(newest) = newest_process() else { return false };
        list.lines().filter_map(|id| id.parse().ok()).any(|id| is_between(before, id, newest))
    }

    /// Whether it was refused a process since this was last asked.
    fn was_refused(&self) -> bool {
        let refusals = self.refusals();
        self.refusals.swap(refusals, Relaxed) != refusals
    }

    /// How often it was refused a process.
    fn refusals(&self) -> u64 {
        let text = self.folders.find("pids.events").and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        text.lines().find_map(|line| line.strip_prefix("max ")?.parse().ok()).unwrap_or(0)
    }

    fn slowness(&self) -> MutexGuard<'_, Slowness> {
        self.slowness.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who looks out for storms.
struct Lookout {
    looked_at: Instant,
    /// The newest process at that time.
    newest: Option<u32>,
    /// How long this process had computed by then.
    computed: Duration,
    is_busy: bool,
    /// When nobody was found.
    not_found: Option<Instant>,
}

impl Lookout {
    fn begin() -> Self {
        let computed = computed();
        Self { looked_at: Instant::now(), newest: newest_process(), computed, is_busy: true, not_found: None }
    }

    fn pace(&self) -> Duration {
        if self.is_busy { LOOKS.0 } else { LOOKS.1 }
    }

    fn look(&mut self, cells: &[Arc<RunningCell>]) {
        for cell in cells {
            cell.speed_up();
        }
        let before = std::mem::replace(self, Self { not_found: self.not_found, ..Self::begin() });
        self.is_busy = self.computed.saturating_sub(before.computed) >= BUSY;
        let (Some(oldest), Some(newest)) = (before.newest, self.newest) else { return };
        let passed = u64::try_from((self.looked_at - before.looked_at).as_millis()).unwrap_or(u64::MAX);
        if u64::from(distance(oldest, newest)) * 1000 < MANY_PER_SECOND * passed {
            return;
        }
        self.is_busy = true;
        if self.not_found.is_some_and(|at| at.elapsed() < ASKED_AGAIN) {
            return;
        }
        let suspects =
            cells.iter().filter(|cell| !cell.is_slow() && (cell.was_refused() || cell.has_begun_since(oldest)));
        let storming: Vec<_> = suspects.filter(|cell| cell.storms()).collect();
        self.not_found = storming.is_empty().then(Instant::now);
        for cell in storming {
            cell.slow_down();
        }
    }
}

/// The id that was given last, in this process's namespace: to a process of its own or of one below (`proc_loadavg(5)`). Reading it costs three
/// microseconds, so it comes before everything else.
fn newest_process() -> Option<u32> {
    let text = fs::read_to_string("/proc/loadavg").ok()?;
    text.trim_end().rsplit(' ').next()?.parse().ok()
}

/// How many ids were given from one to the other. They begin again at the end.
fn distance(from: u32, to: u32) -> u32 {
    if to >= from { to - from } else { most_processes().saturating_sub(from) + to }
}

/// Whether `id` was given after `before` and not after `newest`.
fn is_between(before: u32, id: u32, newest: u32) -> bool {
    let since = distance(before, id);
    since > 0 && since <= distance(before, newest)
}

/// What ids are below.
fn most_processes() -> u32 {
    let text = fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default();
    text.trim().parse().unwrap_or(i32::MAX as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ids that were given later are known also where they begin again.
    #[test]
    fn later_ids() {
        let most = most_processes();
        assert_eq!([(10, 10), (10, 25), (most - 5, 5)].map(|(from, to)| distance(from, to)), [0, 15, 10]);
        for (before, id, newest, expected) in [
            (10, 20, 30, true),
            (10, 30, 30, true),
            (10, 10, 30, false),
            (10, 31, 30, false),
            (most - 5, 3, 5, true),
            (most - 5, most - 1, 5, true),
            (most - 5, most - 6, 5, false),
            (most - 5, 500, 5, false),
        ] {
            assert_eq!(is_between(before, id, newest), expected, "{before} {id} {newest}");
        }
    }

    /// The newest process is one that was begun after the one before.
    #[test]
    fn newest() {
        let before = newest_process().unwrap();
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let newest = newest_process().unwrap();
        assert!(is_between(before, child.id(), newest), "{before} {} {newest}", child.id());
        child.wait().unwrap();
    }

    /// Whoever is not looked after any more lets the watch end, and one that runs is looked at.
    #[test]
    fn looks() {
        let cells = Arc::new(RunningCells::default());
        let folders = Arc::new(Folders { version: crate::linux::cgroup::ControlGroupVersion::Two, paths: Vec::new() });
        let quota = Quota { micros: 1, period_micros: 1 };
        let number = cells.add(Arc::new(RunningCell::new(folders, quota, quota, watch::Sender::default())));
        assert_eq!(cells.next_look(Duration::ZERO).map(|cells| cells.len()), Some(1));
        cells.remove(number);
        cells.end();
        assert!(cells.next_look(Duration::from_mins(1)).is_none());
    }
}
