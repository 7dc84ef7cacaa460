//! Ending what a build has started when the build is no longer wanted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// How long what was killed may take to be gone. Processes that nobody collects, as in a container without an init, never are.
const LAST_MOMENTS: Duration = Duration::from_secs(1);

/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(1);

/// Ends the programs that builds run for the project's owner, with all that these have started. Clones are one and the same.
#[derive(Clone, Default, Debug)]
pub struct Interrupt {
    state: Arc<Mutex<State>>,
}

#[derive(Default, Debug)]
struct State {
    is_raised: bool,
    /// Process groups that run.
    groups: BTreeSet<u32>,
}

/// Somebody does not want the build any more.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl Interrupt {
    /// Ends what runs, and everything that would be started from now on. Waits a moment until it is gone: who has interrupted a build and
    /// types the next command finds nothing of it.
    pub fn raise(&self) {
        let groups = {
            let mut state = self.state();
            state.is_raised = true;
            state.groups.clone()
        };
        groups.iter().copied().for_each(kill);
        let begun = Instant::now();
        while groups.iter().copied().any(is_there) && begun.elapsed() < LAST_MOMENTS {
            thread::sleep(LOOK);
        }
    }

    /// Whether the build is no longer wanted.
    pub(crate) fn is_raised(&self) -> bool {
        self.state().is_raised
    }

    /// Ends the process group `id` when the build is interrupted, until the guard is dropped.
    pub(crate) fn watch(&self, id: u32) -> GroupGuard<'_> {
        let mut state = self.state();
        state.groups.insert(id);
        if state.is_raised {
            kill(id);
        }
        GroupGuard { interrupt: self, id }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A process group that ends with its build.
pub(crate) struct GroupGuard<'i> {
    interrupt: &'i Interrupt,
    id: u32,
}

impl GroupGuard<'_> {
    /// Ends what is still there of the group.
    pub(crate) fn end(self) -> Self {
        kill(self.id);
        self
    }
}

impl Drop for GroupGuard<'_> {
    fn drop(&mut self) {
        self.interrupt.state().groups.remove(&self.id);
    }
}

/// Kills a process group. One that is gone is fine.
fn kill(group: u32) {
    if let Some(group) = process_group(group) {
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// Whether a process of a group is there.
fn is_there(group: u32) -> bool {
    process_group(group).is_some_and(|group| test_kill_process_group(group).is_ok())
}

fn process_group(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::Command;

    use super::*;

    /// A raised interrupt ends what runs and what is started later, and leaves alone what has ended by itself. When it was raised, nothing is
    /// left.
    #[test]
    fn ends_groups() {
        let start = || Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        let interrupt = Interrupt::default();
        let mut running = start();
        let _group = interrupt.watch(running.id());
        drop(interrupt.watch(1));
        let group = running.id();
        let waiting = thread::spawn(move || running.wait().unwrap().signal());
        interrupt.raise();
        assert!(!is_there(group));
        assert_eq!(waiting.join().unwrap(), Some(9));
        let mut late = start();
        let _late_group = interrupt.watch(late.id());
        assert_eq!(late.wait().unwrap().signal(), Some(9));
    }
}
