//! Ending what a build has started when the build is no longer wanted.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    /// Ends what runs, and everything that would be started from now on.
    pub fn raise(&self) {
        let mut state = self.state();
        state.is_raised = true;
        state.groups.iter().copied().for_each(kill);
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
    if let Some(group) = i32::try_from(group).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
    use std::process::Command;

    use super::*;

    /// A raised interrupt ends what runs and what is started later, and leaves alone what has ended by itself.
    #[test]
    fn ends_groups() {
        let start = || Command::new("sleep").arg("1000").process_group(0).spawn().unwrap();
        let interrupt = Interrupt::default();
        let mut running = start();
        let _group = interrupt.watch(running.id());
        drop(interrupt.watch(1));
        interrupt.raise();
        assert_eq!(running.wait().unwrap().signal(), Some(9));
        let mut late = start();
        let _late_group = interrupt.watch(late.id());
        assert_eq!(late.wait().unwrap().signal(), Some(9));
    }
}
