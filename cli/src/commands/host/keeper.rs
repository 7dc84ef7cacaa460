//! The keeper: what is left of a host that was started in a terminal, by a container or by a simple supervisor, once another process
//! serves in its place. Whoever started it waits for its end, so it stays until the last of its successors has ended, passes signals on
//! to the one that serves, and ends as that one did.

use std::ffi::OsString;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, kill_process, wait};
use ship_runtime::OWN_PROGRAM;
use tokio::signal::unix::{SignalKind, signal};

use super::signals::Signals;

/// The name of the keeper's process. A program that is started under this name has to call [`keep`].
pub(crate) const KEEPER_NAME: &str = "ship-keeper";

/// What a process ends with that a signal has ended, as shells have it.
const SIGNAL_CODE: i32 = 128;

/// What it ends with if the host was gone before the keeper began: nobody knows how that ended, but not because it was asked to.
const UNSEEN_CODE: i32 = 4;

/// How long a host may take to end that has let go of its data directory.
const LAST_STEPS: Duration = Duration::from_secs(5);

/// Becomes the keeper of the hosts of a data directory: the same process with another program, so that nothing of the host's memory
/// stays. No thread but this one may be left. Returns only if that fails.
pub(super) fn become_keeper(data: &Path, heard: Signals) -> io::Error {
    // A signal reaches the host that serves, whenever it comes: those that this program has heard are passed on here, those that come
    // from here on wait for the keeper.
    ship_runtime::hold_signals();
    match heard.missed() {
        Ok(missed) => missed.into_iter().for_each(|signal| pass_on(data, signal)),
        Err(error) => return error,
    }
    Command::new(OWN_PROGRAM).arg0(KEEPER_NAME).arg(data).exec()
}

/// Stays until no successor is left, and gives the exit code of the last. `words` are those that the keeper was started with.
pub(crate) fn keep(words: &[OsString]) -> u8 {
    let Some(data) = words.get(1) else { return 2 };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let kept = runtime.and_then(|runtime| runtime.block_on(keep_until_none(Path::new(data))));
    kept.ok().and_then(|code| u8::try_from(code).ok()).unwrap_or(4)
}

async fn keep_until_none(data: &Path) -> io::Result<i32> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (mut hang_up, mut child) = (signal(SignalKind::hangup())?, signal(SignalKind::child())?);
    ship_runtime::take_signals();
    let mut code = UNSEEN_CODE;
    loop {
        // What has ended before this process could hear of it is collected first.
        let children = collect(data, &mut code);
        if children == Children::None {
            return Ok(code);
        }
        if !ship_store::is_in_use(data) {
            // The last is about to end; what else there is was left behind by something.
            let _ = tokio::time::timeout(LAST_STEPS, child.recv()).await;
            let _ = collect(data, &mut code);
            return Ok(code);
        }
        tokio::select! {
            _ = child.recv() => {}
            _ = interrupt.recv() => pass_on(data, Signal::INT),
            _ = terminate.recv() => pass_on(data, Signal::TERM),
            _ = hang_up.recv() => pass_on(data, Signal::HUP),
        }
    }
}

/// Whether anybody is left to wait for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Children {
    Some,
    None,
}

/// Collects who has ended, and notes how the newest host did. What a host has started comes here, too, when that is gone: it ends well
/// whatever became of the host.
fn collect(data: &Path, code: &mut i32) -> Children {
    loop {
        match wait(WaitOptions::NOHANG) {
            Ok(Some((process, status))) => {
                if newest(data) == Some(process) {
                    *code = code_of(status).unwrap_or(*code);
                }
            }
            Ok(None) => return Children::Some,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return Children::None,
        }
    }
}

/// Passes a signal on to the host that has the data directory. Whether there is one.
pub(super) fn pass_on_to_newest(data: &Path, signal: Signal) -> bool {
    newest(data).is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// The host that has the data directory, or had it last.
fn newest(data: &Path) -> Option<Pid> {
    let newest = ship_store::lock_holder(data).filter(|pid| *pid != std::process::id())?;
    Pid::from_raw(i32::try_from(newest).ok()?)
}

fn pass_on(data: &Path, signal: Signal) {
    // Without a host that takes it there is nobody left to be ended.
    let _ = pass_on_to_newest(data, signal);
}

fn code_of(status: WaitStatus) -> Option<i32> {
    status.exit_status().or_else(|| status.terminating_signal().map(|signal| SIGNAL_CODE + signal))
}
